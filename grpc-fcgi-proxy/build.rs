//! Generates the Rust code of the proxy's own services with protox, so that no protoc is needed.

use std::error::Error;
use std::path::Path;

const FOLDER: &str = "proto";
/// A descriptor set for each service, which reflection serves only with it.
const SERVICES: [(&str, &str); 2] = [
    ("health.binpb", "grpc/health/v1/health.proto"),
    ("orca.binpb", "xds/service/orca/v3/orca.proto"),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FOLDER}");
    for (set, file) in SERVICES {
        let mut compiler = protox::Compiler::new([FOLDER])?;
        compiler.include_imports(true).open_file(file)?;
        let set = Path::new(&std::env::var("OUT_DIR")?).join(set);
        std::fs::write(set, compiler.encode_file_descriptor_set())?;
        tonic_prost_build::configure()
            .build_client(false)
            .compile_fds(compiler.file_descriptor_set())?;
    }
    Ok(())
}
