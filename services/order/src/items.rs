//! The item service, as seen from here: each item is asked for once, several at a time, and what
//! is gone is told apart from what failed.

use std::collections::{BTreeSet, HashMap};

use chassis::carried::Carried;
use futures_util::{StreamExt, TryStreamExt, stream};
use proto::item::{GetItemRequest, Item, item_service_client::ItemServiceClient};
use tonic::{Code, Status, transport::Channel};

/// Calls the item service.
#[derive(Debug, Clone)]
pub struct Items {
    client: ItemServiceClient<Channel>,
    concurrency: usize,
}

impl Items {
    /// Over that channel, so many calls at a time.
    pub fn new(channel: Channel, concurrency: usize) -> Self {
        let client = ItemServiceClient::new(channel);
        Self {
            client,
            concurrency,
        }
    }

    /// Those of the ids that exist, by their ids.
    ///
    /// # Errors
    ///
    /// What the item service answers other than NOT_FOUND; the calls still under way are given up.
    pub async fn find(
        &self,
        carried: &Carried,
        ids: &[String],
    ) -> Result<HashMap<String, Item>, Status> {
        let distinct: BTreeSet<String> = ids.iter().cloned().collect();
        let answers = distinct.into_iter().map(|id| self.get(carried, id));
        stream::iter(answers)
            .buffer_unordered(self.concurrency)
            .try_filter_map(async |found| Ok(found))
            .try_collect()
            .await
    }

    async fn get(&self, carried: &Carried, id: String) -> Result<Option<(String, Item)>, Status> {
        let mut client = self.client.clone();
        let message = GetItemRequest { id: id.clone() };
        let answer = carried
            .call(message, async move |request| client.get_item(request).await)
            .await;
        match answer {
            Ok(item) => Ok(Some((id, item))),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        }
    }
}
