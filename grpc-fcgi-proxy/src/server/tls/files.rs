//! The files of TLS, and the configuration that they make.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::validity::Validity;
use crate::config::TlsFlags;

/// RFC 9113, 3.2: "The string "h2" identifies the protocol where HTTP/2 uses Transport Layer Security".
const HTTP2: &[u8] = b"h2";
/// For gRPC-Web; RFC 7301, 6.
const HTTP1: &[u8] = b"http/1.1";

/// Where the files are.
#[derive(Clone, Debug)]
pub(super) struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
    /// Whether HTTP/1.1 is served: only then does ALPN offer it.
    http1: bool,
}

/// The content of the files at one moment.
#[derive(Hash)]
pub(super) struct TlsContent {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// What the files make.
pub(super) struct LoadedTls {
    pub(super) acceptor: TlsAcceptor,
    pub(super) validity: Validity,
    /// Of the content.
    pub(super) fingerprint: u64,
}

impl TlsFiles {
    /// `None` without TLS.
    pub(super) fn new(flags: &TlsFlags, http1: bool) -> Option<Self> {
        let (Some(certificate), Some(key)) = (&flags.tls_cert, &flags.tls_key) else {
            return None;
        };
        Some(Self {
            certificate: certificate.clone(),
            key: key.clone(),
            client_ca: flags.tls_client_ca.clone(),
            http1,
        })
    }

    pub(super) fn read(&self) -> anyhow::Result<TlsContent> {
        Ok(TlsContent {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            client_ca: self.client_ca.as_deref().map(read).transpose()?,
        })
    }

    pub(super) fn load(&self, content: &TlsContent) -> anyhow::Result<LoadedTls> {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match (&self.client_ca, &content.client_ca) {
            (Some(file), Some(authorities)) => {
                builder.with_client_cert_verifier(client_verifier(file, authorities, provider)?)
            }
            _ => builder.with_no_client_auth(),
        };
        let private_key = PrivateKeyDer::from_pem_slice(&content.key)
            .with_context(|| format!("{} contains no private key", self.key.display()))?;
        let chain = certificates(&self.certificate, &content.certificate)?;
        let unusable = || {
            let (certificate, key) = (self.certificate.display(), self.key.display());
            format!("cannot use {certificate} with {key}")
        };
        let validity = Validity::of(chain.first()).with_context(unusable)?;
        let mut config = builder
            .with_single_cert(chain, private_key)
            .with_context(unusable)?;
        config.alpn_protocols = vec![HTTP2.to_vec()];
        if self.http1 {
            config.alpn_protocols.push(HTTP1.to_vec());
        }
        Ok(LoadedTls {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            validity,
            fingerprint: content.fingerprint(),
        })
    }
}

impl TlsContent {
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn client_verifier(
    file: &Path,
    content: &[u8],
    provider: Arc<CryptoProvider>,
) -> anyhow::Result<Arc<dyn ClientCertVerifier>> {
    let mut authorities = RootCertStore::empty();
    for certificate in certificates(file, content)? {
        authorities
            .add(certificate)
            .with_context(|| format!("cannot use {}", file.display()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider)
        .build()
        .with_context(|| format!("cannot use {}", file.display()))
}

fn certificates(file: &Path, content: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_slice_iter(content)
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("cannot read {}", file.display()))?;
    anyhow::ensure!(
        !certificates.is_empty(),
        "{} contains no certificate",
        file.display()
    );
    Ok(certificates)
}
