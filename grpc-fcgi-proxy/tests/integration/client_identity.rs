//! What PHP sees of a client: its TLS, and its address behind a proxy in front.

use rcgen::string::Ia5String;
use rcgen::{DistinguishedName, DnType, SanType};
use serde_json::{Value, json};

use crate::support::{Authority, Client, MODES, PhpFpm, Proxy, php, serve};
use crate::tls::connect;

const NAME: &str = "test.example";

/// A script of the kit in front of a client of its own.
async fn start(flags: &[&str]) -> (PhpFpm, Proxy) {
    let php_fpm = PhpFpm::start().await;
    let script = php("fixtures/resident.php");
    let proxy = Proxy::start(&php_fpm.url(), script.to_str().unwrap(), flags).await;
    (php_fpm, proxy)
}

/// The answer to a command whose answers may be long.
async fn call(client: &Client, command: &str, metadata: &[(&str, &str)]) -> String {
    let request = [
        &[0x0a, u8::try_from(command.len()).unwrap()],
        command.as_bytes(),
    ]
    .concat();
    let response = client.call(&request, metadata).await;
    let content = response.content();
    let text: String = prost::Message::decode(content).unwrap();
    text
}

#[tokio::test]
async fn a_script_sees_the_clients_certificate_in_both_modes() {
    let authority = Authority::new();
    let server = authority.sign(NAME);
    let own = authority.sign_with("till", |params| {
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Shop, Inc.");
        params.distinguished_name.push(DnType::CommonName, "till");
        let uri = Ia5String::try_from("spiffe://shop/till").unwrap();
        params.subject_alt_names.push(SanType::URI(uri));
    });
    let file = authority.file();
    let tls = [
        &server.flags()[..],
        &["--tls-client-ca", file.to_str().unwrap()],
    ]
    .concat();
    for mode in MODES {
        let (_php_fpm, proxy) = start(&[&tls, mode].concat()).await;
        let stream = connect(proxy.address, &authority, Some(&own), "h2").await;
        let client = Client::over(stream.unwrap()).await.unwrap();
        let forged = [("ssl-client-verify", "forged"), ("https", "forged")];
        let seen: Value = serde_json::from_str(&call(&client, "tls", &forged).await).unwrap();
        let expected = json!({
            "HTTPS": "on",
            "SSL_PROTOCOL": "TLSv1.3",
            "SSL_CLIENT_VERIFY": "SUCCESS",
            "SSL_CLIENT_S_DN": "CN=till,O=Shop\\, Inc.",
            "SSL_CLIENT_I_DN": "CN=rcgen self signed cert",
            "SSL_CLIENT_SAN_DNS_0": "till",
            "SSL_CLIENT_SAN_URI_0": "spiffe://shop/till",
        });
        assert_eq!(seen[1], expected, "{mode:?}");
        assert!(
            seen[0].as_str().unwrap().starts_with("127.0.0.1:"),
            "{seen}"
        );
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_or_tls_shows_as_such() {
    let authority = Authority::new();
    let server = authority.sign(NAME);
    for mode in MODES {
        let (_php_fpm, proxy) = start(&[&server.flags()[..], mode].concat()).await;
        let stream = connect(proxy.address, &authority, None, "h2").await;
        let client = Client::over(stream.unwrap()).await.unwrap();
        let seen: Value = serde_json::from_str(&call(&client, "tls", &[]).await).unwrap();
        let expected =
            json!({"HTTPS": "on", "SSL_PROTOCOL": "TLSv1.3", "SSL_CLIENT_VERIFY": "NONE"});
        assert_eq!(seen[1], expected, "{mode:?}");
        let (_php_fpm, proxy) = start(mode).await;
        let client = Client::connect(proxy.address).await;
        let seen: Value = serde_json::from_str(&call(&client, "tls", &[]).await).unwrap();
        assert_eq!(seen[1], json!([]), "{mode:?}");
    }
}

const FORWARDED: [(&str, &str); 2] = [
    ("x-forwarded-for", "192.0.2.9, 192.0.2.1"),
    ("x-forwarded-client-cert", "Subject=\"CN=till\""),
];

#[tokio::test]
async fn a_trusted_proxy_names_the_client_in_both_modes() {
    for mode in MODES {
        for (flags, address, certificate) in [
            (
                &["--trusted-proxy=10.0.0.0/8,127.0.0.0/8"][..],
                "192.0.2.1:0",
                true,
            ),
            (&["--trusted-proxy=10.0.0.0/8"], "127.0.0.1:", false),
            (&[], "127.0.0.1:", true),
        ] {
            let (_php_fpm, proxy) = start(&[flags, mode].concat()).await;
            let client = Client::connect(proxy.address).await;
            let seen = call(&client, "tls", &FORWARDED).await;
            assert!(
                seen.starts_with(&format!("[\"{address}")),
                "{seen} {flags:?} {mode:?}"
            );
            let seen = call(&client, "certificate", &FORWARDED).await;
            let expected = if certificate { FORWARDED[1].1 } else { "" };
            assert_eq!(seen, expected, "{flags:?} {mode:?}");
        }
    }
}

#[tokio::test]
async fn the_variables_are_those_of_the_named_client() {
    let flags = ["--trusted-proxy=127.0.0.1"];
    let (_php_fpm, _proxy, client) = serve("variables.php", &flags).await;
    let metadata = [("x-forwarded-for", "[2001:db8::1]:4711")];
    let variables = client.call(b"", &metadata).await.variables();
    assert_eq!(variables["REMOTE_ADDR"], "2001:db8::1");
    assert_eq!(variables["REMOTE_PORT"], "4711");
    assert_eq!(variables["HTTP_X_FORWARDED_FOR"], metadata[0].1);
}

#[tokio::test]
async fn other_peers_reach_no_variable_of_the_certificate_either() {
    let flags = ["--trusted-proxy=10.0.0.0/8"];
    let (_php_fpm, _proxy, client) = serve("variables.php", &flags).await;
    let variables = client.call(b"", &FORWARDED).await.variables();
    assert!(variables.get("HTTP_X_FORWARDED_CLIENT_CERT").is_none());
    let metadata = variables["GRPC_METADATA"].as_str().unwrap();
    assert!(!metadata.contains("client-cert"), "{metadata}");
    assert_eq!(variables["REMOTE_ADDR"], "127.0.0.1");
}
