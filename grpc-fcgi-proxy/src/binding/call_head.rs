//! What CALL tells a resident worker of a call before its input. BINDING.md, "Frames".

use std::time::UNIX_EPOCH;

use bytes::BufMut;
use grpc_wire::content_type;
use grpc_wire::method::CallKind;

use super::dialect::{ClientCodec, ClientProtocol, Dialect};
use super::fields::metadata_list;
use super::variables::{Input, Variables};
use crate::fastcgi::pair::PairTooLong;

/// Holds those of a usual call without growing.
pub(crate) const USUAL_LENGTH: usize = 512;

/// A flag: the client sent the message compressed.
const MESSAGE_COMPRESSED: u8 = 0x01;
/// A flag, in the second byte: the input ends with this frame.
pub(crate) const INPUT_ENDS: u8 = 0x02;

/// A flag: the content type names another encoding of messages than protobuf.
const FOREIGN_CODEC: u8 = 0x04;

/// The lowest bit of the client's protocol, of two.
const PROTOCOL_SHIFT: u32 = 3;
/// The lowest bit of the client's codec, of two.
const CODEC_SHIFT: u32 = 5;

/// Encodes it. The flag of an input that has ended is not set.
///
/// # Errors
///
/// If a part is too long.
pub(crate) fn encode_call_head(
    variables: &Variables<'_>,
    out: &mut Vec<u8>,
) -> Result<(), PairTooLong> {
    let kind = match variables.kind {
        CallKind::Unary => 0,
        CallKind::ClientStream => 1,
        CallKind::ServerStream => 2,
        CallKind::BidiStream => 3,
    };
    let flags = match variables.input {
        Input::Message {
            compressed: true, ..
        } => MESSAGE_COMPRESSED,
        _ => 0,
    };
    let flags = match content_type::is_protobuf(variables.headers) {
        true => flags,
        false => flags | FOREIGN_CODEC,
    };
    let flags = flags | dialect_flags(variables.dialect);
    let (path, authority) = (variables.method.path, variables.authority);
    let mut peer = variables.peer.to_string();
    if let Some(tls) = variables.tls {
        tls.write_lines(&mut peer);
    }
    let metadata = metadata_list(variables.headers);
    let deadline = variables.deadline.map_or(0, |deadline| {
        let since_epoch = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
    });
    out.put_u8(kind);
    out.put_u8(flags);
    out.put_u16(length(path, "REQUEST_URI")?);
    out.put_u16(length(authority, "HTTP_HOST")?);
    out.put_u16(length(&peer, "REMOTE_ADDR")?);
    out.put_u32(u32::try_from(metadata.len()).unwrap_or(u32::MAX));
    out.put_u64(deadline);
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(authority.as_bytes());
    out.extend_from_slice(peer.as_bytes());
    out.extend_from_slice(&metadata);
    Ok(())
}

fn dialect_flags(Dialect { protocol, codec }: Dialect) -> u8 {
    let protocol = match protocol {
        ClientProtocol::Grpc => 0,
        ClientProtocol::GrpcWeb => 1,
        ClientProtocol::Connect => 2,
        ClientProtocol::Rest => 3,
    };
    let codec = match codec {
        ClientCodec::Proto => 0,
        ClientCodec::Json => 1,
        ClientCodec::Other => 2,
    };
    protocol << PROTOCOL_SHIFT | codec << CODEC_SHIFT
}

fn length(part: &str, name: &str) -> Result<u16, PairTooLong> {
    u16::try_from(part.len()).map_err(|_| PairTooLong {
        name: name.to_owned(),
    })
}
