use std::convert::Infallible;
use std::path::Path;

use super::*;
use crate::binding::launch::LaunchVariables;
use crate::binding::own_params::{OwnParam, OwnParams};

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    headers
}

/// A variable a line.
#[derive(Default)]
struct Text(String);

impl Sink for Text {
    type Error = Infallible;

    fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), Infallible> {
        let (name, value) = (
            String::from_utf8_lossy(name),
            String::from_utf8_lossy(value),
        );
        self.0.push_str(&format!("\n{name}={value}"));
        Ok(())
    }
}

fn endpoint(port: u16) -> FormattedAddress {
    SocketAddr::from(([127, 0, 0, 1], port)).into()
}

fn encoded(headers: &HeaderMap) -> String {
    encoded_for(&Script::new(Path::new("/app/index.php")), headers)
}

fn encoded_for(script: &Script, headers: &HeaderMap) -> String {
    let variables = Variables {
        script,
        method: Method::parse("/item.ItemService/GetItem").unwrap(),
        authority: "[::1]:8080",
        headers,
        input: Input::Message {
            length: 7,
            compressed: false,
        },
        kind: CallKind::Unary,
        dialect: Dialect::default(),
        deadline: Some(SystemTime::now()),
        peer: &endpoint(4711),
        local: &endpoint(8080),
        tls: None,
    };
    let mut text = Text::default();
    let Ok(()) = variables.write(&mut text);
    text.0
}

#[test]
fn every_variable_of_the_predecessor_is_sent() {
    let text = encoded(&headers(&[("content-type", "application/grpc+proto")]));
    for pair in [
        "REQUEST_METHOD=POST",
        "REQUEST_URI=/item.ItemService/GetItem",
        "SCRIPT_NAME=/item.ItemService/GetItem",
        "SCRIPT_FILENAME=/app/index.php",
        "DOCUMENT_ROOT=/app",
        "SERVER_PROTOCOL=HTTP/2.0",
        "GATEWAY_INTERFACE=CGI/1.1",
        "CONTENT_TYPE=application/grpc+proto",
        "CONTENT_LENGTH=7",
        "HTTP_HOST=[::1]:8080",
        "SERVER_NAME=::1",
        "SERVER_PORT=8080",
        "REMOTE_ADDR=127.0.0.1",
        "REMOTE_PORT=4711",
        "GRPC_CLIENT_PROTOCOL=grpc",
        "GRPC_CLIENT_CODEC=proto",
    ] {
        assert!(text.contains(pair), "{pair} is not in {text:?}");
    }
}

/// In the predecessor only the first value of a key survived.
#[test]
fn every_value_of_a_key_arrives_in_order() {
    let headers = headers(&[("x-a", "1"), ("x-b-bin", "AA==,AQ"), ("x-a", "2, 3")]);
    assert_eq!(
        metadata_list(&headers),
        b"x-a: 1\nx-a: 2, 3\nx-b-bin: AA==\nx-b-bin: AQ\n"
    );
    assert!(encoded(&headers).contains("HTTP_X_A=1, 2, 3"));
}

/// A browser sends each of its cookies in a field of its own over HTTP/2.
#[test]
fn cookies_are_one_variable_as_in_http1() {
    let headers = headers(&[("cookie", "a=1"), ("cookie", "b=2")]);
    assert!(encoded(&headers).contains("HTTP_COOKIE=a=1; b=2"));
}

#[test]
fn the_output_of_a_call_is_not_to_be_compressed() {
    let headers = headers(&[("accept-encoding", "gzip"), ("accept", "text/html")]);
    let text = encoded(&headers);
    assert!(!text.contains("HTTP_ACCEPT_ENCODING") && text.contains("HTTP_ACCEPT=text/html"));
    assert!(text.contains("accept-encoding: gzip\n"));
}

fn encoded_page(script: &Script, headers: &HeaderMap) -> String {
    let variables = PageVariables {
        script,
        method: "GET",
        path: "/status",
        query: "json",
        headers,
        content_length: 0,
    };
    let mut text = Text::default();
    let Ok(()) = variables.write(&mut text);
    text.0
}

fn encoded_launch(script: &Script) -> String {
    let variables = LaunchVariables {
        script,
        address: "unix:///a",
        secret: b"secret",
        streams: 1,
        max_memory: 0,
    };
    let mut text = Text::default();
    let Ok(()) = variables.write(&mut text);
    text.0
}

/// The names of all variables that the proxy sets, except those of header fields.
pub(in crate::binding) fn all_names() -> Vec<String> {
    let script = Script::new(Path::new("/app/index.php"));
    let none = HeaderMap::new();
    let text =
        encoded_for(&script, &none) + &encoded_page(&script, &none) + &encoded_launch(&script);
    let names = text.lines().filter_map(|line| line.split_once('='));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// php-fpm takes the last of several variables of one name.
#[test]
fn own_params_are_behind_all_others() {
    let own = ["SERVER_NAME=own", "HTTP_X_A=own"].map(|text| OwnParam::overriding(text).unwrap());
    let own = OwnParams::new(own.to_vec()).unwrap();
    let script = Script::new(Path::new("/app/index.php")).with_params(own);
    let headers = headers(&[("x-a", "client")]);
    for text in [
        encoded_for(&script, &headers),
        encoded_page(&script, &headers),
        encoded_launch(&script),
    ] {
        assert!(text.ends_with("\nSERVER_NAME=own\nHTTP_X_A=own"), "{text}");
    }
}

#[test]
fn the_header_fields_of_a_page_pass_the_same_filter() {
    let headers = headers(&[
        ("accept-encoding", "gzip"),
        ("proxy", "evil"),
        ("x_a", "forged"),
        ("x-a", "true"),
    ]);
    let text = encoded_page(&Script::new(Path::new("/app/status.php")), &headers);
    for pair in [
        "REQUEST_URI=/status?json",
        "SCRIPT_NAME=/status",
        "DOCUMENT_URI=/status",
        "QUERY_STRING=json",
        "HTTP_ACCEPT_ENCODING=gzip",
        "HTTP_X_A=true",
    ] {
        assert!(text.contains(pair), "{pair} is not in {text:?}");
    }
    for forged in ["HTTP_PROXY", "forged"] {
        assert!(!text.contains(forged), "{forged} is in {text:?}");
    }
}

#[test]
fn no_client_can_forge_a_variable() {
    let headers = headers(&[
        ("proxy", "evil"),
        ("x_a", "forged"),
        ("x.b", "dot"),
        ("php-value", "a=b"),
        ("grpc-client-protocol", "forged"),
        ("http-grpc-client-codec", "forged"),
    ]);
    let text = encoded(&headers);
    for name in [
        "HTTP_PROXY",
        "HTTP_X_A",
        "HTTP_X.B",
        "HTTP_X_B",
        "\nPHP_VALUE",
        "\nGRPC_CLIENT_PROTOCOL=forged",
        "\nGRPC_CLIENT_CODEC=forged",
    ] {
        assert!(!text.contains(name), "{name}");
    }
    assert!(text.contains("HTTP_PHP_VALUE=a=b"));
    assert!(text.contains("x_a: forged\nx.b: dot\n"));
}
