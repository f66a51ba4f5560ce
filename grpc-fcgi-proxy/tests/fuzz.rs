//! A short run of the properties in `fuzz/`, with the corpus and random mutations of it.
//!
//! PROPTEST_CASES sets the number of mutations.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a test fails by a panic, and the properties are public in fuzz/"
)]

#[path = "../fuzz/src/lib.rs"]
mod properties;

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

const CASES: u32 = 2000;
/// Bytes that have a meaning to some decoder.
const SIGNIFICANT: &[u8] = b"\0\x01\x03\x06\x07\x08\x40\x7f\x80\xff\r\n:,=%0-HSn{}[]\"\\u.e";

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let seeds = std::fs::read_dir(folder.join(target)).unwrap();
    seeds
        .map(|seed| std::fs::read(seed.unwrap().path()).unwrap())
        .collect()
}

/// A seed in which some bytes are replaced by others, or by a part of another seed.
fn mutation(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![any::<u8>(), select(SIGNIFICANT)];
    let part = (select(seeds.clone()), any::<Index>())
        .prop_map(|(seed, from)| seed[from.index(seed.len() + 1)..].to_vec());
    let put = prop_oneof![3 => vec(byte, 0..6), 1 => part];
    let change = (any::<Index>(), 0..6_usize, put);
    (select(seeds), vec(change, 0..5)).prop_map(|(mut bytes, changes)| {
        for (at, length, put) in changes {
            let at = at.index(bytes.len() + 1);
            let end = bytes.len().min(at + length);
            bytes.splice(at..end, put);
        }
        bytes
    })
}

fn check(target: &str, property: fn(&[u8])) {
    let seeds = corpus(target);
    for seed in &seeds {
        property(seed);
    }
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    let held = TestRunner::new(config).run(&mutation(seeds), |input| {
        property(&input);
        Ok(())
    });
    held.unwrap();
}

macro_rules! targets {
    ($($target:ident)*) => {$(
        #[test]
        fn $target() {
            check(stringify!($target), properties::$target::check);
        }
    )*};
}

targets!(frame head json metadata pair record resident timeout trailers);
