//! The messages, clients and servers generated from the `.proto` files beside this crate.
//!
//! Those files are the one source of the contracts; the PHP classes come from the same ones
//! (`script/protoc`).

/// gRPC's interoperability tests.
#[allow(missing_docs, clippy::too_many_lines, reason = "generated")]
pub mod grpc_testing {
    tonic::include_proto!("grpc.testing");
}

/// Inventory of items.
#[allow(missing_docs, clippy::too_many_lines, reason = "generated")]
pub mod item {
    tonic::include_proto!("item");
}

/// Who has ordered what.
#[allow(missing_docs, clippy::too_many_lines, reason = "generated")]
pub mod order {
    tonic::include_proto!("order");
}

/// Who orders.
#[allow(missing_docs, clippy::too_many_lines, reason = "generated")]
pub mod user {
    tonic::include_proto!("user");
}
