//! A user service on free ports.

use chassis::{
    service::ServiceError,
    testing::{Running, flags},
};
use proto::user::{CreateUserRequest, User, user_service_client::UserServiceClient};
use tonic::transport::Channel;
use user::{Config, run};

pub(crate) type UserClient = UserServiceClient<Channel>;
pub(crate) type RunningService = Running<Result<(), ServiceError>>;

pub(crate) async fn start(url: &str, more: &[&str]) -> (UserClient, RunningService) {
    let config: Config = flags("user", &[&["--database-url", url], more].concat());
    let service = Running::start(|listeners, stop| run(config, listeners, stop)).await;
    (UserServiceClient::new(service.channel()), service)
}

pub(crate) async fn create(client: &mut UserClient, name: &str) -> User {
    let request = CreateUserRequest {
        name: name.to_owned(),
        ..CreateUserRequest::default()
    };
    client.create_user(request).await.unwrap().into_inner()
}
