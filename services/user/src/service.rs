//! The methods of `UserService`: they validate arguments, and answer NOT_FOUND for a missing user.

use chassis::{
    database::query_failed, paging::PageRequest, status::not_found, validate::Violations,
};
use proto::user::{
    CreateUserRequest, DeleteUserRequest, GetUserRequest, ListUsersRequest, ListUsersResponse,
    User, user_service_server::UserService,
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::store::UserStore;

/// The maximum length of a postal address in bytes.
pub(crate) const MAX_ADDRESS: usize = 1024;
/// The maximum length of an e-mail address in bytes: RFC 5321 allows 64 before the @ and 255 after it.
pub(crate) const MAX_EMAIL: usize = 320;

#[derive(Debug, Clone)]
pub(crate) struct Users {
    store: UserStore,
}

impl Users {
    pub(crate) fn new(store: UserStore) -> Self {
        Self { store }
    }
}

#[tonic::async_trait]
impl UserService for Users {
    async fn create_user(
        &self,
        request: Request<CreateUserRequest>,
    ) -> Result<Response<User>, Status> {
        let CreateUserRequest {
            name,
            address,
            email,
        } = request.into_inner();
        let id = Uuid::new_v4().to_string();
        let user = User {
            id,
            name,
            address,
            email,
        };
        fields(&user).check()?;
        self.store.insert(&user).await.map_err(query_failed)?;
        Ok(Response::new(user))
    }

    async fn get_user(&self, request: Request<GetUserRequest>) -> Result<Response<User>, Status> {
        let id = request.into_inner().id;
        Violations::new().id("id", &id).check()?;
        let user = self.store.get(&id).await.map_err(query_failed)?;
        user.map(Response::new)
            .ok_or_else(|| not_found("user", &id))
    }

    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
    ) -> Result<Response<ListUsersResponse>, Status> {
        let request = request.into_inner();
        let page = PageRequest::new("users".to_owned(), request.page_size, &request.page_token)?;
        let rows = self.store.list(&page.after, page.limit()).await;
        let mut users = rows.map_err(query_failed)?;
        let next_page_token = page.cut(&mut users, |user| &user.id);
        Ok(Response::new(ListUsersResponse {
            users,
            next_page_token,
        }))
    }

    async fn delete_user(
        &self,
        request: Request<DeleteUserRequest>,
    ) -> Result<Response<User>, Status> {
        let id = request.into_inner().id;
        Violations::new().id("id", &id).check()?;
        let user = self.store.delete(&id).await.map_err(query_failed)?;
        user.map(Response::new)
            .ok_or_else(|| not_found("user", &id))
    }

    async fn update_user(&self, request: Request<User>) -> Result<Response<User>, Status> {
        let user = request.into_inner();
        fields(&user).id("id", &user.id).check()?;
        if self.store.update(&user).await.map_err(query_failed)? {
            Ok(Response::new(user))
        } else {
            Err(not_found("user", &user.id))
        }
    }
}

fn fields(user: &User) -> Violations {
    Violations::new()
        .name("name", &user.name)
        .text("address", &user.address, MAX_ADDRESS)
        .text("email", &user.email, MAX_EMAIL)
}
