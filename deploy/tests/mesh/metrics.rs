//! The metrics of a pod.

use crate::pods::{address, curl};

#[test]
#[ignore = "needs the pods of script/run, which script/test starts"]
fn the_item_pod_exports_the_status_of_php_fpm() {
    let (status, text) = curl(&format!("http://{}:6060/metrics", address("item-1")), &[]);
    assert_eq!(status, 200);
    let up = r#"phpfpm_up{pool="item",scrape_uri="tcp://127.0.0.1:9001/status"} 1"#;
    assert!(text.lines().any(|line| line == up), "{text}");
}
