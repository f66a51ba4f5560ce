//! The client of the item service: one call fetches all items of an order, or of a page of orders. A missing item is not
//! an error; an incomplete response is.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use backon::{ExponentialBuilder, Retryable};
use chassis::context::CallContext;
use futures_util::stream;
use proto::item::{GetItemRequest, Item, item_service_client::ItemServiceClient};
use tonic::{Code, Response, Status, transport::Channel};

/// Jitter makes the pauses up to twice as long, so that callers that failed together do not retry together.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
const MAX_RETRIES: usize = 4;

/// Makes an idempotent call of the item service, and repeats it while it fails with UNAVAILABLE, up to `retries` times.
/// RESOURCE_EXHAUSTED is not retried: no worker is free, and a retry would add to the load.
pub(crate) async fn retried<T, F>(
    what: &str,
    retries: usize,
    call: impl FnMut() -> F,
) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    let pauses = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_max_times(retries);
    call.retry(pauses)
        .when(|status| status.code() == Code::Unavailable)
        .notify(|status, pause| tracing::debug!(%status, ?pause, "retrying the item {what}"))
        .await
}

/// Calls the item service.
#[derive(Debug, Clone)]
pub(crate) struct ItemClient {
    client: ItemServiceClient<Channel>,
}

impl ItemClient {
    pub(crate) fn new(channel: Channel) -> Self {
        let client = ItemServiceClient::new(channel);
        Self { client }
    }

    /// Returns the items that exist, by id. Envoy retries a call only until its response begins; a lookup is idempotent,
    /// so it is retried even when the item pod goes away in the middle.
    pub(crate) async fn find(
        &self,
        context: &CallContext,
        ids: impl IntoIterator<Item = &String>,
    ) -> Result<HashMap<String, Item>, Status> {
        let distinct: BTreeSet<&String> = ids.into_iter().collect();
        if distinct.is_empty() {
            return Ok(HashMap::new());
        }
        retried("lookup", MAX_RETRIES, || self.look_up(context, &distinct)).await
    }

    async fn look_up(
        &self,
        context: &CallContext,
        ids: &BTreeSet<&String>,
    ) -> Result<HashMap<String, Item>, Status> {
        let requests: Vec<_> = ids
            .iter()
            .map(|&id| GetItemRequest { id: id.clone() })
            .collect();
        let mut client = self.client.clone();
        let call = async move |request| {
            let mut answers = client.lookup_items(request).await?.into_inner();
            let mut items = HashMap::new();
            while let Some(answer) = answers.message().await? {
                items.insert(answer.id, answer.item);
            }
            Ok(Response::new(items))
        };
        let answered = context.call(stream::iter(requests), call).await?;
        // When a pod goes away, Envoy ends the stream without trailers, and tonic takes that for success. A missing
        // response does not mean that the item is missing.
        if !ids.iter().all(|id| answered.contains_key(*id)) {
            return Err(Status::unavailable(
                "the response of the item service is incomplete",
            ));
        }
        Ok(answered
            .into_iter()
            .filter_map(|(id, item)| Some((id, item?)))
            .collect())
    }
}
