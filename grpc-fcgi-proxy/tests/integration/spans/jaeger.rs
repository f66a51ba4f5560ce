//! Jaeger itself receives the spans, and shows them.

use std::net::SocketAddr;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tonic::Code;

use super::{PARENT, TRACE, TRACEPARENT, command, start, text};
use crate::support::{MODES, TEST_TIMEOUT};

/// Stops when dropped.
struct Jaeger {
    _process: Child,
    _configuration: tempfile::NamedTempFile,
    query: SocketAddr,
    otlp: SocketAddr,
}

async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

impl Jaeger {
    async fn start() -> Self {
        let program = std::env::var("JAEGER").expect("JAEGER is the path of Jaeger's program");
        let (query, grpc, otlp) = (
            free_address().await,
            free_address().await,
            free_address().await,
        );
        let configuration = format!(
            "
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces: {{receivers: [otlp], exporters: [jaeger_storage_exporter]}}
  telemetry: {{metrics: {{level: none}}}}
extensions:
  jaeger_storage: {{backends: {{memory: {{memory: {{max_traces: 100}}}}}}}}
  jaeger_query: {{storage: {{traces: memory}}, http: {{endpoint: '{query}'}}, grpc: {{endpoint: '{grpc}'}}}}
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: '{otlp}'}}}}}}
exporters:
  jaeger_storage_exporter: {{trace_storage: memory}}
"
        );
        let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
        std::fs::write(file.path(), configuration).unwrap();
        let process = Command::new(program)
            .arg("--config")
            .arg(file.path())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            _process: process,
            _configuration: file,
            query,
            otlp,
        }
    }

    async fn get(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.query).await?;
        let request = format!("GET {path} HTTP/1.0\r\nhost: jaeger\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        Ok(response)
    }

    /// The spans of the trace, when there are so many.
    async fn spans(&self, count: usize) -> Vec<Value> {
        let shown = async {
            loop {
                let response = self.get(&format!("/api/traces/{TRACE}")).await;
                let response = response.unwrap_or_default();
                let body = response.split_once("\r\n\r\n").map_or("", |(_, body)| body);
                let body: Value = serde_json::from_str(body).unwrap_or_default();
                match body["data"][0]["spans"].as_array() {
                    Some(spans) if spans.len() >= count => return spans.clone(),
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        let spans = timeout(TEST_TIMEOUT * 3, shown).await;
        spans.expect("Jaeger does not show the trace")
    }
}

#[tokio::test]
#[ignore = "needs the program of Jaeger, which script/test observability builds"]
async fn jaeger_shows_the_spans_of_both_modes_below_that_of_the_client() {
    let jaeger = Jaeger::start().await;
    let mut seen = Vec::new();
    for mode in MODES {
        let url = format!("http://{}", jaeger.otlp);
        // It may take a while to listen: the batch is sent again.
        let (_php_fpm, proxy, client) = start(&url, "resident.php", mode, &[]).await;
        let response = command(&client, "metadata traceparent", &[TRACEPARENT]).await;
        assert_eq!(response.status().0, Code::Ok);
        seen.push(text(&response));
        let exported = r#"otlp_spans_total{outcome="exported"}"#;
        proxy.metric_becomes(exported, 1.0).await;
    }
    for span in jaeger.spans(2).await {
        let id = span["spanID"].as_str().unwrap();
        assert!(seen.contains(&format!("00-{TRACE}-{id}-01")), "{span}");
        assert_eq!(span["operationName"], "test.Service/Method");
        let parent = &span["references"][0];
        assert_eq!(parent["spanID"], PARENT);
        let logs = span["logs"].as_array().unwrap();
        let events = logs.iter().map(|log| log["fields"].to_string());
        let events: String = events.collect();
        for event in ["slot acquired", "waiting for a worker", "worker acquired"] {
            assert!(events.contains(event), "{span}");
        }
        let tags = span["tags"].to_string();
        assert!(tags.contains("rpc.grpc.status_code"), "{tags}");
    }
}
