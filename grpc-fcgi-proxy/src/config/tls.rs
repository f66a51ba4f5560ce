//! The flags of TLS.

use std::path::PathBuf;

use clap::Args;
use ipnet::IpNet;

use super::values::network;

/// TLS on the gRPC listener.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TlsFlags {
    /// Serve gRPC over TLS: PEM file of the certificate and its intermediate certificates; changed files are taken up, and at once after SIGHUP
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// PEM file of the private key of --tls-cert
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Require client certificates: PEM file of the authorities that sign them
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_client_ca: Option<PathBuf>,

    /// Network of proxies in front, such as 10.0.0.0/8, whose x-forwarded-for names the client (REMOTE_ADDR), and whose
    /// x-forwarded-client-cert reaches PHP; that of others is removed. Without this flag, REMOTE_ADDR is the peer of the
    /// connection, and the field passes from everyone. Repeatable, or separated by commas
    #[arg(long, value_name = "CIDR", value_delimiter = ',', value_parser = network)]
    pub(crate) trusted_proxy: Vec<IpNet>,
}
