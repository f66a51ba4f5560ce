//! `grpc-fcgi-proxy check`: tests a configuration and the connection to php-fpm, and explains every problem.
//!
//! It needs no help from php-fpm's side: it infers a pool's settings from php-fpm's answers. Only what limits the life of
//! resident workers it reads from php-fpm's configuration, where it can.

mod compression;
mod files;
mod pages;
mod pool_file;
mod reach;
mod report;
mod resident;
mod resident_failure;
mod scripts;
mod settings;
mod workers;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use self::report::{Failures, Report};
use self::resident::Residents;
use self::workers::{Need, Others};
use crate::config::Config;
use crate::fastcgi::endpoint::Endpoint;
use crate::fastcgi::target::Target;

/// How long an answer may take that needs no script. A php-fpm with a free worker is far faster.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs all checks, and prints their findings.
pub async fn run(config: &Config) -> ExitCode {
    let mut report = Report::default();
    files::check(&mut report, config);
    let residents = Residents::of(&mut report, config).await;
    let own_pools = &config.resident.resident_fastcgi;
    let mut checks = Checks {
        report: &mut report,
        config,
        residents: residents.as_ref(),
    };
    let mut count = 0;
    for endpoint in &config.fastcgi.endpoints {
        count += checks.check_endpoint(endpoint, Pool::of(config)).await;
    }
    for endpoint in own_pools {
        count += checks.check_endpoint(endpoint, Pool::ResidentWorkers).await;
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

/// What the workers of a php-fpm are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pool {
    /// Each script is run by a request of its own.
    Scripts,
    ResidentWorkers,
    /// Both.
    Shared,
}

impl Pool {
    /// Of the php-fpm at `--fastcgi`.
    fn of(config: &Config) -> Self {
        match config.resident.resident_workers {
            Some(_) if config.resident.resident_fastcgi.is_empty() => Self::Shared,
            _ => Self::Scripts,
        }
    }
}

/// The checks of php-fpm.
struct Checks<'a> {
    report: &'a mut Report,
    config: &'a Config,
    residents: Option<&'a Residents>,
}

impl Checks<'_> {
    /// Returns the number of addresses.
    async fn check_endpoint(&mut self, endpoint: &Endpoint, pool: Pool) -> usize {
        match endpoint.look_up().await {
            Ok(targets) => {
                self.check_targets(&targets, pool).await;
                targets.len()
            }
            Err(error) => {
                let subject = format!("php-fpm at {endpoint}");
                self.report.error(subject, explain_lookup(&error));
                0
            }
        }
    }

    async fn check_targets(&mut self, targets: &[Target], pool: Pool) {
        let mut failures = Failures::new(targets.len());
        for target in targets {
            let subject = format!("php-fpm at {target}");
            match reach::check(target).await {
                Ok(()) => {
                    self.report.ok(subject, "reachable, and speaks FastCGI");
                    self.check_target(target, pool).await;
                }
                Err(words) => failures.add(subject, words),
            }
        }
        failures.report(self.report);
    }

    /// All further checks need an answer from php-fpm.
    async fn check_target(&mut self, target: &Target, pool: Pool) {
        let (report, config) = (&mut *self.report, self.config);
        if pool != Pool::ResidentWorkers {
            if let Some(path) = &config.ping_path {
                pages::check_ping(report, target, path).await;
            }
            settings::check(report, target, config.max_receive_message_size).await;
            scripts::check(report, config, target).await;
        }
        let residents = self.residents.filter(|_| pool != Pool::Scripts);
        if let Some(residents) = residents {
            residents.check(report, target).await;
        }
        let has_own_calls = residents.is_none()
            || (pool == Pool::Shared
                && !(config.resident.resident_exclude.is_empty() && config.aux_path.is_empty()));
        let need = Need {
            resident_workers: residents.map_or(0, Residents::occupied),
            others: match has_own_calls {
                true => Others::Exchanges(config.fastcgi.max_exchanges),
                false => Others::Pages,
            },
        };
        workers::check(report, target, need).await;
    }
}
