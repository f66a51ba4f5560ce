//! Generates the Rust code of the contracts with protox: a build does not require protoc.

use std::error::Error;

const FOLDERS: [&str; 2] = [".", PROXYS];
/// What the proxy itself serves.
const PROXYS: &str = "../grpc-fcgi-proxy/proto";
const FILES: [&str; 4] = [
    "grpc/testing/test.proto",
    "item/item.proto",
    "order/order.proto",
    "user/user.proto",
];
/// For the clients of tests.
const ORCA: &str = "../grpc-fcgi-proxy/proto/xds/service/orca/v3/orca.proto";

fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
    }
    println!("cargo::rerun-if-changed={PROXYS}");
    let descriptors = protox::compile(FILES.into_iter().chain([ORCA]), FOLDERS)?;
    tonic_prost_build::configure()
        // For the services that stand in for others in tests, which serve some methods only.
        .generate_default_stubs(true)
        .compile_fds(descriptors)?;
    Ok(())
}
