//! Protobuf messages as JSON, and gRPC methods as HTTP paths, by descriptor sets and without any I/O.

pub mod json;
pub mod openapi;
pub mod rest;
mod schema;

pub use self::schema::{MessageId, MethodSchema, Schema};
