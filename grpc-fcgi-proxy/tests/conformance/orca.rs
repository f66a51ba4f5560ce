//! Load reports that the server repeats.

use prost::Message;
use proto::grpc_testing::{SimpleRequest, TestOrcaReport};
use proto::xds::data::orca::v3::OrcaLoadReport;
use proto::xds::service::orca::v3::OrcaLoadReportRequest;
use proto::xds::service::orca::v3::open_rca_service_client::OpenRcaServiceClient;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

use super::{TIMEOUT, channel, client, output_request, sent};

fn requested(cpu: f64, memory: f64, utilization: f64) -> TestOrcaReport {
    TestOrcaReport {
        cpu_utilization: cpu,
        memory_utilization: memory,
        utilization: [("util".to_owned(), utilization)].into(),
        ..TestOrcaReport::default()
    }
}

fn expected(requested: &TestOrcaReport) -> OrcaLoadReport {
    OrcaLoadReport {
        cpu_utilization: requested.cpu_utilization,
        mem_utilization: requested.memory_utilization,
        utilization: requested.utilization.clone(),
        request_cost: requested.request_cost.clone(),
        ..OrcaLoadReport::default()
    }
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn orca_per_rpc() {
    let mut report = requested(0.8210, 0.5847, 0.30499);
    report.request_cost.insert("cost".to_owned(), 3456.32);
    let request = SimpleRequest {
        orca_per_query_report: Some(report.clone()),
        ..SimpleRequest::default()
    };
    let response = client().await.unary_call(request).await.unwrap();
    // tonic merges the trailing metadata of a unary call into the initial metadata.
    let value = response.metadata().get_bin("endpoint-load-metrics-bin");
    let value = value.unwrap().to_bytes().unwrap();
    assert_eq!(OrcaLoadReport::decode(value), Ok(expected(&report)));
}

#[tokio::test]
#[ignore = "script/conformance starts the server"]
async fn orca_oob() {
    let channel = channel().await;
    let interval = OrcaLoadReportRequest {
        report_interval: Some(prost_types::Duration {
            seconds: 1,
            nanos: 0,
        }),
        ..OrcaLoadReportRequest::default()
    };
    let mut reports = OpenRcaServiceClient::new(channel);
    let reports = reports.stream_core_metrics(interval).await;
    let mut reports = reports.unwrap().into_inner();
    let (requests, received) = unbounded_channel();
    let mut client = client().await;
    let mut first = output_request(1, 0);
    let report = requested(0.8210, 0.5847, 0.30499);
    first.orca_oob_report = Some(report.clone());
    requests.send(first).unwrap();
    let mut responses = client.full_duplex_call(sent(received)).await.unwrap();
    responses.get_mut().message().await.unwrap().unwrap();
    let mut arrived = async |report: &TestOrcaReport| {
        while reports.message().await.unwrap().unwrap() != expected(report) {}
    };
    timeout(TIMEOUT, arrived(&report)).await.unwrap();
    let mut second = output_request(1, 0);
    let report = requested(0.29309, 0.2, 0.2039);
    second.orca_oob_report = Some(report.clone());
    requests.send(second).unwrap();
    responses.get_mut().message().await.unwrap().unwrap();
    timeout(TIMEOUT, arrived(&report)).await.unwrap();
    drop(requests);
    assert_eq!(responses.get_mut().message().await.unwrap(), None);
}
