//! The files and folders of a run.

use std::path::{Path, PathBuf};

use super::backend::Backend;

/// Programs, PHP files, and the folder for the files of a run.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// For configuration, sockets and logs; script/bench removes it.
    pub(crate) folder: PathBuf,
    /// The proxy's program.
    pub(crate) proxy: PathBuf,
    pub(crate) envoy: PathBuf,
    pub(crate) nginx: PathBuf,
    /// The user of the workers of php-fpm and nginx.
    pub(crate) user: String,
    /// The PHP files of an earlier revision.
    pub(crate) php_before: Option<PathBuf>,
}

impl Paths {
    /// The folder of the PHP files.
    pub(super) fn php(&self, backend: Backend) -> PathBuf {
        match (&self.php_before, backend) {
            (Some(before), Backend::PhpFpmBefore) => before.clone(),
            _ => self.root.join("php"),
        }
    }

    /// The script that php-fpm runs.
    pub(crate) fn script(&self, backend: Backend) -> PathBuf {
        self.php(backend).join(match backend {
            Backend::Nothing => "fixtures/nothing.php",
            Backend::SlowBoot => "fixtures/slow_boot.php",
            Backend::Counted => "fixtures/soak.php",
            _ => "item/index.php",
        })
    }

    /// The descriptor set of the item application.
    pub(crate) fn item_descriptors(&self) -> PathBuf {
        self.root.join("php/generated/descriptor-set.binpb")
    }

    /// The SQLite file of the application.
    pub(super) fn database(&self, backend: Backend) -> PathBuf {
        self.folder.join(match backend {
            Backend::Counted => "soak.sqlite",
            _ => "item.sqlite",
        })
    }
}

pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}
