//! The memory of translating a long list. A program of its own, since it counts all allocations.

#![allow(missing_docs, reason = "a test")]

use peak_alloc::PeakAlloc;
use prost::Message;
use transcoding::Schema;
use transcoding::json::Unknown;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Beside the input.
fn peak(translate: impl FnOnce() -> Vec<u8>) -> (usize, Vec<u8>) {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let result = translate();
    (ALLOCATOR.peak_usage() - before, result)
}

#[test]
fn a_list_takes_at_most_four_times_its_length_both_ways() {
    let set = protox::compile(["all.proto"], ["src/json/tests"]).unwrap();
    let schema = Schema::read([set.encode_to_vec().as_slice()]).unwrap();
    let id = schema.message("test.All").unwrap();
    let elements =
        (1..20_000).map(|index| format!(r#"{{"anInt32":{index},"aString":"element {index}"}}"#));
    let text = format!(r#"{{"list":[{}]}}"#, elements.collect::<Vec<_>>().join(","));
    let (reading, message) = peak(|| {
        let mut message = Vec::with_capacity(text.len());
        let read = schema.read_json(id, text.as_bytes(), Unknown::Refuse, &mut message);
        read.unwrap();
        message
    });
    assert!(text.len() + reading <= 4 * text.len(), "{reading} B");
    let (writing, json) = peak(|| {
        let mut json = Vec::with_capacity(message.len() * 3 / 2);
        schema.write_json(id, &message, &mut json).unwrap();
        json
    });
    assert!(json == text.as_bytes(), "another text");
    assert!(message.len() + writing <= 4 * text.len(), "{writing} B");
}
