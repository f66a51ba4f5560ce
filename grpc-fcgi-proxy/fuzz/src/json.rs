//! Messages as JSON, both ways.

use std::sync::LazyLock;

use prost::Message;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use protox::{Compiler, Error};
use serde_json::Value;
use transcoding::json::Unknown;
use transcoding::{MessageId, Schema};

/// Has a field of every type and shape, the well-known types among them.
const PROTO: &str = include_str!("../../transcoding/src/json/tests/all.proto");
/// The most bytes of output for a byte of input. The largest is a number of an enum value that has a long name.
const MOST_GROWTH: usize = 64;
/// How deep JSON may be that is read: serde_json's limit is 128.
const DEPTH_READ: usize = 127;

static ALL: LazyLock<(Schema, MessageId)> = LazyLock::new(|| {
    let mut files = ChainFileResolver::new();
    files.add(GoogleFileResolver::new());
    files.add(All);
    let mut compiler = Compiler::with_file_resolver(files);
    compiler
        .include_imports(true)
        .open_file("all.proto")
        .unwrap();
    let set = compiler.file_descriptor_set().encode_to_vec();
    let schema = Schema::read([set.as_slice()]).unwrap();
    let all = schema.message("test.All").unwrap();
    (schema, all)
});

struct All;

impl FileResolver for All {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        match name {
            "all.proto" => File::from_source(name, PROTO),
            _ => Err(Error::file_not_found(name)),
        }
    }
}

/// What is read writes, and reads back equal; nothing grows without a bound.
pub fn check(input: &[u8]) {
    for unknown in [Unknown::Refuse, Unknown::Drop] {
        if let Some(bytes) = read(input, unknown) {
            check_written(&write(&bytes).expect("what was read has JSON"));
        }
    }
    if let Some(json) = write(input) {
        check_written(&json);
    }
}

/// What the proxy writes is JSON, which it reads, and writes again. (The bytes may differ: a Struct has no order.)
fn check_written(json: &[u8]) {
    let text = str::from_utf8(json).expect("JSON is UTF-8");
    // Deeper JSON is refused.
    if json.iter().filter(|byte| b"[{".contains(byte)).count() > DEPTH_READ {
        return;
    }
    serde_json::from_str::<Value>(text).expect("it is JSON");
    let bytes = read(json, Unknown::Refuse).unwrap_or_else(|| panic!("{text} does not read back"));
    let again = write(&bytes).expect("it has JSON");
    assert_eq!(String::from_utf8_lossy(&again), text);
}

fn read(json: &[u8], unknown: Unknown) -> Option<Vec<u8>> {
    let (schema, all) = &*ALL;
    let mut bytes = Vec::new();
    let result = schema.read_json(*all, json, unknown, &mut bytes);
    assert!(bytes.len() <= json.len() * MOST_GROWTH);
    match result {
        Ok(()) => Some(bytes),
        Err(error) => {
            assert!(error.to_string().len() < 2000, "{error}");
            None
        }
    }
}

fn write(bytes: &[u8]) -> Option<Vec<u8>> {
    let (schema, all) = &*ALL;
    let mut json = Vec::new();
    let result = schema.write_json(*all, bytes, &mut json);
    assert!(json.len() <= (bytes.len() + 1) * MOST_GROWTH);
    result.ok().map(|()| json)
}
