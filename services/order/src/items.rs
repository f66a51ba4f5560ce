//! The item service, as seen from here: one call for all the items of an order, or of a page of orders. What is gone is
//! told apart from what failed.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use backon::{ExponentialBuilder, Retryable};
use chassis::context::CallContext;
use futures_util::stream;
use proto::item::{GetItemRequest, Item, item_service_client::ItemServiceClient};
use tonic::{Code, Response, Status, transport::Channel};

/// The pauses are up to twice as long: callers that failed together must not come again together.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// Besides the first one.
const MORE_TRIES: usize = 4;

/// Calls the item service.
#[derive(Debug, Clone)]
pub(crate) struct ItemClient {
    client: ItemServiceClient<Channel>,
}

impl ItemClient {
    /// Over that channel.
    pub(crate) fn new(channel: Channel) -> Self {
        let client = ItemServiceClient::new(channel);
        Self { client }
    }

    /// Those of the ids that exist, by their ids. Envoy repeats a call only until its answer begins; a lookup may be
    /// repeated whenever the pod that answers goes away. Not when it is refused: that is for want of a worker, and
    /// another try would not make one free.
    ///
    /// # Errors
    ///
    /// What the item service answers in the end.
    pub(crate) async fn find(
        &self,
        context: &CallContext,
        ids: impl IntoIterator<Item = &String>,
    ) -> Result<HashMap<String, Item>, Status> {
        let distinct: BTreeSet<&String> = ids.into_iter().collect();
        if distinct.is_empty() {
            return Ok(HashMap::new());
        }
        let pauses = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .with_max_times(MORE_TRIES);
        (|| self.look_up(context, &distinct))
            .retry(pauses)
            .when(|status| status.code() == Code::Unavailable)
            .notify(|status, pause| tracing::warn!(%status, ?pause, "items are looked up again"))
            .await
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
        // tonic takes the end of a stream without trailers for a good one, and Envoy ends one so whose pod goes away. An
        // answer that is missing says nothing about its item.
        if !ids.iter().all(|id| answered.contains_key(*id)) {
            return Err(Status::unavailable("the item service left out an answer"));
        }
        Ok(answered
            .into_iter()
            .filter_map(|(id, item)| Some((id, item?)))
            .collect())
    }
}
