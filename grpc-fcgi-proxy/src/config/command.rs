//! The command line: serve, check, or ask for the health.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches, Parser};

use super::{AUX_ADDRESS, Address, Config};

const CHECK: &str = "check";
const CHECK_ABOUT: &str =
    "Check the configuration and the connection to php-fpm, and explain every problem";
const CHECK_LONG_ABOUT: &str = "\
Check the configuration and the connection to php-fpm, and explain every problem: one line for each check, `ok`, \
`warning` or `error`. Exits with status 1 after an error.

It takes the flags of the proxy and can run beside a running proxy, since it binds no port, except that of a \
--resident-address: while the proxy uses it, no resident worker is booted. On each php-fpm it runs the \
entry script and the scripts of the routes once, for the method grpc.fcgi.proxy.Check/Check, which no application \
implements, and the scripts of the auxiliary paths with a GET. It occupies up to --max-exchanges php-fpm workers for \
a moment, or for up to 10 s if php-fpm has to start them. Calls wait meanwhile. On a busy php-fpm it counts too few workers.";

const HEALTH: &str = "health";
const HEALTH_ABOUT: &str = "Ask a running proxy whether it is healthy";
const HEALTH_LONG_ABOUT: &str = "\
Ask a running proxy on the same machine whether it is healthy: prints what /healthz on the auxiliary address answers, and exits \
with status 1 unless that is HTTP status 200 within 5 s. It is for containers, whose images need no curl.";

pub(super) const EXAMPLES: &str = "\
Examples:
  A php-fpm with 8 workers on port 9000, unary calls only:
      grpc-fcgi-proxy --max-exchanges 8 /app/index.php
  Two php-fpms on Unix sockets, with streaming calls, health and metrics:
      grpc-fcgi-proxy -f unix:///run/a.sock -f unix:///run/b.sock --descriptor-set shop.binpb \\
          --ping-path /ping --status-path /status /app/index.php
  Without Envoy in front:
      grpc-fcgi-proxy -a :443 --tls-cert cert.pem --tls-key key.pem /app/index.php
  Check the whole setup:
      grpc-fcgi-proxy check --ping-path /ping --status-path /status /app/index.php

TIME is a number and a unit, such as 500ms, 10s or 1h. A flag overrides its environment variable.";

/// Prefixes the environment variable of each flag: its name in capitals, with `_` for `-`.
const ENVIRONMENT: &str = "GRPC_FCGI_PROXY_";

/// The predecessor's command line, except for the first words `check` and `health`. A script of that name is written `./check`.
#[derive(Clone, Debug)]
pub enum CommandLine {
    /// Serve.
    Serve(Box<Config>),
    /// Check the configuration and the connection to php-fpm.
    Check(Box<Config>),
    /// Ask a running proxy for its health.
    Health(HealthFlags),
}

/// The flags of `health`.
#[derive(Clone, Debug, Parser)]
pub struct HealthFlags {
    /// The proxy's auxiliary address
    #[arg(short = 'x', long, value_name = "HOST:PORT", default_value = AUX_ADDRESS)]
    pub(crate) aux_address: Address,
}

impl CommandLine {
    /// Reads the arguments and the environment.
    ///
    /// # Errors
    ///
    /// If a flag is invalid, or help is requested.
    pub fn read<T>(arguments: impl IntoIterator<Item = T>) -> Result<Self, clap::Error>
    where
        T: Into<OsString> + Clone,
    {
        let matches = command().try_get_matches_from(arguments)?;
        match matches.subcommand() {
            Some((HEALTH, matches)) => Ok(Self::Health(HealthFlags::from_arg_matches(matches)?)),
            Some((_, matches)) => Ok(Self::Check(config(matches)?)),
            None => Ok(Self::Serve(config(&matches)?)),
        }
    }
}

/// Checks what no flag shows alone.
fn config(matches: &ArgMatches) -> Result<Box<Config>, clap::Error> {
    let config = Config::from_arg_matches(matches)?;
    let checked = config.fastcgi.own_params().map(drop);
    match checked.and_then(|()| config.spans().map(drop)) {
        Ok(()) => Ok(Box::new(config)),
        Err(error) => Err(command().error(ErrorKind::ValueValidation, error)),
    }
}

/// All flags and their environment variables, as data: the man page and the shells' completions are made of it.
#[must_use]
pub fn command() -> Command {
    let check = with_environment(Config::command())
        .name(CHECK)
        .about(CHECK_ABOUT)
        .long_about(CHECK_LONG_ABOUT);
    let health = with_environment(HealthFlags::command())
        .name(HEALTH)
        .about(HEALTH_ABOUT)
        .long_about(HEALTH_LONG_ABOUT);
    with_environment(Config::command())
        .args_conflicts_with_subcommands(true)
        .subcommand_negates_reqs(true)
        .disable_help_subcommand(true)
        .subcommand(check)
        .subcommand(health)
}

fn with_environment(command: Command) -> Command {
    command.mut_args(|arg| {
        let name = arg.get_long().unwrap_or(arg.get_id().as_str());
        let variable = format!("{ENVIRONMENT}{}", name.replace('-', "_").to_uppercase());
        arg.env(variable)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(arguments: &[&str]) -> CommandLine {
        CommandLine::read([&["grpc-fcgi-proxy"], arguments].concat()).unwrap()
    }

    #[test]
    fn the_first_word_check_is_a_command() {
        let line = read(&["check", "-f", "tcp://fpm:9000", "/app/index.php"]);
        let CommandLine::Check(config) = line else {
            panic!("{line:?}");
        };
        assert_eq!(config.entry_script, Path::new("/app/index.php"));
        assert_eq!(config.fastcgi.endpoints[0].to_string(), "tcp://fpm:9000");
    }

    #[test]
    fn the_first_word_health_is_a_command_that_needs_no_script() {
        for (arguments, address) in [
            (&["health"][..], "127.0.0.1:7070"),
            (&["health", "-x", ":80"], ":80"),
        ] {
            let line = read(arguments);
            let CommandLine::Health(flags) = line else {
                panic!("{line:?}");
            };
            assert_eq!(flags.aux_address.to_string(), address);
        }
    }

    #[test]
    fn a_script_may_be_named_check() {
        for arguments in [&["./check"][..], &["-a", ":80", "check"]] {
            let line = read(arguments);
            let CommandLine::Serve(config) = line else {
                panic!("{line:?}");
            };
            assert!(config.entry_script.ends_with("check"));
        }
    }

    #[test]
    fn every_flag_has_an_environment_variable() {
        let command = command();
        let variable = |id: &str| {
            let arg = command.get_arguments().find(|arg| arg.get_id() == id);
            arg.unwrap().get_env().unwrap().to_str().unwrap().to_owned()
        };
        for (id, expected) in [
            ("entry_script", "GRPC_FCGI_PROXY_ENTRY_SCRIPT"),
            ("endpoints", "GRPC_FCGI_PROXY_FASTCGI"),
            (
                "max_receive_message_size",
                "GRPC_FCGI_PROXY_MAX_RECEIVE_MESSAGE_SIZE",
            ),
            ("grpc_web", "GRPC_FCGI_PROXY_GRPC_WEB"),
        ] {
            assert_eq!(variable(id), expected);
        }
        let without = command.get_arguments().find(|arg| arg.get_env().is_none());
        assert!(without.is_none(), "{without:?}");
    }

    #[test]
    fn own_params_are_refused_by_both_commands_if_one_occurs_twice() {
        let own = ["--param", "A=1", "--param", "A=2", "index.php"];
        for start in [&["grpc-fcgi-proxy"][..], &["grpc-fcgi-proxy", "check"]] {
            let error = CommandLine::read([start, &own].concat()).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(
                error.to_string().contains("--param A is set twice"),
                "{error}"
            );
        }
    }

    #[test]
    fn both_commands_need_an_entry_script() {
        for arguments in [&["grpc-fcgi-proxy"][..], &["grpc-fcgi-proxy", "check"]] {
            let error = CommandLine::read(arguments).unwrap_err().to_string();
            assert!(error.contains("<ENTRY_SCRIPT>"), "{error}");
        }
    }
}
