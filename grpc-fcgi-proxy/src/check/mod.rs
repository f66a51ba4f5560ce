//! `grpc-fcgi-proxy check`: tests a configuration and the way to php-fpm, and says in words what is wrong.
//!
//! Nothing is needed on php-fpm's side. What a pool is set to shows in how php-fpm answers.

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

/// php-fpm answers for itself within this time, if it has a worker free.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Tests everything, and prints what was found.
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

/// Without an answer from php-fpm there is nothing more to test.
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
