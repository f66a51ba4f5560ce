//! The clients of the user and order services.

use chassis::context::CallContext;
use proto::{
    order::{
        ListOrderDetailsRequest, ListOrderDetailsResponse, order_service_client::OrderServiceClient,
    },
    user::{ListUsersRequest, ListUsersResponse, user_service_client::UserServiceClient},
};
use thiserror::Error;
use tonic::{Status, transport::Channel};

/// A call to a peer failed.
#[derive(Debug, Error)]
#[error("{peer}: {status}")]
pub(crate) struct PeerError {
    /// The name of the peer.
    pub(crate) peer: &'static str,
    /// The status that the peer sent, or that describes the failure.
    pub(crate) status: Status,
}

/// Calls the user and order services.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    users: UserServiceClient<Channel>,
    orders: OrderServiceClient<Channel>,
}

impl Peers {
    pub(crate) fn new(channel: Channel) -> Self {
        let users = UserServiceClient::new(channel.clone());
        let orders = OrderServiceClient::new(channel);
        Self { users, orders }
    }

    /// The same, with a limit on the bytes of a page of orders: a longer one is OUT_OF_RANGE.
    pub(crate) fn limited(&self, bytes: usize) -> Self {
        let Self { users, orders } = self.clone();
        let orders = orders.max_decoding_message_size(bytes);
        Self { users, orders }
    }

    /// Returns a page of users, sorted by id.
    pub(crate) async fn users(
        &self,
        context: &CallContext,
        size: usize,
        page_token: String,
    ) -> Result<ListUsersResponse, PeerError> {
        let page = ListUsersRequest {
            page_size: page_size(size),
            page_token,
        };
        let mut client = self.users.clone();
        let call = context.call(page, async move |request| client.list_users(request).await);
        let failed = |status| PeerError {
            peer: "user",
            status,
        };
        call.await.map_err(failed)
    }

    /// Returns a page of the orders of one user, or of all users if `user` is empty, with their items, sorted by id.
    pub(crate) async fn orders(
        &self,
        context: &CallContext,
        user: &str,
        size: usize,
        page_token: String,
    ) -> Result<ListOrderDetailsResponse, PeerError> {
        let page = ListOrderDetailsRequest {
            user: user.to_owned(),
            page_size: page_size(size),
            page_token,
        };
        let mut client = self.orders.clone();
        let call = context.call(page, async move |request| {
            client.list_order_details(request).await
        });
        let failed = |status| PeerError {
            peer: "order",
            status,
        };
        call.await.map_err(failed)
    }
}

/// Far below the maximum of the type.
fn page_size(rows: usize) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX)
}
