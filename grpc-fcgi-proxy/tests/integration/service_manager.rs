//! What systemd hears of the proxy.

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixDatagram};
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::{Proxy, TEST_TIMEOUT};

/// The socket on which systemd would listen, and the proxy.
struct Service {
    socket: UnixDatagram,
    proxy: Proxy,
    _folder: TempDir,
}

impl Service {
    async fn start(flags: &[&str], watchdog: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"));
        program.env("NOTIFY_SOCKET", &path);
        if watchdog {
            program.env("WATCHDOG_USEC", "20000");
        }
        // The service is ready without php-fpm, whose absence the health service reports.
        let fastcgi = "tcp://127.0.0.1:1";
        let proxy = Proxy::start_by(program, fastcgi, "/app/index.php", flags).await;
        Self {
            socket,
            proxy,
            _folder: folder,
        }
    }

    /// The next message, as its lines.
    async fn hears(&self) -> Vec<String> {
        let mut message = [0; 1024];
        let received = timeout(TEST_TIMEOUT, self.socket.recv(&mut message)).await;
        let length = received.expect("the proxy sent no message").unwrap();
        let message = std::str::from_utf8(&message[..length]).unwrap();
        message.lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn ready_means_that_clients_can_connect_to_both_ports() {
    let service = Service::start(&[], false).await;
    assert_eq!(service.hears().await, ["READY=1"]);
    for address in [service.proxy.address, service.proxy.aux_address] {
        TcpStream::connect(address).await.unwrap();
    }
}

#[tokio::test]
async fn a_reload_is_announced_with_its_time_and_then_ready_again() {
    let service = Service::start(&[], false).await;
    assert_eq!(service.hears().await, ["READY=1"]);
    service.proxy.signal(Signal::SIGHUP);
    let reloading = service.hears().await;
    assert_eq!(reloading[0], "RELOADING=1");
    let time = reloading[1].strip_prefix("MONOTONIC_USEC=").unwrap();
    assert!(time.parse::<u64>().unwrap() > 0);
    assert_eq!(service.hears().await, ["READY=1"]);
}

#[tokio::test]
async fn the_drain_extends_the_time_that_systemd_allows() {
    for (drain_timeout, extension) in [("5m", "310000000"), ("100h", "4294967295")] {
        let mut service = Service::start(&["--drain-timeout", drain_timeout], false).await;
        assert_eq!(service.hears().await, ["READY=1"]);
        service.proxy.terminate();
        let extension = format!("EXTEND_TIMEOUT_USEC={extension}");
        assert_eq!(service.hears().await, ["STOPPING=1", &extension]);
        assert!(service.proxy.wait().await.success());
    }
}

#[tokio::test]
async fn the_watchdog_is_fed_again_and_again() {
    let service = Service::start(&[], true).await;
    assert_eq!(service.hears().await, ["READY=1"]);
    for _ in 0..3 {
        assert_eq!(service.hears().await, ["WATCHDOG=1"]);
    }
}
