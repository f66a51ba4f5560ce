//! gRPC over TLS.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use nix::sys::signal::Signal;
use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::{
    Authority, BINARY, CertifiedKey, Client, PhpFpm, Proxy, TEST_TIMEOUT, WebClient, message, php,
};

const NAME: &str = "test.example";

async fn start(server: &CertifiedKey, flags: &[&str]) -> (PhpFpm, Proxy) {
    let php_fpm = PhpFpm::start().await;
    let script = php("fixtures/echo.php");
    let flags = [&server.flags(), flags].concat();
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &flags).await;
    (php_fpm, proxy)
}

pub(crate) async fn connect(
    address: SocketAddr,
    authority: &Authority,
    own: Option<&CertifiedKey>,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match own {
        Some(pair) => {
            let key = PrivatePkcs8KeyDer::from(pair.key.serialize_der());
            let chain = vec![pair.certificate.der().clone()];
            config
                .with_client_auth_cert(chain, PrivateKeyDer::from(key))
                .unwrap()
        }
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.into()];
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(NAME.try_into().unwrap(), stream)
        .await
}

/// In TLS 1.3 the client's handshake ends before the server has checked the client's certificate.
async fn is_refused(stream: std::io::Result<TlsStream<TcpStream>>) -> bool {
    let Ok(mut stream) = stream else { return true };
    timeout(TEST_TIMEOUT, stream.read_to_end(&mut Vec::new()))
        .await
        .expect("the connection stays open")
        .is_err()
}

#[tokio::test]
async fn a_call_passes_over_tls_with_http2_in_alpn() {
    let authority = Authority::new();
    let (_php_fpm, proxy) = start(&authority.sign(NAME), &[]).await;
    let stream = connect(proxy.address, &authority, None, "h2")
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let client = Client::over(stream).await.unwrap();
    assert_eq!(client.call(b"hello", &[]).await.content(), b"hello");
}

#[tokio::test]
async fn a_protocol_other_than_http2_is_refused() {
    let authority = Authority::new();
    let (_php_fpm, proxy) = start(&authority.sign(NAME), &[]).await;
    let stream = connect(proxy.address, &authority, None, "http/1.1").await;
    assert!(is_refused(stream).await);
}

#[tokio::test]
async fn grpc_web_adds_http1_to_alpn() {
    let authority = Authority::new();
    let (_php_fpm, proxy) = start(&authority.sign(NAME), &["--grpc-web"]).await;
    let stream = connect(proxy.address, &authority, None, "http/1.1")
        .await
        .unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut web = WebClient::over(stream).await;
    let mut response = web.call("Method", BINARY, &message(b"hello"), &[]).await;
    assert_eq!(response.next().await.unwrap().1, b"hello");
    let stream = connect(proxy.address, &authority, None, "h2")
        .await
        .unwrap();
    let client = Client::over(stream).await.unwrap();
    assert_eq!(client.call(b"hello", &[]).await.content(), b"hello");
}

#[tokio::test]
async fn with_a_client_authority_each_client_needs_a_certificate() {
    let (authority, other) = (Authority::new(), Authority::new());
    let file = authority.file();
    let flags = ["--tls-client-ca", file.to_str().unwrap()];
    let (_php_fpm, proxy) = start(&authority.sign(NAME), &flags).await;
    let without = connect(proxy.address, &authority, None, "h2").await;
    assert!(is_refused(without).await);
    let foreign = other.sign("client");
    let foreign = connect(proxy.address, &authority, Some(&foreign), "h2").await;
    assert!(is_refused(foreign).await);
    let own = authority.sign("client");
    let stream = connect(proxy.address, &authority, Some(&own), "h2")
        .await
        .unwrap();
    let client = Client::over(stream).await.unwrap();
    assert_eq!(client.call(b"hello", &[]).await.content(), b"hello");
}

#[tokio::test]
async fn a_client_certificate_of_the_wrong_time_or_usage_is_refused() {
    let authority = Authority::new();
    let file = authority.file();
    let flags = ["--tls-client-ca", file.to_str().unwrap()];
    let (_php_fpm, proxy) = start(&authority.sign(NAME), &flags).await;
    for unfit in [
        authority.sign_with("expired", |params| {
            params.not_after = date_time_ymd(2020, 1, 1);
        }),
        authority.sign_with("early", |params| {
            params.not_before = date_time_ymd(2090, 1, 1);
        }),
        authority.sign_with("server", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        }),
    ] {
        let stream = connect(proxy.address, &authority, Some(&unfit), "h2").await;
        assert!(is_refused(stream).await, "{unfit:?}");
    }
    let fit = authority.sign_with("client", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let stream = connect(proxy.address, &authority, Some(&fit), "h2").await;
    let client = Client::over(stream.unwrap()).await.unwrap();
    assert_eq!(client.call(b"hello", &[]).await.content(), b"hello");
}

#[tokio::test]
async fn an_expired_certificate_is_served_with_a_warning() {
    let authority = Authority::new();
    let expired = authority.sign_with(NAME, |params| params.not_after = date_time_ymd(2020, 1, 1));
    let (_php_fpm, mut proxy) = start(&expired, &[]).await;
    let warning = proxy
        .logged(|record| record["message"] == "clients will refuse the certificate")
        .await;
    assert_eq!(
        warning["error"],
        "the certificate expired on 2020-01-01T00:00:00Z"
    );
    let refused = connect(proxy.address, &authority, None, "h2").await;
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("certificate expired")
    );
}

const CERTIFICATE_EXPIRY: &str = "grpc_server_tls_certificate_expiry_timestamp_seconds";
/// 2090-01-01.
const EXPIRY: f64 = 3_786_912_000.0;

/// Files as Kubernetes mounts a Secret: a renewal is the swap of a symbolic link.
struct Secret(TempDir);

impl Secret {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["tls.crt", "tls.key", "ca.crt"] {
            symlink(format!("..data/{name}"), folder.path().join(name)).unwrap();
        }
        Self(folder)
    }

    fn put(&self, version: &str, pair: &CertifiedKey, client_ca: &Authority) {
        let folder = self.0.path().join(version);
        fs::create_dir(&folder).unwrap();
        fs::copy(&pair.certificate_file, folder.join("tls.crt")).unwrap();
        fs::copy(&pair.key_file, folder.join("tls.key")).unwrap();
        fs::copy(client_ca.file(), folder.join("ca.crt")).unwrap();
        let next = self.0.path().join("..next");
        symlink(version, &next).unwrap();
        fs::rename(next, self.0.path().join("..data")).unwrap();
    }
}

#[tokio::test]
async fn renewed_files_are_taken_up_and_open_connections_stay() {
    let (authority, old, new) = (Authority::new(), Authority::new(), Authority::new());
    let secret = Secret::new();
    secret.put("one", &authority.sign(NAME), &old);
    let path = |name| secret.0.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key, ca) = (path("tls.crt"), path("tls.key"), path("ca.crt"));
    let php_fpm = PhpFpm::start().await;
    let script = php("fixtures/echo.php");
    let flags = [
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
        "--tls-client-ca",
        &ca,
    ];
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), &flags).await;
    let client = old.sign("client");
    let stream = connect(proxy.address, &authority, Some(&client), "h2").await;
    let open = Client::over(stream.unwrap()).await.unwrap();
    let renewed = authority.sign_with(NAME, |params| params.not_after = date_time_ymd(2090, 1, 1));
    secret.put("two", &renewed, &new);
    proxy.metric_becomes(CERTIFICATE_EXPIRY, EXPIRY).await;
    let refused = connect(proxy.address, &authority, Some(&client), "h2").await;
    assert!(is_refused(refused).await);
    let client = new.sign("client");
    let stream = connect(proxy.address, &authority, Some(&client), "h2").await;
    let stream = stream.unwrap();
    let seen = stream.get_ref().1.peer_certificates().unwrap();
    assert_eq!(seen, [renewed.certificate.der().clone()]);
    let next = Client::over(stream).await.unwrap();
    for client in [open, next] {
        assert_eq!(client.call(b"hello", &[]).await.content(), b"hello");
    }
}

#[tokio::test]
async fn sighup_reloads_and_reports_files_that_cannot_be_used() {
    let authority = Authority::new();
    let pair = authority.sign(NAME);
    let (_php_fpm, mut proxy) = start(&pair, &[]).await;
    proxy.signal(Signal::SIGHUP);
    let reloaded = |record: &Value| record["message"] == "TLS files reloaded";
    proxy.logged(reloaded).await;
    fs::write(&pair.key_file, "no key").unwrap();
    proxy.signal(Signal::SIGHUP);
    let refused = |record: &Value| {
        let error = record["error"].as_str();
        record["level"] == "WARN"
            && error.is_some_and(|error| error.contains("contains no private key"))
    };
    proxy.logged(refused).await;
    proxy
        .metric_becomes("grpc_server_tls_reload_failures_total", 1.0)
        .await;
    let stream = connect(proxy.address, &authority, None, "h2").await;
    let client = Client::over(stream.unwrap()).await.unwrap();
    assert_eq!(client.call(b"hello", &[]).await.content(), b"hello");
}

#[tokio::test]
async fn a_silent_client_is_disconnected() {
    let authority = Authority::new();
    let (_php_fpm, proxy) = start(&authority.sign(NAME), &[]).await;
    let mut silent = TcpStream::connect(proxy.address).await.unwrap();
    let end = timeout(TEST_TIMEOUT, silent.read(&mut [0])).await;
    assert_eq!(end.expect("the connection stays open").unwrap(), 0);
}

#[tokio::test]
async fn a_client_without_tls_is_refused() {
    let authority = Authority::new();
    let (_php_fpm, proxy) = start(&authority.sign(NAME), &[]).await;
    let client = Client::connect(proxy.address).await;
    let response = client.send("/test.Service/Method", vec![0; 5], &[]).await;
    assert!(response.is_err());
}
