//! A hosts file for one proxy.

use std::fs;

use tempfile::TempDir;
use tokio::process::Command;

/// Mounts the files, and becomes the program.
const MOUNT: &str = "mount --bind \"$0/hosts\" /etc/hosts && \
                     mount --bind \"$0/nsswitch.conf\" /etc/nsswitch.conf && exec \"$@\"";

#[derive(Debug)]
pub(crate) struct Hosts(TempDir);

impl Hosts {
    /// `name` has these addresses.
    pub(crate) fn new(name: &str, addresses: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Without DNS.
        fs::write(folder.path().join("nsswitch.conf"), "hosts: files\n").unwrap();
        let hosts = Self(folder);
        hosts.set(name, addresses);
        hosts
    }

    /// Changes the addresses.
    pub(crate) fn set(&self, name: &str, addresses: &[&str]) {
        let lines = addresses
            .iter()
            .map(|address| format!("{address} {name}\n"));
        // The mounted file must stay the same one.
        fs::write(self.0.path().join("hosts"), lines.collect::<String>()).unwrap();
    }

    /// The proxy's program with this hosts file, in a mount namespace that needs no privilege.
    pub(crate) fn program(&self) -> Command {
        let mut program = Command::new("unshare");
        program
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", MOUNT])
            .arg(self.0.path())
            .arg(env!("CARGO_BIN_EXE_grpc-fcgi-proxy"));
        program
    }
}
