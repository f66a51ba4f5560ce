//! The permitted callers. The tests of the manifests read the same file: `manifests.py`.

use std::collections::BTreeMap;

/// The permitted calls: caller and callee.
pub(crate) fn permitted() -> Vec<(String, String)> {
    let callers: BTreeMap<String, Vec<String>> =
        serde_json::from_str(include_str!("../callers.json")).unwrap();
    callers
        .into_iter()
        .flat_map(|(callee, callers)| {
            callers
                .into_iter()
                .map(move |caller| (caller, callee.clone()))
        })
        .collect()
}
