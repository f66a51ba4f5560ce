//! A whole HTTP-like exchange, for the auxiliary paths and php-fpm's own pages: what the fastcgi-client crate is good
//! at. Calls do not come here.

use std::time::Duration;

use bytes::Bytes;
use fastcgi_client::{Client, ClientError, HttpConversionError, Params, Request, io};
use http::Response;
use tokio::time::{Instant, timeout};

use crate::fastcgi::target::{ConnectError, Target};

/// Why there is no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum WholeError {
    /// php-fpm is not there.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The exchange broke.
    #[error(transparent)]
    Exchange(#[from] ClientError),
    /// What came is no HTTP answer.
    #[error(transparent)]
    Answer(#[from] HttpConversionError),
    /// It took too long.
    #[error("no answer in time")]
    Timeout,
}

/// The variables of a GET for one of the pages that php-fpm answers itself.
pub fn page<'a>(path: &'a str, query: &'a str) -> Params<'a> {
    Params::default()
        .request_method("GET")
        .request_uri(path)
        .document_uri(path)
        .script_name(path)
        .script_filename(path)
        .query_string(query)
        .server_protocol("HTTP/1.1")
        .content_length(0)
}

/// Sends the request, and collects the answer; gives what was written to STDERR too.
///
/// # Errors
///
/// If there is no answer within `time`.
pub async fn exchange(
    target: &Target,
    params: Params<'_>,
    body: Bytes,
    time: Duration,
) -> Result<(Response<Vec<u8>>, Vec<u8>), WholeError> {
    let exchange = async {
        let stream = target.connect(Instant::now() + time).await?;
        let request = Request::new(params, io::Cursor::new(body));
        // The crate writes each record by itself.
        let stream = tokio::io::BufStream::new(stream);
        let mut answer = Client::new_tokio(stream).execute_once(request).await?;
        let stderr = answer.stderr.take().unwrap_or_default();
        Ok((answer.try_into()?, stderr))
    };
    timeout(time, exchange)
        .await
        .unwrap_or(Err(WholeError::Timeout))
}
