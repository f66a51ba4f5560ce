//! Pages that a browser lets call without asking the proxy first.
//!
//! A POST with a form's content type needs no preflight, wherever its page comes from, and carries what the browser is trusted
//! by: a cookie, a client certificate, its place in the network. CORS only keeps its response from the page. REST has no
//! content type of its own that would make browsers ask, as the other protocols have.

use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};

use crate::config::Origin;

/// <https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>. No page can forge it. Browsers send it to trustworthy URLs
/// only: by TLS, and to the same machine.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The origins whose pages may call, besides the proxy's own.
#[derive(Debug)]
pub(super) struct Origins(Vec<HeaderValue>);

impl Origins {
    pub(super) fn new(allowed: &[Origin]) -> Self {
        Self(allowed.iter().map(|origin| origin.0.clone()).collect())
    }

    /// Whether a request may change something: not if a page of any other origin sends it. What is no browser may.
    pub(super) fn permit<B>(&self, request: &Request<B>) -> bool {
        let fields = request.headers();
        if matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS
        ) {
            return true;
        }
        let origin = fields.get(header::ORIGIN);
        if origin.is_some_and(|origin| self.allow(origin)) {
            return true;
        }
        match (fields.get(SEC_FETCH_SITE), origin) {
            (Some(site), _) => site == "same-origin" || site == "none",
            (None, None) => true,
            (None, Some(origin)) => is_own(origin, request.uri(), fields),
        }
    }

    fn allow(&self, origin: &HeaderValue) -> bool {
        self.0
            .iter()
            .any(|allowed| allowed == "*" || allowed == origin)
    }
}

/// Whether an origin has the authority that is called. TLS may end in front of the proxy, so the scheme is not compared.
fn is_own(origin: &HeaderValue, uri: &Uri, fields: &HeaderMap) -> bool {
    let origin = origin.to_str().unwrap_or_default();
    let Some((_, origin)) = origin.split_once("://") else {
        return false;
    };
    let host = fields.get(header::HOST).and_then(|host| host.to_str().ok());
    let called = uri.authority().map(Authority::as_str).or(host);
    called.is_some_and(|called| called.eq_ignore_ascii_case(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(method: &str, fields: &[(&str, &str)]) -> bool {
        let origins = Origins::new(&["https://shop.example".parse().unwrap()]);
        let mut request = Request::builder().method(method).header("host", "a:1");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        origins.permit(&request.body(()).unwrap())
    }

    #[test]
    fn pages_of_other_origins_change_nothing() {
        let evil = ("origin", "https://evil.example");
        for (fields, expected) in [
            (&[][..], true),
            (&[("origin", "http://a:1")], true),
            (&[("origin", "https://shop.example")], true),
            (
                &[
                    ("origin", "https://shop.example"),
                    ("sec-fetch-site", "cross-site"),
                ],
                true,
            ),
            (&[evil, ("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[evil], false),
            (&[("origin", "null")], false),
            (&[("origin", "http://a:2")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (
                &[("origin", "http://a:1"), ("sec-fetch-site", "same-site")],
                false,
            ),
        ] {
            assert_eq!(permitted("POST", fields), expected, "{fields:?}");
            assert!(permitted("GET", fields), "{fields:?}");
        }
    }
}
