//! The calls of frontend's report, one after the other: the users, the orders, and then each order with its items. They
//! go the way of frontend's own calls, from its pod and through its Envoy.

use std::io::Write;
use std::time::Duration;

use anyhow::ensure;
use proto::order::order_service_client::OrderServiceClient;
use proto::order::{GetOrderDetailRequest, ListOrdersRequest};
use proto::user::ListUsersRequest;
use proto::user::user_service_client::UserServiceClient;
use tokio::time::Instant;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

/// The values of frontend.
const PAGE_SIZE: i32 = 1000;
const TIMEOUT: Duration = Duration::from_secs(5);

/// Prints the duration of each report in seconds.
pub(crate) async fn run(address: &str, reports: usize) -> anyhow::Result<()> {
    let channel = Endpoint::from_shared(format!("http://{address}"))?
        .tcp_nodelay(true)
        .connect()
        .await?;
    for _ in 0..reports {
        let start = Instant::now();
        let calls = report(&channel).await?;
        let seconds = start.elapsed().as_secs_f64();
        ensure!(calls > 2, "the database has no orders");
        writeln!(std::io::stdout(), "{seconds:.6}")?;
    }
    Ok(())
}

/// Makes the calls of one report; returns their number.
async fn report(channel: &Channel) -> anyhow::Result<usize> {
    let mut calls = users(channel).await?;
    let mut client = OrderServiceClient::new(channel.clone());
    let mut page_token = String::new();
    let mut orders = Vec::new();
    loop {
        let page = ListOrdersRequest {
            user: String::new(),
            page_size: PAGE_SIZE,
            page_token,
        };
        let response = client.list_orders(timed(page)).await?.into_inner();
        calls += 1;
        orders.extend(response.orders);
        page_token = response.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    for order in orders {
        let request = GetOrderDetailRequest { id: order.id };
        client.get_order_detail(timed(request)).await?;
        calls += 1;
    }
    Ok(calls)
}

async fn users(channel: &Channel) -> anyhow::Result<usize> {
    let mut client = UserServiceClient::new(channel.clone());
    let (mut calls, mut page_token) = (0, String::new());
    loop {
        let page = ListUsersRequest {
            page_size: PAGE_SIZE,
            page_token,
        };
        page_token = client
            .list_users(timed(page))
            .await?
            .into_inner()
            .next_page_token;
        calls += 1;
        if page_token.is_empty() {
            return Ok(calls);
        }
    }
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(TIMEOUT);
    request
}
