//! `grpc-fcgi-proxy check`: tests a configuration and the connection to php-fpm, and explains every problem.
//!
//! It needs no help from php-fpm's side: it infers a pool's settings from php-fpm's answers.

mod files;
mod pages;
mod reach;
mod report;
mod scripts;
mod settings;
mod workers;

use std::process::ExitCode;
use std::time::Duration;

use self::report::Report;
use crate::config::Config;
use crate::fastcgi::target::Target;

/// How long an answer may take that needs no script. A php-fpm with a free worker is far faster.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs all checks, and prints their findings.
pub async fn run(config: &Config) -> ExitCode {
    let mut report = Report::default();
    files::check(&mut report, config);
    let targets = &config.fastcgi.targets;
    for target in targets {
        check_target(&mut report, config, target).await;
    }
    pages::check_status(&mut report, &config.status.pages(targets)).await;
    report.exit_code()
}

/// All further checks need an answer from php-fpm.
async fn check_target(report: &mut Report, config: &Config, target: &Target) {
    if !reach::check(report, target).await {
        return;
    }
    if let Some(path) = &config.ping_path {
        pages::check_ping(report, target, path).await;
    }
    settings::check(report, target, config.max_receive_message_size).await;
    scripts::check(report, config, target).await;
    workers::check(report, target, config.fastcgi.max_exchanges).await;
}
