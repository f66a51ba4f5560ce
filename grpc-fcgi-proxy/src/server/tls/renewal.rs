//! Takes up files of TLS that have changed.
//!
//! The content is compared, not the time of a change: Kubernetes renews a Secret by the swap of a symbolic link. inotify would
//! miss changes on network file systems.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Tls;
use super::files::TlsContent;
use crate::metrics::tls::TlsMetrics;

/// How often the files are read.
const INTERVAL: Duration = Duration::from_secs(2);

/// Takes up changed files.
pub(crate) struct Renewal {
    tls: Arc<Tls>,
    metrics: TlsMetrics,
    refused: Option<RefusedFiles>,
}

/// Files that cannot be used.
#[derive(Debug)]
struct RefusedFiles {
    /// `None` if they cannot be read.
    fingerprint: Option<u64>,
    reported: bool,
}

impl Renewal {
    pub(crate) fn new(tls: Arc<Tls>, metrics: TlsMetrics) -> Self {
        metrics.set_expiry(tls.validity().not_after);
        Self {
            tls,
            metrics,
            refused: None,
        }
    }

    /// Reads the files at intervals, and whenever `reload` asks for it.
    pub(crate) async fn follow(mut self, reload: &Notify) -> Infallible {
        loop {
            let asked = tokio::select! {
                () = sleep(INTERVAL) => false,
                () = reload.notified() => true,
            };
            let files = self.tls.files.clone();
            let read = spawn_blocking(move || files.read()).await;
            self.renew(read.map_err(Into::into).flatten(), asked);
        }
    }

    fn renew(&mut self, read: anyhow::Result<TlsContent>, asked: bool) {
        let fingerprint = read.as_ref().ok().map(TlsContent::fingerprint);
        if fingerprint == Some(self.tls.loaded.borrow().fingerprint) && !asked {
            self.refused = None;
            return;
        }
        match self.take_up(read) {
            Ok(()) => self.refused = None,
            Err(error) => {
                // The first look may have come in the middle of a change: a new certificate, and still the old key.
                let before = self.refused.take();
                let before = before.filter(|before| before.fingerprint == fingerprint);
                let reported = before.as_ref().is_some_and(|before| before.reported);
                if asked || (before.is_some() && !reported) {
                    self.metrics.reload_failures.inc();
                    let error = format!("{error:#}");
                    tracing::warn!(
                        error,
                        "cannot use the new TLS files; the old ones stay in use"
                    );
                }
                self.refused = Some(RefusedFiles {
                    fingerprint,
                    reported: asked || before.is_some(),
                });
            }
        }
    }

    /// A certificate that clients would refuse must not replace one that they accept.
    fn take_up(&self, read: anyhow::Result<TlsContent>) -> anyhow::Result<()> {
        let loaded = self.tls.files.load(&read?)?;
        loaded.validity.check(SystemTime::now())?;
        let expires = loaded.validity.not_after;
        self.metrics.set_expiry(expires);
        self.tls.loaded.send_replace(loaded);
        let expires = humantime::format_rfc3339_seconds(expires);
        tracing::info!(%expires, "TLS files reloaded");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use prometheus::Registry;
    use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
    use tempfile::TempDir;

    use super::*;
    use crate::config::TlsFlags;

    struct Files {
        _folder: TempDir,
        flags: TlsFlags,
    }

    /// A certificate and its key.
    type Pair = (String, String);

    impl Files {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = |name| Some(folder.path().join(name));
            let flags = TlsFlags {
                tls_cert: file("tls.crt"),
                tls_key: file("tls.key"),
                tls_client_ca: file("ca.crt"),
                ..TlsFlags::default()
            };
            let files = Self {
                _folder: folder,
                flags,
            };
            files.write(&until(2090));
            write(&files.flags.tls_client_ca, &until(2090).0);
            files
        }

        fn write(&self, (certificate, key): &Pair) {
            write(&self.flags.tls_cert, certificate);
            write(&self.flags.tls_key, key);
        }

        fn renewal(&self) -> Renewal {
            let tls = Tls::read(&self.flags, false).unwrap().unwrap();
            let metrics = TlsMetrics::register(&Registry::new()).unwrap();
            Renewal::new(Arc::new(tls), metrics)
        }
    }

    impl Renewal {
        /// The year in which the certificate in use expires, and the failures.
        fn look(&mut self, asked: bool) -> (u64, u64) {
            self.renew(self.tls.files.read(), asked);
            let year = self.tls.validity().to_string()[..4].parse().unwrap();
            (year, self.metrics.reload_failures.get())
        }
    }

    fn write(file: &Option<PathBuf>, content: &str) {
        fs::write(file.as_ref().unwrap(), content).unwrap();
    }

    fn pair(change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        change(&mut params);
        let certificate = params.self_signed(&key).unwrap();
        (
            pem("CERTIFICATE", certificate.der()),
            pem("PRIVATE KEY", &key.serialize_der()),
        )
    }

    fn until(year: i32) -> Pair {
        pair(|params| params.not_after = date_time_ymd(year, 1, 1))
    }

    fn pem(label: &str, content: &[u8]) -> String {
        let text = BASE64_STANDARD.encode(content);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    }

    #[test]
    fn changed_files_are_taken_up() {
        let files = Files::new();
        let mut renewal = files.renewal();
        assert_eq!(renewal.look(false), (2090, 0));
        files.write(&until(2091));
        assert_eq!(renewal.look(false), (2091, 0));
        let before = renewal.tls.loaded.borrow().fingerprint;
        write(&files.flags.tls_client_ca, &until(2090).0);
        assert_eq!(renewal.look(false), (2091, 0));
        assert_ne!(renewal.tls.loaded.borrow().fingerprint, before);
    }

    #[test]
    fn a_change_that_is_seen_half_done_is_no_failure() {
        let files = Files::new();
        let mut renewal = files.renewal();
        let (certificate, key) = until(2091);
        write(&files.flags.tls_cert, &certificate);
        assert_eq!(renewal.look(false), (2090, 0));
        write(&files.flags.tls_key, &key);
        assert_eq!(renewal.look(false), (2091, 0));
    }

    #[test]
    fn unusable_files_are_refused_and_reported_once() {
        let good = until(2091);
        for (certificate, key) in [
            (until(2092).0, until(2092).1),
            (String::new(), good.1.clone()),
            (good.0.clone(), "no key".to_owned()),
            until(2020),
            pair(|params| params.not_before = date_time_ymd(2090, 1, 1)),
            pair(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
        ] {
            let files = Files::new();
            let mut renewal = files.renewal();
            files.write(&(certificate, key));
            let seen = [false; 4].map(|asked| renewal.look(asked));
            assert_eq!(seen, [(2090, 0), (2090, 1), (2090, 1), (2090, 1)]);
            files.write(&good);
            assert_eq!(renewal.look(false), (2091, 1));
        }
    }

    #[test]
    fn missing_files_are_reported_too() {
        let files = Files::new();
        let mut renewal = files.renewal();
        fs::remove_file(files.flags.tls_client_ca.as_ref().unwrap()).unwrap();
        let seen = [false; 3].map(|asked| renewal.look(asked));
        assert_eq!(seen, [(2090, 0), (2090, 1), (2090, 1)]);
    }

    #[test]
    fn a_failure_is_reported_each_time_that_a_reload_is_asked_for() {
        let files = Files::new();
        let mut renewal = files.renewal();
        files.write(&until(2020));
        let seen = [true, false, true].map(|asked| renewal.look(asked));
        assert_eq!(seen, [(2090, 1), (2090, 1), (2090, 2)]);
    }
}
