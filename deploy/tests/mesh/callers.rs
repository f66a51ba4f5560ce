//! The permitted callers. The tests of the manifests read the same file: `manifests.py`.

use std::collections::BTreeMap;

/// The only permitted caller of each app that has one: caller and callee.
pub(crate) fn permitted() -> Vec<(String, String)> {
    let callers: BTreeMap<String, String> =
        serde_json::from_str(include_str!("../callers.json")).unwrap();
    callers
        .into_iter()
        .map(|(callee, caller)| (caller, callee))
        .collect()
}
