//! The document, and whether its schemas allow what the mapping reads.

mod messages;

use prost::Message;

use crate::schema::Schema;

/// A schema of .proto files beside the tests, with their comments.
fn schema(files: &[&str]) -> Schema {
    let set = protox::compile(files, ["src/openapi/tests", "../../proto"]).unwrap();
    Schema::read([set.encode_to_vec().as_slice()]).unwrap()
}
