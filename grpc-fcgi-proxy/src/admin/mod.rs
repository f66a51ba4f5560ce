//! The auxiliary HTTP server: `/healthz`, `/metrics`, and the paths that scripts answer.

mod serve;

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::request::Parts;
use http::{StatusCode, header};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub(crate) use self::serve::MAX_CONNECTIONS as MAX_AUX_CONNECTIONS;
use crate::binding::route::Script;
use crate::binding::variables::PageVariables;
use crate::fastcgi::pool::Pool;
use crate::metrics::registry::Metrics;
use crate::php_fpm::metrics::Scraper;
use crate::php_fpm::page::{self, Page, PageError};
use crate::resident::Residents;
use crate::telemetry::log_page;

/// The largest request body of an auxiliary path in bytes.
const MAX_BODY: usize = 1024 * 1024;
/// Concurrent auxiliary exchanges: they must not take the workers away from calls.
pub(crate) const MAX_AUX_EXCHANGES: usize = 2;
/// How long an auxiliary path may take.
const PAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// The state that the handlers share.
#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) pool: Arc<Pool>,
    pub(crate) residents: Option<Arc<Residents>>,
    pub(crate) metrics: Arc<Metrics>,
    /// Absent without `--status-path`.
    pub(crate) php_fpm: Option<Scraper>,
    /// Set when the proxy stops accepting calls.
    pub(crate) draining: AtomicBool,
}

/// Serves until `shutdown`.
pub(crate) async fn run(
    listener: TcpListener,
    admin: Arc<Admin>,
    paths: Vec<(&str, Script)>,
    shutdown: impl Future<Output = ()>,
) {
    serve::serve(listener, router(admin, paths), shutdown).await;
}

fn router(admin: Arc<Admin>, paths: Vec<(&str, Script)>) -> Router {
    let permits = Arc::new(Semaphore::new(MAX_AUX_EXCHANGES));
    let mut router = Router::new().route("/metrics", get(metrics));
    if !paths.iter().any(|(path, _)| *path == "/healthz") {
        router = router.route("/healthz", get(healthz));
    }
    for (path, script) in paths {
        let permits = Arc::clone(&permits);
        let handler = move |State(admin): State<Arc<Admin>>, parts: Parts, body: Bytes| async move {
            forward(&admin, &permits, &script, parts, body).await
        };
        router = router.route(path, any(handler));
    }
    router
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&admin),
            refuse_if_unhealthy,
        ))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(admin)
}

/// What a script that answers `/healthz` cannot know: the proxy drains, of which a load balancer must learn early, or has no
/// resident worker for calls.
async fn refuse_if_unhealthy(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: axum::middleware::Next,
) -> Response {
    if request.uri().path() == "/healthz" {
        if admin.draining.load(Ordering::Relaxed) {
            return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
        }
        if let Some(script) = admin.residents.as_ref().and_then(|all| all.unhealthy()) {
            let script = script.filename();
            tracing::warn!(script, "unhealthy: no resident worker is ready");
            let text = "no resident worker is ready\n";
            return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
        }
    }
    next.run(request).await
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    match render(&admin).await {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot render the metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn render(admin: &Admin) -> prometheus::Result<String> {
    let mut text = admin.metrics.render()?;
    if let Some(php_fpm) = &admin.php_fpm {
        text += &php_fpm.render().await?;
    }
    Ok(text)
}

/// The proxy is healthy if it could serve a call: php-fpm accepts connections.
async fn healthz(State(admin): State<Arc<Admin>>) -> Response {
    match admin.pool.reach().await {
        Ok(()) => "OK\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "unhealthy");
            (StatusCode::SERVICE_UNAVAILABLE, "php-fpm is unreachable\n").into_response()
        }
    }
}

async fn forward(
    admin: &Admin,
    permits: &Semaphore,
    script: &Script,
    parts: Parts,
    body: Bytes,
) -> Response {
    let path = parts.uri.path();
    // Without such a file, php-fpm answers the path itself (a status page), or with 404.
    let script = script.current().unwrap_or(Cow::Borrowed(script));
    let variables = PageVariables {
        script: &script,
        method: parts.method.as_str(),
        path,
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        content_length: body.len(),
    };
    let params = (&variables).into();
    let exchange = async {
        let _permit = permits.acquire().await;
        let target = admin.pool.least_loaded()?;
        page::exchange(&target, params, body, PAGE_TIMEOUT).await
    };
    // The wait for a permit counts too.
    let result = timeout(PAGE_TIMEOUT, exchange).await;
    match result.unwrap_or(Err(PageError::Timeout)) {
        Ok(Page { answer, stderr }) => {
            log_page(path, &stderr);
            answer.map(Body::from)
        }
        Err(error) => {
            tracing::warn!(%error, path, "an auxiliary path failed");
            let code = match error {
                PageError::Connect(_) => StatusCode::SERVICE_UNAVAILABLE,
                PageError::Timeout => StatusCode::GATEWAY_TIMEOUT,
                _ => StatusCode::BAD_GATEWAY,
            };
            (code, "no answer from php-fpm\n").into_response()
        }
    }
}
