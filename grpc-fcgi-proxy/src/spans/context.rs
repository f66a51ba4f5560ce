//! The context of a trace, as header fields carry it: [W3C Trace Context](https://www.w3.org/TR/trace-context/), and
//! [B3](https://github.com/openzipkin/b3-propagation) in one field or in several.

#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(super) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const B3: HeaderName = HeaderName::from_static("b3");
const B3_TRACE: HeaderName = HeaderName::from_static("x-b3-traceid");
const B3_SPAN: HeaderName = HeaderName::from_static("x-b3-spanid");
const B3_PARENT: HeaderName = HeaderName::from_static("x-b3-parentspanid");
const B3_SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");
const B3_FLAGS: HeaderName = HeaderName::from_static("x-b3-flags");

const SAMPLED: u8 = 0x01;
/// Level 2 of the specification: the trace id is random.
const RANDOM: u8 = 0x02;

/// What the client sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) ids: Option<Ids>,
    /// Whether its span is recorded; `None` if it leaves the decision to others.
    pub(super) sampled: Option<bool>,
    /// Of the flags of `traceparent`, those that are passed on.
    flags: u8,
    is_w3c: bool,
}

/// A span in a trace. Neither is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) trace: u128,
    pub(super) span: u64,
}

/// The context of a call's own span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) ids: Ids,
    pub(super) parent: Option<u64>,
    pub(super) sampled: bool,
    flags: u8,
    is_w3c: bool,
}

impl Received {
    /// Reads the fields. Those that are malformed count as absent.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        traceparent(headers)
            .or_else(|| b3(text(headers, &B3)?))
            .or_else(|| b3_fields(headers))
            .unwrap_or_default()
    }
}

impl Context {
    /// That of a new span, whose ids are random.
    pub(super) fn below(received: Received, sample: impl FnOnce(u128) -> bool) -> Self {
        let trace = received
            .ids
            .map_or_else(|| fastrand::u128(1..), |ids| ids.trace);
        Self {
            ids: Ids {
                trace,
                span: fastrand::u64(1..),
            },
            parent: received.ids.map(|ids| ids.span),
            sampled: sample(trace),
            flags: received.flags,
            is_w3c: received.is_w3c,
        }
    }

    /// Whether the parent is that of `traceparent`: `tracestate` means nothing without it.
    pub(super) fn is_w3c(&self) -> bool {
        self.is_w3c
    }

    /// The flags of `traceparent`.
    pub(super) fn flags(&self) -> u8 {
        self.flags | if self.sampled { SAMPLED } else { 0 }
    }

    /// Puts it in the place of what the client sent: in `traceparent`, and in those fields of B3 that the client uses.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let Ids { trace, span } = self.ids;
        let flags = self.flags();
        set(
            headers,
            TRACEPARENT,
            format!("00-{trace:032x}-{span:016x}-{flags:02x}"),
        );
        if !self.is_w3c {
            headers.remove(TRACESTATE);
        }
        let parent = self.parent.map(|parent| format!("{parent:016x}"));
        let sampled = u8::from(self.sampled);
        if let Some(sent) = headers.get(B3) {
            let debug = b3_state(sent) == Some("d") && self.sampled;
            let state = if debug {
                "d"
            } else {
                ["0", "1"][usize::from(sampled)]
            };
            let parent = parent
                .as_ref()
                .map_or_else(String::new, |id| format!("-{id}"));
            set(
                headers,
                B3,
                format!("{trace:032x}-{span:016x}-{state}{parent}"),
            );
        }
        if headers.contains_key(B3_TRACE) {
            set(headers, B3_TRACE, format!("{trace:032x}"));
            set(headers, B3_SPAN, format!("{span:016x}"));
            match parent {
                Some(parent) => set(headers, B3_PARENT, parent),
                None => drop(headers.remove(B3_PARENT)),
            }
            if !self.sampled {
                headers.remove(B3_FLAGS);
            }
            // "debug implies an accept decision, so don't also send the X-B3-Sampled header".
            if !headers.contains_key(B3_FLAGS) {
                set(headers, B3_SAMPLED, sampled.to_string());
            }
        }
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

/// The only value of a field.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// "version-format = trace-id "-" parent-id "-" trace-flags"; of a higher version, only what follows may be different.
fn traceparent(headers: &HeaderMap) -> Option<Received> {
    let value = text(headers, &TRACEPARENT)?.trim();
    let is_lower = |text: &str| !text.bytes().any(|byte| byte.is_ascii_uppercase());
    let mut parts = value.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let version_number = hex(version, 2)?;
    // "Version ff is invalid."
    if version_number == 0xff || (version_number == 0 && parts.next().is_some()) || !is_lower(value)
    {
        return None;
    }
    let flags = u8::try_from(hex(flags, 2)?).ok()?;
    Some(Received {
        ids: Some(ids(hex(trace, 32)?, hex(span, 16)?)?),
        sampled: Some(flags & SAMPLED != 0),
        flags: flags & RANDOM,
        is_w3c: true,
    })
}

/// "b3={TraceId}-{SpanId}-{SamplingState}-{ParentSpanId}, where the last two fields are optional", or the state alone.
fn b3(value: &str) -> Option<Received> {
    let Some((trace, rest)) = value.split_once('-') else {
        return Some(Received {
            sampled: Some(state(value)?),
            ..Received::default()
        });
    };
    let mut parts = rest.split('-');
    let ids = b3_ids(trace, parts.next()?)?;
    let sampled = match parts.next() {
        Some(text) => Some(state(text)?),
        None => None,
    };
    Some(Received {
        ids: Some(ids),
        sampled,
        ..Received::default()
    })
}

fn b3_fields(headers: &HeaderMap) -> Option<Received> {
    let ids = match (text(headers, &B3_TRACE), text(headers, &B3_SPAN)) {
        (Some(trace), Some(span)) => Some(b3_ids(trace, span)?),
        _ => None,
    };
    let sampled = match text(headers, &B3_FLAGS) {
        Some("1") => Some(true),
        _ => text(headers, &B3_SAMPLED).and_then(state),
    };
    Some(Received {
        ids,
        sampled,
        ..Received::default()
    })
}

/// The sampling state in the field `b3`.
fn b3_state(value: &HeaderValue) -> Option<&str> {
    let value = value.to_str().ok()?;
    if value.contains('-') {
        value.split('-').nth(2)
    } else {
        Some(value)
    }
}

fn state(text: &str) -> Option<bool> {
    match text {
        "1" | "d" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// A trace id of B3 has 16 or 32 digits.
fn b3_ids(trace: &str, span: &str) -> Option<Ids> {
    let trace = hex(trace, 32).or_else(|| hex(trace, 16))?;
    ids(trace, hex(span, 16)?)
}

fn ids(trace: u128, span: u128) -> Option<Ids> {
    let span = u64::try_from(span).ok()?;
    (trace != 0 && span != 0).then_some(Ids { trace, span })
}

fn hex(text: &str, digits: usize) -> Option<u128> {
    let valid = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    valid.then(|| u128::from_str_radix(text, 16).ok())?
}
