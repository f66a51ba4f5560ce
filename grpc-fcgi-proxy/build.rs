//! Generates the Rust code of the health service with protox, so that no protoc is needed.

use std::error::Error;
use std::path::Path;

const FOLDER: &str = "proto";
const FILE: &str = "grpc/health/v1/health.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FOLDER}/{FILE}");
    let mut compiler = protox::Compiler::new([FOLDER])?;
    compiler.open_file(FILE)?;
    let set = Path::new(&std::env::var("OUT_DIR")?).join("health.binpb");
    std::fs::write(set, compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .build_client(false)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
