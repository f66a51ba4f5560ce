//! The document, and whether its schemas allow what the mapping reads.

mod messages;
mod paths;

use protox::Compiler;

use crate::schema::Schema;

/// A schema of .proto files beside the tests, with their comments. Types of prost would lack the options.
fn schema(files: &[&str]) -> Schema {
    let mut compiler = Compiler::new(["src/openapi/tests", "../../proto"]).unwrap();
    compiler.include_imports(true).include_source_info(true);
    let set = compiler
        .open_files(files)
        .unwrap()
        .encode_file_descriptor_set();
    Schema::read([set.as_slice()]).unwrap()
}
