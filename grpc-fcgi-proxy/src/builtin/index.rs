//! Finds the file of the descriptor sets that declares a name or an extension.
//!
//! A file stays encoded: decoding and encoding it again would lose the options that this program does not know.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use prost::{DecodeError, Message};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    ServiceDescriptorProto,
};

/// The files of the sets, by their declarations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    files: HashMap<String, IndexedFile>,
    /// The file that declares each full name.
    symbols: HashMap<String, String>,
    /// The file that declares each extension, by extended message and number.
    extensions: HashMap<String, BTreeMap<i32, String>>,
    services: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct IndexedFile {
    content: Bytes,
    imports: Vec<String>,
}

/// An import that no set contains.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file} imports {import}, which is in no descriptor set; protoc --include_imports adds it")]
pub(crate) struct MissingImport {
    file: String,
    import: String,
}

/// A FileDescriptorSet whose files stay encoded.
#[derive(Clone, PartialEq, Message)]
struct EncodedSet {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    file: Vec<Bytes>,
}

impl Index {
    /// Adds the files of an encoded FileDescriptorSet. A file that was added before stays as it is.
    pub(super) fn add(&mut self, set: Bytes) -> Result<(), DecodeError> {
        for content in EncodedSet::decode(set)?.file {
            let file = FileDescriptorProto::decode(content.clone())?;
            if !self.files.contains_key(file.name()) {
                self.declare(&file);
                let imports = file.dependency.clone();
                self.files
                    .insert(file.name().to_owned(), IndexedFile { content, imports });
            }
        }
        Ok(())
    }

    /// Whether every imported file was added.
    pub(super) fn check_imports(&self) -> Result<(), MissingImport> {
        for (name, file) in &self.files {
            for import in &file.imports {
                if !self.files.contains_key(import) {
                    return Err(MissingImport {
                        file: name.clone(),
                        import: import.clone(),
                    });
                }
            }
        }
        Ok(())
    }

    /// The full names of the services.
    pub(super) fn services(&self) -> impl Iterator<Item = &str> {
        self.services.iter().map(String::as_str)
    }

    /// The file of this name, and its direct and indirect imports.
    pub(super) fn file(&self, name: &str) -> Option<Vec<Vec<u8>>> {
        let mut names = vec![self.files.get_key_value(name)?.0.as_str()];
        let mut seen = HashSet::from([name]);
        let mut contents = Vec::new();
        while let Some(file) = names.pop().and_then(|name| self.files.get(name)) {
            contents.push(file.content.to_vec());
            names.extend(
                file.imports
                    .iter()
                    .map(String::as_str)
                    .filter(|import| seen.insert(*import)),
            );
        }
        Some(contents)
    }

    /// The same for the file that declares this full name.
    pub(super) fn file_of_symbol(&self, symbol: &str) -> Option<Vec<Vec<u8>>> {
        self.file(self.symbols.get(symbol)?)
    }

    /// The same for the file that declares this extension.
    pub(super) fn file_of_extension(&self, message: &str, number: i32) -> Option<Vec<Vec<u8>>> {
        self.file(self.extensions.get(message)?.get(&number)?)
    }

    /// The numbers of a message's extensions; `None` if the message does not exist.
    pub(super) fn extension_numbers(&self, message: &str) -> Option<Vec<i32>> {
        match self.extensions.get(message) {
            Some(extensions) => Some(extensions.keys().copied().collect()),
            None => self.symbols.contains_key(message).then(Vec::new),
        }
    }

    fn declare(&mut self, file: &FileDescriptorProto) {
        let scope = file.package();
        for message in &file.message_type {
            self.declare_message(file.name(), scope, message);
        }
        for declared in &file.enum_type {
            self.declare_enum(file.name(), scope, declared);
        }
        for extension in &file.extension {
            self.declare_extension(file.name(), scope, extension);
        }
        for service in &file.service {
            self.declare_service(file.name(), scope, service);
        }
    }

    fn declare_message(&mut self, file: &str, scope: &str, message: &DescriptorProto) {
        let scope = &self.declare_name(file, scope, message.name());
        for field in &message.field {
            self.declare_name(file, scope, field.name());
        }
        for oneof in &message.oneof_decl {
            self.declare_name(file, scope, oneof.name());
        }
        for nested in &message.nested_type {
            self.declare_message(file, scope, nested);
        }
        for declared in &message.enum_type {
            self.declare_enum(file, scope, declared);
        }
        for extension in &message.extension {
            self.declare_extension(file, scope, extension);
        }
    }

    /// descriptor.proto: an enum's values are in the scope that the enum is in, "siblings of their type".
    fn declare_enum(&mut self, file: &str, scope: &str, declared: &EnumDescriptorProto) {
        self.declare_name(file, scope, declared.name());
        for value in &declared.value {
            self.declare_name(file, scope, value.name());
        }
    }

    fn declare_extension(&mut self, file: &str, scope: &str, extension: &FieldDescriptorProto) {
        self.declare_name(file, scope, extension.name());
        let message = extension.extendee().trim_start_matches('.').to_owned();
        self.extensions
            .entry(message)
            .or_default()
            .insert(extension.number(), file.to_owned());
    }

    fn declare_service(&mut self, file: &str, scope: &str, service: &ServiceDescriptorProto) {
        let scope = self.declare_name(file, scope, service.name());
        for method in &service.method {
            self.declare_name(file, &scope, method.name());
        }
        self.services.insert(scope);
    }

    fn declare_name(&mut self, file: &str, scope: &str, name: &str) -> String {
        let name = match scope {
            "" => name.to_owned(),
            scope => format!("{scope}.{name}"),
        };
        self.symbols.insert(name.clone(), file.to_owned());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(set: &[u8]) -> Index {
        let mut index = Index::default();
        index.add(Bytes::copy_from_slice(set)).unwrap();
        index
    }

    #[test]
    fn every_kind_of_name_is_found() {
        let health = index(crate::builtin::health::pb::FILE_DESCRIPTOR_SET);
        for symbol in [
            "grpc.health.v1.Health",
            "grpc.health.v1.Health.Check",
            "grpc.health.v1.HealthCheckResponse",
            "grpc.health.v1.HealthCheckResponse.status",
            "grpc.health.v1.HealthCheckResponse.ServingStatus",
            "grpc.health.v1.HealthCheckResponse.SERVING",
        ] {
            assert!(health.file_of_symbol(symbol).is_some(), "{symbol}");
        }
        assert!(health.file_of_symbol("Health").is_none());
        assert_eq!(
            health.services().collect::<Vec<_>>(),
            ["grpc.health.v1.Health"]
        );
    }

    #[test]
    fn bytes_that_are_no_descriptor_set_are_an_error() {
        assert!(
            Index::default()
                .add(Bytes::from_static(b"\x0a\x05ab"))
                .is_err()
        );
        assert!(
            Index::default()
                .add(Bytes::from_static(b"\x0a\x01\xff"))
                .is_err()
        );
    }
}
