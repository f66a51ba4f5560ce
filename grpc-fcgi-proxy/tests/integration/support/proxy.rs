//! The proxy's program, started as an operator does.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::TEST_TIMEOUT;

/// Ends with its owner.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) aux_address: SocketAddr,
    process: Child,
    log: mpsc::UnboundedReceiver<Value>,
}

impl Proxy {
    pub(crate) async fn start(fastcgi: &str, script: &str, flags: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"))
            .args([
                "--address",
                "127.0.0.1:0",
                "--aux-address",
                "127.0.0.1:0",
                "--fastcgi",
                fastcgi,
            ])
            .args(flags)
            .arg(script)
            .env_remove("RUST_LOG")
            // Connections are shared among threads, however few processors there are.
            .env("GRPC_FCGI_PROXY_THREADS", "2")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (records, log) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let record = serde_json::from_str(&line).unwrap_or(Value::String(line));
                // Nobody listens any more when the test is over.
                let _ = records.send(record);
            }
        });
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut proxy = Self {
            address: unknown,
            aux_address: unknown,
            process,
            log,
        };
        let serving = proxy.logged(|record| record["message"] == "serving").await;
        proxy.address = serving["address"].as_str().unwrap().parse().unwrap();
        proxy.aux_address = serving["aux_address"].as_str().unwrap().parse().unwrap();
        proxy
    }

    /// The next record of the log that is of a kind.
    pub(crate) async fn logged(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let found = async {
            loop {
                let record = self
                    .log
                    .recv()
                    .await
                    .expect("the proxy ended before it logged that");
                if wanted(&record) {
                    return record;
                }
            }
        };
        timeout(TEST_TIMEOUT, found)
            .await
            .expect("the proxy did not log that")
    }

    /// The most memory that it has had resident, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process.id().unwrap()))
                .unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Waits until so many of its threads serve: a thread that has just begun does not have its name yet.
    pub(crate) async fn serving_threads_become(&self, count: usize) {
        let becomes = async {
            while self.serving_threads() != count {
                tokio::task::yield_now().await;
            }
        };
        if timeout(TEST_TIMEOUT, becomes).await.is_err() {
            panic!("{} threads serve, not {count}", self.serving_threads());
        }
    }

    fn serving_threads(&self) -> usize {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.process.id().unwrap()));
        threads
            .unwrap()
            // One that ends meanwhile has no name any more.
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .filter(|name| name == "worker\n")
            .count()
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        let pid = nix::unistd::Pid::from_raw(self.process.id().unwrap().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    }

    pub(crate) async fn wait(&mut self) -> ExitStatus {
        self.process.wait().await.unwrap()
    }

    /// What the auxiliary server answers: status line and header fields, and body.
    pub(crate) async fn get(&self, path: &str) -> (String, String) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(self.aux_address)
            .await
            .unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: test\r\nx-a: 1\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    /// The value of a metric; 0 if there is none of that name and labels.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.get("/metrics").await;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// The sum of a counter over all its labels.
    async fn total(&self, name: &str) -> f64 {
        let (_, text) = self.get("/metrics").await;
        text.lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once(' '))
            .map(|(_, value)| value.parse::<f64>().unwrap())
            .sum()
    }

    /// Waits until no call waits, none runs in the application, and each that began has ended.
    pub(crate) async fn becomes_idle(&self) {
        for name in ["fcgi_calls_waiting", "fcgi_exchanges_running"] {
            self.metric_becomes(name, 0.0).await;
        }
        let ended = async {
            let calls = "grpc_server_started_total";
            while self.total("grpc_server_handled_total").await < self.total(calls).await {}
        };
        timeout(TEST_TIMEOUT, ended)
            .await
            .expect("a call does not end");
    }

    /// Waits until a metric has a value.
    pub(crate) async fn metric_becomes(&self, name: &str, value: f64) {
        let becomes = async {
            while (self.metric(name).await - value).abs() > f64::EPSILON {
                tokio::task::yield_now().await;
            }
        };
        if timeout(TEST_TIMEOUT, becomes).await.is_err() {
            panic!("{name} is not {value} in {}", self.get("/metrics").await.1);
        }
    }
}
