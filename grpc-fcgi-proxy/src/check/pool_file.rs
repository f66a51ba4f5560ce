//! php-fpm's own settings of a pool. No answer of php-fpm reveals them, so they are read from its configuration, if a worker
//! is a process of this machine and the files are readable.

use std::fs;
use std::path::{Path, PathBuf};

/// Files that include each other must not be read forever.
const MAX_DEPTH: usize = 8;

/// Settings in seconds; 0 is off, and php-fpm's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PoolFile {
    pub(super) request_terminate_timeout: u64,
    pub(super) process_control_timeout: u64,
    /// By php_admin_value, which a script cannot change.
    pub(super) max_execution_time: u64,
}

impl PoolFile {
    /// The settings of the pool that this process belongs to.
    pub(super) fn of_worker(pid: u32) -> Option<Self> {
        let title = title(pid)?;
        let pool = title.strip_prefix("php-fpm: pool ")?;
        let master = self::title(parent(pid)?)?;
        let file = master.strip_prefix("php-fpm: master process (")?;
        Self::read(Path::new(file.strip_suffix(')')?), pool)
    }

    fn read(file: &Path, pool: &str) -> Option<Self> {
        let mut reader = Reader {
            settings: Self::default(),
            section: String::new(),
            pool,
        };
        reader.read(file, 0)?;
        Some(reader.settings)
    }
}

/// php-fpm's processes set their titles.
fn title(pid: u32) -> Option<String> {
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
    Some(line.trim_end_matches(['\0', ' ']).to_owned())
}

fn parent(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mut lines = status.lines();
    let parent = lines.find_map(|line| line.strip_prefix("PPid:"))?;
    parent.trim().parse().ok()
}

struct Reader<'a> {
    settings: PoolFile,
    section: String,
    pool: &'a str,
}

impl Reader<'_> {
    /// Returns `None` if a file cannot be read.
    fn read(&mut self, file: &Path, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        for line in fs::read_to_string(file).ok()?.lines() {
            // A comment.
            let line = line.split(';').next().unwrap_or_default().trim();
            if let Some(section) = line.strip_prefix('[') {
                section
                    .trim_end_matches(']')
                    .trim()
                    .clone_into(&mut self.section);
            } else if let Some((name, value)) = line.split_once('=') {
                let value = value.trim().trim_matches(['"', '\'']);
                match name.trim() {
                    "include" => self.include(value, depth)?,
                    "request_terminate_timeout" if self.section == self.pool => {
                        self.settings.request_terminate_timeout = seconds(value)?;
                    }
                    "process_control_timeout" if self.section == "global" => {
                        self.settings.process_control_timeout = seconds(value)?;
                    }
                    "php_admin_value[max_execution_time]" if self.section == self.pool => {
                        self.settings.max_execution_time = value.parse().ok()?;
                    }
                    _ => {}
                }
            }
        }
        Some(())
    }

    /// A relative pattern begins at php-fpm's prefix, which is unknown.
    fn include(&mut self, pattern: &str, depth: usize) -> Option<()> {
        if !pattern.starts_with('/') {
            return None;
        }
        let files: Vec<PathBuf> = glob::glob(pattern).ok()?.collect::<Result<_, _>>().ok()?;
        for file in files {
            self.read(&file, depth + 1)?;
        }
        Some(())
    }
}

/// A number with a unit, by default seconds.
fn seconds(value: &str) -> Option<u64> {
    let digits = value.trim_end_matches(['s', 'm', 'h', 'd']);
    let unit = match &value[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    digits.trim().parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)], pool: &str) -> Option<PoolFile> {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display().to_string();
        for (name, text) in files {
            fs::write(folder.path().join(name), text.replace("ROOT", &root)).unwrap();
        }
        PoolFile::read(&folder.path().join("main"), pool)
    }

    #[test]
    fn settings_are_read_from_included_files_and_the_workers_pool() {
        let main = "[global]\nprocess_control_timeout = 20s ; long\n;process_control_timeout = 1\ninclude=ROOT/*.conf\n";
        let pools = "[other]\nrequest_terminate_timeout = 5\n[www]\nrequest_terminate_timeout = \"2m\"\n\
             php_admin_value[max_execution_time] = 30\nphp_value[max_execution_time] = 9\n";
        let files = [("main", main), ("pools.conf", pools)];
        let expected = PoolFile {
            request_terminate_timeout: 120,
            process_control_timeout: 20,
            max_execution_time: 30,
        };
        assert_eq!(read(&files, "www"), Some(expected));
        assert_eq!(
            read(&[("main", "[www]\n")], "www"),
            Some(PoolFile::default())
        );
    }

    #[test]
    fn settings_are_unknown_if_a_file_or_value_is() {
        for text in [
            "include = etc/*.conf",
            "include = ROOT/main",
            "[www]\nrequest_terminate_timeout = ${TIME}",
        ] {
            assert_eq!(read(&[("main", text)], "www"), None, "{text}");
        }
        assert_eq!(read(&[], "www"), None);
        assert_eq!(PoolFile::of_worker(std::process::id()), None);
    }
}
