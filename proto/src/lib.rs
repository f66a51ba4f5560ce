//! The messages, clients and servers generated from the `.proto` files in this crate's folder.
//!
//! These files are the only source of the contracts: `script/protoc` generates the PHP classes from them too.

/// gRPC's interoperability tests.
#[allow(missing_docs, clippy::too_many_lines, reason = "generated")]
pub mod grpc_testing {
    tonic::include_proto!("grpc.testing");
}

/// The common types of other contracts.
pub mod google {
    /// Amounts of money.
    #[allow(missing_docs, clippy::too_many_lines, reason = "generated")]
    pub mod r#type {
        tonic::include_proto!("google.r#type");
    }
}

/// The inventory of items.
#[allow(missing_docs, clippy::too_many_lines, reason = "generated")]
pub mod item {
    tonic::include_proto!("item");
}

/// The orders of the users.
#[allow(missing_docs, clippy::too_many_lines, reason = "generated")]
pub mod order {
    tonic::include_proto!("order");
}

/// The users, who order items.
#[allow(missing_docs, clippy::too_many_lines, reason = "generated")]
pub mod user {
    tonic::include_proto!("user");
}

/// Load reports: what the proxy serves out of band, and the message of all reports.
#[allow(missing_docs, clippy::too_many_lines, reason = "generated")]
pub mod xds {
    pub mod data {
        pub mod orca {
            pub mod v3 {
                tonic::include_proto!("xds.data.orca.v3");
            }
        }
    }
    pub mod service {
        pub mod orca {
            pub mod v3 {
                tonic::include_proto!("xds.service.orca.v3");
            }
        }
    }
}
