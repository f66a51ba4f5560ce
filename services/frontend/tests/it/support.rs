//! A frontend on a free port, and fake peers that follow a scenario.

use std::sync::{Arc, Mutex};

use chassis::testing::{Recorded, Running, fake, flags};
use frontend::{Config, FrontendError, run};
use http::HeaderMap;
use proto::{
    order::{
        GetOrderDetailResponse, ListOrderDetailsRequest, ListOrderDetailsResponse,
        order_service_server::{OrderService, OrderServiceServer},
    },
    user::{
        ListUsersRequest, ListUsersResponse, User,
        user_service_server::{UserService, UserServiceServer},
    },
};
use tokio::sync::Barrier;
use tonic::{Request, Response, Status, service::Routes};

/// The data of the fake peers, and their failures.
#[derive(Debug, Default)]
pub(crate) struct Scenario {
    pub(crate) users: Vec<User>,
    pub(crate) details: Vec<GetOrderDetailResponse>,
    /// Rows in a page; 0 means all.
    pub(crate) page: usize,
    pub(crate) list_users: Option<Status>,
    pub(crate) list_order_details: Option<Status>,
    /// ListOrderDetails stalls.
    pub(crate) stalls: bool,
    /// Neither list responds before both are called.
    pub(crate) together: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Fakes {
    pub(crate) scenario: Arc<Mutex<Scenario>>,
    pub(crate) calls: Recorded<(&'static str, HeaderMap)>,
    both: Arc<Barrier>,
}

impl Fakes {
    fn new(scenario: Scenario) -> Self {
        Self {
            scenario: Arc::new(Mutex::new(scenario)),
            calls: Recorded::default(),
            both: Arc::new(Barrier::new(2)),
        }
    }

    async fn wait_for_the_other(&self) {
        let together = self.scenario.lock().unwrap().together;
        if together {
            self.both.wait().await;
        }
    }

    fn called<T>(&self, method: &'static str, request: &Request<T>) {
        let headers = request.metadata().clone().into_headers();
        self.calls.push((method, headers));
    }
}

/// Returns the page of a token, which is the number of its first row.
fn page<T: Clone>(rows: &[T], size: usize, token: &str) -> (Vec<T>, String) {
    let first = token.parse().unwrap_or(0);
    let size = if size == 0 { rows.len() } else { size };
    let end = rows.len().min(first + size);
    let next = if end < rows.len() {
        end.to_string()
    } else {
        String::new()
    };
    (rows[first..end].to_vec(), next)
}

fn fail(status: Option<&Status>) -> Result<(), Status> {
    status.map_or(Ok(()), |status| Err(status.clone()))
}

#[tonic::async_trait]
impl UserService for Fakes {
    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
    ) -> Result<Response<ListUsersResponse>, Status> {
        self.called("ListUsers", &request);
        self.wait_for_the_other().await;
        let scenario = self.scenario.lock().unwrap();
        fail(scenario.list_users.as_ref())?;
        let (users, next_page_token) = page(
            &scenario.users,
            scenario.page,
            &request.get_ref().page_token,
        );
        Ok(Response::new(ListUsersResponse {
            users,
            next_page_token,
        }))
    }
}

#[tonic::async_trait]
impl OrderService for Fakes {
    async fn list_order_details(
        &self,
        request: Request<ListOrderDetailsRequest>,
    ) -> Result<Response<ListOrderDetailsResponse>, Status> {
        self.called("ListOrderDetails", &request);
        self.wait_for_the_other().await;
        let stalls = self.scenario.lock().unwrap().stalls;
        if stalls {
            std::future::pending::<()>().await;
        }
        let scenario = self.scenario.lock().unwrap();
        fail(scenario.list_order_details.as_ref())?;
        let (details, next_page_token) = page(
            &scenario.details,
            scenario.page,
            &request.get_ref().page_token,
        );
        Ok(Response::new(ListOrderDetailsResponse {
            details,
            next_page_token,
        }))
    }
}

/// A running frontend and its fake peers.
pub(crate) struct Fixture {
    pub(crate) service: Running<Result<(), FrontendError>>,
    pub(crate) fakes: Fakes,
    peers: Running,
}

impl Fixture {
    pub(crate) async fn new(scenario: Scenario, more: &[&str]) -> Self {
        let fakes = Fakes::new(scenario);
        let routes = Routes::new(UserServiceServer::new(fakes.clone()))
            .add_service(OrderServiceServer::new(fakes.clone()));
        let peers = fake(routes.into_axum_router()).await;
        let service = start(&peers.address.to_string(), more).await;
        Self {
            service,
            fakes,
            peers,
        }
    }

    pub(crate) async fn stop(self) {
        self.service.stop().await.unwrap();
        self.peers.stop().await;
    }
}

pub(crate) async fn start(endpoint: &str, more: &[&str]) -> Running<Result<(), FrontendError>> {
    let config: Config = flags("frontend", &[&["--endpoint", endpoint], more].concat());
    Running::start(|listeners, stop| run(config, listeners.calls, stop)).await
}
