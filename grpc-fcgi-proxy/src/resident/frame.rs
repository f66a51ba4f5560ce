//! The frames between the proxy and a resident worker.
//!
//! Owns the layout of bytes; does no I/O. BINDING.md, "Resident workers".

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The length of every header.
pub const HEADER_LENGTH: usize = 8;
/// The longest payload.
pub const MAX_PAYLOAD: usize = 1024 * 1024;
/// The length of a secret: hexadecimal digits.
pub const SECRET_LENGTH: usize = 64;
/// The length of a HELLO frame.
pub const HELLO_LENGTH: usize = HEADER_LENGTH + 1 + SECRET_LENGTH + 4;
/// The bytes of input and answer that may be under way in a streaming call.
pub const CREDIT: u32 = 64 * 1024;

const VERSION: u8 = 1;

/// The types of frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are BINDING.md's")]
pub enum FrameType {
    Hello = 0x01,
    Call = 0x02,
    Data = 0x03,
    End = 0x04,
    Credit = 0x05,
    Cancel = 0x06,
    Log = 0x07,
    Retire = 0x08,
    Status = 0x09,
    Exit = 0x0a,
}

/// The level of a log record, as in RFC 5424.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// 3.
    Error,
    /// 4.
    Warning,
    /// 6.
    Information,
}

/// A frame that a worker sends after its HELLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The next bytes of a call's answer.
    Data(u32, Bytes),
    /// Its last bytes, possibly none.
    End(u32, Bytes),
    /// How many more bytes of its input the worker takes.
    Credit(u32, u32),
    /// A log record of a call, or of the worker (0).
    Log(u32, LogLevel, Bytes),
    /// The worker wants no further call.
    Retire,
    /// The state of the worker.
    Status {
        /// Microseconds that handlers have run, since the start.
        busy: u64,
        /// Memory in bytes.
        memory: u64,
    },
    /// The script ends: of the unary calls, none but this one has begun (0 if none has), or will.
    Exit(u32),
}

/// A frame that a worker must not send. Its connection is unusable after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`MAX_PAYLOAD`].
    #[error("a frame of {0} bytes is longer than 1 MiB")]
    TooLong(usize),
    /// A type that only the proxy sends, or that does not exist.
    #[error("a worker sends no frame of type {0:#04x} here")]
    Type(u8),
    /// A payload of another length than its type has.
    #[error("a frame of type {0:#04x} has {1} bytes of payload")]
    Length(u8, usize),
    /// A frame of a call without a number, or a frame of the worker with one.
    #[error("a frame of type {0:#04x} with call {1}")]
    Call(u8, u32),
    /// A level that LOG does not have.
    #[error("a log record of level {0}")]
    Level(u8),
    /// A HELLO of another version.
    #[error("the worker speaks version {0}, not 1")]
    Version(u8),
}

/// The first frame of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The secret of its launch.
    pub secret: [u8; SECRET_LENGTH],
    /// Its process id.
    pub pid: u32,
}

impl Hello {
    /// Decodes the whole frame.
    ///
    /// # Errors
    ///
    /// If it is another frame.
    pub fn decode(frame: &[u8; HELLO_LENGTH]) -> Result<Self, FrameError> {
        let (header, mut payload) = frame.split_at(HEADER_LENGTH);
        let header = Header::decode(header);
        if header.kind != FrameType::Hello as u8 {
            return Err(FrameError::Type(header.kind));
        }
        if header.call != 0 {
            return Err(FrameError::Call(header.kind, header.call));
        }
        if header.length != payload.len() {
            return Err(FrameError::Length(header.kind, header.length));
        }
        match payload.get_u8() {
            VERSION => {}
            version => return Err(FrameError::Version(version)),
        }
        let mut secret = [0; SECRET_LENGTH];
        payload.copy_to_slice(&mut secret);
        let pid = payload.get_u32();
        Ok(Self { secret, pid })
    }
}

/// Encodes the header of a frame. A longer payload must be split.
#[must_use]
pub fn encode_header(kind: FrameType, call: u32, length: usize) -> [u8; HEADER_LENGTH] {
    debug_assert!(length <= MAX_PAYLOAD);
    let [_, high, middle, low] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let [a, b, c, d] = call.to_be_bytes();
    [high, middle, low, kind as u8, a, b, c, d]
}

/// Encodes CREDIT.
#[must_use]
pub fn encode_credit(call: u32, bytes: u32) -> [u8; HEADER_LENGTH + 4] {
    let mut frame = [0; HEADER_LENGTH + 4];
    let (header, mut payload) = frame.split_at_mut(HEADER_LENGTH);
    header.copy_from_slice(&encode_header(FrameType::Credit, call, 4));
    payload.put_u32(bytes);
    frame
}

/// Removes the next complete frame from `input`; `None` if more bytes are needed.
///
/// # Errors
///
/// If a worker must not send such a frame. Its header alone shows most of these.
pub fn decode(input: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
    let Some(header) = input.first_chunk::<HEADER_LENGTH>() else {
        return Ok(None);
    };
    let header = Header::decode(header);
    header.check()?;
    let length = HEADER_LENGTH + header.length;
    if input.len() < length {
        input.reserve(length - input.len());
        return Ok(None);
    }
    let mut frame = input.split_to(length);
    frame.advance(HEADER_LENGTH);
    header.frame(frame.freeze()).map(Some)
}

struct Header {
    length: usize,
    kind: u8,
    call: u32,
}

impl Header {
    fn decode(mut bytes: &[u8]) -> Self {
        let length = usize::from(bytes.get_u8()) << 16 | usize::from(bytes.get_u16());
        Self {
            length,
            kind: bytes.get_u8(),
            call: bytes.get_u32(),
        }
    }

    fn check(&self) -> Result<(), FrameError> {
        let Self { length, kind, call } = *self;
        if length > MAX_PAYLOAD {
            return Err(FrameError::TooLong(length));
        }
        let (lengths, is_of_a_call) = match kind {
            k if k == FrameType::Data as u8 || k == FrameType::End as u8 => {
                (0..=MAX_PAYLOAD, call != 0)
            }
            k if k == FrameType::Credit as u8 => (4..=4, call != 0),
            k if k == FrameType::Log as u8 => (1..=MAX_PAYLOAD, true),
            k if k == FrameType::Retire as u8 => (0..=0, call == 0),
            k if k == FrameType::Status as u8 => (16..=16, call == 0),
            k if k == FrameType::Exit as u8 => (0..=0, true),
            k => return Err(FrameError::Type(k)),
        };
        if !is_of_a_call {
            return Err(FrameError::Call(kind, call));
        }
        if !lengths.contains(&length) {
            return Err(FrameError::Length(kind, length));
        }
        Ok(())
    }

    /// After `check`.
    fn frame(&self, mut payload: Bytes) -> Result<Frame, FrameError> {
        let call = self.call;
        Ok(match self.kind {
            k if k == FrameType::Data as u8 => Frame::Data(call, payload),
            k if k == FrameType::End as u8 => Frame::End(call, payload),
            k if k == FrameType::Credit as u8 => Frame::Credit(call, payload.get_u32()),
            k if k == FrameType::Log as u8 => {
                let level = match payload.get_u8() {
                    3 => LogLevel::Error,
                    4 => LogLevel::Warning,
                    6 => LogLevel::Information,
                    level => return Err(FrameError::Level(level)),
                };
                Frame::Log(call, level, payload)
            }
            k if k == FrameType::Retire as u8 => Frame::Retire,
            k if k == FrameType::Exit as u8 => Frame::Exit(call),
            _ => Frame::Status {
                busy: payload.get_u64(),
                memory: payload.get_u64(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_decoded() {
        let table: [(&[u8], Frame); 8] = [
            (
                b"\0\0\x02\x03\0\0\x01\x02hi",
                Frame::Data(0x102, Bytes::from_static(b"hi")),
            ),
            (b"\0\0\0\x04\0\0\0\x01", Frame::End(1, Bytes::new())),
            (
                b"\0\0\x04\x05\0\0\0\x01\0\x01\0\0",
                Frame::Credit(1, 65_536),
            ),
            (
                b"\0\0\x02\x07\0\0\0\0\x03x",
                Frame::Log(0, LogLevel::Error, Bytes::from_static(b"x")),
            ),
            (
                b"\0\0\x01\x07\0\0\0\x01\x06",
                Frame::Log(1, LogLevel::Information, Bytes::new()),
            ),
            (b"\0\0\0\x08\0\0\0\0", Frame::Retire),
            (b"\0\0\0\x0a\0\0\0\x02", Frame::Exit(2)),
            (
                b"\0\0\x10\x09\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\x02\0",
                Frame::Status {
                    busy: 1,
                    memory: 512,
                },
            ),
        ];
        for (bytes, frame) in table {
            for end in 0..bytes.len() {
                assert_eq!(decode(&mut BytesMut::from(&bytes[..end])), Ok(None));
            }
            let mut input = BytesMut::from(&[bytes, b"rest"].concat()[..]);
            assert_eq!(decode(&mut input), Ok(Some(frame)));
            assert_eq!(input, "rest");
        }
    }

    #[test]
    fn invalid_frames_are_refused_by_their_headers() {
        let table: [(&[u8], FrameError); 10] = [
            (b"\x10\0\x01\x03\0\0\0\x01", FrameError::TooLong(1_048_577)),
            (b"\0\0\x45\x01\0\0\0\0", FrameError::Type(1)),
            (b"\0\0\0\x02\0\0\0\x01", FrameError::Type(2)),
            (b"\0\0\0\x06\0\0\0\x01", FrameError::Type(6)),
            (b"\0\0\0\x0b\0\0\0\x01", FrameError::Type(11)),
            (b"\0\0\0\x03\0\0\0\0", FrameError::Call(3, 0)),
            (b"\0\0\0\x08\0\0\0\x01", FrameError::Call(8, 1)),
            (b"\0\0\x05\x05\0\0\0\x01", FrameError::Length(5, 5)),
            (b"\0\0\0\x07\0\0\0\0", FrameError::Length(7, 0)),
            (b"\0\0\x01\x07\0\0\0\0\x05", FrameError::Level(5)),
        ];
        for (bytes, error) in table {
            assert_eq!(decode(&mut BytesMut::from(bytes)), Err(error), "{bytes:?}");
        }
    }

    #[test]
    fn headers_are_encoded() {
        assert_eq!(
            encode_header(FrameType::Call, 0x0102_0304, 0x01_0203),
            *b"\x01\x02\x03\x02\x01\x02\x03\x04"
        );
        assert_eq!(
            encode_credit(1, 65_536),
            *b"\0\0\x04\x05\0\0\0\x01\0\x01\0\0"
        );
    }

    #[test]
    fn a_hello_is_of_version_1_and_of_no_call() {
        let secret = [b'a'; SECRET_LENGTH];
        let frame = |header: &[u8; 9]| -> [u8; HELLO_LENGTH] {
            let frame = [&header[..], &secret, b"\0\0\x01\0"].concat();
            frame.try_into().unwrap()
        };
        let hello = Hello { secret, pid: 256 };
        assert_eq!(
            Hello::decode(&frame(b"\0\0\x45\x01\0\0\0\0\x01")),
            Ok(hello)
        );
        for (header, error) in [
            (b"\0\0\x45\x01\0\0\0\0\x02", FrameError::Version(2)),
            (b"\0\0\x46\x01\0\0\0\0\x01", FrameError::Length(1, 70)),
            (b"\0\0\x45\x03\0\0\0\0\x01", FrameError::Type(3)),
            (b"\0\0\x45\x01\0\0\0\x01\x01", FrameError::Call(1, 1)),
        ] {
            assert_eq!(Hello::decode(&frame(header)), Err(error));
        }
    }
}
