//! A call, and the response that it must get.

use std::path::PathBuf;

use bytes::Bytes;
use grpc_wire::message;

use crate::application::{self, UNARY};

/// What one caller repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoadKind {
    /// A call with one message each way.
    Unary,
    /// One message each way on an open bidirectional call.
    RoundTrip,
}

/// A call, and the message that must come back.
#[derive(Clone, Debug)]
pub(crate) struct CheckedCall {
    pub(crate) kind: LoadKind,
    pub(crate) path: &'static str,
    /// For FastCGI without a proxy, which would name it.
    pub(crate) script: PathBuf,
    pub(crate) message: Bytes,
    pub(crate) answer: Bytes,
}

impl CheckedCall {
    /// A unary call of the trivial application, with a message of this size.
    pub(crate) fn trivial(bytes: usize) -> Self {
        let message = message_of(bytes);
        Self {
            kind: LoadKind::Unary,
            path: UNARY,
            script: "/none.php".into(),
            answer: application::answer(message.clone()),
            message,
        }
    }

    /// The message with gRPC's prefix.
    pub(super) fn framed(&self) -> Bytes {
        message::encode(0, &self.message)
    }
}

/// A google.protobuf.BytesValue that has this many bytes on the wire.
fn message_of(bytes: usize) -> Bytes {
    let encoded = |content: usize| prost::Message::encode_to_vec(&vec![b'm'; content]);
    let longest = (0..=8).map(|prefix| encoded(bytes.saturating_sub(prefix)));
    longest
        .into_iter()
        .find(|message| message.len() <= bytes)
        .unwrap_or_default()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_their_size_on_the_wire() {
        for bytes in [40, 4 << 10, 64 << 10, 1 << 20] {
            assert_eq!(message_of(bytes).len(), bytes);
        }
    }
}
