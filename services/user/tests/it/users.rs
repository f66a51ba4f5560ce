//! The contract of `UserService`, with each kind of database.

use chassis::testing::TestDatabase;
use proto::user::{CreateUserRequest, DeleteUserRequest, GetUserRequest, ListUsersRequest, User};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::support::{RunningService, UserClient, create, start};

/// Starts a service for each kind of database.
async fn each() -> Vec<(UserClient, RunningService, TestDatabase)> {
    let mut all = Vec::new();
    for database in TestDatabase::each().await {
        let (client, service) = start(&database.url, &[]).await;
        all.push((client, service, database));
    }
    all
}

async fn get(client: &mut UserClient, id: &str) -> Result<User, Status> {
    let request = GetUserRequest { id: id.to_owned() };
    client
        .get_user(request)
        .await
        .map(tonic::Response::into_inner)
}

async fn delete(client: &mut UserClient, id: &str) -> Result<User, Status> {
    let request = DeleteUserRequest { id: id.to_owned() };
    client
        .delete_user(request)
        .await
        .map(tonic::Response::into_inner)
}

fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let violations = status.get_details_bad_request().unwrap().field_violations;
    violations.into_iter().map(|one| one.field).collect()
}

#[tokio::test]
async fn a_user_is_created_read_replaced_and_deleted() {
    for (mut client, service, _database) in each().await {
        let request = CreateUserRequest {
            name: "Zoë ☺".to_owned(),
            address: "two\nlines".to_owned(),
            email: "zoe@example.com".to_owned(),
        };
        let created = client.create_user(request).await.unwrap().into_inner();
        assert_eq!(
            (created.name.as_str(), created.address.as_str()),
            ("Zoë ☺", "two\nlines")
        );
        assert_eq!(get(&mut client, &created.id).await.unwrap(), created);

        let replaced = User {
            name: "Someone else".to_owned(),
            email: String::new(),
            ..created.clone()
        };
        let answer = client.update_user(replaced.clone()).await.unwrap();
        assert_eq!(answer.into_inner(), replaced);
        assert_eq!(get(&mut client, &created.id).await.unwrap(), replaced);

        assert_eq!(delete(&mut client, &created.id).await.unwrap(), replaced);
        let status = get(&mut client, &created.id).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        service.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_missing_user_is_not_found() {
    for (mut client, service, _database) in each().await {
        let nobody = User {
            id: "nobody".to_owned(),
            name: "x".to_owned(),
            ..User::default()
        };
        for status in [
            get(&mut client, "nobody").await.unwrap_err(),
            delete(&mut client, "nobody").await.unwrap_err(),
            client.update_user(nobody).await.unwrap_err(),
        ] {
            assert_eq!(status.code(), Code::NotFound);
            assert_eq!(status.message(), "not found: user/nobody");
        }
        service.stop().await.unwrap();
    }
}

#[tokio::test]
async fn invalid_arguments_are_named() {
    for (mut client, service, _database) in each().await {
        assert_eq!(fields(&get(&mut client, "").await.unwrap_err()), ["id"]);
        assert_eq!(fields(&delete(&mut client, "-").await.unwrap_err()), ["id"]);
        let create = CreateUserRequest {
            name: " x".to_owned(),
            address: "a".repeat(1025),
            email: "\0".to_owned(),
        };
        let status = client.create_user(create).await.unwrap_err();
        assert_eq!(fields(&status), ["name", "address", "email"]);
        let status = client.update_user(User::default()).await.unwrap_err();
        assert_eq!(fields(&status), ["name", "id"]);
        for (page_size, page_token, field) in [(-1, "", "page_size"), (0, "x", "page_token")] {
            let page_token = page_token.to_owned();
            let list = ListUsersRequest {
                page_size,
                page_token,
            };
            assert_eq!(fields(&client.list_users(list).await.unwrap_err()), [field]);
        }
        service.stop().await.unwrap();
    }
}

#[tokio::test]
async fn pages_have_every_user_once_sorted_by_id() {
    for (mut client, service, _database) in each().await {
        let mut expected = Vec::new();
        for number in 0..7 {
            expected.push(create(&mut client, &format!("user {number}")).await);
        }
        expected.sort_by(|a, b| a.id.cmp(&b.id));
        let (mut listed, mut sizes) = (Vec::new(), Vec::new());
        let mut page_token = String::new();
        loop {
            let request = ListUsersRequest {
                page_size: 3,
                page_token,
            };
            let page = client.list_users(request).await.unwrap().into_inner();
            sizes.push(page.users.len());
            listed.extend(page.users);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(sizes, [3, 3, 1]);
        assert_eq!(listed, expected);
        service.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_page_continues_after_a_deleted_row() {
    for (mut client, service, _database) in each().await {
        for number in 0..3 {
            create(&mut client, &format!("user {number}")).await;
        }
        let first = ListUsersRequest {
            page_size: 2,
            ..ListUsersRequest::default()
        };
        let page = client.list_users(first).await.unwrap().into_inner();
        delete(&mut client, &page.users[1].id).await.unwrap();
        let second = ListUsersRequest {
            page_size: 2,
            page_token: page.next_page_token,
        };
        let page = client.list_users(second).await.unwrap().into_inner();
        assert_eq!((page.users.len(), page.next_page_token.as_str()), (1, ""));
        service.stop().await.unwrap();
    }
}

#[tokio::test]
async fn concurrent_writers_wait_instead_of_failing() {
    for (client, service, _database) in each().await {
        let writers = (0..40).map(|number| {
            let mut client = client.clone();
            tokio::spawn(async move { create(&mut client, &format!("user {number}")).await })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        let mut client = client;
        let list = client.list_users(ListUsersRequest::default()).await;
        assert_eq!(list.unwrap().into_inner().users.len(), 40);
        service.stop().await.unwrap();
    }
}
