//! A php-fpm for one test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use fastcgi_client::{Client, Params, Request, io};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::TEST_TIMEOUT;

/// Stops when dropped.
#[derive(Debug)]
pub(crate) struct PhpFpm {
    process: Child,
    listen: String,
    folder: TempDir,
}

impl PhpFpm {
    /// On a Unix socket, with two workers: leaked calls would soon occupy both.
    pub(crate) async fn start() -> Self {
        Self::start_with("pm.max_children = 2\n").await
    }

    /// On a Unix socket, with these lines in the pool. They may override other lines: php-fpm takes the last of most
    /// lines, and the first of those with PHP's settings.
    pub(crate) async fn start_with(pool: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("fpm.sock").display().to_string();
        Self::start_at(folder, socket, pool).await
    }

    /// On a free port of 127.0.0.1.
    pub(crate) async fn start_on_tcp() -> Self {
        Self::start_on_tcp_with("pm.max_children = 2\n").await
    }

    /// The same, with these lines in the pool.
    pub(crate) async fn start_on_tcp_with(pool: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        Self::start_at(tempfile::tempdir().unwrap(), free.to_string(), pool).await
    }

    /// On this address.
    pub(crate) async fn start_on(address: &str) -> Self {
        let pool = "pm.max_children = 2\n";
        Self::start_at(tempfile::tempdir().unwrap(), address.to_owned(), pool).await
    }

    async fn start_at(folder: TempDir, listen: String, pool: &str) -> Self {
        let config = folder.path().join("php-fpm.conf");
        let database = folder.path().join("item.sqlite");
        let text = format!(
            "[global]\nerror_log = /dev/stderr\n[test]\nlisten = {listen}\npm = static\n\
             pm.status_path = /status\npm.status_listen = {status}\nping.path = /ping\n\
             catch_workers_output = no\n{user}\n{pool}\
             env[ITEM_DSN] = sqlite:{database}\n\
             env[ENDED_FILE] = {ended}\nenv[COUNTER_DB] = {counter}\nphp_admin_flag[display_errors] = off\n\
             php_admin_flag[log_errors] = on\n",
            status = folder.path().join("status.sock").display(),
            user = user_line(),
            database = database.display(),
            ended = folder.path().join("ended").display(),
            counter = folder.path().join("counter.sqlite").display(),
        );
        std::fs::write(&config, text).unwrap();
        let process = spawn(&config).await;
        Self {
            process,
            listen,
            folder,
        }
    }

    /// With the pool of the item application, on Unix sockets.
    pub(crate) async fn start_item() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name).display().to_string();
        let (listen, config) = (path("fpm.sock"), path("php-fpm.conf"));
        let mut text = std::fs::read_to_string(super::php("item/php-fpm.conf")).unwrap();
        for (line, own) in [
            ("listen = 127.0.0.1:9000", format!("listen = {listen}")),
            ("listen.allowed_clients = 127.0.0.1", user_line()),
            (
                "pm.status_listen = 127.0.0.1:9001",
                format!("pm.status_listen = {}", path("status.sock")),
            ),
            (
                "env[ITEM_DSN] = $ITEM_DSN",
                format!("env[ITEM_DSN] = sqlite:{}", path("item.sqlite")),
            ),
        ] {
            let line = format!("\n{line}\n");
            assert!(text.contains(&line), "no{line}in {text}");
            text = text.replace(&line, &format!("\n{own}\n"));
        }
        std::fs::write(&config, text).unwrap();
        let process = spawn(Path::new(&config)).await;
        Self {
            process,
            listen,
            folder,
        }
    }

    /// The value for `--status-fastcgi`.
    pub(crate) fn status_url(&self) -> String {
        format!(
            "unix://{}",
            self.folder.path().join("status.sock").display()
        )
    }

    /// The value for `--fastcgi`.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.listen.starts_with('/') {
            "unix"
        } else {
            "tcp"
        };
        format!("{scheme}://{}", self.listen)
    }

    /// The process id of its master.
    pub(crate) fn id(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// The file that `stream_slow.php` creates when its output is no longer read.
    pub(crate) fn ended_file(&self) -> PathBuf {
        self.folder.path().join("ended")
    }

    /// The number of calls that `counter.php` has recorded, and of their distinct messages.
    pub(crate) async fn counted(&self) -> String {
        let query = "$database = new PDO('sqlite:' . $argv[1]); \
                     echo implode(' ', $database->query('SELECT count(*), count(DISTINCT message) FROM call')->fetch(PDO::FETCH_NUM));";
        let file = self.folder.path().join("counter.sqlite");
        let output = Command::new("php")
            .args(["-r", query, "--"])
            .arg(file)
            .output()
            .await
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until none of its workers runs a script.
    pub(crate) async fn becomes_idle(&self) {
        self.active_workers_become(0).await;
    }

    /// Waits until so many workers run a script: the status page counts them late.
    pub(crate) async fn active_workers_become(&self, wanted: u64) {
        let counted = async { while self.active_workers().await != wanted {} };
        timeout(TEST_TIMEOUT, counted)
            .await
            .unwrap_or_else(|_| panic!("not {wanted} workers run a script"));
    }

    /// The workers that run a script. The status page has a listener of its own, which answers even when all are busy.
    async fn active_workers(&self) -> u64 {
        let params = Params::default()
            .request_method("GET")
            .script_name("/status")
            .script_filename("/status")
            .query_string("json");
        let answer = exchange(&self.folder.path().join("status.sock"), params, b"").await;
        let answer = String::from_utf8(answer).unwrap();
        let (_, page) = answer.split_once("\r\n\r\n").unwrap();
        let page: serde_json::Value = serde_json::from_str(page).unwrap();
        page["active processes"].as_u64().unwrap()
    }

    /// Its answer without the proxy.
    pub(crate) async fn answer(&self, params: Params<'_>, body: &[u8]) -> Vec<u8> {
        exchange(Path::new(&self.listen), params, body).await
    }

    /// Stops it, with all scripts that run.
    pub(crate) async fn stop(&mut self) {
        self.terminate();
        self.process.wait().await.unwrap();
    }

    /// Stops it when the scripts that run have ended.
    pub(crate) async fn quit(&mut self) {
        self.signal(Signal::SIGQUIT);
        self.process.wait().await.unwrap();
    }

    /// By SIGTERM: workers outlive a master that is killed.
    fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = self.process.id() {
            let pid = Pid::from_raw(id.try_into().unwrap());
            kill(pid, signal).unwrap();
        }
    }

    /// Starts it again at the same address.
    pub(crate) async fn start_again(&mut self) {
        self.process = spawn(&self.folder.path().join("php-fpm.conf")).await;
    }
}

impl Drop for PhpFpm {
    fn drop(&mut self) {
        self.terminate();
    }
}

/// Root must name a user.
fn user_line() -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid());
    format!("user = {}", user.unwrap().unwrap().name)
}

/// Runs an exchange with a client that shares no code with the proxy.
async fn exchange(socket: &Path, params: Params<'_>, body: &[u8]) -> Vec<u8> {
    let stream = UnixStream::connect(socket).await.unwrap();
    let request = Request::new(params, io::Cursor::new(body));
    let exchange = Client::new_tokio(stream).execute_once(request);
    let answer = timeout(TEST_TIMEOUT, exchange)
        .await
        .expect("php-fpm does not answer");
    answer.unwrap().stdout.unwrap()
}

async fn spawn(config: &Path) -> Child {
    let mut process = Command::new("php-fpm8.2")
        .args([
            "--nodaemonize",
            "--allow-to-run-as-root",
            "--force-stderr",
            "--fpm-config",
        ])
        .arg(config)
        .stderr(Stdio::piped())
        .spawn()
        .expect("php-fpm8.2 is needed: script/test installs it");
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    loop {
        let line = lines
            .next_line()
            .await
            .unwrap()
            .expect("php-fpm ended before it was ready");
        if line.contains("ready to handle connections") {
            break;
        }
    }
    // It must not block on a full pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    process
}
