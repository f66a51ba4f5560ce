//! Writes what a package contains about the flags: man pages, the shells' completions, and the file of environment variables
//! that the service reads.
//!
//! A program of its own, so that the proxy need not contain it.

mod man_page;
mod variables;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use clap_complete::Shell;

const PROGRAM: &str = "grpc-fcgi-proxy";
/// Each has a man page of its own.
const COMMANDS: [&str; 2] = ["check", "health"];

/// Write the man pages, the shells' completions and the list of environment variables of grpc-fcgi-proxy.
#[derive(Debug, Parser)]
struct Arguments {
    /// Folder to write them to; it is created
    folder: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let Arguments { folder } = Arguments::parse();
    write(&folder).with_context(|| format!("cannot write to {}", folder.display()))
}

fn write(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let mut command = grpc_fcgi_proxy::command().name(PROGRAM);
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command, PROGRAM, folder)?;
    }
    fs::write(
        folder.join(format!("{PROGRAM}.default")),
        variables::file(&command),
    )?;
    for name in COMMANDS {
        let command = command.find_subcommand(name);
        let command = command.with_context(|| format!("there is no command {name}"))?;
        fs::write(
            folder.join(format!("{PROGRAM}-{name}.1")),
            man_page::of_command(command, name)?,
        )?;
    }
    fs::write(
        folder.join(format!("{PROGRAM}.1")),
        man_page::of_proxy(command)?,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_names_a_flag() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("new")).unwrap();
        for (name, flag) in [
            ("grpc-fcgi-proxy.1", "\\-\\-drain\\-timeout"),
            ("grpc-fcgi-proxy.1", "GRPC_FCGI_PROXY_DRAIN_TIMEOUT"),
            ("grpc-fcgi-proxy-check.1", "grpc\\-fcgi\\-proxy check"),
            ("grpc-fcgi-proxy-health.1", "\\-\\-aux\\-address"),
            ("grpc-fcgi-proxy.bash", "--drain-timeout"),
            ("_grpc-fcgi-proxy", "--drain-timeout"),
            ("grpc-fcgi-proxy.fish", "drain-timeout"),
            (
                "grpc-fcgi-proxy.default",
                "#GRPC_FCGI_PROXY_DRAIN_TIMEOUT=30s",
            ),
        ] {
            let content = fs::read_to_string(folder.path().join("new").join(name)).unwrap();
            assert!(content.contains(flag), "{name}: {content}");
        }
    }
}
