//! Grafana's dashboards, and the runbook of the alerts.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

/// Durations are in seconds, ratios from 0 to 1, rates per second.
const UNITS: [&str; 7] = ["s", "percentunit", "reqps", "cps", "short", "bytes", "Bps"];

/// A file of the checkout.
pub(crate) fn checkout(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn dashboards() -> Vec<Value> {
    let folder = fs::read_dir(checkout("deploy/grafana/dashboards")).unwrap();
    let dashboards: Vec<Value> = folder
        .map(|file| {
            serde_json::from_str(&fs::read_to_string(file.unwrap().path()).unwrap()).unwrap()
        })
        .collect();
    assert_eq!(dashboards.len(), 3);
    dashboards
}

/// The panels of a dashboard, without row titles.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    panels.filter(|panel| panel["type"] != "row")
}

/// Every query, with its dashboard and panel.
pub(crate) fn queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for dashboard in dashboards() {
        for panel in panels(&dashboard) {
            for target in panel["targets"].as_array().unwrap() {
                let place = format!("{}: {}", dashboard["title"], panel["title"]);
                queries.push((place, target["expr"].as_str().unwrap().to_owned()));
            }
        }
    }
    queries
}

#[test]
fn every_panel_has_a_query_a_unit_a_description_and_the_provisioned_source() {
    let sources = fs::read_to_string(checkout("deploy/grafana/datasources.yaml")).unwrap();
    for dashboard in dashboards() {
        for panel in panels(&dashboard) {
            let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap();
            assert!(UNITS.contains(&unit), "{panel}");
            assert!(
                !panel["description"].as_str().unwrap().is_empty(),
                "{panel}"
            );
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{panel}");
            let source = panel["datasource"]["uid"].as_str().unwrap();
            assert!(sources.contains(&format!("uid: {source}\n")), "{panel}");
        }
    }
}

#[test]
fn dashboards_and_panels_do_not_share_ids_or_places() {
    let mut uids = HashSet::new();
    for dashboard in dashboards() {
        assert!(uids.insert(dashboard["uid"].to_string()), "{dashboard}");
        assert!(dashboard["schemaVersion"].as_u64() >= Some(39));
        let (mut ids, mut places) = (HashSet::new(), HashSet::new());
        for panel in dashboard["panels"].as_array().unwrap() {
            let place = &panel["gridPos"];
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
            assert!(
                places.insert((place["x"].as_u64(), place["y"].as_u64())),
                "{panel}"
            );
        }
    }
}

#[test]
fn every_alert_has_its_section_in_the_runbook() {
    let rules = fs::read_to_string(checkout("deploy/prometheus/alerts.yaml")).unwrap();
    let runbook = fs::read_to_string(checkout("docs/operations.md")).unwrap();
    let alerts: Vec<_> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() > 10, "{rules}");
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        assert!(runbook.contains(&format!("\n### {name}\n")), "{name}");
        let link = format!("runbook: docs/operations.md#{}\n", name.to_lowercase());
        assert!(alert.contains(&link), "{alert}");
    }
}
