//! The metrics of a pod.

use crate::pods::{address, curl};

/// The sum of the pod's series of this metric whose labels contain all of `labels`.
pub(crate) fn sum(pod: &str, name: &str, labels: &[&str]) -> f64 {
    let (status, text) = curl(&format!("http://{}:6060/metrics", address(pod)), &[]);
    assert_eq!(status, 200);
    let series = text.lines().filter_map(|line| {
        let (of, value) = line
            .strip_prefix(name)?
            .strip_prefix('{')?
            .rsplit_once("} ")?;
        let matches = labels.iter().all(|label| of.contains(label));
        matches.then(|| value.parse::<f64>().unwrap())
    });
    series.sum()
}

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn the_item_pod_exports_the_status_of_php_fpm() {
    let (status, text) = curl(&format!("http://{}:6060/metrics", address("item-1")), &[]);
    assert_eq!(status, 200);
    let up = r#"phpfpm_up{pool="item",scrape_uri="tcp://127.0.0.1:9001/status"} 1"#;
    assert!(text.lines().any(|line| line == up), "{text}");
}
