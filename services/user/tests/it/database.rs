//! Persistence, sample data, and an unreachable database.

use chassis::testing::{TcpRelay, TestDatabase, get};
use proto::user::{GetUserRequest, ListUsersRequest, User};
use tonic::Code;

use crate::support::{UserClient, create, start};

async fn all(client: &mut UserClient) -> Vec<User> {
    let list = client.list_users(ListUsersRequest::default()).await;
    list.unwrap().into_inner().users
}

#[tokio::test]
async fn a_restart_loses_nothing() {
    for database in TestDatabase::each().await {
        let (mut client, service) = start(&database.url, &[]).await;
        let created = create(&mut client, "kept").await;
        service.stop().await.unwrap();

        let (mut client, service) = start(&database.url, &[]).await;
        assert_eq!(all(&mut client).await, [created]);
        service.stop().await.unwrap();
    }
}

#[tokio::test]
async fn sample_data_is_inserted_only_on_request() {
    for database in TestDatabase::each().await {
        let (mut client, service) = start(&database.url, &[]).await;
        assert!(all(&mut client).await.is_empty());
        service.stop().await.unwrap();

        let (mut client, service) = start(&database.url, &["--sample-data"]).await;
        let names: Vec<String> = all(&mut client)
            .await
            .into_iter()
            .map(|user| user.name)
            .collect();
        assert_eq!(names, ["User One", "User Three", "User Two"]);
        let one = GetUserRequest {
            id: "0a30cbc7-91f1-4637-832f-9ddb9978e1c5".to_owned(),
        };
        let one = client.get_user(one).await.unwrap().into_inner();
        assert_eq!(
            (one.address.as_str(), one.email.as_str()),
            ("1234 5th Street", "")
        );
        service.stop().await.unwrap();
    }
}

#[tokio::test]
async fn sample_data_never_overwrites_rows() {
    for database in TestDatabase::each().await {
        let (mut client, service) = start(&database.url, &["--sample-data"]).await;
        let mut users = all(&mut client).await;
        "changed".clone_into(&mut users[0].name);
        client.update_user(users[0].clone()).await.unwrap();
        let deleted = users.pop().unwrap();
        let id = deleted.id;
        client
            .delete_user(proto::user::DeleteUserRequest { id })
            .await
            .unwrap();
        service.stop().await.unwrap();

        let (mut client, service) = start(&database.url, &["--sample-data"]).await;
        assert_eq!(all(&mut client).await, users);
        service.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let (_client, service) = start("sqlite:/nowhere/at/all.sqlite", &[]).await;
    let error = service.ended().await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all.sqlite"), "{error}");
}

#[tokio::test]
async fn an_unreachable_database_is_an_error_without_its_password() {
    let nobody = chassis::testing::free_port().await;
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let url = format!("postgres://me:s3cret@{address}/users");
    let (_client, service) = start(&url, &["--database-wait", "700ms"]).await;
    let error = service.ended().await.unwrap_err().to_string();
    assert!(
        error.contains(&format!("postgres://{address}/users")),
        "{error}"
    );
    assert!(!error.contains("s3cret"), "{error}");
}

/// Replaces the address in the URL with the address of the relay.
fn through(relay: &TcpRelay, url: &str) -> String {
    let (before, rest) = url.split_once('@').unwrap();
    let (_, path) = rest.split_once('/').unwrap();
    format!("{before}@{}/{path}", relay.address)
}

fn server(url: &str) -> String {
    let (_, rest) = url.split_once('@').unwrap();
    rest.split('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_service_waits_for_a_database_that_is_still_starting() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let relay = TcpRelay::to(server(&database.url), 2).await;
    let (mut client, service) = start(&through(&relay, &database.url), &[]).await;
    assert!(all(&mut client).await.is_empty());
    service.stop().await.unwrap();
    relay.cut().await;
}

#[tokio::test]
async fn a_lost_database_is_unavailable_and_unhealthy() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let relay = TcpRelay::to(server(&database.url), 0).await;
    let (mut client, service) = start(&through(&relay, &database.url), &[]).await;
    assert!(all(&mut client).await.is_empty());
    assert_eq!(get(service.aux, "/healthz").await.status(), 200);

    relay.cut().await;
    let list = client.list_users(ListUsersRequest::default()).await;
    let status = list.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "database unreachable");
    assert_eq!(get(service.aux, "/healthz").await.status(), 503);
    service.stop().await.unwrap();
}
