//! A fake item service whose behaviour depends on the ids.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use chassis::{status::all_not_found, testing::Recorded};
use futures_util::StreamExt;
use http::HeaderMap;
use proto::item::{
    GetItemRequest, LookupItemsResponse, ReleaseItemsRequest, ReleaseItemsResponse,
    ReserveItemsRequest, ReserveItemsResponse, item_service_server::ItemService,
};
use tokio::sync::Notify;
use tonic::{Code, Request, Response, Status, Streaming, codegen::BoxStream};

use crate::{fake_stock::FakeStock, support::item};

/// `gone…` is missing, `full…` is refused, `silent…` gets no response, `large…` is an item of 1 MiB, and every other id is
/// an item. The lookup of `held…` waits for `release`.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeItems {
    /// The header fields of each call.
    pub(crate) calls: Recorded<HeaderMap>,
    pub(crate) looked_up: Recorded<String>,
    pub(crate) arrived: Arc<Notify>,
    pub(crate) release: Arc<Notify>,
    /// The number of calls to abort after their first response.
    pub(crate) aborting: Arc<AtomicUsize>,
    pub(crate) stock: FakeStock,
}

impl FakeItems {
    async fn answer(&self, id: String) -> Option<Result<LookupItemsResponse, Status>> {
        self.looked_up.push(id.clone());
        if id.starts_with("silent") {
            return None;
        }
        if id.starts_with("full") {
            return Some(Err(no_worker()));
        }
        if id.starts_with("held") {
            self.arrived.notify_one();
            self.release.notified().await;
        }
        let item = (!id.starts_with("gone")).then(|| item(&id));
        Some(Ok(LookupItemsResponse { id, item }))
    }

    fn aborts(&self) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        let order = Ordering::SeqCst;
        self.aborting.fetch_update(order, order, one_less).is_ok()
    }
}

#[tonic::async_trait]
impl ItemService for FakeItems {
    async fn lookup_items(
        &self,
        request: Request<Streaming<GetItemRequest>>,
    ) -> Result<Response<BoxStream<LookupItemsResponse>>, Status> {
        self.calls.push(request.metadata().clone().into_headers());
        let (fake, aborts) = (self.clone(), self.aborts());
        let answer = move |(number, request): (usize, Result<GetItemRequest, Status>)| {
            let fake = fake.clone();
            async move {
                match request {
                    Ok(_) if aborts && number > 0 => Some(Err(Status::unavailable("going away"))),
                    Ok(request) => fake.answer(request.id).await,
                    Err(status) => Some(Err(status)),
                }
            }
        };
        let answers = request.into_inner().enumerate().filter_map(answer).boxed();
        let mut answers = Box::pin(answers.peekable());
        // PHP sends its header fields with the first response: a client that waits for them before its first request
        // hangs.
        answers.as_mut().peek().await;
        Ok(Response::new(answers))
    }

    async fn reserve_items(
        &self,
        request: Request<ReserveItemsRequest>,
    ) -> Result<Response<ReserveItemsResponse>, Status> {
        self.calls.push(request.metadata().clone().into_headers());
        let request = request.into_inner();
        let named = |prefix: &str| {
            let ids = request.items.iter().map(|item| item.id.as_str());
            ids.filter(|id| id.starts_with(prefix)).collect::<Vec<_>>()
        };
        if !named("full").is_empty() {
            return Err(no_worker());
        }
        let missing = named("gone");
        if !missing.is_empty() {
            return Err(all_not_found("item", &missing));
        }
        self.stock.reserve(request).await?;
        Ok(Response::new(Default::default()))
    }

    async fn release_items(
        &self,
        request: Request<ReleaseItemsRequest>,
    ) -> Result<Response<ReleaseItemsResponse>, Status> {
        self.stock.release(request.into_inner().order_id).await?;
        Ok(Response::new(Default::default()))
    }
}

fn no_worker() -> Status {
    let details = b"details".as_slice().into();
    Status::with_details(Code::ResourceExhausted, "no worker", details)
}
