//! The proxy's program, started as by an operator.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::TEST_TIMEOUT;
use super::record::Record;

/// Stops when dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) aux_address: SocketAddr,
    process: Child,
    log: mpsc::UnboundedReceiver<Result<Value, String>>,
    log_is_held: watch::Sender<bool>,
}

impl Proxy {
    pub(crate) async fn start(fastcgi: &str, script: &str, flags: &[&str]) -> Self {
        let program = Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"));
        Self::start_by(program, fastcgi, script, flags).await
    }

    /// Starts it by a command that takes its arguments.
    pub(crate) async fn start_by(
        mut program: Command,
        fastcgi: &str,
        script: &str,
        flags: &[&str],
    ) -> Self {
        let mut process = program
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
            // Several threads share the connections, even on one processor.
            .env("GRPC_FCGI_PROXY_THREADS", "2")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (records, log) = mpsc::unbounded_channel();
        let (log_is_held, mut is_held) = watch::channel(false);
        tokio::spawn(async move {
            while is_held.wait_for(|held| !held).await.is_ok()
                && let Ok(Some(line)) = lines.next_line().await
            {
                let record = serde_json::from_str(&line).map(|Record(record)| record);
                // The test may have ended.
                let _ = records.send(record.map_err(|error| format!("{error}: {line}")));
            }
        });
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut proxy = Self {
            address: unknown,
            aux_address: unknown,
            process,
            log,
            log_is_held,
        };
        let serving = proxy.logged(|record| record["message"] == "serving").await;
        proxy.address = serving["address"].as_str().unwrap().parse().unwrap();
        proxy.aux_address = serving["aux_address"].as_str().unwrap().parse().unwrap();
        proxy
    }

    /// Stops reading its log, or goes on.
    pub(crate) fn hold_log(&self, hold: bool) {
        self.log_is_held.send_replace(hold);
    }

    /// The next log record that matches.
    pub(crate) async fn logged(&mut self, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let found = async {
            loop {
                let record = self
                    .log
                    .recv()
                    .await
                    .expect("the proxy ended before it logged that record")
                    .expect("each line of the log is a record");
                if wanted(&record) {
                    return record;
                }
            }
        };
        timeout(TEST_TIMEOUT, found)
            .await
            .expect("the proxy did not log that record")
    }

    /// Its peak resident memory, in KiB.
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

    /// Ends it, and returns the messages of the records that nobody has read.
    pub(crate) async fn last_messages(&mut self) -> Vec<String> {
        self.terminate();
        let mut messages = Vec::new();
        let read = async {
            while let Some(record) = self.log.recv().await {
                messages.push(record.unwrap()["message"].as_str().unwrap().to_owned());
            }
        };
        timeout(TEST_TIMEOUT, read)
            .await
            .expect("the proxy did not end");
        messages
    }

    /// Waits until this number of its threads serve: a new thread gets its name a moment later.
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
            // A thread may have ended since.
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .filter(|name| name == "serve\n")
            .count()
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = nix::unistd::Pid::from_raw(self.process.id().unwrap().try_into().unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    pub(crate) async fn wait(&mut self) -> ExitStatus {
        self.process.wait().await.unwrap()
    }

    /// The auxiliary server's response: status line with header fields, and body.
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

    /// The value of a metric; 0 without one of this name and these labels.
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

    /// Waits until no call is queued, none runs in the application, and each that has begun has ended.
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
        let is_it = |found: f64| (found - value).abs() <= f64::EPSILON;
        self.metric_passes(name, &format!("{value}"), is_it).await;
    }

    /// Waits until a counter has at least a value.
    pub(crate) async fn metric_reaches(&self, name: &str, value: f64) {
        let least = format!("{value} or more");
        self.metric_passes(name, &least, |found| found >= value)
            .await;
    }

    async fn metric_passes(&self, name: &str, wanted: &str, passes: impl Fn(f64) -> bool) {
        let becomes = async {
            while !passes(self.metric(name).await) {
                tokio::task::yield_now().await;
            }
        };
        if timeout(TEST_TIMEOUT, becomes).await.is_err() {
            panic!("{name} is not {wanted} in {}", self.get("/metrics").await.1);
        }
    }
}
