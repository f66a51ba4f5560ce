//! The instructions that the steps of a call take. Callgrind counts the same on every run, so a change of a few percent
//! shows. `script/instructions` compares the counts with the committed figures.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "the macros generate functions, and a failure here affects no user"
)]

use std::collections::VecDeque;
use std::convert::identity;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use grpc_fcgi_proxy::application::encode_opening;
use grpc_fcgi_proxy::binding::dialect::Dialect;
use grpc_fcgi_proxy::binding::route::Script;
use grpc_fcgi_proxy::binding::variables::{FormattedAddress, Input, Variables};
use grpc_fcgi_proxy::fastcgi::exchange::{Exchange, ExchangeError, Output};
use grpc_fcgi_proxy::fastcgi::record::{self, Record};
use grpc_wire::frame::{FrameScanner, Piece};
use grpc_wire::message::{Decoder, Encoder, Message};
use grpc_wire::method::{CallKind, Method};
use gungraun::{library_benchmark, library_benchmark_group, main};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};

const LIMIT: usize = 4 << 20;
const HEAD: &[u8] = b"Content-Type: application/grpc\r\n\r\n";

fn framed(length: usize) -> Bytes {
    let mut encoder = Encoder::new(LIMIT);
    encoder.push(&vec![b'm'; length]).unwrap();
    encoder.finish()
}

#[library_benchmark]
#[bench::small(framed(40))]
#[bench::large(framed(64 << 10))]
fn message_decode(wire: Bytes) -> Message {
    let mut decoder = Decoder::new(LIMIT);
    decoder.push(black_box(wire));
    decoder.decode().unwrap().unwrap()
}

#[library_benchmark]
#[bench::small(vec![b'm'; 40])]
#[bench::large(vec![b'm'; 64 << 10])]
fn message_encode(content: Vec<u8>) -> Bytes {
    let mut encoder = Encoder::new(LIMIT);
    encoder.push(black_box(&content)).unwrap();
    encoder.finish()
}

fn run_of_messages() -> Bytes {
    framed(40).repeat(100).into()
}

#[library_benchmark]
#[bench::hundred_messages(run_of_messages())]
fn frame_scan(wire: Bytes) -> VecDeque<Piece> {
    let mut out = VecDeque::new();
    FrameScanner::new(LIMIT)
        .push(black_box(wire), &mut out)
        .unwrap();
    out
}

/// The usual header fields of a gRPC client behind Envoy.
fn headers() -> HeaderMap {
    [
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "grpc-go/1.70.0"),
        ("x-request-id", "8b1e7f6c-6d4e-4f43-9c0c-2f6f0f6f8a11"),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        ("x-forwarded-proto", "http"),
    ]
    .map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    })
    .into_iter()
    .collect()
}

/// What exists before a call's variables are encoded. The address is the connection's.
type CallParts = (Script, HeaderMap, FormattedAddress);

fn variables_of_a_call() -> CallParts {
    let script = Script::new(Path::new("/app/item/index.php"));
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 41_000));
    (script, headers(), here.into())
}

fn opening((script, headers, here): &CallParts) -> Vec<u8> {
    encode_opening(
        &Variables {
            script,
            kind: CallKind::Unary,
            method: Method::parse("/item.ItemService/GetItem").unwrap(),
            authority: "item:8080",
            headers,
            input: Input::Message {
                length: 40,
                compressed: false,
            },
            dialect: Dialect::default(),
            deadline: None,
            peer: here,
            local: here,
            tls: None,
        },
        false,
    )
    .unwrap()
}

#[library_benchmark]
#[bench::usual(variables_of_a_call())]
fn params_encode(call: CallParts) -> Vec<u8> {
    opening(black_box(&call))
}

fn answer_records(message: usize) -> BytesMut {
    let stdout = [HEAD, &vec![b'm'; message]].concat();
    let length = u16::try_from(stdout.len()).unwrap();
    let end = record::encode_header(record::RecordType::EndRequest, 8);
    let begin = record::encode_header(record::RecordType::Stdout, length);
    BytesMut::from(&[&begin, &*stdout, &end, &[0; 8]].concat()[..])
}

#[library_benchmark]
#[bench::small(answer_records(40))]
#[bench::large(answer_records(60 << 10))]
fn record_decode(mut input: BytesMut) -> (Option<Record>, Option<Record>) {
    let input = black_box(&mut input);
    (
        record::decode(input).unwrap(),
        record::decode(input).unwrap(),
    )
}

/// The state of one exchange, which is set up before Callgrind counts.
struct InMemory {
    runtime: Runtime,
    near: DuplexStream,
    far: DuplexStream,
    opening: Vec<u8>,
    answer: BytesMut,
    request: Vec<u8>,
}

fn in_memory() -> InMemory {
    let (near, far) = duplex(64 << 10);
    let opening = opening(&variables_of_a_call());
    // STDIN: a record with the message, and the empty record that ends it.
    let request = vec![0; opening.len() + 2 * record::HEADER_LENGTH + 40];
    InMemory {
        runtime: Builder::new_current_thread().build().unwrap(),
        near,
        far,
        opening,
        request,
        answer: answer_records(40),
    }
}

#[library_benchmark]
#[bench::unary(in_memory())]
fn exchange(mut memory: InMemory) -> usize {
    let stdin = stream::iter([Ok::<_, ExchangeError>(Bytes::from_static(&[b'm'; 40]))]);
    let mut exchange = Exchange::new(memory.near, memory.opening, stdin);
    let (far, request, answer) = (&mut memory.far, &mut memory.request, &memory.answer);
    memory.runtime.block_on(async {
        let application = async {
            far.read_exact(request).await.unwrap();
            far.write_all(answer).await.unwrap();
        };
        let call = async {
            let mut length = 0;
            while let Some(Output::Stdout(content)) = exchange.next(identity).await.unwrap() {
                length += content.len();
            }
            length
        };
        tokio::join!(call, application).0
    })
}

library_benchmark_group!(
    name = steps,
    benchmarks = [
        message_decode,
        message_encode,
        frame_scan,
        params_encode,
        record_decode,
        exchange
    ]
);

main!(library_benchmark_groups = steps);
