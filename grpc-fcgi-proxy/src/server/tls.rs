//! TLS on the gRPC listener, for use without a proxy such as Envoy in front.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::config::TlsFlags;

/// RFC 9113, 3.2: "The string "h2" identifies the protocol where HTTP/2 uses Transport Layer Security".
const HTTP2: &[u8] = b"h2";
/// For gRPC-Web; RFC 7301, 6.
const HTTP1: &[u8] = b"http/1.1";

/// Reads the files; `None` without TLS. ALPN offers HTTP/1.1 only if it is served.
pub(crate) fn acceptor(flags: &TlsFlags, http1: bool) -> anyhow::Result<Option<TlsAcceptor>> {
    let (Some(cert), Some(key)) = (&flags.tls_cert, &flags.tls_key) else {
        return Ok(None);
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match &flags.tls_client_ca {
        Some(file) => builder.with_client_cert_verifier(client_verifier(file, provider)?),
        None => builder.with_no_client_auth(),
    };
    let private_key = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("{} contains no private key", key.display()))?;
    let mut config = builder
        .with_single_cert(certificates(cert)?, private_key)
        .with_context(|| format!("cannot use {} with {}", cert.display(), key.display()))?;
    config.alpn_protocols = vec![HTTP2.to_vec()];
    if http1 {
        config.alpn_protocols.push(HTTP1.to_vec());
    }
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

fn client_verifier(
    file: &Path,
    provider: Arc<CryptoProvider>,
) -> anyhow::Result<Arc<dyn ClientCertVerifier>> {
    let mut authorities = RootCertStore::empty();
    for certificate in certificates(file)? {
        authorities
            .add(certificate)
            .with_context(|| format!("cannot use {}", file.display()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider)
        .build()
        .with_context(|| format!("cannot use {}", file.display()))
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot read {}", file.display()))?;
    anyhow::ensure!(
        !certificates.is_empty(),
        "{} contains no certificate",
        file.display()
    );
    Ok(certificates)
}
