//! The flags of load reports.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values::duration;

/// The figures do not change more often.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);

/// Load reports to clients: ORCA, gRFC A51.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct LoadReportFlags {
    /// Report the server's load to clients that balance by it, such as Envoy and gRPC's weighted_round_robin (ORCA): in the
    /// trailers of each call, and by the service xds.service.orca.v3.OpenRcaService
    #[arg(long, value_name = "SOURCE")]
    pub(crate) load_reports: Option<LoadSource>,

    /// Shortest time between two reports of that service, at least 100ms; a client may ask for a longer one
    #[arg(
        long,
        value_name = "TIME",
        default_value = "30s",
        requires = "load_reports",
        value_parser = interval
    )]
    pub(crate) load_report_min_interval: Duration,
}

/// Where the figures come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoadSource {
    /// How much of the pool is taken, calls and errors per second, unless scripts report these themselves; and what else
    /// scripts report
    Pool,
    /// Only what scripts report
    Script,
}

fn interval(text: &str) -> Result<Duration, String> {
    let expected = "expected a duration from 100ms up to 1 year, such as 500ms, 30s or 1h";
    let time = duration(text).ok().filter(|time| *time >= LEAST_INTERVAL);
    time.ok_or_else(|| expected.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Config;
    use super::*;

    fn parse(arguments: &[&str]) -> Result<LoadReportFlags, String> {
        let config =
            Config::try_parse_from([&["grpc-fcgi-proxy", "index.php"], arguments].concat());
        config
            .map(|config| config.load_reports)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_reported_by_default() {
        let flags = parse(&[]).unwrap();
        assert_eq!(flags.load_reports, None);
        // gRFC A51: "A minimum reporting interval (30s by default) can be configured".
        assert_eq!(flags.load_report_min_interval, Duration::from_secs(30));
    }

    #[test]
    fn an_invalid_flag_is_refused_with_what_is_expected() {
        for (arguments, expected) in [
            (
                &["--load-reports", "cpu"][..],
                "[possible values: pool, script]",
            ),
            (
                &["--load-report-min-interval", "1s"],
                "--load-reports <SOURCE>",
            ),
            (
                &[
                    "--load-reports",
                    "pool",
                    "--load-report-min-interval",
                    "99ms",
                ],
                "a duration from 100ms up to 1 year",
            ),
        ] {
            let error = parse(arguments).unwrap_err();
            assert!(error.contains(expected), "{arguments:?}: {error}");
        }
    }
}
