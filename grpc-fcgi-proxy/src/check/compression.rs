//! PHP that compresses its output if the client accepts that: zlib.output_compression, ob_gzhandler. The proxy does not
//! pass on what a client accepts, but a compressed answer fails its call.

use std::time::Duration;

use bytes::Bytes;
use fastcgi_client::Params;
use grpc_wire::encoding::Encoding;
use http::header;

use super::report::Report;
use crate::fastcgi::target::Target;
use crate::php_fpm::page::{self, Page, PageError};

pub(super) const REMEDY: &str = "in the pool, set php_admin_flag[zlib.output_compression] = off";

/// The largest page that is decompressed.
const MAX_PAGE: usize = 1024 * 1024;

/// Requests a page as a client that accepts compression. Returns it decompressed, and whether it was compressed.
pub(super) async fn exchange(
    target: &Target,
    params: Params<'_>,
    time: Duration,
) -> Result<(Page, bool), PageError> {
    let params = params.custom("HTTP_ACCEPT_ENCODING", "gzip");
    let mut page = page::exchange(target, params, Bytes::new(), time).await?;
    let compressed = page.answer.headers().contains_key(header::CONTENT_ENCODING);
    if compressed && let Ok(body) = Encoding::Gzip.decompress(page.answer.body(), MAX_PAGE) {
        *page.answer.body_mut() = body.into();
    }
    Ok((page, compressed))
}

pub(super) fn report(report: &mut Report, compressed: bool) {
    let subject = "zlib.output_compression";
    if compressed {
        let text = format!("on, which no call needs, and a compressed answer fails: {REMEDY}");
        report.warning(subject, text);
    } else {
        report.ok(subject, "off");
    }
}
