//! The clients of the user and order services. They read lists to the last page.

use chassis::context::CallContext;
use proto::{
    order::{
        GetOrderDetailResponse, ListOrderDetailsRequest, order_service_client::OrderServiceClient,
    },
    user::{ListUsersRequest, User, user_service_client::UserServiceClient},
};
use thiserror::Error;
use tonic::{Status, transport::Channel};

/// The maximum that the services allow.
const PAGE_SIZE: i32 = 1000;
/// Limits the users, and the orders, that a report holds in memory.
const MAX_LISTED: usize = 100_000;
/// Bytes in a page. A single order may exceed the usual 4 MiB, as the descriptions of its items can be long.
const MAX_PAGE: usize = 16 << 20;

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
        let orders = OrderServiceClient::new(channel).max_decoding_message_size(MAX_PAGE);
        Self { users, orders }
    }

    /// Returns all users, sorted by id.
    pub(crate) async fn users(&self, context: &CallContext) -> Result<Vec<User>, PeerError> {
        let mut users = Vec::new();
        let mut page_token = String::new();
        loop {
            let page = ListUsersRequest {
                page_size: PAGE_SIZE,
                page_token,
            };
            let mut client = self.users.clone();
            let answer = context
                .call(page, async move |request| client.list_users(request).await)
                .await
                .map_err(user)?;
            users.extend(answer.users);
            within_limit(users.len()).map_err(user)?;
            page_token = answer.next_page_token;
            if page_token.is_empty() {
                return Ok(users);
            }
        }
    }

    /// Returns all orders with their items, sorted by id.
    pub(crate) async fn orders(
        &self,
        context: &CallContext,
    ) -> Result<Vec<GetOrderDetailResponse>, PeerError> {
        let mut orders = Vec::new();
        let mut page_token = String::new();
        loop {
            let page = ListOrderDetailsRequest {
                user: String::new(),
                page_size: PAGE_SIZE,
                page_token,
            };
            let mut client = self.orders.clone();
            let answer = context
                .call(page, async move |request| {
                    client.list_order_details(request).await
                })
                .await
                .map_err(order)?;
            orders.extend(answer.details);
            within_limit(orders.len()).map_err(order)?;
            page_token = answer.next_page_token;
            if page_token.is_empty() {
                return Ok(orders);
            }
        }
    }
}

fn user(status: Status) -> PeerError {
    PeerError {
        peer: "user",
        status,
    }
}

fn order(status: Status) -> PeerError {
    PeerError {
        peer: "order",
        status,
    }
}

fn within_limit(count: usize) -> Result<(), Status> {
    if count > MAX_LISTED {
        return Err(Status::resource_exhausted("too many for one report"));
    }
    Ok(())
}
