//! The pages of the shop: their files and headers.

use std::collections::BTreeSet;

use axum::body::Body;
use chassis::testing::{get, http};
use http::{Method, Request, Response};

use crate::support::{Fixture, Scenario};

async fn request(fixture: &Fixture, method: Method, path: &str, tag: &str) -> Response<String> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("if-none-match", tag).body(Body::empty());
    http(fixture.service.address, request.unwrap()).await
}

/// The paths that a file names in quotes: of a file beside it, or below /shop.
fn named(text: &str) -> Vec<String> {
    let texts = text
        .split('"')
        .filter(|text| !text.contains(char::is_whitespace));
    let own = texts.clone().filter_map(|text| text.strip_prefix("./"));
    let own = own.map(|name| format!("/shop/assets/{name}"));
    let absolute = texts.filter(|text| text.starts_with("/shop"));
    own.chain(absolute.map(str::to_owned)).collect()
}

/// Both pages, and what they need, directly or not.
async fn all_files(fixture: &Fixture) -> Vec<(String, Response<String>)> {
    let mut known = BTreeSet::from(["/shop".to_owned(), "/shop/mesh".to_owned()]);
    let mut files = Vec::new();
    while files.len() < known.len() {
        let read: BTreeSet<String> = files
            .iter()
            .map(|(path, _): &(String, _)| path.clone())
            .collect();
        for path in known.clone().difference(&read) {
            let response = get(fixture.service.address, path).await;
            if path != "/shop/mesh/data" {
                known.extend(named(response.body()));
            }
            files.push((path.clone(), response));
        }
    }
    files
}

#[tokio::test]
async fn every_file_that_a_page_needs_is_served_with_its_type_and_the_headers_of_security() {
    let fixture = Fixture::new(Scenario::default(), &[]).await;
    let files = all_files(&fixture).await;
    assert!(files.len() > 15, "{files:?}");
    for (path, response) in files {
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        if path == "/shop/mesh/data" {
            continue;
        }
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(headers["cache-control"], "no-cache", "{path}");
        let expected = match path.rsplit_once('.') {
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(headers["content-type"], expected, "{path}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_file_that_the_browser_has_is_not_sent_again() {
    let fixture = Fixture::new(Scenario::default(), &[]).await;
    for path in ["/shop", "/shop/assets/shop.js"] {
        let first = request(&fixture, Method::GET, path, "\"another\"").await;
        assert_eq!(first.status(), 200);
        let tag = first.headers()["etag"].to_str().unwrap();
        for tag in [tag, "*", &format!("\"a\", W/{tag}")] {
            let again = request(&fixture, Method::GET, path, tag).await;
            assert_eq!((again.status().as_u16(), again.body().as_str()), (304, ""));
            assert_eq!(again.headers()["etag"], first.headers()["etag"]);
            assert_eq!(again.headers()["cache-control"], "no-cache");
        }
        let head = request(&fixture, Method::HEAD, path, "").await;
        assert_eq!((head.status().as_u16(), head.body().as_str()), (200, ""));
        assert_eq!(
            head.headers()["content-length"],
            first.body().len().to_string()
        );
    }
    fixture.stop().await;
}

#[tokio::test]
async fn another_path_below_the_shop_is_404_and_adds_no_label() {
    let fixture = Fixture::new(Scenario::default(), &[]).await;
    let address = fixture.service.address;
    for path in [
        "/shop/nothing",
        "/shop/assets/nothing.js",
        "/shop/assets/..%2Fshop.js",
        "/shop/assets/",
    ] {
        assert_eq!(get(address, path).await.status(), 404, "{path}");
    }
    let slash = get(address, "/shop/").await;
    assert_eq!(
        (slash.status().as_u16(), &slash.headers()["location"]),
        (308, &"/shop".parse().unwrap())
    );
    assert_eq!(
        request(&fixture, Method::POST, "/shop", "").await.status(),
        405
    );
    let metrics = get(address, "/metrics").await.into_body();
    assert!(
        metrics.contains(r#"http_requests_total{code="404",path="/shop/assets/{name}"} 2"#),
        "{metrics}"
    );
    assert!(!metrics.contains("nothing"), "{metrics}");
    fixture.stop().await;
}
