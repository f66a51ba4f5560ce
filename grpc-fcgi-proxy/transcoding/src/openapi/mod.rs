//! REST paths as an OpenAPI 3.1 document: <https://spec.openapis.org/oas/v3.1.1.html>.
//!
//! A schema allows what the mapping of JSON reads, and so more than it writes: null for a field that is not set, integers as
//! numbers and as strings, the numbers of enum values. Its writer is serde_json: the crates of OpenAPI types have no place
//! for several keywords that these schemas need, such as propertyNames and contentEncoding.

mod comments;
mod messages;
mod scalars;
mod schemas;
#[cfg(test)]
mod tests;
mod well_known;
