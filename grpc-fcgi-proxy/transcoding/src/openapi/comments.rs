//! The comments of the .proto files, where a descriptor set has source info.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, FileDescriptor};

/// The comment of each declaration.
pub(super) struct Comments(HashMap<(String, Vec<i32>), String>);

impl Comments {
    pub(super) fn of(pool: &DescriptorPool) -> Self {
        Self(pool.files().flat_map(|file| of_file(&file)).collect())
    }

    /// That of the declaration at a path of SourceCodeInfo.
    pub(super) fn get(&self, file: &FileDescriptor, path: &[i32]) -> Option<&str> {
        let key = (file.name().to_owned(), path.to_vec());
        self.0.get(&key).map(String::as_str)
    }
}

fn of_file(file: &FileDescriptor) -> Vec<((String, Vec<i32>), String)> {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let locations = info.into_iter().flat_map(|info| &info.location);
    locations
        .filter_map(|location| {
            let comments = [location.leading_comments(), location.trailing_comments()];
            let comment = comments
                .into_iter()
                .map(text)
                .find(|text| !text.is_empty())?;
            Some(((file.name().to_owned(), location.path.clone()), comment))
        })
        .collect()
}

/// Without the space behind each `//`.
fn text(comment: &str) -> String {
    let lines = comment.lines();
    let lines: Vec<_> = lines
        .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end())
        .collect();
    lines.join("\n").trim_matches('\n').to_owned()
}
