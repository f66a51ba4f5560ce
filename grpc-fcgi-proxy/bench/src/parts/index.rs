//! The sample application's report, whole and page by page, as the orders grow.

use anyhow::ensure;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::turns::Bench;
use crate::figures::{ReportFigures, Spread};
use crate::load::{Getter, block_on};
use crate::progress::progress;
use crate::setups::{Frontend, Shop};

/// Requests at once.
const CROWD: usize = 64;
const WHOLE: &str = "/index";
const PAGE: &str = "/index?page_size=1000";

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let shop = Shop::start(&bench.paths)?;
    for &orders in bench.extent.orders {
        let users = shop.fill(orders)?;
        let mut runs = Vec::new();
        for _ in 0..bench.extent.runs.min(3) {
            runs.push(run(&shop, users, orders)?);
        }
        let spread = |value: fn(&Run) -> f64| Spread::of(runs.iter().map(value));
        let figures = ReportFigures {
            orders,
            pages: runs[0].pages,
            refused: runs[0].refused,
            whole: spread(|run| run.whole).unwrap_or_default(),
            whole_memory: spread(|run| run.whole_memory).unwrap_or_default(),
            all_pages: spread(|run| run.all_pages).unwrap_or_default(),
            slowest_page: spread(|run| run.slowest_page).unwrap_or_default(),
            pages_memory: spread(|run| run.pages_memory).unwrap_or_default(),
            crowd: CROWD,
            crowd_memory: spread(|run| run.crowd_memory).unwrap_or_default(),
        };
        progress(&format!("{figures:?}"));
        bench.figures.reports.push(figures);
    }
    Ok(())
}

/// Times in milliseconds, and memory in MiB: each is the peak of a frontend of its own.
struct Run {
    whole: f64,
    refused: bool,
    whole_memory: f64,
    pages: usize,
    all_pages: f64,
    slowest_page: f64,
    pages_memory: f64,
    crowd_memory: f64,
}

fn run(shop: &Shop, users: usize, orders: usize) -> anyhow::Result<Run> {
    let frontend = shop.frontend()?;
    let (whole, refused) = block_on(whole(&frontend, users, orders))??;
    let whole_memory = frontend.peak_memory()?;
    drop(frontend);
    let frontend = shop.frontend()?;
    let pages = block_on(pages(&frontend, users, orders))??;
    let pages_memory = frontend.peak_memory()?;
    drop(frontend);
    let frontend = shop.frontend()?;
    block_on(crowd(&frontend.address))??;
    Ok(Run {
        whole,
        refused,
        whole_memory,
        pages: pages.len(),
        all_pages: pages.iter().sum(),
        slowest_page: pages.iter().copied().fold(0.0, f64::max),
        pages_memory,
        crowd_memory: frontend.peak_memory()?,
    })
}

/// The time of the whole report, and whether it was refused as too long.
async fn whole(frontend: &Frontend, users: usize, orders: usize) -> anyhow::Result<(f64, bool)> {
    let mut client = Getter::connect(&frontend.address).await?;
    // So that the connections behind it are made.
    client.get("/index?page_size=1").await?;
    let begin = Instant::now();
    let (status, body) = client.get(WHOLE).await?;
    let time = milliseconds(begin);
    if status == 400 {
        ensure!(contains(&body, "page_size"), "400 without advice");
        return Ok((time, true));
    }
    ensure!(status == 200, "HTTP status {status}");
    let report: Value = serde_json::from_slice(&body)?;
    let counted = count(&report);
    ensure!(counted == (users, orders), "the report has {counted:?}");
    Ok((time, false))
}

/// The time of each page.
async fn pages(frontend: &Frontend, users: usize, orders: usize) -> anyhow::Result<Vec<f64>> {
    let mut client = Getter::connect(&frontend.address).await?;
    client.get("/index?page_size=1").await?;
    let (mut times, mut path) = (Vec::new(), PAGE.to_owned());
    let (mut all_users, mut all_orders) = (0, 0);
    let mut last = Value::Null;
    loop {
        let begin = Instant::now();
        let (status, body) = client.get(&path).await?;
        times.push(milliseconds(begin));
        ensure!(status == 200, "HTTP status {status}");
        let page: Value = serde_json::from_slice(&body)?;
        let entries = &page["entries"];
        let (users, orders) = count(entries);
        // A user whose orders continue is on both pages.
        let continued = usize::from(entries[0]["user"] == last);
        all_users += users - continued;
        all_orders += orders;
        if users > 0 {
            last = entries[users - 1]["user"].clone();
        }
        match page["next_page_token"].as_str() {
            Some("") | None => break,
            Some(token) => path = format!("{PAGE}&page_token={token}"),
        }
    }
    let counted = (all_users, all_orders);
    ensure!(counted == (users, orders), "the pages have {counted:?}");
    Ok(times)
}

/// Requests the whole report many times at once, and as many pages.
async fn crowd(address: &str) -> anyhow::Result<()> {
    let mut requests = JoinSet::new();
    for path in [WHOLE, PAGE].into_iter().cycle().take(2 * CROWD) {
        let address = address.to_owned();
        requests.spawn(async move { Getter::connect(&address).await?.get(path).await });
    }
    while let Some(ended) = requests.join_next().await {
        let (status, _) = ended??;
        // On a slow machine, some wait for too long.
        let expected = [200, 400, 503, 504];
        ensure!(expected.contains(&status), "HTTP status {status}");
    }
    Ok(())
}

/// The users and the orders in a list of entries.
fn count(entries: &Value) -> (usize, usize) {
    let entries = entries.as_array().map_or(&[][..], Vec::as_slice);
    let orders = |entry: &Value| entry["orders"].as_array().map_or(0, Vec::len);
    (entries.len(), entries.iter().map(orders).sum())
}

fn contains(body: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(body).contains(text)
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
