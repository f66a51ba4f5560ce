//! The pages of the shop: `/shop` and `/shop/mesh`, their files, and the data of the map.
//!
//! `assets` serves the files, which are parts of the program; `mesh` collects the data. What the pages show of users,
//! orders and items, the browser reads from the ingress itself, under `/v1/`.

mod assets;
mod mesh;

use std::convert::Infallible;

use axum::{
    Router,
    http::{HeaderName, HeaderValue},
    middleware::map_response,
    response::{Redirect, Response},
    routing::get,
};

pub(crate) use mesh::{Mesh, Sources};

/// What a page may do, and what others may do with it: scripts, styles, images and calls of its own origin only; no
/// frame, no form that leaves the page, and no text that becomes HTML or script.
const SECURITY: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=()",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

pub(crate) fn router(mesh: Mesh) -> Router {
    let assets = assets::Assets::new();
    let page = |name| {
        let assets = assets.clone();
        get(async move |headers| assets.answer(name, &headers))
    };
    Router::new()
        .route("/shop", page("shop.html"))
        .route("/shop/", get(async || Redirect::permanent("/shop")))
        .route("/shop/mesh", page("mesh.html"))
        .route("/shop/mesh/data", get(async move || mesh.answer().await))
        .route("/shop/assets/{name}", get(assets::file).with_state(assets))
        .layer(map_response(secure))
}

async fn secure(mut response: Response) -> Result<Response, Infallible> {
    response.headers_mut().extend(SECURITY.map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    }));
    Ok(response)
}
