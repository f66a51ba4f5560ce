//! The flags that services have in common, and where else their values come from.
//!
//! Every flag is also an environment variable, by one rule: `--aux-address` of `user` is
//! `USER_AUX_ADDRESS`. A flag goes before the environment. Values are checked here, before
//! a port is bound.

use std::{net::SocketAddr, time::Duration};

use clap::{Arg, Args, CommandFactory, FromArgMatches};

/// Where a service listens, and how long it takes to stop.
#[derive(Debug, Clone, Args)]
pub struct Listen {
    /// Address to serve on
    #[arg(long, short, value_name = "IP:PORT", default_value = "127.0.0.1:9090", value_parser = address)]
    pub address: SocketAddr,

    /// How long calls may take to finish after SIGTERM or SIGINT
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub drain_timeout: Duration,
}

/// Where a service is watched.
#[derive(Debug, Clone, Args)]
pub(crate) struct Aux {
    /// Address of /healthz and /metrics
    #[arg(long, short = 'x', value_name = "IP:PORT", default_value = "127.0.0.1:11111", value_parser = address)]
    pub(crate) aux_address: SocketAddr,
}

/// Parses the command line and the environment of the service of that name, or ends the process
/// with what is wrong and what would be right.
pub(crate) fn parse<C: CommandFactory + FromArgMatches>(service: &str) -> C {
    let matches = command::<C>(service).get_matches();
    C::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The command with an environment variable for each flag.
pub(crate) fn command<C: CommandFactory>(service: &str) -> clap::Command {
    let prefix = service.to_uppercase();
    C::command().mut_args(|arg| {
        let name = format!("{prefix}_{}", arg.get_id().as_str().to_uppercase());
        // A value from the environment can be a secret: --help shows only the name.
        let with_env: fn(Arg, String) -> Arg = |arg, name| arg.env(name).hide_env_values(true);
        with_env(arg, name)
    })
}

/// An IP address and a port.
///
/// # Errors
///
/// Says what is expected.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected IP:PORT, such as 127.0.0.1:9090 or 0.0.0.0:9090".to_owned())
}

/// A length of time, more than none.
///
/// # Errors
///
/// Says what is expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("expected a time with its unit, such as 5s, 500ms or 1m 30s".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Config {
        #[command(flatten)]
        listen: Listen,
        #[command(flatten)]
        aux: Aux,
    }

    fn try_parse(args: &[&str]) -> Result<Config, clap::Error> {
        let matches = command::<Config>("cart").try_get_matches_from(args)?;
        Config::from_arg_matches(&matches)
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = try_parse(&["cart"]).unwrap();
        assert_eq!(config.listen.address.to_string(), "127.0.0.1:9090");
        assert_eq!(config.aux.aux_address.to_string(), "127.0.0.1:11111");
        assert_eq!(config.listen.drain_timeout, Duration::from_secs(10));
    }

    #[test]
    fn each_flag_names_its_environment_variable() {
        let help = command::<Config>("cart").render_help().to_string();
        for name in ["CART_ADDRESS", "CART_AUX_ADDRESS", "CART_DRAIN_TIMEOUT"] {
            assert!(help.contains(name), "{name} in {help}");
        }
    }

    #[test]
    fn a_wrong_value_is_refused_with_a_right_one() {
        for (flag, value, hint) in [
            ("--address", "9090", "127.0.0.1:9090"),
            ("--aux-address", "localhost:1", "127.0.0.1:9090"),
            ("--drain-timeout", "0s", "5s"),
            ("--drain-timeout", "10", "5s"),
        ] {
            let error = try_parse(&["cart", flag, value]).unwrap_err().to_string();
            assert!(error.contains(hint) && error.contains(flag), "{error}");
        }
    }
}
