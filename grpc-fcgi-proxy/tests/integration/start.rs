//! Errors that end the proxy before it serves.

use std::process::Output;

use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::support::Authority;

async fn start(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"))
        .args(arguments)
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn an_invalid_flag_is_refused_with_its_format() {
    let output = start(&["--fastcgi", "127.0.0.1:9000", "/app/index.php"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("expected tcp://HOST:PORT or unix:///PATH")
    );
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let _listener = TcpListener::bind(&taken).await.unwrap();
    let output = start(&[
        "--address",
        &taken,
        "--aux-address",
        "127.0.0.1:0",
        "/app/index.php",
    ])
    .await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains(&format!("cannot listen on {taken}"))
    );
}

#[tokio::test]
async fn flags_may_come_from_the_environment() {
    let output = Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"))
        .env("GRPC_FCGI_PROXY_ENTRY_SCRIPT", "/app/index.php")
        .env("GRPC_FCGI_PROXY_ADDRESS", "nonsense")
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("invalid value 'nonsense'")
    );
}

#[tokio::test]
async fn a_descriptor_set_without_its_imports_is_refused() {
    let file = FileDescriptorProto {
        name: Some("shop.proto".into()),
        dependency: vec!["base.proto".into()],
        ..FileDescriptorProto::default()
    };
    let set = FileDescriptorSet { file: vec![file] }.encode_to_vec();
    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(path.path(), set).unwrap();
    let output = start(&[
        "--descriptor-set",
        path.path().to_str().unwrap(),
        "/app/index.php",
    ])
    .await;
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(
        log.contains("shop.proto imports base.proto, which is in no descriptor set"),
        "{log}"
    );
}

#[tokio::test]
async fn an_unusable_certificate_is_refused() {
    let authority = Authority::new();
    let (pair, other) = (authority.sign("one"), authority.sign("two"));
    let (cert, key) = (&pair.certificate_file, &pair.key_file);
    let missing = cert.with_extension("missing");
    let table = [
        (cert, &other.key_file, cert, "cannot use"),
        (cert, cert, cert, "contains no private key"),
        (key, key, cert, "contains no certificate"),
        (&missing, key, cert, "cannot read"),
        (cert, key, key, "contains no certificate"),
    ];
    for (cert, key, client_ca, expected) in table {
        let [cert, key, client_ca] = [cert, key, client_ca].map(|file| file.to_str().unwrap());
        let output = start(&[
            "--tls-cert",
            cert,
            "--tls-key",
            key,
            "--tls-client-ca",
            client_ca,
            "/app/index.php",
        ])
        .await;
        assert_eq!(output.status.code(), Some(1));
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(log.contains(expected), "{expected}: {log}");
    }
}

#[tokio::test]
async fn an_unknown_log_level_is_refused() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"));
    let output = command
        .arg("/app/index.php")
        .env("RUST_LOG", "h2=loud")
        .output();
    let output = output.await.unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(log.contains("use a level such as info"), "{log}");
}

#[tokio::test]
async fn a_limit_of_the_system_that_is_too_low_is_named() {
    let refused = [
        (
            "ulimit -n 8",
            "1",
            "the limit on file descriptors is 8, but 1 serving threads need at least 20",
        ),
        (
            "ulimit -n 1024",
            "1024",
            "the limit on file descriptors is 1024, but 1024 serving threads need",
        ),
        (
            "ulimit -v 200000",
            "1024",
            "the limit on virtual memory is 204800000 bytes",
        ),
        // Enough for the threads, but not for what they allocate.
        (
            "ulimit -v 262144",
            "64",
            "the limit on virtual memory is 268435456 bytes",
        ),
    ];
    for (limit, threads, expected) in refused {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{limit} && exec \"$0\" \"$@\"")]);
        shell.arg(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"));
        shell.args(["--address", "127.0.0.1:0", "--aux-address", "127.0.0.1:0"]);
        shell.args(["--threads", threads, "/app/index.php"]);
        let output = shell.output().await.unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(log.contains(expected), "{limit}: {log}");
        assert!(!log.contains("panicked"), "{limit}: {log}");
        assert_eq!(output.status.code(), Some(1), "{limit}: {log}");
    }
}
