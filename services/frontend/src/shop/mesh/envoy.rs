//! The map by the Envoy of this pod: the calls that it carries. Its counters begin with its start, so a rate is the
//! difference of two answers.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use serde::Deserialize;
use tokio::time::Instant;
use tonic::transport::Channel;

use super::{
    calls::{Calls, FAILURES},
    map::{Edge, Map, Origin},
    source::{Source, SourceError},
};

const WINDOW: Duration = Duration::from_secs(60);
/// Clusters that are no apps.
const NO_APPS: [&str; 4] = ["local_service", "local_aux", "jaeger", "prometheus"];
const THIS_APP: &str = "frontend";
/// The only app that calls this one.
const CALLER: &str = "ingress";
const PERCENTILE: f64 = 95.0;

#[derive(Debug)]
pub(super) struct Envoy {
    source: Source,
    /// What it counted in the last minute, the oldest first, as far as somebody asked.
    past: VecDeque<(Instant, Counts)>,
}

/// By caller and callee.
type Counts = BTreeMap<(String, String), Count>;

/// Of an edge, since the start of Envoy.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    calls: Calls,
    healthy_pods: Option<f64>,
    known_pods: Option<f64>,
    p95_seconds: Option<f64>,
}

impl Envoy {
    pub(super) fn new(channel: Channel) -> Self {
        let name = "Envoy";
        Self {
            source: Source { name, channel },
            past: VecDeque::new(),
        }
    }

    pub(super) async fn map(&mut self) -> Result<Map, SourceError> {
        let filter = filter();
        let query = [("format", "json"), ("filter", filter.as_str())];
        let answer: Answer = self.source.get("/stats", &query).await?;
        Ok(self.note(counts(answer), Instant::now()))
    }

    /// Compares the counts with the oldest ones of the last minute.
    fn note(&mut self, counts: Counts, now: Instant) -> Map {
        self.past.retain(|(at, _)| now - *at <= WINDOW);
        // A count that goes back is that of another Envoy.
        self.past.retain(|(_, past)| {
            past.iter().all(|(edge, past)| {
                let new = counts.get(edge);
                new.is_some_and(|new| new.calls.all() >= past.calls.all())
            })
        });
        let first = self.past.front();
        let edges = counts.iter().map(|(edge, count)| {
            let past = first.and_then(|(at, past)| Some((now - *at, past.get(edge)?)));
            edge_of(edge, count, past)
        });
        let map = Map {
            source: Origin::Envoy,
            edges: edges.collect(),
            ..Map::default()
        };
        self.past.push_back((now, counts));
        map
    }
}

fn edge_of((from, to): &(String, String), now: &Count, past: Option<(Duration, &Count)>) -> Edge {
    let calls = past.map(|(time, past)| (time.as_secs_f64(), now.calls.since(&past.calls)));
    Edge {
        from: from.clone(),
        to: to.clone(),
        calls_per_second: calls.map(|(seconds, calls)| calls.all() / seconds),
        error_ratio: calls.and_then(|(_, calls)| calls.error_ratio(from)),
        p95_seconds: now.p95_seconds,
        healthy_pods: now.healthy_pods,
        known_pods: now.known_pods,
    }
}

/// Selects the statistics of the calls to other apps, and of those from ingress.
fn filter() -> String {
    let failures = FAILURES.join("|");
    let cluster = format!(
        r"upstream_rq_(completed|5xx|time)|grpc\.(total|{failures})|membership_(healthy|total)"
    );
    format!(r"^(cluster\.[^.]+\.({cluster})|http\.inbound\.downstream_rq_(completed|5xx|time))$")
}

/// The response of Envoy's `/stats?format=json`.
#[derive(Debug, Deserialize)]
struct Answer {
    stats: Vec<Stat>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Stat {
    Value { name: String, value: f64 },
    Histograms { histograms: Histograms },
}

#[derive(Debug, Deserialize)]
struct Histograms {
    supported_quantiles: Vec<f64>,
    computed_quantiles: Vec<Histogram>,
}

/// A histogram has a quantile for each of the supported ones.
#[derive(Debug, Deserialize)]
struct Histogram {
    name: String,
    values: Vec<Quantile>,
}

/// In milliseconds: of the last five seconds, and since the start. Not set without calls.
#[derive(Debug, Deserialize)]
struct Quantile {
    interval: Option<f64>,
    cumulative: Option<f64>,
}

fn counts(answer: Answer) -> Counts {
    let mut counts = Counts::new();
    for stat in answer.stats {
        match stat {
            Stat::Value { name, value } => {
                let Some((edge, what)) = parse(&name) else {
                    continue;
                };
                let count = counts.entry(edge).or_default();
                match what {
                    "upstream_rq_completed" | "downstream_rq_completed" => count.calls.http = value,
                    "upstream_rq_5xx" | "downstream_rq_5xx" => count.calls.http_failed = value,
                    "grpc.total" => count.calls.grpc = value,
                    "membership_healthy" => count.healthy_pods = Some(value),
                    "membership_total" => count.known_pods = Some(value),
                    _ if is_failure(what) => count.calls.grpc_failed += value,
                    _ => {}
                }
            }
            Stat::Histograms { histograms } => {
                for (edge, p95) in percentiles(&histograms) {
                    counts.entry(edge).or_default().p95_seconds = p95;
                }
            }
        }
    }
    counts
}

fn is_failure(what: &str) -> bool {
    let status = what.strip_prefix("grpc.");
    status.is_some_and(|status| FAILURES.contains(&status))
}

fn percentiles(
    histograms: &Histograms,
) -> impl Iterator<Item = ((String, String), Option<f64>)> + '_ {
    let mut supported = histograms.supported_quantiles.iter();
    let place = supported.position(|&quantile| quantile == PERCENTILE);
    histograms.computed_quantiles.iter().filter_map(move |of| {
        let quantile = of.values.get(place?)?;
        let milliseconds = quantile.interval.or(quantile.cumulative);
        Some((parse(&of.name)?.0, milliseconds.map(|time| time / 1000.0)))
    })
}

/// The edge of a statistic, and what it says of it.
fn parse(name: &str) -> Option<((String, String), &str)> {
    if let Some(what) = name.strip_prefix("http.inbound.") {
        return Some(((CALLER.to_owned(), THIS_APP.to_owned()), what));
    }
    let (cluster, what) = name.strip_prefix("cluster.")?.split_once('.')?;
    let is_app = !NO_APPS.contains(&cluster);
    is_app.then(|| ((THIS_APP.to_owned(), cluster.to_owned()), what))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// After so many calls, of which some failed: all by their status of gRPC, one of them because Envoy refused it.
    fn counted(calls: f64, failed: f64) -> Counts {
        let refused = f64::min(failed, 1.0);
        let stats = json!({ "stats": [
            { "name": "cluster.user.upstream_rq_completed", "value": calls },
            { "name": "cluster.user.upstream_rq_5xx", "value": refused },
            { "name": "cluster.user.grpc.total", "value": calls },
            { "name": "cluster.user.grpc.4", "value": failed - refused },
            { "name": "cluster.user.grpc.5", "value": 1 },
            { "name": "cluster.user.grpc.14", "value": refused },
            { "name": "cluster.local_service.upstream_rq_completed", "value": 999 },
            { "histograms": {
                "supported_quantiles": [50, 95],
                "computed_quantiles": [
                    { "name": "cluster.user.upstream_rq_time", "values": [
                        { "interval": null, "cumulative": 1.05 }, { "interval": null, "cumulative": 250 },
                    ] },
                    { "name": "http.inbound.downstream_rq_time", "values": [
                        { "interval": null, "cumulative": null }, { "interval": null, "cumulative": null },
                    ] },
                ],
            } },
        ] });
        counts(serde_json::from_value(stats).unwrap())
    }

    /// Calls per second and the ratio of errors of the calls to user.
    fn rates(map: &Map) -> (Option<f64>, Option<f64>) {
        let edge = map.edges.iter().find(|edge| edge.to == "user").unwrap();
        (edge.calls_per_second, edge.error_ratio)
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[tokio::test]
    async fn a_rate_is_the_difference_to_the_oldest_answer_of_the_last_minute() {
        let mut envoy =
            Envoy::new(tonic::transport::Endpoint::from_static("http://a").connect_lazy());
        let start = Instant::now();
        assert_eq!(
            rates(&envoy.note(counted(100.0, 50.0), start)),
            (None, None)
        );
        let second = envoy.note(counted(120.0, 55.0), start + seconds(10));
        assert_eq!(rates(&second), (Some(2.0), Some(0.25)));
        let late = envoy.note(counted(720.0, 55.0), start + seconds(70));
        assert_eq!(rates(&late), (Some(10.0), Some(0.0)));
        assert_eq!(envoy.past.len(), 2);
        let restarted = envoy.note(counted(3.0, 0.0), start + seconds(71));
        assert_eq!(rates(&restarted), (None, None));
    }

    #[tokio::test]
    async fn percentiles_are_in_seconds_and_only_apps_are_edges() {
        let edges: Vec<_> = counted(1.0, 0.0).into_iter().collect();
        let edges = edges
            .iter()
            .map(|((from, to), count)| (from.as_str(), to.as_str(), count.p95_seconds));
        let expected = [
            ("frontend", "user", Some(0.25)),
            ("ingress", "frontend", None),
        ];
        assert!(edges.eq(expected));
    }
}
