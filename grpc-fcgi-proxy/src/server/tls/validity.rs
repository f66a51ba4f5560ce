//! When and for what a certificate is valid. rustls checks this for the peer's certificate only, not for its own.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

/// When and for what a certificate is valid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    not_before: SystemTime,
    pub(crate) not_after: SystemTime,
    for_servers: bool,
}

/// Why clients refuse a certificate.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("the certificate expired on {}", humantime::format_rfc3339_seconds(*.0))]
    Expired(SystemTime),
    #[error("the certificate is not valid before {}", humantime::format_rfc3339_seconds(*.0))]
    NotYet(SystemTime),
    #[error("the certificate's extended key usage does not include servers")]
    NotForServers,
}

impl Validity {
    pub(super) fn of(certificate: Option<&CertificateDer<'_>>) -> anyhow::Result<Self> {
        let certificate = certificate.context("no certificate")?;
        let (_, certificate) = X509Certificate::from_der(certificate)?;
        let usage = certificate.extended_key_usage()?;
        let validity = certificate.validity();
        Ok(Self {
            not_before: time(validity.not_before),
            not_after: time(validity.not_after),
            // RFC 5280, 4.2.1.12: without the extension, any use.
            for_servers: usage.is_none_or(|usage| usage.value.any || usage.value.server_auth),
        })
    }

    /// Whether clients accept the certificate now, as far as it can be seen from it alone.
    pub(crate) fn check(&self, now: SystemTime) -> Result<(), Invalid> {
        if now > self.not_after {
            Err(Invalid::Expired(self.not_after))
        } else if now < self.not_before {
            Err(Invalid::NotYet(self.not_before))
        } else if !self.for_servers {
            Err(Invalid::NotForServers)
        } else {
            Ok(())
        }
    }
}

/// The end.
impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_seconds(self.not_after).fmt(f)
    }
}

/// RFC 5280, 4.1.2.5: from 1950 to 9999. None before 1970 matters here.
fn time(time: ASN1Time) -> SystemTime {
    let seconds = u64::try_from(time.timestamp()).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(seconds)
}
