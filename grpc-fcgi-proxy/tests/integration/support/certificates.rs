//! An authority and certificates for a test.

use std::path::PathBuf;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// A certificate authority.
#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate with its key, and the files of both.
#[derive(Debug)]
pub(crate) struct CertifiedKey {
    pub(crate) certificate: Certificate,
    pub(crate) key: KeyPair,
    pub(crate) certificate_file: PathBuf,
    pub(crate) key_file: PathBuf,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("ca.pem"),
            pem("CERTIFICATE", certificate.der()),
        )
        .unwrap();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
            folder,
        }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(crate) fn sign(&self, name: &str) -> CertifiedKey {
        self.sign_with(name, |_| {})
    }

    pub(crate) fn sign_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> CertifiedKey {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let write = |kind: &str, text: String| {
            let file = self.folder.path().join(format!("{name}.{kind}.pem"));
            std::fs::write(&file, text).unwrap();
            file
        };
        CertifiedKey {
            certificate_file: write("cert", pem("CERTIFICATE", certificate.der())),
            key_file: write("key", pem("PRIVATE KEY", &key.serialize_der())),
            certificate,
            key,
        }
    }
}

impl CertifiedKey {
    /// The flags that make the proxy serve with it.
    pub(crate) fn flags(&self) -> [&str; 4] {
        [
            "--tls-cert",
            self.certificate_file.to_str().unwrap(),
            "--tls-key",
            self.key_file.to_str().unwrap(),
        ]
    }
}

fn pem(label: &str, content: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(content);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}
