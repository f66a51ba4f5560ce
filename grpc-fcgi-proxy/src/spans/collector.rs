//! The collector, to which spans are sent by OTLP over gRPC.

use std::fs;

use anyhow::Context;
use http::uri::Scheme;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use tokio::time::timeout;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use super::encode;
use super::settings::SpanSettings;
use super::span::EndedSpan;

const USER_AGENT: &str = concat!("grpc-fcgi-proxy/", env!("CARGO_PKG_VERSION"));

/// A collector. The connection is made with the first batch, and made anew when it has broken.
#[derive(Debug)]
pub(crate) struct Collector {
    client: TraceServiceClient<Channel>,
    resource: Resource,
    pub(super) settings: SpanSettings,
}

impl Collector {
    /// Reads the authorities of its certificate. Must be called on the runtime that sends the spans.
    pub(crate) fn new(settings: SpanSettings) -> anyhow::Result<Self> {
        let uri = &settings.endpoint;
        let mut endpoint = Endpoint::from(uri.clone())
            .user_agent(USER_AGENT)?
            .connect_timeout(settings.timeout);
        if uri.scheme() == Some(&Scheme::HTTPS) {
            let tls = match &settings.certificate {
                Some(file) => {
                    let pem = fs::read(file)
                        .with_context(|| format!("cannot read {}", file.display()))?;
                    ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))
                }
                None => ClientTlsConfig::new().with_native_roots(),
            };
            let configured = endpoint.tls_config(tls);
            endpoint = configured.context("cannot use the authorities of the collector's TLS")?;
        }
        tracing::info!(endpoint = %uri, "sending spans");
        Ok(Self {
            client: TraceServiceClient::new(endpoint.connect_lazy()),
            resource: encode::resource(&settings.resource),
            settings,
        })
    }

    pub(super) fn request(&self, spans: Vec<EndedSpan>) -> ExportTraceServiceRequest {
        encode::request(self.resource.clone(), spans)
    }

    /// Sends a batch. Returns what the collector did not take of it.
    pub(super) async fn send(
        &mut self,
        batch: ExportTraceServiceRequest,
    ) -> Result<ExportTracePartialSuccess, Status> {
        let mut request = Request::new(batch);
        *request.metadata_mut() = self.settings.headers.clone();
        request.set_timeout(self.settings.timeout);
        match timeout(self.settings.timeout, self.client.export(request)).await {
            Ok(response) => Ok(response?.into_inner().partial_success.unwrap_or_default()),
            Err(_) => Err(Status::deadline_exceeded("timed out")),
        }
    }
}
