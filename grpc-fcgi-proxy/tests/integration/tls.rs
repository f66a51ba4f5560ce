//! gRPC over TLS.

use std::net::SocketAddr;
use std::sync::Arc;

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

async fn connect(
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
