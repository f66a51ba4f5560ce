//! A script of the kit answers the same in resident workers as by itself, and what it was told: calls of all kinds, several
//! at once.
//!
//! The reference of the calls by themselves is php-fpm without the proxy, above. HTTP statuses mean nothing here.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::future::join_all;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;
use tonic::Code;

use super::call::{RandomCall, ScriptStatus, random_call};
use super::config;
use super::ended::{Metadata, metadata};
use crate::support::{Client, MODES, Response, message, serve_streams};

const FIXTURE: &str = "told_by_kit.php";
const CASES: u32 = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Method,
    ClientStream,
    ServerStream,
    BidiStream,
}

#[derive(Clone, Debug)]
struct KitCall {
    kind: Kind,
    told: RandomCall,
    /// The messages of a server stream.
    answers: usize,
    /// Those of the client, behind the first one.
    more: Vec<Vec<u8>>,
}

fn kit_call() -> impl Strategy<Value = KitCall> {
    let kind = prop_oneof![
        Just(Kind::Method),
        Just(Kind::ClientStream),
        Just(Kind::ServerStream),
        Just(Kind::BidiStream),
    ];
    let told = random_call().prop_filter("an HTTP status", |call| {
        matches!(call.status, ScriptStatus::Grpc { .. })
    });
    let content = prop_oneof![
        4 => vec(any::<u8>(), 0..200),
        // More than the credit of a streaming call.
        1 => (any::<u8>(), 60_000..200_000_usize).prop_map(|(byte, count)| vec![byte; count]),
    ];
    (kind, told, 0..4_usize, vec(content, 0..4)).prop_map(|(kind, told, answers, more)| KitCall {
        kind,
        told,
        answers,
        more,
    })
}

/// A `google.protobuf.BytesValue`.
fn bytes_value(content: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    if !content.is_empty() {
        value.push(0x0a);
        let mut length = content.len();
        while length > 0x7f {
            value.push(0x80 | u8::try_from(length & 0x7f).unwrap());
            length >>= 7;
        }
        value.push(u8::try_from(length).unwrap());
        value.extend(content);
    }
    value
}

impl KitCall {
    /// The request: all messages.
    fn body(&self) -> Vec<u8> {
        let ScriptStatus::Grpc {
            code,
            text,
            details,
            ..
        } = &self.told.status
        else {
            panic!("an HTTP status");
        };
        let told = json!({
            "code": i32::from(*code),
            "text": BASE64_STANDARD.encode(text),
            "details": details.as_ref().map(|details| BASE64_STANDARD.encode(details)),
            "initial": self.told.initial(),
            "trailing": self.told.trailing(),
            "answers": self.answers,
        });
        let told = told.to_string();
        let length = u32::try_from(told.len()).unwrap().to_be_bytes();
        let first = [&length, told.as_bytes(), &self.told.content].concat();
        let mut body = message(&bytes_value(&first));
        if matches!(self.kind, Kind::ClientStream | Kind::BidiStream) {
            for content in &self.more {
                body.extend(message(&bytes_value(content)));
            }
        }
        body
    }

    /// The response: all messages.
    fn answer(&self) -> Vec<u8> {
        let content = &self.told.content;
        let answer = |content: &[u8]| message(&bytes_value(content));
        match self.kind {
            Kind::Method | Kind::ClientStream if self.told.status.code() != Code::Ok => Vec::new(),
            Kind::Method => answer(content),
            Kind::ClientStream => answer(&[&content[..], &self.more.concat()].concat()),
            Kind::ServerStream => answer(content).repeat(self.answers),
            Kind::BidiStream => self.more.iter().flat_map(|more| answer(more)).collect(),
        }
    }

    async fn response(&self, client: &Client) -> Ended {
        let metadata = self.told.metadata.iter();
        let metadata = metadata.map(|(key, value)| (key.as_str(), value.as_str()));
        let content_type = [("content-type", "application/grpc")];
        let headers: Vec<_> = content_type.into_iter().chain(metadata).collect();
        let path = format!("/test.Service/{:?}", self.kind);
        let response = client.send(&path, self.body(), &headers).await.unwrap();
        Ended::of(&response)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Ended {
    status: (Code, String, Vec<u8>),
    body: Vec<u8>,
    initial: Metadata,
    trailing: Metadata,
}

impl Ended {
    fn of(response: &Response) -> Self {
        let status = tonic::Status::from_header_map(response.status_fields()).unwrap();
        let details = status.details().to_vec();
        Self {
            status: (status.code(), status.message().to_owned(), details),
            body: response.body.to_vec(),
            initial: metadata(&response.headers),
            trailing: metadata(&response.trailers),
        }
    }
}

#[test]
fn resident_workers_answer_as_calls_by_themselves_do() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let modes = MODES.map(|flags| runtime.block_on(serve_streams(FIXTURE, flags)));
    let [by_themselves, resident] = modes.each_ref().map(|(_, _, client)| client);
    let calls = vec(kit_call(), 1..8);
    let compared = TestRunner::new(config(CASES)).run(&calls, |calls| {
        let (alone, beside) = runtime.block_on(async {
            let mut alone = Vec::new();
            for call in &calls {
                alone.push(call.response(by_themselves).await);
            }
            let beside = join_all(calls.iter().map(|call| call.response(resident))).await;
            (alone, beside)
        });
        for ((call, alone), beside) in calls.iter().zip(alone).zip(beside) {
            assert_eq!(beside, alone, "{call:?}");
            let status = &call.told.status;
            // OK has no message.
            let text = match status.code() {
                Code::Ok => "",
                _ => status.text(""),
            };
            let told = (status.code(), text.to_owned(), status.details());
            assert_eq!(beside.status, told, "{call:?}");
            assert_eq!(beside.body, call.answer(), "{call:?}");
        }
        Ok(())
    });
    compared.unwrap();
}
