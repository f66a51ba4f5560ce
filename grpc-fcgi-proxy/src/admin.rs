//! The auxiliary HTTP server: `/healthz`, `/metrics`, and the paths that php-fpm answers.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use fastcgi_client::Params;
use http::request::Parts;
use http::{StatusCode, header};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::config::AuxPath;
use crate::fastcgi::pool::Pool;
use crate::metrics::Metrics;
use crate::php_fpm::metrics::Scraper;
use crate::php_fpm::page::{self, WholeError};

/// What a client may send to an auxiliary path.
const MAX_BODY: usize = 1024 * 1024;
/// Auxiliary exchanges at once: they must not take the workers away from calls.
const MAX_EXCHANGES: usize = 2;
/// An auxiliary path answers within this time.
const TIMEOUT: Duration = Duration::from_secs(10);
/// After the drain of the gRPC side, nobody is waited for long.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// What the handlers need.
#[derive(Debug)]
pub struct Admin {
    /// The way to php-fpm.
    pub pool: Arc<Pool>,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// What it shows of php-fpm.
    pub php_fpm: Scraper,
    /// Set when the proxy stops taking calls.
    pub draining: AtomicBool,
}

/// Serves until `shutdown`.
pub async fn run(
    listener: TcpListener,
    admin: Arc<Admin>,
    paths: &[AuxPath],
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let served = axum::serve(listener, router(admin, paths)).with_graceful_shutdown(async move {
        shutdown.await;
        let _ = stop.send(());
    });
    let overdue = async {
        let _ = stopped.await;
        tokio::time::sleep(SHUTDOWN_TIMEOUT).await;
    };
    tokio::select! {
        _ = served => {}
        () = overdue => {}
    }
}

fn router(admin: Arc<Admin>, paths: &[AuxPath]) -> Router {
    let places = Arc::new(Semaphore::new(MAX_EXCHANGES));
    let mut router = Router::new().route("/metrics", get(metrics));
    if !paths.iter().any(|path| path.path == "/healthz") {
        router = router.route("/healthz", get(healthz));
    }
    for AuxPath { path, file } in paths {
        let (script, places) = (file.clone(), Arc::clone(&places));
        let handler = move |State(admin): State<Arc<Admin>>, parts: Parts, body: Bytes| async move {
            forward(&admin, &places, &script, parts, body).await
        };
        router = router.route(path, any(handler));
    }
    router
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&admin),
            refuse_while_draining,
        ))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(admin)
}

/// A balancer that asks for the health must learn early that the proxy stops.
async fn refuse_while_draining(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: axum::middleware::Next,
) -> Response {
    if admin.draining.load(Ordering::Relaxed) && request.uri().path() == "/healthz" {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
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
    Ok(admin.metrics.render()? + &admin.php_fpm.render().await?)
}

/// Healthy is who could take a call: php-fpm listens.
async fn healthz(State(admin): State<Arc<Admin>>) -> Response {
    match admin.pool.reach().await {
        Ok(()) => "OK\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not healthy");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "php-fpm cannot be reached\n",
            )
                .into_response()
        }
    }
}

async fn forward(
    admin: &Admin,
    places: &Semaphore,
    script: &Path,
    parts: Parts,
    body: Bytes,
) -> Response {
    let path = parts.uri.path();
    let params = params(script, &parts, body.len());
    let exchange = async {
        let _place = places.acquire().await;
        page::exchange(admin.pool.least_loaded(), params, body, TIMEOUT).await
    };
    // The wait for a place counts too.
    let result = timeout(TIMEOUT, exchange).await;
    match result.unwrap_or(Err(WholeError::Timeout)) {
        Ok((answer, stderr)) => {
            log(path, &stderr);
            answer.map(Body::from)
        }
        Err(error) => {
            tracing::warn!(%error, path, "auxiliary path failed");
            let code = match error {
                WholeError::Connect(_) => StatusCode::SERVICE_UNAVAILABLE,
                WholeError::Timeout => StatusCode::GATEWAY_TIMEOUT,
                _ => StatusCode::BAD_GATEWAY,
            };
            (code, "no answer from php-fpm\n").into_response()
        }
    }
}

fn log(path: &str, stderr: &[u8]) {
    for line in stderr
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let text = String::from_utf8_lossy(line);
        tracing::warn!(target: "application", path, "{text}");
    }
}

/// As the crate has them, less what a client could forge: see `params`.
pub(crate) fn params(script: &Path, parts: &Parts, content_length: usize) -> Params<'static> {
    let mut params = Params::default()
        .request_method(parts.method.as_str().to_owned())
        .request_uri(parts.uri.to_string())
        .document_uri(parts.uri.path().to_owned())
        .script_name(parts.uri.path().to_owned())
        .script_filename(script.to_string_lossy().into_owned())
        .document_root(
            script
                .parent()
                .unwrap_or(Path::new("/"))
                .to_string_lossy()
                .into_owned(),
        )
        .query_string(parts.uri.query().unwrap_or_default().to_owned())
        .server_protocol("HTTP/1.1")
        .content_length(content_length);
    for (name, value) in &parts.headers {
        let Ok(value) = value.to_str() else { continue };
        match name.as_str() {
            "content-type" => params = params.content_type(value.to_owned()),
            "content-length" | "proxy" => {}
            name if name.contains(['_', '.']) => {}
            name => {
                let variable = format!("HTTP_{}", name.replace('-', "_").to_ascii_uppercase());
                params = params.custom(variable, value.to_owned());
            }
        }
    }
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_client_can_forge_a_variable() {
        let request = http::Request::builder()
            .uri("/status?json")
            .header("proxy", "evil")
            .header("x_a", "forged")
            .header("x-a", "true")
            .body(())
            .unwrap();
        let params = params(Path::new("/app/status"), &request.into_parts().0, 0);
        assert!(!params.contains_key("HTTP_PROXY"));
        assert_eq!(params["HTTP_X_A"], "true");
        assert_eq!(
            (&*params["SCRIPT_NAME"], &*params["QUERY_STRING"]),
            ("/status", "json")
        );
    }
}
