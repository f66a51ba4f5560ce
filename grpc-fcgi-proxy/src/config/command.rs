//! What the program is asked to do: to serve, or to check.

use std::ffi::OsString;

use clap::{Command, CommandFactory, FromArgMatches};

use super::Config;

const CHECK: &str = "check";
const CHECK_ABOUT: &str =
    "Tests a configuration and the way to php-fpm, and says in words what is wrong";
const CHECK_LONG_ABOUT: &str = "\
Tests a configuration and the way to php-fpm, and says in words what is wrong: a line for each thing, `ok`, \
`warning` or `error`. Ends with 1 if there is an error.

It takes the flags that the proxy takes, and binds no port, so it can run beside a proxy. On each php-fpm it runs the \
entry script and those of the routes once, for the method grpc.fcgi.proxy.Check/Check, which no application has, and \
those of the auxiliary paths, with a GET. For a moment, or for some 10 s if php-fpm has to start them, it occupies as \
many workers of php-fpm as --max-exchanges says: calls wait meanwhile, and on a busy php-fpm it finds fewer workers \
than there are.";

/// The command line. It is the predecessor's, but for the first word `check`; a script of that name is `./check`.
#[derive(Clone, Debug)]
pub enum CommandLine {
    /// Serve.
    Serve(Box<Config>),
    /// Test the configuration, and what it leads to.
    Check(Box<Config>),
}

impl CommandLine {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// If it is wrong, or asks for help.
    pub fn read<T>(arguments: impl IntoIterator<Item = T>) -> Result<Self, clap::Error>
    where
        T: Into<OsString> + Clone,
    {
        let matches = command().try_get_matches_from(arguments)?;
        match matches.subcommand() {
            Some((_, matches)) => Ok(Self::Check(Box::new(Config::from_arg_matches(matches)?))),
            None => Ok(Self::Serve(Box::new(Config::from_arg_matches(&matches)?))),
        }
    }
}

fn command() -> Command {
    let check = Config::command()
        .name(CHECK)
        .about(CHECK_ABOUT)
        .long_about(CHECK_LONG_ABOUT);
    Config::command()
        .args_conflicts_with_subcommands(true)
        .subcommand_negates_reqs(true)
        .disable_help_subcommand(true)
        .subcommand(check)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(arguments: &[&str]) -> CommandLine {
        CommandLine::read([&["grpc-fcgi-proxy"], arguments].concat()).unwrap()
    }

    #[test]
    fn the_first_word_check_is_the_command() {
        let line = read(&["check", "-f", "tcp://fpm:9000", "/app/index.php"]);
        let CommandLine::Check(config) = line else {
            panic!("{line:?}");
        };
        assert_eq!(config.entry_script, Path::new("/app/index.php"));
        assert_eq!(config.fastcgi.targets[0].to_string(), "tcp://fpm:9000");
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
    fn either_needs_an_entry_script() {
        for arguments in [&["grpc-fcgi-proxy"][..], &["grpc-fcgi-proxy", "check"]] {
            let error = CommandLine::read(arguments).unwrap_err().to_string();
            assert!(error.contains("<ENTRY_SCRIPT>"), "{error}");
        }
    }
}
