//! The methods of `OrderService`: they validate arguments, read orders, and leave changes to the sagas.

use chassis::{
    context::CallContext, database::query_failed, paging::PageRequest, status::not_found,
    validate::Violations,
};
use proto::order::{
    CreateOrderRequest, DeleteOrderRequest, GetOrderDetailRequest, GetOrderDetailResponse,
    GetOrderRequest, ListOrderDetailsRequest, ListOrderDetailsResponse, ListOrdersRequest,
    ListOrdersResponse, Order, order_service_server::OrderService,
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    details::with_items,
    items::ItemClient,
    page::{MAX_ITEMS, MAX_PAGE_BYTES, fitting_details, in_one_lookup, in_one_response},
    saga::Sagas,
    store::OrderStore,
};

#[derive(Debug, Clone)]
pub(crate) struct Orders {
    store: OrderStore,
    items: ItemClient,
    sagas: Sagas,
}

impl Orders {
    pub(crate) fn new(store: OrderStore, items: ItemClient, sagas: Sagas) -> Self {
        Self {
            store,
            items,
            sagas,
        }
    }

    async fn stored(&self, id: &str) -> Result<Order, Status> {
        Violations::new().id("id", id).check()?;
        let order = self.store.get(id).await.map_err(query_failed)?;
        order.ok_or_else(|| not_found("order", id))
    }

    /// Returns the orders of a page, and one more if another page follows.
    async fn listed(&self, user: &str, page: &PageRequest) -> Result<Vec<Order>, Status> {
        let rows = self
            .store
            .list(user, &page.after, page.limit(), MAX_PAGE_BYTES)
            .await;
        rows.map_err(query_failed)
    }
}

#[tonic::async_trait]
impl OrderService for Orders {
    async fn create_order(
        &self,
        request: Request<CreateOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let context = CallContext::of(&request);
        let CreateOrderRequest { user, items } = request.into_inner();
        let id = Uuid::new_v4().to_string();
        let order = Order { id, user, items };
        fields(&order).check()?;
        self.sagas.create(&context, order).await.map(Response::new)
    }

    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let order = self.stored(&request.into_inner().id).await?;
        Ok(Response::new(order))
    }

    async fn get_order_detail(
        &self,
        request: Request<GetOrderDetailRequest>,
    ) -> Result<Response<GetOrderDetailResponse>, Status> {
        let context = CallContext::of(&request);
        let order = self.stored(&request.into_inner().id).await?;
        let found = self.items.find(&context, &order.items).await?;
        Ok(Response::new(with_items(&order, &found)))
    }

    async fn list_orders(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        let ListOrdersRequest {
            user,
            page_size,
            page_token,
        } = request.into_inner();
        let page = page_of("orders", &user, page_size, &page_token)?;
        let mut orders = self.listed(&user, &page).await?;
        let size = in_one_response(&orders);
        let next_page_token = page.cut_at(&mut orders, size, |order| &order.id);
        Ok(Response::new(ListOrdersResponse {
            orders,
            next_page_token,
        }))
    }

    async fn list_order_details(
        &self,
        request: Request<ListOrderDetailsRequest>,
    ) -> Result<Response<ListOrderDetailsResponse>, Status> {
        let context = CallContext::of(&request);
        let ListOrderDetailsRequest {
            user,
            page_size,
            page_token,
        } = request.into_inner();
        let page = page_of("details", &user, page_size, &page_token)?;
        let mut orders = self.listed(&user, &page).await?;
        let size = in_one_lookup(&orders).min(page.size);
        let first: Vec<&Order> = orders.iter().take(size).collect();
        let ids = first.iter().flat_map(|order| &order.items);
        let found = self.items.find(&context, ids).await?;
        let details = fitting_details(first, &found);
        let next_page_token = page.cut_at(&mut orders, details.len(), |order| &order.id);
        Ok(Response::new(ListOrderDetailsResponse {
            details,
            next_page_token,
        }))
    }

    async fn delete_order(
        &self,
        request: Request<DeleteOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let context = CallContext::of(&request);
        let id = request.into_inner().id;
        Violations::new().id("id", &id).check()?;
        self.sagas.delete(&context, id).await.map(Response::new)
    }

    async fn update_order(&self, request: Request<Order>) -> Result<Response<Order>, Status> {
        let context = CallContext::of(&request);
        let order = request.into_inner();
        fields(&order).id("id", &order.id).check()?;
        self.sagas.update(&context, order).await.map(Response::new)
    }
}

fn fields(order: &Order) -> Violations {
    Violations::new()
        .id("user", &order.user)
        .ids("items", &order.items, MAX_ITEMS)
}

/// `what` keeps the tokens of the two lists apart; an empty `user` means all users.
fn page_of(what: &str, user: &str, size: i32, token: &str) -> Result<PageRequest, Status> {
    if !user.is_empty() {
        Violations::new().id("user", user).check()?;
    }
    PageRequest::new(format!("{what} of {user}"), size, token)
}
