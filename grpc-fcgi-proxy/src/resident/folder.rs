//! The folder of the socket that resident workers connect to.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

const PREFIX: &str = "grpc-fcgi-proxy-";
const SOCKET: &str = "workers.sock";

/// A socket, or a folder with one, which is removed at the end.
#[derive(Debug)]
pub(super) struct Files(pub(super) PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        // It may have been removed already.
        let _ = if self.0.is_dir() {
            fs::remove_dir_all(&self.0)
        } else {
            fs::remove_file(&self.0)
        };
    }
}

/// Makes a folder that others can pass, but not list, with a name that they cannot guess. Returns the path of a socket in
/// it.
pub(super) fn private_folder(random: &[u8]) -> io::Result<(PathBuf, Files)> {
    let parent = match std::env::var_os("RUNTIME_DIRECTORY") {
        Some(folder) => folder.into(),
        None => std::env::temp_dir(),
    };
    remove_dead(&parent);
    let folder = parent.join(format!("{PREFIX}{}", String::from_utf8_lossy(random)));
    DirBuilder::new().mode(0o711).create(&folder)?;
    let files = Files(folder.clone());
    // The umask may have taken more away.
    fs::set_permissions(&folder, Permissions::from_mode(0o711))?;
    Ok((folder.join(SOCKET), files))
}

/// Whether nobody listens on the socket any more.
pub(super) fn is_dead(path: &Path) -> bool {
    UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Removes the folders of own proxies that were killed.
fn remove_dead(parent: &Path) {
    let user = nix::unistd::geteuid().as_raw();
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for entry in entries {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry
                .metadata()
                .is_ok_and(|found| found.is_dir() && found.uid() == user);
        if is_ours && is_dead(&entry.path().join(SOCKET)) {
            drop(Files(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn the_folders_of_proxies_that_were_killed_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let [dead, live, starting, other] = ["dead", "live", "starting", "other"].map(|name| {
            let prefix = if name == "other" { "" } else { PREFIX };
            let folder = parent.path().join(format!("{prefix}{name}"));
            fs::create_dir(&folder).unwrap();
            folder
        });
        drop(UnixListener::bind(dead.join(SOCKET)).unwrap());
        drop(UnixListener::bind(other.join(SOCKET)).unwrap());
        let _listener = UnixListener::bind(live.join(SOCKET)).unwrap();
        remove_dead(parent.path());
        assert!(!dead.exists() && live.exists() && starting.exists() && other.exists());
    }

    #[test]
    fn others_pass_the_folder_but_do_not_list_it() {
        let (path, files) = private_folder(b"0123456789").unwrap();
        let folder = path.parent().unwrap().to_owned();
        let mode = fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o711);
        drop(files);
        assert!(!folder.exists());
    }
}
