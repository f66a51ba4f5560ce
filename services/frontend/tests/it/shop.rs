//! A stand-in for both peers with any number of orders, in pages as the real ones make them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use chassis::testing::{Running, fake};
use proto::{
    item::Item,
    order::{
        GetOrderDetailResponse, ListOrderDetailsRequest, ListOrderDetailsResponse,
        order_service_server::{OrderService, OrderServiceServer},
    },
    user::{
        ListUsersRequest, ListUsersResponse, User,
        user_service_server::{UserService, UserServiceServer},
    },
};
use tokio::task::yield_now;
use tonic::{Request, Response, Status, service::Routes};

/// The ids of the users, and of their orders.
type Orders = BTreeMap<String, BTreeSet<String>>;

#[derive(Debug, Clone, Default)]
pub(crate) struct Shop {
    pub(crate) orders: Arc<Mutex<Orders>>,
    /// Of the only item.
    pub(crate) description: String,
    /// How often an order contains it.
    pub(crate) pieces: usize,
    pub(crate) list_orders: Option<Status>,
    pub(crate) calls: Arc<AtomicUsize>,
    pub(crate) at_once: Arc<AtomicUsize>,
    /// The most lists of orders at once.
    pub(crate) most_at_once: Arc<AtomicUsize>,
}

impl Shop {
    /// With users that have these numbers of orders.
    pub(crate) fn new(orders: impl IntoIterator<Item = usize>) -> Self {
        let user = |(number, count)| {
            let user = format!("u{number:04}");
            let orders = (0..count).map(|order| format!("{user}-{order:06}"));
            (user.clone(), orders.collect())
        };
        let orders = orders.into_iter().enumerate().map(user).collect();
        Self {
            orders: Arc::new(Mutex::new(orders)),
            description: "for sale".to_owned(),
            pieces: 1,
            ..Self::default()
        }
    }

    pub(crate) async fn serve(&self) -> Running {
        let routes = Routes::new(UserServiceServer::new(self.clone()))
            .add_service(OrderServiceServer::new(self.clone()));
        fake(routes.into_axum_router()).await
    }

    /// Each user, and each of its orders after it.
    pub(crate) fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for (user, orders) in self.orders.lock().unwrap().iter() {
            rows.push(user.clone());
            rows.extend(orders.iter().cloned());
        }
        rows
    }

    pub(crate) fn take_calls(&self) -> usize {
        self.calls.swap(0, Ordering::Relaxed)
    }

    fn detail(&self, id: String) -> GetOrderDetailResponse {
        let item = Item {
            id: "i".to_owned(),
            description: self.description.clone(),
            ..Item::default()
        };
        let user = id.split('-').next().unwrap().to_owned();
        GetOrderDetailResponse {
            id,
            user,
            items: vec![item; self.pieces],
            missing_items: Vec::new(),
        }
    }
}

/// The ids of a page, and the token of the next one.
fn page<'a>(ids: impl Iterator<Item = &'a String>, size: i32, list: &str) -> (Vec<String>, String) {
    let size = usize::try_from(size).unwrap();
    assert!((1..=1000).contains(&size));
    let mut page: Vec<String> = ids.take(size + 1).cloned().collect();
    let is_last = page.len() <= size;
    page.truncate(size);
    let next = page.last().filter(|_| !is_last);
    let token = next.map_or_else(String::new, |last| format!("{list} after {last}"));
    (page, token)
}

/// The last id of the page before.
fn after(token: &str, list: &str) -> Result<Bound<String>, Status> {
    match token.strip_prefix(&format!("{list} after ")) {
        Some(id) => Ok(Bound::Excluded(id.to_owned())),
        None if token.is_empty() => Ok(Bound::Unbounded),
        None => Err(Status::invalid_argument("a token of another list")),
    }
}

#[tonic::async_trait]
impl UserService for Shop {
    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
    ) -> Result<Response<ListUsersResponse>, Status> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let request = request.into_inner();
        let begin = after(&request.page_token, "users")?;
        let orders = self.orders.lock().unwrap();
        let ids = orders.range((begin, Bound::Unbounded)).map(|(id, _)| id);
        let (ids, next_page_token) = page(ids, request.page_size, "users");
        let user = |id| User {
            id,
            ..User::default()
        };
        Ok(Response::new(ListUsersResponse {
            users: ids.into_iter().map(user).collect(),
            next_page_token,
        }))
    }
}

#[tonic::async_trait]
impl OrderService for Shop {
    async fn list_order_details(
        &self,
        request: Request<ListOrderDetailsRequest>,
    ) -> Result<Response<ListOrderDetailsResponse>, Status> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let now = 1 + self.at_once.fetch_add(1, Ordering::Relaxed);
        self.most_at_once.fetch_max(now, Ordering::Relaxed);
        // The other calls that have arrived begin.
        for _ in 0..100 {
            yield_now().await;
        }
        self.at_once.fetch_sub(1, Ordering::Relaxed);
        if let Some(status) = &self.list_orders {
            return Err(status.clone());
        }
        let ListOrderDetailsRequest {
            user,
            page_size,
            page_token,
        } = request.into_inner();
        let list = format!("orders of {user}");
        let begin = after(&page_token, &list)?;
        let orders = self.orders.lock().unwrap();
        let of = orders
            .iter()
            .filter(|(id, _)| user.is_empty() || **id == user);
        let ids = of.flat_map(|(_, ids)| ids.range((begin.clone(), Bound::Unbounded)));
        let (ids, next_page_token) = page(ids, page_size, &list);
        Ok(Response::new(ListOrderDetailsResponse {
            details: ids.into_iter().map(|id| self.detail(id)).collect(),
            next_page_token,
        }))
    }
}
