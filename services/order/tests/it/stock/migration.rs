//! A database from before the stock, and a program from before beside this one.

use std::{fs, iter::repeat_n};

use chassis::testing::TestDatabase;
use sqlx::{AnyPool, migrate::Migrator};

use super::shop::{ATTEMPTS, PATIENT, RECONCILING, Shop};
use crate::fake_stock::Fault;

/// As a program from before does it.
const INSERT: &str =
    r#"INSERT INTO orders (id, user_id, items) VALUES ('old', 'someone', '["a", "a"]')"#;

/// The database of a program from before.
async fn old(database: TestDatabase) -> TestDatabase {
    let folder = tempfile::tempdir().unwrap();
    let first = "0001_orders.sql";
    fs::copy(format!("migrations/{first}"), folder.path().join(first)).unwrap();
    sqlx::any::install_default_drivers();
    let options = database.url.replacen("sqlite:", "sqlite:///", 1) + "?mode=rwc";
    let url = if database.url.starts_with("sqlite:") {
        &options
    } else {
        &database.url
    };
    let pool = AnyPool::connect(url).await.unwrap();
    let migrator = Migrator::new(folder.path()).await.unwrap();
    migrator.run(&pool).await.unwrap();
    sqlx::query(INSERT).execute(&pool).await.unwrap();
    pool.close().await;
    database
}

#[tokio::test]
async fn an_order_from_before_is_visible_has_no_pieces_and_is_deleted() {
    for database in TestDatabase::each().await {
        let shop = Shop::new(old(database).await).await;
        let mut pod = shop.pod(PATIENT).await;
        let orders = pod.orders().await;
        assert_eq!((orders.len(), &orders[0].id[..]), (1, "old"));
        pod.delete(&orders[0]).await.unwrap();
        assert!(shop.settled(&mut pod).await.is_empty());
        assert!(shop.stock().take_release_calls().is_empty(), "not needed");
        assert_eq!(shop.sql(INSERT).await, 1);
        assert_eq!(pod.orders().await, orders);
    }
}

#[tokio::test]
async fn an_order_from_before_takes_its_pieces_when_it_is_updated() {
    for database in TestDatabase::each().await {
        let shop = Shop::new(old(database).await).await;
        let mut pod = shop.pod(PATIENT).await;
        let order = pod.orders().await.remove(0);
        let order = pod.update(&order, &["a", "b"]).await.unwrap();
        assert_eq!(shop.settled(&mut pod).await, [order]);
    }
}

#[tokio::test]
async fn an_order_from_before_still_has_no_pieces_when_its_update_was_refused() {
    for database in TestDatabase::each().await {
        let shop = Shop::new(old(database).await).await;
        let pod = shop.pod(PATIENT).await;
        let order = pod.orders().await.remove(0);
        pod.create(&["a"; 9]).await.unwrap();
        pod.update(&order, &["b"; 11]).await.unwrap_err();
        pod.update(&order, &["b"]).await.unwrap();
        assert_eq!((shop.stock().left("a"), shop.stock().left("b")), (1, 9));
    }
}

#[tokio::test]
async fn an_order_from_before_gets_no_pieces_that_have_run_out_if_its_update_is_undone() {
    for database in TestDatabase::each().await {
        let shop = Shop::new(old(database).await).await;
        let pod = shop.pod(PATIENT).await;
        let order = pod.orders().await.remove(0);
        let sold = pod.create(&["a"; 9]).await.unwrap();
        shop.stock()
            .fail_reserves(repeat_n(Some(Fault::Lost), ATTEMPTS));
        pod.update(&order, &["b"]).await.unwrap_err();
        let other = shop.pod(RECONCILING).await;
        shop.finished().await;
        assert_eq!(other.orders().await.len(), 2);
        assert_eq!(shop.stock().reserved("old"), Some([].into()));
        assert_eq!((shop.stock().left("a"), shop.stock().left("b")), (1, 10));
        assert_eq!(other.delete(&sold).await.unwrap(), sold);
    }
}
