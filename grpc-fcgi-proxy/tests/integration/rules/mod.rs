//! The rules of gRPC that the proxy obeys, with a module for each, over a real php-fpm. `script/conformance` runs them and
//! prints a row for each module, with the text of its first line.
//!
//! They come from PROTOCOL-HTTP2, statuscodes, compression, health-checking, server-reflection and
//! http-grpc-status-mapping in <https://github.com/grpc/grpc/tree/master/doc>.

mod rule_01_content_type;
mod rule_02_messages;
mod rule_03_deadline;
mod rule_04_status;
mod rule_05_status_message;
mod rule_06_binary_metadata;
mod rule_07_metadata_names;
mod rule_08_header_lists;
mod rule_09_compression;
mod rule_10_failures;
mod rule_11_ends;
mod rule_12_http_status;
mod rule_13_health;
mod rule_14_reflection;
