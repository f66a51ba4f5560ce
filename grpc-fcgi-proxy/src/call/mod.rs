//! One call, from its header fields to its trailers. `serve` names every step.
//!
//! A unary call runs inside the task of its HTTP/2 stream. A streaming call has a task of its own, since both directions
//! must progress while the client reads nothing. When the client has gone, the former is dropped and the latter ends, and the script is abandoned.

mod bounds;
mod bridge;
mod builtin;
mod builtin_body;
mod compression;
mod error;
mod forwarded;
mod http1_body;
mod load_report;
mod no_status;
mod observed;
mod open;
mod received;
mod request;
mod request_body;
mod requests;
mod response;
mod response_body;
mod serve;
mod slots;
mod streaming;
mod unary;

pub(crate) use self::bridge::{Bridge, CallLimits, Client};
pub(crate) use self::compression::Compression;
pub(crate) use self::error::{Aborted, CallError};
pub(crate) use self::forwarded::{Forwarding, TrustedProxies};
pub(crate) use self::http1_body::{Http1Body, Unread};
pub(crate) use self::load_report::CallReports;
pub(crate) use self::no_status::NoStatusWarnings;
pub(crate) use self::open::OpenCalls;
pub(crate) use self::received::{Receiver, receive};
pub(crate) use self::request_body::{RequestBody, WebBreak};
pub(crate) use self::response_body::ResponseBody;
pub(crate) use self::serve::{refusal, refuse, serve};
pub(crate) use self::slots::{Slot, Slots};
