//! Starts php-fpm and the proxy, and calls the proxy at the level of bytes.

mod certificates;
mod client;
pub(crate) mod collector;
pub(crate) mod descriptors;
mod frame;
mod frame_client;
mod hosts;
mod php_fpm;
mod proxy;
mod record;
mod recorded;
pub(crate) mod scripted;
mod status;
mod web;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use certificates::{Authority, CertifiedKey};
pub(crate) use client::{Client, Response, StreamingCall, message};
pub(crate) use frame::{DATA, Frame, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS};
pub(crate) use frame_client::FrameClient;
pub(crate) use hosts::Hosts;
pub(crate) use php_fpm::PhpFpm;
pub(crate) use proxy::Proxy;
pub(crate) use recorded::Recorded;
use scripted::Scripted;
pub(crate) use status::{code, ending_with};
pub(crate) use web::{BINARY, TEXT, WebClient};

/// The longest that a test waits for anything.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// The flags of both ways to run a script of the kit: by itself for each call, and in resident workers.
pub(crate) const MODES: [&[&str]; 2] = [&[], &["--resident-workers", "1"]];

/// A file in `php/`.
pub(crate) fn php(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../php"))
        .join(path)
        .canonicalize()
        .unwrap()
}

/// php-fpm on a Unix socket, the proxy in front of it for one fixture, and a client.
pub(crate) async fn serve(fixture: &str, flags: &[&str]) -> (PhpFpm, Proxy, Client) {
    let php_fpm = PhpFpm::start().await;
    let script = php("fixtures").join(fixture);
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), flags).await;
    let client = Client::connect(proxy.address).await;
    (php_fpm, proxy, client)
}

/// The same, with a descriptor set in which `/test.Service/ClientStream`, `ServerStream` and `BidiStream` are of the
/// kinds that they name.
pub(crate) async fn serve_streams(fixture: &str, flags: &[&str]) -> (PhpFpm, Proxy, Client) {
    serve_descriptors(&descriptors::test_service(), fixture, flags).await
}

/// The same, with this descriptor set.
pub(crate) async fn serve_descriptors(
    set: &[u8],
    fixture: &str,
    flags: &[&str],
) -> (PhpFpm, Proxy, Client) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), set).unwrap();
    let descriptor_set = ["--descriptor-set", file.path().to_str().unwrap()];
    // The proxy reads the file before it is ready.
    serve(fixture, &[&descriptor_set, flags].concat()).await
}

/// A scripted application instead of php-fpm, with the same descriptor set.
pub(crate) async fn serve_scripted(flags: &[&str]) -> (Scripted, Proxy, Client) {
    let application = Scripted::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), descriptors::test_service()).unwrap();
    let descriptor_set = ["--descriptor-set", file.path().to_str().unwrap()];
    let flags = [&descriptor_set, flags].concat();
    let proxy = Proxy::start(&application.url(), "/app/index.php", &flags).await;
    let client = Client::connect(proxy.address).await;
    (application, proxy, client)
}
