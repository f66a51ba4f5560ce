//! The spans of calls, as a collector receives them, and what PHP learns of them.

mod away;
mod jaeger;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;
use tokio::process::Command;
use tonic::Code;

use crate::support::collector::{Collector, attribute};
use crate::support::{
    Authority, Client, MODES, PhpFpm, Proxy, Response, descriptors, ending_with, php,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const TRACEPARENT: (&str, &str) = (
    "traceparent",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
);

/// A proxy that sends spans, without delay unless a variable says otherwise.
async fn start(
    endpoint: &str,
    fixture: &str,
    flags: &[&str],
    variables: &[(&str, &str)],
) -> (PhpFpm, Proxy, Client) {
    let php_fpm = PhpFpm::start().await;
    let spans = ["--otlp-endpoint", endpoint];
    let mut program = Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"));
    program.env("OTEL_BSP_SCHEDULE_DELAY", "1");
    program.envs(variables.iter().copied());
    let script = php("fixtures").join(fixture);
    let (url, script) = (php_fpm.url(), script.to_str().unwrap());
    let proxy = Proxy::start_by(program, &url, script, &[&spans, flags].concat()).await;
    let client = Client::connect(proxy.address).await;
    (php_fpm, proxy, client)
}

/// Names the methods that stream.
fn descriptor_set() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), descriptors::test_service()).unwrap();
    file
}

/// A command for `resident.php`.
async fn command(client: &Client, text: &str, metadata: &[(&str, &str)]) -> Response {
    let request = text.to_owned().encode_to_vec();
    client.call(&request, metadata).await
}

fn text(response: &Response) -> String {
    String::decode(response.content()).unwrap()
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The names of a span's events, in order, each with its kind of worker.
fn events(span: &Span) -> Vec<String> {
    let mut last = span.start_time_unix_nano;
    let events = span.events.iter().map(|event| {
        assert!(event.time_unix_nano >= last, "{span:?}");
        last = event.time_unix_nano;
        let worker = attribute(&event.attributes, "worker");
        format!("{} {worker}", event.name).trim().to_owned()
    });
    let events = events.collect();
    assert!(span.end_time_unix_nano >= last, "{span:?}");
    events
}

#[tokio::test]
async fn a_call_has_a_server_span_with_its_waits_and_is_the_parent_of_phps_in_both_modes() {
    for (mode, worker) in MODES.into_iter().zip(["php-fpm", "resident"]) {
        let mut collector = Collector::start().await;
        let set = descriptor_set();
        let flags = ["--descriptor-set", set.path().to_str().unwrap()];
        let (url, flags) = (collector.url(), [&flags, mode].concat());
        let (_php_fpm, _proxy, client) = start(&url, "resident.php", &flags, &[]).await;
        let metadata = [TRACEPARENT, ("tracestate", "a=b")];
        let seen = text(&command(&client, "metadata traceparent", &metadata).await);
        let span = collector.span().await;
        assert_eq!(hex(&span.trace_id), TRACE);
        assert_eq!(hex(&span.parent_span_id), PARENT);
        assert_eq!(seen, format!("00-{TRACE}-{}-01", hex(&span.span_id)));
        assert_eq!(span.trace_state, "a=b");
        assert_eq!(span.name, "test.Service/Method");
        assert_eq!(span.kind(), SpanKind::Server);
        assert_eq!(span.status.as_ref().unwrap().code(), StatusCode::Unset);
        let worker = format!("worker acquired {worker}");
        let expected = [
            "slot acquired",
            "waiting for a worker",
            &worker,
            "first byte of the answer",
        ];
        assert_eq!(events(&span), expected);

        let mut call = client.stream("ServerStream", &[]);
        call.send(&"3".to_owned().encode_to_vec());
        call.half_close();
        while call.next().await.is_some() {}
        let stream = collector.span().await;
        assert_eq!(stream.name, "test.Service/ServerStream");
        assert_ne!(stream.trace_id, span.trace_id);
        assert!(stream.parent_span_id.is_empty());
        assert_eq!(events(&stream), expected);
    }
}

#[tokio::test]
async fn a_span_has_the_attributes_of_the_semantic_conventions() {
    let mut collector = Collector::start().await;
    let variables = [
        ("OTEL_SERVICE_NAME", "item"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20token"),
    ];
    let flags = ["--trusted-proxy", "127.0.0.1"];
    let url = collector.url();
    let (_php_fpm, proxy, client) = start(&url, "status.php", &flags, &variables).await;
    let metadata = [
        ending_with(Code::NotFound),
        ("x-forwarded-for", "192.0.2.1"),
    ];
    client.call(b"", &metadata).await;
    let batch = collector.batch().await;
    assert_eq!(batch.metadata.get("authorization").unwrap(), "Bearer token");
    let [resource] = &batch.content.resource_spans[..] else {
        panic!("{batch:?}");
    };
    let of_resource = &resource.resource.as_ref().unwrap().attributes;
    assert_eq!(attribute(of_resource, "service.name"), "item");
    assert_eq!(attribute(of_resource, "deployment.environment"), "test");
    let scope = &resource.scope_spans[0];
    assert_eq!(scope.scope.as_ref().unwrap().name, "grpc-fcgi-proxy");
    let span = &scope.spans[0];
    let port = proxy.address.port().to_string();
    for (key, value) in [
        ("rpc.system", "grpc"),
        ("rpc.service", "test.Service"),
        ("rpc.method", "Method"),
        ("rpc.grpc.status_code", "5"),
        ("server.address", "test.example"),
        ("server.port", &port),
        ("client.address", "192.0.2.1"),
        ("client.port", ""),
        ("network.peer.address", "127.0.0.1"),
        ("network.protocol.name", "http"),
        ("network.protocol.version", "2"),
        ("network.transport", "tcp"),
        ("grpc_fcgi_proxy.protocol", "grpc"),
        ("grpc_fcgi_proxy.codec", "proto"),
    ] {
        assert_eq!(attribute(&span.attributes, key), value, "{key}");
    }
    assert_eq!(span.status.as_ref().unwrap().code(), StatusCode::Unset);
}

#[tokio::test]
async fn a_call_of_another_protocol_has_the_conventions_of_that() {
    let mut collector = Collector::start().await;
    let flags = ["--connect"];
    let (_php_fpm, _proxy, client) = start(&collector.url(), "status.php", &flags, &[]).await;
    let metadata = [
        ("content-type", "application/proto"),
        ("connect-protocol-version", "1"),
        ending_with(Code::NotFound),
    ];
    let path = "/test.Service/Method";
    client.send(path, Vec::new(), &metadata).await.unwrap();
    let span = collector.span().await;
    assert_eq!(span.name, "test.Service/Method");
    for (key, value) in [
        ("rpc.system", "connect_rpc"),
        ("rpc.connect_rpc.error_code", "not_found"),
        ("grpc_fcgi_proxy.protocol", "connect"),
    ] {
        assert_eq!(attribute(&span.attributes, key), value, "{key}");
    }
}

#[tokio::test]
async fn php_finds_the_span_in_each_field_that_the_client_uses() {
    let mut collector = Collector::start().await;
    let (_php_fpm, _proxy, client) = start(&collector.url(), "variables.php", &[], &[]).await;
    let single = format!("{TRACE}-{PARENT}-1");
    for (metadata, fields) in [
        (&[("b3", &*single)][..], &["b3"][..]),
        (
            &[
                ("x-b3-traceid", TRACE),
                ("x-b3-spanid", PARENT),
                ("x-b3-sampled", "1"),
            ],
            &[
                "x-b3-traceid",
                "x-b3-spanid",
                "x-b3-parentspanid",
                "x-b3-sampled",
            ],
        ),
    ] {
        let seen = client.call(b"", metadata).await.variables();
        let span = collector.span().await;
        let id = hex(&span.span_id);
        assert_eq!(hex(&span.parent_span_id), PARENT);
        let listed = seen["GRPC_METADATA"].as_str().unwrap();
        for field in [fields, &["traceparent"]].concat() {
            let expected = match field {
                "b3" => format!("{TRACE}-{id}-1-{PARENT}"),
                "traceparent" => format!("00-{TRACE}-{id}-01"),
                "x-b3-traceid" => TRACE.to_owned(),
                "x-b3-spanid" => id.clone(),
                "x-b3-parentspanid" => PARENT.to_owned(),
                _ => "1".to_owned(),
            };
            let variable = format!("HTTP_{}", field.replace('-', "_").to_uppercase());
            assert_eq!(seen[variable], expected, "{field}");
            let line = format!("{field}: {expected}\n");
            assert_eq!(listed.matches(&line).count(), 1, "{listed}");
        }
    }
}

#[tokio::test]
async fn a_call_that_is_not_sampled_has_no_span_and_php_learns_so() {
    let mut collector = Collector::start().await;
    let variables = [
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0"),
    ];
    let url = collector.url();
    let (_php_fpm, _proxy, client) = start(&url, "variables.php", &[], &variables).await;
    let seen = client.call(b"", &[]).await.variables();
    let traceparent = seen["HTTP_TRACEPARENT"].as_str().unwrap();
    assert!(traceparent.ends_with("-00"), "{traceparent}");
    let not_sampled = TRACEPARENT.1.replace("-01", "-00");
    let seen = client.call(b"", &[("traceparent", &not_sampled)]).await;
    assert_eq!(seen.variables()["HTTP_TRACEPARENT"], not_sampled);
    // Nor has one that the proxy answers itself.
    let path = "/grpc.health.v1.Health/Check";
    let health = client.call_method(path, b"", &[TRACEPARENT]).await;
    assert_eq!(health.status().0, Code::Ok);
    client.call(b"", &[TRACEPARENT]).await;
    let span = collector.span().await;
    assert_eq!(hex(&span.trace_id), TRACE);
    assert_eq!(span.name, "test.Service/Method");
}

#[tokio::test]
async fn without_the_flag_php_sees_the_fields_as_the_client_sent_them() {
    let (_php_fpm, _proxy, client) = crate::support::serve("variables.php", &[]).await;
    let seen = client.call(b"", &[TRACEPARENT]).await.variables();
    assert_eq!(seen["HTTP_TRACEPARENT"], TRACEPARENT.1);
    let seen = client.call(b"", &[]).await.variables();
    assert!(seen.get("HTTP_TRACEPARENT").is_none());
}

#[tokio::test]
async fn what_fails_shows_why_and_names_no_method_that_was_made_up() {
    let mut collector = Collector::start().await;
    let set = descriptor_set();
    let set = ["--descriptor-set", set.path().to_str().unwrap()];
    let (url, flags) = (collector.url(), [&set, MODES[1]].concat());
    let (_php_fpm, mut proxy, client) = start(&url, "resident.php", &flags, &[]).await;
    let response = command(&client, "kill", &[TRACEPARENT]).await;
    assert_eq!(response.status().0, Code::Unavailable);
    let span = collector.span().await;
    let status = span.status.unwrap();
    assert_eq!(status.code(), StatusCode::Error);
    assert!(status.message.contains("worker"), "{status:?}");
    assert_eq!(attribute(&span.attributes, "rpc.grpc.status_code"), "14");
    let record = proxy
        .logged(|record| record["message"] == "call failed")
        .await;
    assert_eq!(record["trace_id"], TRACE);

    let response = client.call_method("/made.up/Method", b"", &[]).await;
    assert_eq!(response.status().0, Code::Unimplemented);
    let span = collector.span().await;
    assert_eq!(span.name, "unknown");
    assert_eq!(attribute(&span.attributes, "rpc.method"), "");
    let record = proxy.logged(|record| record["message"] == "call").await;
    assert_eq!(record["trace_id"], hex(&span.trace_id), "{record}");

    // Its client goes away while it runs.
    let mut call = client.stream("BidiStream", &[]);
    call.send(&"hello".to_owned().encode_to_vec());
    assert!(call.next().await.is_some());
    drop(call);
    let span = collector.span().await;
    assert_eq!(attribute(&span.attributes, "rpc.grpc.status_code"), "1");
    assert_eq!(span.status.unwrap().code(), StatusCode::Unset);
}

/// The context is added behind the check of what the client sent.
#[tokio::test]
async fn the_context_does_not_count_as_the_clients_metadata() {
    let collector = Collector::start().await;
    let flags = ["--max-metadata-size", "1024"];
    let (_php_fpm, _proxy, client) = start(&collector.url(), "echo.php", &flags, &[]).await;
    // The largest value that is accepted without spans is accepted with them, too.
    let (_other, _without, other) = crate::support::serve("echo.php", &flags).await;
    let mut accepted = 0;
    for length in (600..1024).rev() {
        let value = "x".repeat(length);
        if other.call(b"", &[("x", &value)]).await.status().0 == Code::Ok {
            accepted = length;
            break;
        }
    }
    let value = "x".repeat(accepted);
    assert!(accepted > 600);
    assert_eq!(
        client.call(b"", &[("x", &value)]).await.status().0,
        Code::Ok
    );
}

#[tokio::test]
async fn spans_are_sent_over_tls() {
    let authority = Authority::new();
    let key = authority.sign("localhost");
    let mut collector = Collector::with_tls(&key).await;
    let url = format!("https://localhost:{}", collector.address.port());
    let file = authority.file();
    let variables = [("OTEL_EXPORTER_OTLP_CERTIFICATE", file.to_str().unwrap())];
    let (_php_fpm, _proxy, client) = start(&url, "echo.php", &[], &variables).await;
    client.call(b"", &[TRACEPARENT]).await;
    assert_eq!(hex(&collector.span().await.trace_id), TRACE);
}

#[tokio::test]
async fn a_wrong_variable_is_refused_only_if_spans_are_sent() {
    for (flags, code) in [
        (
            &["--otlp-endpoint", "http://127.0.0.1:1", "/a.php"][..],
            Some(2),
        ),
        (&["--descriptor-set", "/nowhere", "/a.php"], Some(1)),
    ] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"));
        program.env("OTEL_TRACES_SAMPLER", "often").args(flags);
        let output = program.output().await.unwrap();
        assert_eq!(output.status.code(), code);
        let error = String::from_utf8(output.stderr).unwrap();
        let names_it = error.contains("OTEL_TRACES_SAMPLER: expected always_on");
        assert_eq!(names_it, code == Some(2), "{error}");
    }
}
