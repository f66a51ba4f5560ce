//! `grpc-fcgi-proxy check`: tests a configuration and the connection to php-fpm, and explains every problem.
//!
//! It needs no help from php-fpm's side: it infers a pool's settings from php-fpm's answers.

mod compression;
mod files;
mod pages;
mod reach;
mod report;
mod scripts;
mod settings;
mod workers;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use self::report::{Failures, Report};
use crate::config::Config;
use crate::fastcgi::target::Target;

/// How long an answer may take that needs no script. A php-fpm with a free worker is far faster.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs all checks, and prints their findings.
pub async fn run(config: &Config) -> ExitCode {
    let mut report = Report::default();
    files::check(&mut report, config);
    let mut count = 0;
    for endpoint in &config.fastcgi.endpoints {
        match endpoint.look_up().await {
            Ok(targets) => {
                count += targets.len();
                check_targets(&mut report, config, &targets).await;
            }
            Err(error) => report.error(format!("php-fpm at {endpoint}"), explain_lookup(&error)),
        }
    }
    if let Some(path) = &config.status.status_path {
        for endpoint in config.status.endpoints(&config.fastcgi.endpoints) {
            pages::check_status(&mut report, endpoint, path).await;
        }
    }
    files::check_limit(&mut report, config, count);
    report.exit_code()
}

fn explain_lookup(error: &io::Error) -> String {
    format!("the name has no address ({error}): use a name that this machine can look up")
}

async fn check_targets(report: &mut Report, config: &Config, targets: &[Target]) {
    let mut failures = Failures::new(targets.len());
    for target in targets {
        let subject = format!("php-fpm at {target}");
        match reach::check(target).await {
            Ok(()) => {
                report.ok(subject, "reachable, and speaks FastCGI");
                check_target(report, config, target).await;
            }
            Err(words) => failures.add(subject, words),
        }
    }
    failures.report(report);
}

/// All further checks need an answer from php-fpm.
async fn check_target(report: &mut Report, config: &Config, target: &Target) {
    if let Some(path) = &config.ping_path {
        pages::check_ping(report, target, path).await;
    }
    settings::check(report, target, config.max_receive_message_size).await;
    scripts::check(report, config, target).await;
    workers::check(report, target, config.fastcgi.max_exchanges).await;
}
