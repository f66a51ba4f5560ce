//! Generates the Rust code of the contracts with protox: a build does not require protoc.

use std::error::Error;

const FILES: [&str; 4] = [
    "grpc/testing/test.proto",
    "item/item.proto",
    "order/order.proto",
    "user/user.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(FILES, ["."])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
