//! The descriptor sets: which services there are, and what kind each of their methods is.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use anyhow::Context;
use bytes::Bytes;
use grpc_wire::method::CallKind;
use prost::{DecodeError, Message};
use prost_types::{FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto};

use crate::builtin::index::Index;

/// What all sets say together.
#[derive(Clone, Debug, Default)]
pub struct Descriptors {
    /// What kind each method is.
    pub kinds: MethodKinds,
    /// The full names of the services.
    pub services: BTreeSet<String>,
    /// For reflection.
    pub index: Index,
}

impl Descriptors {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// If a file can't be read, or is no descriptor set.
    pub fn read(files: &[PathBuf]) -> anyhow::Result<Self> {
        let mut descriptors = Self::default();
        for file in files {
            let bytes =
                std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            descriptors
                .add(bytes.into())
                .with_context(|| format!("{} is not a FileDescriptorSet", file.display()))?;
        }
        Ok(descriptors)
    }

    fn add(&mut self, bytes: Bytes) -> Result<(), DecodeError> {
        let set = FileDescriptorSet::decode(bytes.clone())?;
        self.kinds.add(&set);
        self.services.extend(set.file.iter().flat_map(services));
        self.index.add(bytes)
    }
}

fn services(file: &FileDescriptorProto) -> impl Iterator<Item = String> {
    file.service.iter().map(|service| match file.package() {
        "" => service.name().to_owned(),
        package => format!("{package}.{}", service.name()),
    })
}

/// What kind each method is, as descriptor sets have it.
#[derive(Clone, Debug, Default)]
pub struct MethodKinds {
    by_path: HashMap<String, CallKind>,
}

impl MethodKinds {
    /// Adds the methods of a set.
    pub fn add(&mut self, set: &FileDescriptorSet) {
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    let package = file.package();
                    let dot = if package.is_empty() { "" } else { "." };
                    let path = format!("/{package}{dot}{}/{}", service.name(), method.name());
                    self.by_path.insert(path, kind(method));
                }
            }
        }
    }

    /// The kind of the method at `path`; one that is in no descriptor set is unary.
    #[must_use]
    pub fn of(&self, path: &str) -> CallKind {
        self.by_path.get(path).copied().unwrap_or_default()
    }
}

fn kind(method: &MethodDescriptorProto) -> CallKind {
    match (method.client_streaming(), method.server_streaming()) {
        (false, false) => CallKind::Unary,
        (true, false) => CallKind::ClientStream,
        (false, true) => CallKind::ServerStream,
        (true, true) => CallKind::BidiStream,
    }
}
