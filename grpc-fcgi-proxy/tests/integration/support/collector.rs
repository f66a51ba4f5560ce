//! A collector of spans, which may refuse or hold them.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::metadata::MetadataMap;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

use super::{CertifiedKey, TEST_TIMEOUT};

/// What was sent at once.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) metadata: MetadataMap,
    pub(crate) content: ExportTraceServiceRequest,
}

/// Stops when dropped.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    batches: mpsc::UnboundedReceiver<Batch>,
    unread: VecDeque<Span>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Service {
    batches: mpsc::UnboundedSender<Batch>,
    refusals: Mutex<VecDeque<Status>>,
    holds: bool,
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let (metadata, _, content) = request.into_parts();
        // The test may not read them.
        let _ = self.batches.send(Batch { metadata, content });
        if self.holds {
            std::future::pending::<()>().await;
        }
        let refusal = self.refusals.lock().unwrap().pop_front();
        let taken = Response::new(ExportTraceServiceResponse::default());
        refusal.map_or(Ok(taken), Err)
    }
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Self::serve("127.0.0.1:0", Vec::new(), false, None).await
    }

    /// At an address that a proxy knows already.
    pub(crate) async fn start_at(address: SocketAddr) -> Self {
        Self::serve(&address.to_string(), Vec::new(), false, None).await
    }

    /// Takes no batch before it has refused some so.
    pub(crate) async fn refusing(refusals: Vec<Status>) -> Self {
        Self::serve("127.0.0.1:0", refusals, false, None).await
    }

    /// Never answers.
    pub(crate) async fn holding() -> Self {
        Self::serve("127.0.0.1:0", Vec::new(), true, None).await
    }

    pub(crate) async fn with_tls(key: &CertifiedKey) -> Self {
        let read = |file| std::fs::read(file).unwrap();
        let identity = Identity::from_pem(read(&key.certificate_file), read(&key.key_file));
        Self::serve("127.0.0.1:0", Vec::new(), false, Some(identity)).await
    }

    async fn serve(
        address: &str,
        refusals: Vec<Status>,
        holds: bool,
        identity: Option<Identity>,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, batches) = mpsc::unbounded_channel();
        let service = Service {
            batches: sender,
            refusals: Mutex::new(refusals.into()),
            holds,
        };
        let mut server = Server::builder();
        if let Some(identity) = identity {
            let tls = ServerTlsConfig::new().identity(identity);
            server = server.tls_config(tls).unwrap();
        }
        let service = TraceServiceServer::from_arc(Arc::new(service));
        let serving = server
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        Self {
            address,
            batches,
            unread: VecDeque::new(),
            serving: tokio::spawn(async { serving.await.unwrap() }),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next batch that arrives, refused or not.
    pub(crate) async fn batch(&mut self) -> Batch {
        timeout(TEST_TIMEOUT, self.batches.recv())
            .await
            .expect("no span in time")
            .unwrap()
    }

    /// The next span.
    pub(crate) async fn span(&mut self) -> Span {
        while self.unread.is_empty() {
            let batch = self.batch().await;
            let resources = batch.content.resource_spans.into_iter();
            let scopes = resources.flat_map(|resource| resource.scope_spans);
            self.unread.extend(scopes.flat_map(|scope| scope.spans));
        }
        self.unread.pop_front().unwrap()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An attribute as text; empty if it is absent.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> String {
    let mut attributes = attributes.iter();
    let attribute = attributes.find(|attribute| attribute.key == key);
    let value = attribute.and_then(|attribute| attribute.value.clone()?.value);
    match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        None => String::new(),
        Some(other) => panic!("{key} is {other:?}"),
    }
}
