//! Whether resident workers boot and connect, and whether php-fpm lets them live.

use std::time::Duration;

use tokio::time::Instant;

use super::pool_file::PoolFile;
use super::report::Report;
use super::resident_failure as failure;
use crate::binding::route::Script;
use crate::config::Config;
use crate::fastcgi::endpoint::Endpoint;
use crate::fastcgi::target::Target;
use crate::php_fpm::page::{Page, PageError};
use crate::resident::WorkerListener;
use crate::resident::limits::ResidentLimits;
use crate::resident::trial::{Guest, Trial, Trials};

/// How long a script may go on after its connection was closed.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// What the checks of resident workers need.
#[derive(Debug)]
pub(super) struct Residents {
    limits: ResidentLimits,
    scripts: Vec<Script>,
    trials: Option<Trials>,
}

impl Residents {
    /// `None` without resident workers.
    pub(super) async fn of(report: &mut Report, config: &Config) -> Option<Self> {
        let limits = config.resident_limits()?;
        let address = config.resident.resident_address.as_ref();
        let trials = match WorkerListener::bind(address).await {
            Ok(listener) => Some(Trials::begin(listener)),
            Err(error) => {
                failure::report_bind(report, address.map(Endpoint::to_string).as_deref(), &error);
                None
            }
        };
        Some(Self {
            limits,
            scripts: config.resident_scripts(),
            trials,
        })
    }

    /// How many workers of a php-fpm they occupy.
    pub(super) fn occupied(&self) -> usize {
        self.limits.workers * self.scripts.len()
    }

    /// Boots one worker of each script.
    pub(super) async fn check(&self, report: &mut Report, target: &Target) {
        let Some(trials) = &self.trials else {
            return;
        };
        let address = match trials.address(target).await {
            Ok(address) => address,
            Err(error) => return failure::report_address(report, target, &error),
        };
        let mut pool_is_known = false;
        for script in &self.scripts {
            let subject = format!("resident worker of {}", script.filename());
            // check::scripts reports the error.
            let Ok(script) = script.current() else {
                continue;
            };
            let began = Instant::now();
            match trials.boot(target, &script, &address, &self.limits).await {
                Trial::Connected(guest) => {
                    let time = began.elapsed().as_millis();
                    report.ok(
                        &subject,
                        format_args!("boots in {time} ms, and connects to {address}"),
                    );
                    if !pool_is_known {
                        report_pool(report, self.limits.max_age, &guest);
                        pool_is_known = true;
                    }
                    report_end(report, &subject, guest.dismiss(END_TIMEOUT).await);
                }
                Trial::Ended(ended) => {
                    report.error(subject, failure::explain_end(&ended, &address));
                }
                Trial::Timeout => report.error(
                    subject,
                    failure::explain_timeout(self.limits.boot_timeout, &address),
                ),
                Trial::Failed(error) => report.error(subject, error),
            }
        }
    }
}

fn report_end(report: &mut Report, subject: &str, ended: Option<Result<Page, PageError>>) {
    match ended {
        Some(ended) => {
            if let Some(words) = failure::explain_fatal(&ended) {
                report.error(subject, words);
            }
        }
        None => report.warning(
            subject,
            format_args!(
                "goes on {} s after its connection was closed, and so occupies a worker of php-fpm: let its script end",
                END_TIMEOUT.as_secs()
            ),
        ),
    }
}

/// php-fpm's settings that limit the life of a worker.
fn report_pool(report: &mut Report, max_age: Option<Duration>, guest: &Guest<'_>) {
    let (life, reload) = ("request_terminate_timeout", "process_control_timeout");
    let Some(pool) = PoolFile::of_worker(guest.pid()) else {
        let text = "unknown, since php-fpm's configuration cannot be read here: make sure that it is 0, its default, in \
                    the pool";
        report.warning(life, text);
        let text = "unknown, since php-fpm's configuration cannot be read here: make sure that it is longer than calls \
                    take, in php-fpm's section [global]; its default is 0";
        return report.warning(reload, text);
    };
    if pool.max_execution_time > 0 {
        report.error(
            "max_execution_time",
            format_args!(
                "{} s by php_admin_value, so PHP ends each resident worker when its calls have taken this CPU time \
                 together: set it with php_value or in php.ini, so that it holds for each call",
                pool.max_execution_time
            ),
        );
    }
    match pool.request_terminate_timeout {
        0 => report.ok(life, "off"),
        // Ages vary.
        limit if max_age.is_some_and(|age| age.mul_f64(1.1) < Duration::from_secs(limit)) => {
            report.warning(
                life,
                format_args!(
                    "{limit} s: longer than --resident-max-age, but calls that still run at that age of their worker \
                     fail: set it to 0 in the pool"
                ),
            );
        }
        limit => report.error(
            life,
            format_args!(
                "{limit} s, so php-fpm kills each resident worker at this age, and its calls fail: set it to 0 in the \
                 pool, or --resident-max-age to less"
            ),
        ),
    }
    match pool.process_control_timeout {
        0 => report.warning(
            reload,
            "0, so a reload or stop of php-fpm kills the resident workers at once, and their calls fail: set it to \
             longer than calls take, in php-fpm's section [global]",
        ),
        limit => report.ok(
            reload,
            format_args!("{limit} s: calls that take longer fail when php-fpm is reloaded or stopped"),
        ),
    }
}
