//! Load reports (ORCA, gRFC A51): in the trailers of calls, and out of band.

mod service;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::HeaderMap;
use prost::Message;
use proto::xds::data::orca::v3::OrcaLoadReport;
use proto::xds::service::orca::v3::OrcaLoadReportRequest;
use tokio::time::timeout;
use tonic::Code;

use crate::support::scripted::{BODY, END, HEAD, Step, stdout};
use crate::support::{
    Client, MODES, Response, StreamingCall, TEST_TIMEOUT, code, ending_with, serve, serve_scripted,
    serve_streams,
};

const KEY: &str = "endpoint-load-metrics-bin";
const OPEN_RCA: &str = "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics";
const SCRIPT: [&str; 4] = [
    "--load-reports",
    "script",
    "--load-report-min-interval",
    "100ms",
];
const POOL: [&str; 4] = [
    "--load-reports",
    "pool",
    "--load-report-min-interval",
    "100ms",
];

fn base64(report: &OrcaLoadReport) -> String {
    STANDARD_NO_PAD.encode(report.encode_to_vec())
}

/// The report in trailers.
fn report(fields: &HeaderMap) -> Option<OrcaLoadReport> {
    let mut values = fields.get_all(KEY).iter();
    let value = STANDARD_NO_PAD.decode(values.next()?).unwrap();
    assert!(values.next().is_none());
    Some(OrcaLoadReport::decode(value.as_slice()).unwrap())
}

/// A command of `resident.php`: a `google.protobuf.StringValue`.
fn command(text: &str) -> Vec<u8> {
    [&[0x0a, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

async fn run(client: &Client, text: &str) -> Response {
    let response = client.call(&command(text), &[]).await;
    assert_eq!(response.status().0, Code::Ok);
    response
}

fn out_of_band(client: &Client) -> StreamingCall {
    let mut stream = client.stream_at(OPEN_RCA, &[]);
    stream.send(&OrcaLoadReportRequest::default().encode_to_vec());
    stream.half_close();
    stream
}

async fn next(stream: &mut StreamingCall) -> OrcaLoadReport {
    let report = stream.next().await.expect("the reports have ended");
    OrcaLoadReport::decode(report.as_slice()).unwrap()
}

/// Waits for a report out of band.
async fn reported(client: &Client, wanted: impl Fn(&OrcaLoadReport) -> bool) {
    let mut stream = out_of_band(client);
    let mut last = OrcaLoadReport::default();
    let found = async {
        while !wanted(&last) {
            last = next(&mut stream).await;
        }
    };
    let found = timeout(TEST_TIMEOUT, found).await;
    found.unwrap_or_else(|_| panic!("the last report was {last:?}"));
}

fn disk(value: f64) -> OrcaLoadReport {
    OrcaLoadReport {
        utilization: [("disk".to_owned(), value)].into(),
        ..OrcaLoadReport::default()
    }
}

fn cpu(cpu_utilization: f64) -> OrcaLoadReport {
    OrcaLoadReport {
        cpu_utilization,
        ..OrcaLoadReport::default()
    }
}

#[tokio::test]
async fn without_the_flag_there_is_only_the_metadata_of_scripts() {
    let (_php_fpm, _proxy, client) = serve_streams("resident.php", &[]).await;
    let mut stream = out_of_band(&client);
    assert_eq!(stream.status().await.0, Code::Unimplemented);
    let response = run(&client, "disk 0.5").await;
    assert_eq!(report(&response.trailers), None);
    assert!(!response.headers.contains_key("grpc-server-load-bin"));
    let response = run(&client, "cost 7").await;
    let costs = report(&response.trailers).unwrap().request_cost;
    assert_eq!(costs["rows"], 7.0);
}

#[tokio::test]
async fn scripts_report_on_a_call_and_on_the_server() {
    for mode in MODES {
        let flags = [&SCRIPT, mode].concat();
        let (_php_fpm, _proxy, client) = serve_streams("resident.php", &flags).await;
        let mut reports = out_of_band(&client);
        assert_eq!(next(&mut reports).await, OrcaLoadReport::default());
        assert_eq!(report(&run(&client, "nothing").await.trailers), None);

        let response = run(&client, "disk 0.5").await;
        assert_eq!(report(&response.trailers), Some(disk(0.5)));
        reported(&client, |report| *report == disk(0.5)).await;
        let mut with_cost = disk(0.5);
        with_cost.request_cost.insert("rows".to_owned(), 7.0);
        let response = run(&client, "cost 7").await;
        assert_eq!(report(&response.trailers), Some(with_cost));

        // While the stream is open.
        let mut stream = client.stream("BidiStream", &[]);
        stream.send(&command("nothing"));
        stream.next().await.unwrap();
        stream.send(&command("cpu 0.25"));
        stream.next().await.unwrap();
        reported(&client, |report| *report == cpu(0.25)).await;
        stream.send(&command("cost 7"));
        stream.next().await.unwrap();
        stream.half_close();
        let mut with_cost = cpu(0.25);
        with_cost.request_cost.insert("rows".to_owned(), 7.0);
        assert_eq!(report(stream.end().await), Some(with_cost));
        // The same stream of reports all along.
        while next(&mut reports).await != cpu(0.25) {}
    }
}

#[tokio::test]
async fn the_first_message_of_a_stream_comes_behind_its_reports() {
    let (_php_fpm, _proxy, client) = serve_streams("resident.php", &SCRIPT).await;
    let mut stream = client.stream("BidiStream", &[]);
    stream.send(&command("disk 0.5"));
    assert_eq!(stream.next().await.unwrap(), command("reported"));
    stream.half_close();
    assert_eq!(stream.status().await.0, Code::Ok);
    assert!(!stream.headers().await.contains_key("grpc-server-load-bin"));
}

#[tokio::test]
async fn the_pool_reports_how_full_it_is() {
    for (mode, hold) in [
        (&["--max-exchanges", "2", "--max-streams", "2"][..], 2),
        (&["--resident-workers", "1", "--resident-streams", "2"], 2),
    ] {
        let flags = [&POOL, mode, &["--connection-share", "100"]].concat();
        let (_php_fpm, proxy, client) = serve_streams("resident.php", &flags).await;
        let mut streams = Vec::new();
        for _ in 0..hold {
            let mut stream = client.stream("BidiStream", &[]);
            stream.send(&command("nothing"));
            stream.next().await.unwrap();
            streams.push(stream);
        }
        reported(&client, |report| report.application_utilization > 0.9).await;
        assert!(proxy.metric("load_report_utilization").await > 0.9);
        // A call that finds no place.
        let mut refused = client.stream("BidiStream", &[]);
        refused.half_close();
        let fields = refused.end().await;
        assert_eq!(code(fields), Code::ResourceExhausted);
        assert!(report(fields).unwrap().application_utilization > 0.9);
        for mut stream in streams {
            stream.half_close();
            assert!(report(stream.end().await).unwrap().application_utilization > 0.5);
        }
        reported(&client, |report| report.application_utilization < 0.1).await;
    }
}

#[tokio::test]
async fn waiting_calls_count_as_load() {
    let (_php_fpm, proxy, client) = serve(
        "sleep.php",
        &[&POOL[..], &["--max-exchanges", "1"]].concat(),
    )
    .await;
    let mut calls = Vec::new();
    for _ in 0..3 {
        let mut call = client.stream("Method", &[("x-seconds", "60")]);
        call.send(b"");
        call.half_close();
        calls.push(call);
    }
    proxy.metric_becomes("fcgi_calls_waiting", 2.0).await;
    reported(&client, |report| report.application_utilization > 1.5).await;
}

#[tokio::test]
async fn calls_and_the_errors_of_the_server_are_counted() {
    let (_php_fpm, _proxy, client) = serve("status.php", &POOL).await;
    for status in [Code::NotFound, Code::InvalidArgument, Code::Unimplemented] {
        client.call(b"", &[ending_with(status)]).await;
    }
    client.call(b"", &[("grpc-timeout", "0n")]).await;
    let headers = [("content-type", "application/grpc")];
    let without_message = client
        .send("/test.Service/Method", Vec::new(), &headers)
        .await;
    assert_eq!(without_message.unwrap().status().0, Code::Unimplemented);
    reported(&client, |report| report.rps_fractional > 0.0).await;
    // What a client can bring about is no error of the server, nor will it be in the next samples.
    let mut reports = out_of_band(&client);
    for _ in 0..4 {
        assert_eq!(next(&mut reports).await.eps, 0.0);
    }
    client.call(b"", &[ending_with(Code::Internal)]).await;
    reported(&client, |report| report.eps > 0.0).await;
}

#[tokio::test]
async fn what_scripts_say_goes_before_what_the_pool_says() {
    let (_php_fpm, _proxy, client) = serve_streams("resident.php", &POOL).await;
    // It keeps the pool busy.
    let mut stream = client.stream("BidiStream", &[]);
    stream.send(&command("nothing"));
    stream.next().await.unwrap();
    reported(&client, |report| report.application_utilization > 0.1).await;
    // A client would prefer the application's to the CPU's.
    run(&client, "cpu 0.25").await;
    reported(&client, |report| report.rps_fractional > 0.0).await;
    let mut reports = out_of_band(&client);
    let report = next(&mut reports).await;
    assert_eq!(report.cpu_utilization, 0.25);
    assert_eq!(report.application_utilization, 0.0);
}

#[tokio::test]
async fn a_response_of_one_header_block_stays_so() {
    let (_php_fpm, _proxy, client) = serve_streams("large_fields.php", &POOL).await;
    let metadata = [ending_with(Code::Unavailable)];
    client.call(b"", &metadata).await;
    reported(&client, |report| report.eps > 0.0).await;
    let response = client.call(b"", &metadata).await;
    assert_eq!(code(&response.headers), Code::Unavailable);
    assert!(report(&response.headers).unwrap().eps > 0.0);
    assert!(response.trailers.is_empty() && response.body.is_empty());
}

#[tokio::test]
async fn no_call_fails_because_of_the_report() {
    let flags = ["--max-response-metadata-size", "1024"];
    let flags = [&POOL[..], &flags].concat();
    let (_php_fpm, _proxy, client) = serve_streams("large_fields.php", &flags).await;
    client.call(b"", &[("x-trailing", "1")]).await;
    reported(&client, |report| report.rps_fractional > 0.0).await;
    for (size, fits) in [("300", true), ("850", false)] {
        let response = client.call(b"", &[("x-trailing", size)]).await;
        assert_eq!(response.status().0, Code::Ok);
        assert!(response.trailers.contains_key("x-trailing"));
        assert_eq!(report(&response.trailers).is_some(), fits, "{size}");
    }
}

#[tokio::test]
async fn a_report_of_the_server_that_cannot_be_used_is_dropped() {
    let (application, mut proxy, client) = serve_scripted(&SCRIPT).await;
    let value = base64(&disk(0.5));
    let unary = |value: &str| {
        let head = format!("Grpc-Server-Load-Bin: {value}\r\nGrpc-Status: 0\r\n\r\n");
        [stdout(head.as_bytes()), END.to_vec()].concat()
    };
    application.next(&[Step::Read, Step::Send(unary(&value))]);
    let response = client.call(b"", &[]).await;
    assert_eq!(report(&response.trailers), Some(disk(0.5)));
    for invalid in ["!", "/w", &base64(&cpu(-1.0))] {
        application.next(&[Step::Read, Step::Send(unary(invalid))]);
        let response = client.call(b"", &[]).await;
        assert_eq!(response.status().0, Code::Ok);
        assert_eq!(report(&response.trailers), Some(disk(0.5)), "{invalid}");
        dropped(&mut proxy).await;
    }
    let answer = [
        stdout(HEAD),
        stdout(b"\x20\0\0\0\x01\xff"),
        stdout(BODY),
        END.to_vec(),
    ]
    .concat();
    application.next(&[Step::ReadParams, Step::Send(answer)]);
    let mut stream = client.stream("BidiStream", &[]);
    stream.half_close();
    assert_eq!(stream.status().await.0, Code::Ok);
    dropped(&mut proxy).await;
}

async fn dropped(proxy: &mut crate::support::Proxy) {
    let is_dropped = |record: &serde_json::Value| record["fields"] == "grpc-server-load-bin";
    proxy.logged(is_dropped).await;
}

#[tokio::test]
async fn a_script_reports_on_the_server_in_the_trailers_of_a_stream() {
    let (application, _proxy, client) = serve_scripted(&SCRIPT).await;
    let block = format!(
        "grpc-status: 0\r\ngrpc-server-load-bin: {}\r\n",
        base64(&disk(0.5))
    );
    let length = u8::try_from(block.len()).unwrap();
    let frame = [b"\x80\0\0\0", &[length][..], block.as_bytes()].concat();
    let answer = [stdout(HEAD), stdout(&frame), END.to_vec()].concat();
    application.next(&[Step::ReadParams, Step::Send(answer)]);
    let mut stream = client.stream("BidiStream", &[]);
    stream.half_close();
    let trailers = stream.end().await;
    assert_eq!(report(trailers), Some(disk(0.5)));
    assert!(!trailers.contains_key("grpc-server-load-bin"));
}

#[tokio::test]
async fn no_client_reports_on_the_server() {
    let (_php_fpm, _proxy, client) = serve_streams("metadata_echo.php", &SCRIPT).await;
    let value = base64(&disk(0.5));
    let metadata = [("grpc-server-load-bin", value.as_str()), ("x-a", "1")];
    let response = client.call(b"", &metadata).await;
    assert_eq!(response.trailers["x-a"], "1");
    assert_eq!(report(&response.trailers), None);
    let mut reports = out_of_band(&client);
    assert_eq!(next(&mut reports).await, OrcaLoadReport::default());
}

#[tokio::test]
async fn clients_of_connect_get_the_report_as_metadata() {
    let flags = [&POOL[..], &["--connect"]].concat();
    let (_php_fpm, _proxy, client) = serve("echo.php", &flags).await;
    run_connect(&client).await;
    reported(&client, |report| report.rps_fractional > 0.0).await;
    let response = run_connect(&client).await;
    let value = &response.headers["trailer-endpoint-load-metrics-bin"];
    let value = STANDARD_NO_PAD.decode(value).unwrap();
    assert!(
        OrcaLoadReport::decode(value.as_slice())
            .unwrap()
            .rps_fractional
            > 0.0
    );
}

async fn run_connect(client: &Client) -> Response {
    let headers = [("content-type", "application/proto")];
    let response = client
        .send("/test.Service/Method", b"x".to_vec(), &headers)
        .await;
    response.unwrap()
}
