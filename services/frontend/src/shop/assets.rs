//! The files of the pages. They are parts of the program, so all pods of one version serve the same.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use axum::{
    extract::{Path, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    response::{IntoResponse, Response},
};

use crate::http::no_such_path;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! asset {
    ($name:literal, $type:expr) => {
        ($name, $type, include_str!(concat!("../../shop/", $name)))
    };
}

/// Name, content type, content.
const FILES: [(&str, &str, &str); 20] = [
    asset!("shop.html", HTML),
    asset!("mesh.html", HTML),
    asset!("base.css", CSS),
    asset!("mesh.css", CSS),
    asset!("shop.css", CSS),
    asset!("icon.svg", SVG),
    asset!("api.js", SCRIPT),
    asset!("basket.js", SCRIPT),
    asset!("catalogue.js", SCRIPT),
    asset!("dialogs.js", SCRIPT),
    asset!("dom.js", SCRIPT),
    asset!("list.js", SCRIPT),
    asset!("map.js", SCRIPT),
    asset!("mesh.js", SCRIPT),
    asset!("money.js", SCRIPT),
    asset!("orders.js", SCRIPT),
    asset!("retry.js", SCRIPT),
    asset!("shop.js", SCRIPT),
    asset!("stock.js", SCRIPT),
    asset!("users.js", SCRIPT),
];

/// A file, and the entity tag that changes with its content.
#[derive(Debug)]
struct Asset {
    content_type: &'static str,
    content: &'static str,
    tag: String,
}

/// All files, by name.
#[derive(Debug, Clone)]
pub(super) struct Assets(Arc<HashMap<&'static str, Asset>>);

impl Assets {
    pub(super) fn new() -> Self {
        let files = FILES.map(|(name, content_type, content)| {
            let mut hasher = DefaultHasher::new();
            content.hash(&mut hasher);
            let tag = format!("\"{:016x}\"", hasher.finish());
            let asset = Asset {
                content_type,
                content,
                tag,
            };
            (name, asset)
        });
        Self(Arc::new(HashMap::from(files)))
    }

    /// The file, or 304 if the browser has it. A browser asks each time, so after a rollout no page runs with files of the
    /// old version. During one, its files may come from pods of both.
    pub(super) fn answer(&self, name: &str, request: &HeaderMap) -> Response {
        let Some(asset) = self.0.get(name) else {
            return no_such_path();
        };
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.extend(HeaderValue::from_str(&asset.tag).map(|tag| (ETAG, tag)));
        if has(request, &asset.tag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let content_type = HeaderValue::from_static(asset.content_type);
        headers.insert(CONTENT_TYPE, content_type);
        (headers, asset.content).into_response()
    }
}

/// Whether If-None-Match names the tag, by the weak comparison of RFC 9110.
fn has(request: &HeaderMap, tag: &str) -> bool {
    request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|seen| seen.trim().trim_start_matches("W/"))
        .any(|seen| seen == tag || seen == "*")
}

pub(super) async fn file(
    State(assets): State<Assets>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    assets.answer(&name, &headers)
}
