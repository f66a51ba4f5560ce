//! Ended spans as OTLP, with the names of the [semantic conventions](https://opentelemetry.io/docs/specs/semconv/rpc/).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use grpc_wire::method::Method;
use grpc_wire::status::{self, Code};
use http::Version;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event as OtlpEvent, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span, SpanFlags, Status as OtlpStatus,
};

use super::span::{EndedSpan, Event};
use crate::binding::dialect::ClientProtocol;
use crate::binding::variables::FormattedAddress;

/// The version of the conventions that the names are of.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.37.0";
/// The name of the spans of methods that a client may have made up, as in the metrics.
const UNKNOWN: &str = "unknown";

/// What sends the spans.
pub(super) fn resource(attributes: &[(String, String)]) -> Resource {
    Resource {
        attributes: attributes
            .iter()
            .map(|(key, value)| text(key, value))
            .collect(),
        ..Resource::default()
    }
}

/// A batch.
pub(super) fn request(resource: Resource, spans: Vec<EndedSpan>) -> ExportTraceServiceRequest {
    let scope = InstrumentationScope {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope),
                spans: spans.into_iter().map(encode).collect(),
                schema_url: SCHEMA.to_owned(),
            }],
            schema_url: SCHEMA.to_owned(),
        }],
    }
}

fn encode(span: EndedSpan) -> Span {
    let id = span.end.id.clone();
    let method = Method::parse(id.path()).ok();
    let method = method.filter(|_| span.end.is_known);
    let (context, began) = (span.context, span.began);
    let remote = match context.parent {
        Some(_) => SpanFlags::ContextHasIsRemoteMask as u32 | SpanFlags::ContextIsRemoteMask as u32,
        None => SpanFlags::ContextHasIsRemoteMask as u32,
    };
    let events = span.events.iter();
    Span {
        trace_id: context.ids.trace.to_be_bytes().to_vec(),
        span_id: context.ids.span.to_be_bytes().to_vec(),
        parent_span_id: context
            .parent
            .map_or_else(Vec::new, |parent| parent.to_be_bytes().to_vec()),
        flags: u32::from(context.flags()) | remote,
        name: method
            .map_or(UNKNOWN, |method| &method.path[1..])
            .to_owned(),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: nanoseconds(began, Duration::ZERO),
        end_time_unix_nano: nanoseconds(began, span.duration),
        attributes: attributes(&span, method),
        events: events
            .map(|(at, event)| encode_event(nanoseconds(began, *at), *event))
            .collect(),
        status: Some(encode_status(span.end.code, span.end.error)),
        trace_state: span.trace_state,
        ..Span::default()
    }
}

fn attributes(span: &EndedSpan, method: Option<Method<'_>>) -> Vec<KeyValue> {
    let (ends, end) = (&span.ends, &span.end);
    let client = ends.forwarded.as_deref().unwrap_or(&ends.peer);
    let mut attributes = Vec::with_capacity(16);
    let is_connect = end.dialect.protocol == ClientProtocol::Connect;
    let system = if is_connect { "connect_rpc" } else { "grpc" };
    attributes.push(text("rpc.system", system));
    if let Some(method) = method {
        attributes.push(text("rpc.service", method.service));
        attributes.push(text("rpc.method", method.name));
    }
    attributes.push(number(
        "rpc.grpc.status_code",
        i64::from(i32::from(end.code)),
    ));
    if is_connect && end.code != Code::Ok {
        let name = snake_case(status::label(end.code));
        attributes.push(text("rpc.connect_rpc.error_code", &name));
    }
    attributes.push(text(
        "grpc_fcgi_proxy.protocol",
        end.dialect.protocol.name(),
    ));
    attributes.push(text("grpc_fcgi_proxy.codec", end.dialect.codec.name()));
    if !ends.host.is_empty() {
        attributes.push(text("server.address", &ends.host));
    }
    attributes.extend(port("server.port", &ends.local));
    attributes.push(text("client.address", client.ip()));
    attributes.extend(port("client.port", client));
    attributes.push(text("network.peer.address", ends.peer.ip()));
    attributes.extend(port("network.peer.port", &ends.peer));
    attributes.push(text("network.transport", "tcp"));
    attributes.push(text("network.protocol.name", "http"));
    let version = if ends.version == Version::HTTP_2 {
        "2"
    } else {
        "1.1"
    };
    attributes.push(text("network.protocol.version", version));
    attributes
}

fn encode_event(time_unix_nano: u64, event: Event) -> OtlpEvent {
    let (name, worker) = event.name();
    OtlpEvent {
        time_unix_nano,
        name: name.to_owned(),
        attributes: worker
            .map(|kind| text("worker", kind))
            .into_iter()
            .collect(),
        dropped_attributes_count: 0,
    }
}

/// Of a server's span, a status is an error only if it is the server's.
fn encode_status(code: Code, error: Option<String>) -> OtlpStatus {
    let is_error = matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    );
    if !is_error {
        return OtlpStatus::default();
    }
    OtlpStatus {
        message: error.unwrap_or_default(),
        code: StatusCode::Error.into(),
    }
}

fn nanoseconds(began: SystemTime, after: Duration) -> u64 {
    let since_epoch = began.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from((since_epoch + after).as_nanos()).unwrap_or(u64::MAX)
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

/// None if a proxy in front has not named it.
fn port(key: &str, address: &FormattedAddress) -> Option<KeyValue> {
    let port = address.port().parse().ok().filter(|port| *port != 0)?;
    Some(number(key, port))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// The name of a code in Connect, from that in the metrics.
fn snake_case(label: &str) -> String {
    let mut name = String::with_capacity(label.len() + 2);
    for (at, letter) in label.char_indices() {
        if at > 0 && letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_the_servers_fault_is_an_error() {
        for (code, expected) in [
            (Code::Ok, StatusCode::Unset),
            (Code::NotFound, StatusCode::Unset),
            (Code::Cancelled, StatusCode::Unset),
            (Code::ResourceExhausted, StatusCode::Unset),
            (Code::Unknown, StatusCode::Error),
            (Code::DeadlineExceeded, StatusCode::Error),
            (Code::Unavailable, StatusCode::Error),
        ] {
            assert_eq!(encode_status(code, None).code(), expected, "{code:?}");
        }
    }

    #[test]
    fn connects_names_of_codes_are_in_snake_case() {
        for (code, expected) in [
            (Code::Cancelled, "canceled"),
            (Code::DeadlineExceeded, "deadline_exceeded"),
            (Code::DataLoss, "data_loss"),
        ] {
            assert_eq!(snake_case(status::label(code)), expected);
        }
    }
}
