//! How a client speaks to the proxy, which translates it to the one form that scripts see. For logs and metrics only.

use grpc_wire::content_type;
use http::request::Parts;
use http::{HeaderMap, Request};

/// The protocol of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the protocols'")]
pub enum ClientProtocol {
    #[default]
    Grpc,
    GrpcWeb,
    Connect,
    /// Paths and verbs of `google.api.http`.
    Rest,
}

/// How a client encodes its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCodec {
    /// As protobuf.
    #[default]
    Proto,
    /// As JSON.
    Json,
    /// As only the application knows: `application/grpc+…`.
    Other,
}

/// The protocol and the codec of a client. A front end attaches it to the call that it translates a request to; gRPC itself
/// needs no front end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// The protocol.
    pub protocol: ClientProtocol,
    /// The codec.
    pub codec: ClientCodec,
}

impl ClientProtocol {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Grpc, Self::GrpcWeb, Self::Connect, Self::Rest];

    /// The name in logs and metrics, and for scripts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::GrpcWeb => "grpc-web",
            Self::Connect => "connect",
            Self::Rest => "rest",
        }
    }
}

impl ClientCodec {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Proto, Self::Json, Self::Other];

    /// JSON or protobuf.
    pub(crate) const fn of_json(is_json: bool) -> Self {
        match is_json {
            true => Self::Json,
            false => Self::Proto,
        }
    }

    /// The name in logs and metrics, and for scripts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proto => "proto",
            Self::Json => "json",
            Self::Other => "other",
        }
    }

    /// That of a request in gRPC, by the suffix of its content type.
    fn of_grpc(headers: &HeaderMap) -> Self {
        match content_type::suffix(headers) {
            None | Some(b"proto") => Self::Proto,
            Some(b"json") => Self::Json,
            Some(_) => Self::Other,
        }
    }
}

impl Dialect {
    /// Attaches the dialect of a client to the call that its request is translated to; keeps one that is attached already.
    pub(crate) fn attach<B>(protocol: ClientProtocol, is_json: bool, call: &mut Request<B>) {
        let codec = ClientCodec::of_json(is_json);
        let extensions = call.extensions_mut();
        extensions.get_or_insert_with(|| Self { protocol, codec });
    }

    /// The dialect of a call's client.
    pub(crate) fn of(call: &Parts) -> Self {
        let attached = call.extensions.get::<Self>().copied();
        attached.unwrap_or_else(|| Self {
            protocol: ClientProtocol::Grpc,
            codec: ClientCodec::of_grpc(&call.headers),
        })
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;

    fn call(content_type: &'static str) -> Request<()> {
        let mut call = Request::new(());
        let value = HeaderValue::from_static(content_type);
        call.headers_mut().insert(header::CONTENT_TYPE, value);
        call
    }

    #[test]
    fn the_codec_of_grpc_is_the_suffix_of_its_content_type() {
        for (content_type, codec) in [
            ("application/grpc", "proto"),
            ("application/grpc+proto", "proto"),
            ("application/grpc+proto; x=y", "proto"),
            ("application/grpc;charset=utf-8", "proto"),
            ("application/grpc+json", "json"),
            ("application/grpc+thrift", "other"),
            ("application/grpc+", "other"),
        ] {
            let dialect = Dialect::of(&call(content_type).into_parts().0);
            assert_eq!(dialect.protocol, ClientProtocol::Grpc);
            assert_eq!(dialect.codec.name(), codec, "{content_type}");
        }
    }

    #[test]
    fn the_outer_front_end_attaches_the_dialect() {
        let mut call = call("application/grpc");
        Dialect::attach(ClientProtocol::GrpcWeb, true, &mut call);
        Dialect::attach(ClientProtocol::Grpc, false, &mut call);
        let dialect = Dialect::of(&call.into_parts().0);
        assert_eq!(
            (dialect.protocol.name(), dialect.codec.name()),
            ("grpc-web", "json")
        );
    }
}
