//! Whom a connection speaks for: which proxies in front may name the client of a call (`--trusted-proxy`).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::binding::variables::FormattedAddress;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// What Envoy reports of the certificate of its client.
const CLIENT_CERTIFICATE: HeaderName = HeaderName::from_static("x-forwarded-client-cert");

/// The networks of the proxies that are trusted.
#[derive(Clone, Debug)]
pub(crate) struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// `None` if there are none.
    pub(crate) fn new(networks: &[IpNet]) -> Option<Self> {
        (!networks.is_empty()).then(|| Self(networks.into()))
    }

    fn contain(&self, address: IpAddr) -> bool {
        // An IPv4 client of a listener on IPv6.
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// What counts of the header fields by which a proxy speaks for its client.
#[derive(Debug)]
pub(crate) enum Forwarding {
    /// They are metadata as any other.
    AsSent,
    /// The client of the connection may not set them.
    Untrusted,
    /// They name the client of a call.
    Trusted(TrustedProxies),
}

impl Forwarding {
    /// On the connection of `peer`.
    pub(crate) fn of(proxies: Option<&TrustedProxies>, peer: IpAddr) -> Self {
        match proxies {
            None => Self::AsSent,
            Some(proxies) if proxies.contain(peer) => Self::Trusted(proxies.clone()),
            Some(_) => Self::Untrusted,
        }
    }

    /// Removes what the peer may not claim.
    pub(crate) fn filter(&self, headers: &mut HeaderMap) {
        if matches!(self, Self::Untrusted) {
            headers.remove(CLIENT_CERTIFICATE);
        }
    }

    /// The client that trusted proxies name, if they do: the last address in x-forwarded-for that is not a trusted proxy's.
    pub(super) fn client(&self, headers: &HeaderMap) -> Option<Box<FormattedAddress>> {
        let Self::Trusted(proxies) = self else {
            return None;
        };
        let mut client = None;
        let fields = headers.get_all(FORWARDED_FOR).iter().rev();
        'fields: for field in fields {
            // What stands before something else is not known to come from a trusted proxy.
            let Ok(field) = field.to_str() else { break };
            for entry in field.rsplit(',') {
                let Some(address) = address(entry.trim()) else {
                    break 'fields;
                };
                client = Some(address);
                if !proxies.contain(address.ip()) {
                    break 'fields;
                }
            }
        }
        client.map(|address| Box::new(address.into()))
    }
}

/// An address, with a port or without one, which is 0 then. IPv6 may be in brackets.
fn address(text: &str) -> Option<SocketAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    match bare.unwrap_or(text).parse::<IpAddr>() {
        Ok(ip) => Some(SocketAddr::new(ip, 0)),
        Err(_) => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn proxies() -> Option<TrustedProxies> {
        TrustedProxies::new(&["10.0.0.0/8", "2001:db8::/32"].map(|net| net.parse().unwrap()))
    }

    fn forwarding(peer: &str) -> Forwarding {
        Forwarding::of(proxies().as_ref(), peer.parse().unwrap())
    }

    fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(
                name.clone(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        headers
    }

    #[test]
    fn the_client_is_the_last_address_that_is_not_a_proxys() {
        for (fields, expected) in [
            (&["192.0.2.1"][..], Some("192.0.2.1:0")),
            (&["192.0.2.1, 10.1.1.1"], Some("192.0.2.1:0")),
            (&["192.0.2.9, 192.0.2.1 ,10.1.1.1"], Some("192.0.2.1:0")),
            (&["192.0.2.9", "192.0.2.1", "10.1.1.1"], Some("192.0.2.1:0")),
            (&["192.0.2.1:4711"], Some("192.0.2.1:4711")),
            (&["2001:db8::1, [2001:db9::1]:80"], Some("[2001:db9::1]:80")),
            (&["2001:db9::1, [2001:db8::1]"], Some("[2001:db9::1]:0")),
            (&["::ffff:10.1.1.1"], Some("[::ffff:10.1.1.1]:0")),
            (&["10.1.1.2, 10.1.1.1"], Some("10.1.1.2:0")),
            (&["192.0.2.1, unknown, 10.1.1.1"], Some("10.1.1.1:0")),
            (&["192.0.2.1,"], None),
            (&["192.0.2.1, ä"], None),
            (&[""], None),
            (&[], None),
        ] {
            let fields: Vec<_> = fields.iter().map(|field| (FORWARDED_FOR, *field)).collect();
            let client = forwarding("10.0.0.1").client(&headers(&fields));
            let client = client.map(|client| client.to_string());
            assert_eq!(client.as_deref(), expected, "{fields:?}");
        }
    }

    #[test]
    fn only_trusted_peers_speak_for_others() {
        let fields = [
            (FORWARDED_FOR, "192.0.2.1"),
            (CLIENT_CERTIFICATE, "Subject=a"),
        ];
        for (peer, forwarding, passes, speaks) in [
            (
                "none",
                Forwarding::of(None, IpAddr::from([10, 0, 0, 1])),
                true,
                false,
            ),
            ("other", forwarding("192.0.2.7"), false, false),
            ("IPv4", forwarding("10.0.0.1"), true, true),
            ("IPv6", forwarding("2001:db8::1"), true, true),
            ("mapped", forwarding("::ffff:10.0.0.1"), true, true),
        ] {
            let mut headers = headers(&fields);
            forwarding.filter(&mut headers);
            assert_eq!(headers.contains_key(CLIENT_CERTIFICATE), passes, "{peer}");
            assert!(headers.contains_key(FORWARDED_FOR));
            assert_eq!(forwarding.client(&headers).is_some(), speaks, "{peer}");
        }
    }
}
