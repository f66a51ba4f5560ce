//! `grpc-fcgi-proxy health`: asks a running proxy for its health, for images that contain no other program.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::HealthFlags;

/// Shorter than the timeouts of those who run the command, which would leave no message.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A script may answer `/healthz`.
const MAX_BODY: usize = 64 * 1024;

/// Prints the proxy's answer, or why there is none.
pub async fn run(flags: &HealthFlags) -> ExitCode {
    let address = &flags.aux_address;
    let answer = async {
        let stream = address
            .connect()
            .await
            .map_err(|error| format!("no proxy listens on {address}: {error}"))?;
        ask(stream)
            .await
            .map_err(|error| format!("no answer from {address}: {error}"))
    };
    let (status, text) = match timeout(TIMEOUT, answer).await {
        Ok(Ok((status, text))) => (Some(status), text),
        Ok(Err(text)) => (None, text),
        Err(_) => (None, format!("no answer from {address} within 5 s")),
    };
    // The exit status matters more.
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
    match status {
        Some(StatusCode::OK) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

async fn ask(
    stream: TcpStream,
) -> Result<(StatusCode, String), Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/healthz")
        .header(header::HOST, "localhost")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let exchange = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await?.to_bytes();
        Ok((head.status, String::from_utf8_lossy(&body).into_owned()))
    };
    tokio::select! {
        answer = exchange => answer,
        Err(error) = connection => Err(error.into()),
    }
}
