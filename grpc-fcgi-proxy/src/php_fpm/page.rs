//! A whole HTTP exchange over FastCGI, by the crate fastcgi-client: for auxiliary paths and php-fpm's own pages. Calls do
//! not use the crate, since it writes the whole request before it reads.

use std::borrow::Cow;
use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use fastcgi_client::{Client, ClientError, HttpConversionError, Params, Request, io};
use http::{HeaderMap, Response};
use tokio::time::{Instant, timeout};

use crate::binding::launch::LaunchVariables;
use crate::binding::route::Script;
use crate::binding::sink::Sink;
use crate::binding::variables::{PageVariables, Variables};
use crate::fastcgi::target::{ConnectError, Target};

/// Why the exchange has no complete answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Exchange(#[from] ClientError),
    #[error(transparent)]
    Answer(#[from] HttpConversionError),
    #[error("timed out waiting for the answer")]
    Timeout,
}

/// What a page consists of.
pub(crate) struct Page {
    pub(crate) answer: Response<Vec<u8>>,
    pub(crate) stderr: Vec<u8>,
}

impl Sink for Params<'static> {
    type Error = Infallible;

    fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), Infallible> {
        let text = |bytes| Cow::Owned(String::from_utf8_lossy(bytes).into_owned());
        self.insert(text(name), text(value));
        Ok(())
    }
}

impl From<&Variables<'_>> for Params<'static> {
    fn from(variables: &Variables<'_>) -> Self {
        let mut params = Self::default();
        let Ok(()) = variables.write(&mut params);
        params
    }
}

impl From<&PageVariables<'_>> for Params<'static> {
    fn from(variables: &PageVariables<'_>) -> Self {
        let mut params = Self::default();
        let Ok(()) = variables.write(&mut params);
        params
    }
}

impl From<&LaunchVariables<'_>> for Params<'static> {
    fn from(variables: &LaunchVariables<'_>) -> Self {
        let mut params = Self::default();
        let Ok(()) = variables.write(&mut params);
        params
    }
}

/// Requests a page without a body.
pub(crate) async fn get(
    target: &Target,
    script: &Script,
    path: &str,
    query: &str,
    time: Duration,
) -> Result<Page, PageError> {
    let variables = PageVariables {
        script,
        method: "GET",
        path,
        query,
        headers: &HeaderMap::new(),
        content_length: 0,
    };
    exchange(target, (&variables).into(), Bytes::new(), time).await
}

/// Requests one of the pages that php-fpm answers itself: their path stands for a script.
pub(crate) async fn get_own(
    target: &Target,
    path: &str,
    query: &str,
    time: Duration,
) -> Result<Response<Vec<u8>>, PageError> {
    let script = Script::new(Path::new(path));
    Ok(get(target, &script, path, query, time).await?.answer)
}

/// Sends the request, and collects the answer within `time`.
pub(crate) async fn exchange(
    target: &Target,
    params: Params<'_>,
    body: Bytes,
    time: Duration,
) -> Result<Page, PageError> {
    let exchange = async {
        let stream = target.connect(Instant::now() + time).await?;
        let request = Request::new(params, io::Cursor::new(body));
        // The crate writes each record separately.
        let stream = tokio::io::BufStream::new(stream);
        let mut answer = Client::new_tokio(stream).execute_once(request).await?;
        let stderr = answer.stderr.take().unwrap_or_default();
        Ok(Page {
            answer: answer.try_into()?,
            stderr,
        })
    };
    timeout(time, exchange)
        .await
        .unwrap_or(Err(PageError::Timeout))
}
