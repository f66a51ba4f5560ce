//! The pods under test: their addresses, how to enter one, how to end and start its programs.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::time::Instant;
use tonic::transport::{Channel, Endpoint};

/// A file that describes the pods, from the folder in `MESH_STATE`: that of `script/run` by default.
pub(crate) fn state(path: &str) -> PathBuf {
    let folder = env::var_os("MESH_STATE").unwrap_or("/var/lib/grpc-fcgi-proxy".into());
    PathBuf::from(folder).join(path)
}

/// How long `until` waits: the seconds in `MESH_PATIENCE`.
fn patience() -> Duration {
    let seconds = env::var("MESH_PATIENCE").map_or(30, |seconds| seconds.parse().unwrap());
    Duration::from_secs(seconds)
}

fn read(path: &str) -> String {
    fs::read_to_string(state(path)).unwrap_or_else(|error| {
        panic!("{path}: {error}; start the pods: script/run --replicas item=2 --replicas order=2")
    })
}

/// The URL of the report, outside of the pods.
pub(crate) fn index_url() -> String {
    read("ready").trim().to_owned()
}

/// A column of the pod's line in the table of pods: app, namespace, address.
fn column(pod: &str, column: usize) -> String {
    let table = read("pods.tsv");
    let line = table
        .lines()
        .find_map(|line| line.strip_prefix(pod)?.strip_prefix('\t'));
    line.and_then(|line| line.split('\t').nth(column))
        .unwrap_or_else(|| panic!("no pod {pod}: {table}"))
        .to_owned()
}

/// Whether there is such a pod.
pub(crate) fn exists(pod: &str) -> bool {
    let table = read("pods.tsv");
    table
        .lines()
        .any(|line| line.split('\t').next() == Some(pod))
}

pub(crate) fn address(pod: &str) -> String {
    column(pod, 2)
}

/// Runs the future of `body` on a thread in the pod's network namespace.
pub(crate) fn inside<T, F>(pod: &str, body: impl FnOnce() -> F + Send) -> T
where
    F: Future<Output = T>,
    T: Send,
{
    // A name, or a path of its own.
    let namespace = File::open(Path::new("/run/netns").join(column(pod, 1))).unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(body())
        });
        thread.join().unwrap()
    })
}

/// A channel through the pod's Envoy, as its program opens it: connected at the first call.
pub(crate) async fn egress() -> Channel {
    Endpoint::from_static("http://127.0.0.1:7070").connect_lazy()
}

/// The URL of `prometheus` or `jaeger`.
pub(crate) fn observer(name: &str) -> String {
    let table = read("observers.tsv");
    let line = table
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
    line.unwrap_or_else(|| panic!("{name} is not running: {table}"))
        .to_owned()
}

/// The status and the body that curl receives.
pub(crate) fn curl(url: &str, headers: &[&str]) -> (u16, String) {
    let headers: Vec<&str> = headers
        .iter()
        .flat_map(|header| ["--header", header])
        .collect();
    curl_with(&headers, url)
}

/// The same with any of curl's options.
pub(crate) fn curl_with(options: &[&str], url: &str) -> (u16, String) {
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--show-error",
        "--noproxy",
        "*",
        "--max-time",
        "10",
        "--write-out",
        "\n%{http_code}",
    ]);
    let output = command.args(options).arg(url).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), body.to_owned())
}

/// The report, whose status must be 200.
pub(crate) fn report() -> Value {
    let (status, body) = curl(&index_url(), &[]);
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Waits until a condition is true.
pub(crate) fn until(what: &str, is_true: impl Fn() -> bool) -> Duration {
    let (start, patience) = (Instant::now(), patience());
    while !is_true() {
        assert!(
            start.elapsed() < patience,
            "{what}: not within {patience:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    start.elapsed()
}

/// Sends a signal to a program of a pod, and returns its process id.
pub(crate) fn signal(pod: &str, program: &str, signal: Signal) -> String {
    let pid = read(&format!("pods/{pod}/{program}.pid")).trim().to_owned();
    kill(Pid::from_raw(pid.parse().unwrap()), signal).unwrap();
    pid
}

/// Ends a program of a pod, and waits until its process is gone.
pub(crate) fn end(pod: &str, program: &str, with: Signal) {
    let pid = signal(pod, program, with);
    until("the program ends", || {
        !PathBuf::from(format!("/proc/{pid}/exe")).exists()
    });
}

/// Starts a program of a pod again, as `script/run` started it.
pub(crate) fn start(pod: &str, program: &str) {
    start_script(&state(&format!("pods/{pod}/{program}.start")));
}

/// The same without the flags that begin like this.
pub(crate) fn start_without(pod: &str, program: &str, flags: &str) {
    let path = state(&format!("pods/{pod}/{program}.start"));
    let text = fs::read_to_string(&path).unwrap();
    let words = text.split(' ').filter(|word| !word.starts_with(flags));
    let fewer = words.collect::<Vec<_>>().join(" ");
    assert_ne!(fewer, text, "no {flags}");
    let other = path.with_extension("other");
    fs::copy(&path, &other).unwrap();
    fs::write(&other, fewer).unwrap();
    start_script(&other);
}

fn start_script(path: &Path) {
    let status = Command::new("setsid").arg("--fork").arg(path).status();
    assert!(status.unwrap().success());
}

/// The programs of an item pod.
pub(crate) const ITEM_PROGRAMS: [&str; 3] = ["envoy", "grpc-fcgi-proxy", "php-fpm"];

/// The user of the pods.
pub(crate) const POD_USER: u32 = 65532;
