//! `/etc/default/grpc-fcgi-proxy`: the environment variable of each flag, commented out, with its default or an example.

use std::fmt::Write;

use clap::{Arg, ArgAction, Command};

const HEAD: &str = "\
# The flags of grpc-fcgi-proxy.service, as environment variables: remove the # in front of those that you set.
# `systemctl restart grpc-fcgi-proxy` takes up a change, and `man grpc-fcgi-proxy` explains the flags.
# The service needs GRPC_FCGI_PROXY_ENTRY_SCRIPT. A flag that takes no value is set with true.
";
const WIDTH: usize = 100;

pub(crate) fn file(command: &Command) -> String {
    let mut file = HEAD.to_owned();
    let mut heading = None;
    for arg in command.get_arguments() {
        if arg.get_help_heading() != heading {
            heading = arg.get_help_heading();
            let _ = write!(file, "\n## {}\n", heading.unwrap_or("Others"));
        }
        // --help and --version do not serve.
        if let Some(variable) = arg.get_env().filter(|_| is_setting(arg)) {
            let _ = write!(
                file,
                "\n{}#{}={}\n",
                comment(arg),
                variable.display(),
                value(arg)
            );
        }
    }
    file
}

fn is_setting(arg: &Arg) -> bool {
    matches!(
        arg.get_action(),
        ArgAction::Set | ArgAction::Append | ArgAction::SetTrue
    )
}

/// The flag's help, in lines that fit.
fn comment(arg: &Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let mut comment = String::new();
    let mut line = "#".to_owned();
    for word in help.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            comment += &line;
            comment.push('\n');
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line += word;
    }
    comment + &line + "\n"
}

fn value(arg: &Arg) -> String {
    let default = arg
        .get_default_values()
        .first()
        .map(|value| value.display().to_string());
    let name = arg.get_value_names().and_then(<[_]>::first);
    match arg.get_action() {
        ArgAction::SetTrue => "true".to_owned(),
        _ => default.unwrap_or_else(|| name.map(ToString::to_string).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_has_one_line_which_is_commented_out() {
        let command = grpc_fcgi_proxy::command();
        let file = file(&command);
        assert!(
            file.lines()
                .all(|line| line.is_empty() || line.starts_with('#'))
        );
        for arg in command.get_arguments() {
            let start = format!("#{}=", arg.get_env().unwrap().display());
            let lines = file.lines().filter(|line| line.starts_with(&start)).count();
            assert_eq!(lines, 1, "{start}");
        }
    }

    #[test]
    fn a_line_has_the_default_or_the_form_of_the_value() {
        let file = file(&grpc_fcgi_proxy::command());
        for line in [
            "#GRPC_FCGI_PROXY_ENTRY_SCRIPT=ENTRY_SCRIPT",
            "#GRPC_FCGI_PROXY_ADDRESS=127.0.0.1:8080",
            "#GRPC_FCGI_PROXY_PING_PATH=/PATH",
            "#GRPC_FCGI_PROXY_REQUIRE_STATUS=true",
        ] {
            assert!(file.lines().any(|seen| seen == line), "{line} in {file}");
        }
    }
}
