//! The files that the proxy itself reads.

use std::slice::from_ref;
use std::time::SystemTime;

use super::report::Report;
use crate::builtin::descriptors::Descriptors;
use crate::config::Config;
use crate::server::{Rest, Tls};
use crate::system_limits::OpenFiles;

/// The number of file descriptors that the flags need, compared with the limit of this process.
pub(super) fn check_limit(report: &mut Report, config: &Config, targets: usize) {
    let files = OpenFiles::new(config, targets);
    let (needed, limit) = (files.needed(), files.limit);
    let subject = "file descriptors";
    if needed <= limit {
        return report.ok(
            subject,
            format_args!("the flags need up to {needed}, and the limit is {limit}"),
        );
    }
    report.warning(
        subject,
        format_args!(
            "the flags need up to {needed}, but the limit is {limit}, so only {} client connections are accepted: raise \
             the hard limit (ulimit -Hn, LimitNOFILE), or lower --max-connections or --max-exchanges",
            files.connections()
        ),
    );
}

pub(super) fn check(report: &mut Report, config: &Config) {
    check_descriptor_sets(report, config);
    check_tls(report, config);
}

fn check_descriptor_sets(report: &mut Report, config: &Config) {
    for file in &config.descriptor_set {
        let subject = format!("descriptor set {}", file.display());
        match Descriptors::read(from_ref(file)) {
            Ok(set) if set.services.is_empty() => report.warning(subject, "contains no service"),
            Ok(set) => {
                let services: Vec<_> = set.services.into_iter().collect();
                report.ok(subject, format_args!("contains {}", services.join(", ")));
            }
            Err(error) => report.error(subject, format_args!("{error:#}")),
        }
    }
    // An unreadable file was reported above.
    let Ok(all) = Descriptors::read(&config.descriptor_set) else {
        return;
    };
    if config.web.needs_schema().is_some() {
        let rest = all
            .schema(&config.web)
            .and_then(|schema| Rest::new(&config.web, &schema));
        if let Err(error) = rest {
            report.error("JSON", format_args!("{error:#}"));
        }
    }
    if config.reflection() {
        match all.check_imports() {
            Ok(()) => report.ok(
                "reflection",
                "the descriptor sets contain every file that they import",
            ),
            Err(error) => report.error(
                "reflection",
                format_args!("{error}, or turn reflection off with --no-reflection"),
            ),
        }
    }
}

fn check_tls(report: &mut Report, config: &Config) {
    let Some(certificate) = &config.tls.tls_cert else {
        return;
    };
    let subject = format!("TLS certificate {}", certificate.display());
    match Tls::read(&config.tls, config.web.any()) {
        Ok(Some(tls)) => match tls.validity().check(SystemTime::now()) {
            Ok(()) => report.ok(
                subject,
                format_args!("usable with its private key until {}", tls.validity()),
            ),
            Err(error) => report.error(subject, error),
        },
        Ok(None) => {}
        Err(error) => report.error(subject, format_args!("{error:#}")),
    }
}
