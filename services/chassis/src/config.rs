//! The flags that the services share, and their environment variables.
//!
//! One rule names the variables: `--aux-address` of `user` is `USER_AUX_ADDRESS`. Flags take precedence. Values are
//! validated here, before a port is bound.

use std::{net::SocketAddr, time::Duration};

use clap::{Arg, Args, CommandFactory, FromArgMatches};

/// The flags of a server.
#[derive(Debug, Clone, Args)]
pub struct Listen {
    /// Address to listen on
    #[arg(long, short, value_name = "IP:PORT", default_value = "127.0.0.1:9090", value_parser = address)]
    pub address: SocketAddr,

    /// How long calls may take to finish after SIGTERM or SIGINT
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub drain_timeout: Duration,
}

/// The flags of the auxiliary port.
#[derive(Debug, Clone, Args)]
pub(crate) struct Aux {
    /// Address of /healthz and /metrics
    #[arg(long, short = 'x', value_name = "IP:PORT", default_value = "127.0.0.1:11111", value_parser = address)]
    pub(crate) aux_address: SocketAddr,
}

/// Parses the command line and the environment. On an invalid value, prints a hint and exits.
pub fn parse<C: CommandFactory + FromArgMatches>(service: &str) -> C {
    let matches = command::<C>(service).get_matches();
    C::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Adds an environment variable to each flag of a command.
pub(crate) fn command<C: CommandFactory>(service: &str) -> clap::Command {
    let prefix = service.to_uppercase();
    C::command().mut_args(|arg| {
        let name = format!("{prefix}_{}", arg.get_id().as_str().to_uppercase());
        // A value from the environment can be a secret: --help shows only the name.
        let with_env: fn(Arg, String) -> Arg = |arg, name| arg.env(name).hide_env_values(true);
        with_env(arg, name)
    })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected IP:PORT, such as 127.0.0.1:9090 or 0.0.0.0:9090".to_owned())
}

/// Longer durations are mistakes, and would overflow the clock.
const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 3600);

/// Parses a positive duration.
///
/// # Errors
///
/// A hint at the expected format.
pub fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if !time.is_zero() && time <= MAX_DURATION => Ok(time),
        _ => Err(
            "expected a time with a unit, such as 5s, 500ms or 1m 30s, of up to 1 year".to_owned(),
        ),
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
    fn the_defaults_are_the_documented_ones() {
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
    fn an_invalid_value_is_refused_with_an_example() {
        for (flag, value, hint) in [
            ("--address", "9090", "127.0.0.1:9090"),
            ("--aux-address", "localhost:1", "127.0.0.1:9090"),
            ("--drain-timeout", "0s", "5s"),
            ("--drain-timeout", "10", "5s"),
            ("--drain-timeout", "18446744073709551615s", "1 year"),
        ] {
            let error = try_parse(&["cart", flag, value]).unwrap_err().to_string();
            assert!(error.contains(hint) && error.contains(flag), "{error}");
        }
    }
}
