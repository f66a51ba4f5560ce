//! The user and order services, as seen from here. Lists are read to their ends.

use chassis::context::CallContext;
use proto::{
    order::{
        GetOrderDetailResponse, ListOrderDetailsRequest, order_service_client::OrderServiceClient,
    },
    user::{ListUsersRequest, User, user_service_client::UserServiceClient},
};
use thiserror::Error;
use tonic::{Status, transport::Channel};

/// The most that a page may have.
const PAGE_SIZE: i32 = 1000;
/// Users, or orders, that are held in memory for one report.
const MAX_LISTED: usize = 100_000;
/// Bytes in a page: an order with its items, whose descriptions can be long, may be one by itself.
const MAX_PAGE: usize = 16 << 20;

/// A peer did not do its part.
#[derive(Debug, Error)]
#[error("{peer}: {status}")]
pub(crate) struct PeerError {
    /// Its name.
    pub(crate) peer: &'static str,
    /// What it answered, or why there is no answer.
    pub(crate) status: Status,
}

/// Calls the user and order services.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    users: UserServiceClient<Channel>,
    orders: OrderServiceClient<Channel>,
}

impl Peers {
    /// Over that channel.
    pub(crate) fn new(channel: Channel) -> Self {
        let users = UserServiceClient::new(channel.clone());
        let orders = OrderServiceClient::new(channel).max_decoding_message_size(MAX_PAGE);
        Self { users, orders }
    }

    /// All users, in the order of their ids.
    ///
    /// # Errors
    ///
    /// Any failure, of any page.
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

    /// All orders with their items, in the order of their ids.
    ///
    /// # Errors
    ///
    /// Any failure, of any page.
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
        return Err(Status::resource_exhausted("more than one report can hold"));
    }
    Ok(())
}
