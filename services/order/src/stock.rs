//! The client of the item service's stock: reserves and releases the pieces of an order. Both calls are idempotent, so a
//! call that failed on its way is repeated.

use chassis::context::CallContext;
use proto::item::{
    ReleaseItemsRequest, ReserveItemsRequest, item_service_client::ItemServiceClient,
};
use tonic::{Code, Status, transport::Channel};

use crate::{items::retried, pieces::Pieces};

/// Unlike lookups, Envoy does not retry these calls, and for three seconds it may choose a pod whose php-fpm is down.
const MAX_RETRIES: usize = 8;

/// Calls the item service.
#[derive(Debug, Clone)]
pub(crate) struct StockClient {
    client: ItemServiceClient<Channel>,
}

/// The pieces are not reserved.
#[derive(Debug)]
pub(crate) enum Unreserved {
    /// The item service has refused, and the reservation is as before.
    Refused(Status),
    /// Nobody knows: the call may have been served, or may be served later.
    Unknown(Status),
}

impl StockClient {
    pub(crate) fn new(channel: Channel) -> Self {
        let client = ItemServiceClient::new(channel);
        Self { client }
    }

    /// Sets what an order has reserved.
    pub(crate) async fn reserve(
        &self,
        context: &CallContext,
        order: &str,
        revision: i64,
        pieces: &Pieces,
    ) -> Result<(), Unreserved> {
        let mut attempts = 0;
        let call = || {
            attempts += 1;
            let request = ReserveItemsRequest {
                order_id: order.to_owned(),
                revision,
                items: pieces.listed(),
            };
            let mut client = self.client.clone();
            async move {
                let call = async move |request| client.reserve_items(request).await;
                context.call(request, call).await
            }
        };
        match retried("reservation", MAX_RETRIES, call).await {
            Ok(_) => Ok(()),
            // An earlier attempt may still be on its way.
            Err(status) if attempts == 1 && is_refusal(&status) => Err(Unreserved::Refused(status)),
            Err(status) => Err(Unreserved::Unknown(status)),
        }
    }

    /// Puts back what an order has reserved. It can reserve nothing from then on.
    pub(crate) async fn release(&self, context: &CallContext, order: &str) -> Result<(), Status> {
        let call = || {
            let order_id = order.to_owned();
            let mut client = self.client.clone();
            async move {
                let call = async move |request| client.release_items(request).await;
                context.call(ReleaseItemsRequest { order_id }, call).await
            }
        };
        retried("release", MAX_RETRIES, call).await.map(drop)
    }
}

/// Whether the item service itself has said no; other statuses come from what is on the way as well.
fn is_refusal(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition | Code::Aborted
    )
}
