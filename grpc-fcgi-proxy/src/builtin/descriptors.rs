//! The descriptor sets: the application's services, and the call kind of each method.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use anyhow::Context;
use bytes::Bytes;
use grpc_wire::method::CallKind;
use prost::{DecodeError, Message};
use prost_types::{FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto};
use transcoding::Schema;

use super::index::{Index, MissingImport};
use crate::config::WebFlags;

/// The content of all sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Descriptors {
    pub(crate) kinds: MethodKinds,
    /// The full names of the services.
    pub(crate) services: BTreeSet<String>,
    pub(super) index: Index,
    sets: Vec<Bytes>,
}

impl Descriptors {
    /// Reads the files, each a FileDescriptorSet.
    pub(crate) fn read(files: &[PathBuf]) -> anyhow::Result<Self> {
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

    /// Whether the sets have every file that they import, which reflection needs.
    pub(crate) fn check_imports(&self) -> Result<(), MissingImport> {
        self.index.check_imports()
    }

    /// The messages and methods, for JSON. Without the imports of the sets there are none, unless a protocol needs them.
    pub(crate) fn schema(&self, flags: &WebFlags) -> anyhow::Result<Schema> {
        let schema = Schema::read(self.sets.iter().map(AsRef::as_ref));
        match (schema, flags.needs_schema()) {
            (Err(error), None) => {
                tracing::info!(%error, "JSON is not served: a descriptor set is incomplete");
                Ok(Schema::default())
            }
            (schema, flag) => schema.with_context(|| {
                let flag = flag.unwrap_or_default();
                format!("{flag} needs descriptor sets with their imports: protoc --include_imports")
            }),
        }
    }

    fn add(&mut self, bytes: Bytes) -> Result<(), DecodeError> {
        let set = FileDescriptorSet::decode(bytes.clone())?;
        self.kinds.add(&set);
        self.services.extend(set.file.iter().flat_map(services));
        self.sets.push(bytes.clone());
        self.index.add(bytes)
    }
}

fn services(file: &FileDescriptorProto) -> impl Iterator<Item = String> {
    file.service.iter().map(|service| match file.package() {
        "" => service.name().to_owned(),
        package => format!("{package}.{}", service.name()),
    })
}

/// The call kind of each method.
#[derive(Clone, Debug, Default)]
pub(crate) struct MethodKinds {
    by_path: HashMap<String, CallKind>,
}

impl MethodKinds {
    pub(super) fn add(&mut self, set: &FileDescriptorSet) {
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

    /// Every method's path and kind.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, CallKind)> {
        let methods = self.by_path.iter();
        methods.map(|(path, kind)| (path.as_str(), *kind))
    }

    /// The kind of the method at `path`. A method that is in no descriptor set is unary.
    pub(crate) fn of(&self, path: &str) -> CallKind {
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
