//! Loads the shop with requests as users make them, and reports what they noticed.
//!
//! `arrivals` decides when a request is due, `operation` what it is, and `shop` what it concerns. `visit` makes it by
//! means of `client`, and its `outcome` is counted in `tally`. `watchers` hold streams open meanwhile. `live` and
//! `summary` print, and `cleanup` removes what the load has created.

mod arrivals;
mod cleanup;
mod client;
mod config;
mod live;
mod messages;
mod operation;
mod outcome;
mod shop;
mod summary;
mod tally;
mod visit;
mod watchers;

use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};

use chassis::{
    admin,
    listen::{self, BindError, Protocol},
};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

pub use crate::config::{Config, KeyError};
use crate::{
    arrivals::Arrivals, client::Client, config::Key, outcome::Failure, shop::Shop,
    summary::Summary, tally::Tally, visit::Visitor, watchers::Watchers,
};

/// Users that place orders.
const BUYERS: usize = 5;
/// How long the removal of what the load has created may take.
const CLEANUP: Duration = Duration::from_secs(30);

/// Why there is no load, or no summary of it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The port of /healthz and /metrics cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A bug: a metric is invalid.
    #[error("cannot register the metrics: {0}")]
    Metrics(String),
    /// The shop does not answer as one.
    #[error(
        "{url} does not answer {what}: {failure}: start the shop (script/run), or choose another --url or key"
    )]
    Shop {
        /// The shop.
        url: String,
        /// The request.
        what: &'static str,
        /// What came instead.
        failure: String,
    },
    /// There is nothing to look at or to order.
    #[error("{0} has no items: create one (POST /v1/items)")]
    NoItems(String),
    /// The summary cannot be written.
    #[error("cannot write the summary to {}: {source}", file.display())]
    Summary {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Whether more requests failed than were allowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No.
    Passed,
    /// Yes.
    Failed,
}

/// A load that is ready to begin.
#[derive(Debug)]
pub struct Load {
    config: Config,
    visitor: Arc<Visitor>,
    aux: Option<TcpListener>,
}

impl Load {
    /// Connects to the shop, and creates the users that will place orders.
    ///
    /// # Errors
    ///
    /// See [`LoadError`].
    pub async fn begin(config: Config) -> Result<Self, LoadError> {
        let key = Key::find(config.key_file.clone())?;
        let aux = match config.aux_address {
            Some(address) => Some(listen::bind(address).await?),
            None => None,
        };
        let url = config.url.to_string();
        let failed = |what| {
            let url = url.clone();
            move |failure: Failure| LoadError::Shop {
                url,
                what,
                failure: failure.to_string(),
            }
        };
        let client = Client::new(config.url.clone(), key);
        let deadline = || Instant::now() + config.timeout;
        let items = cleanup::list(&client, "/v1/items?page_size=1000", deadline()).await;
        let items = items.map_err(failed("GET /v1/items"))?;
        if items.is_empty() {
            return Err(LoadError::NoItems(url));
        }
        let items = items.into_iter().map(|item| item.id).collect();
        let name = format!("Load {:016x}", fastrand::u64(..));
        let mut visitor = Visitor {
            client,
            name,
            shop: Shop::new(items, vec![]),
        };
        if visitor.client.may_write() {
            for _ in 0..BUYERS {
                match visitor.create_user(deadline()).await {
                    Ok(buyer) => visitor.shop.add_buyer(buyer),
                    Err(failure) => {
                        clean_up(&visitor).await;
                        return Err(failed("POST /v1/users")(failure));
                    }
                }
            }
        }
        Ok(Self {
            config,
            visitor: Arc::new(visitor),
            aux,
        })
    }

    /// Runs until the time is over or `stop` is cancelled, and prints the summary.
    ///
    /// # Errors
    ///
    /// See [`LoadError`].
    pub async fn run(self, stop: CancellationToken) -> Result<Verdict, LoadError> {
        let Self {
            config,
            visitor,
            aux,
        } = self;
        let end = CancellationToken::new();
        let aux = aux
            .map(|listener| serve(listener, end.clone()))
            .transpose()?;
        if !visitor.client.may_write() {
            eprintln!("without a key, the load only reads");
        }
        let summary = measure(&config, &visitor, &stop).await;
        eprint!("{summary}");
        if visitor.client.may_write() {
            clean_up(&visitor).await;
        }
        end.cancel();
        if let Some(aux) = aux {
            // It ends by itself.
            let _ = aux.await;
        }
        if let Some(file) = config.json {
            write(&summary, file)?;
        }
        Ok(if summary.failed_percent() > config.max_failed {
            Verdict::Failed
        } else {
            Verdict::Passed
        })
    }
}

/// Makes all requests.
async fn measure(config: &Config, visitor: &Arc<Visitor>, stop: &CancellationToken) -> Summary {
    let (tally, watchers) = (Arc::new(Tally::default()), Arc::new(Watchers::default()));
    let arrivals = Arrivals {
        rate: config.rate,
        duration: config.duration,
        timeout: config.timeout,
        max_in_flight: config.max_in_flight,
    };
    let begin = Instant::now();
    let stop_watching = CancellationToken::new();
    let watching = watchers.start(
        config.watchers,
        &visitor.client,
        config.timeout,
        &stop_watching,
    );
    let print = live::print(&tally, &watchers, config.watchers, config.interval);
    tokio::select! {
        () = arrivals.run(visitor.clone(), tally.clone(), stop) => {}
        () = print => {}
    }
    live::end();
    let time = begin.elapsed();
    stop_watching.cancel();
    watching.wait().await;
    Summary::new(&tally, config.watchers, watchers.seen(), time)
}

async fn clean_up(visitor: &Visitor) {
    let deadline = Instant::now() + CLEANUP;
    match cleanup::remove(&visitor.client, &visitor.name, deadline).await {
        Ok(removed) => eprintln!("removed {removed} users and orders of the load"),
        Err(failure) => eprintln!(
            "warning: cannot remove the users named {} and their orders: {failure}",
            visitor.name
        ),
    }
}

/// Serves /healthz and /metrics until `end` is cancelled.
fn serve(
    listener: TcpListener,
    end: CancellationToken,
) -> Result<tokio::task::JoinHandle<()>, LoadError> {
    let registry = admin::registry().map_err(|error| LoadError::Metrics(error.to_string()))?;
    let router = admin::router(registry, async || Ok::<_, std::convert::Infallible>(()));
    let serve = listen::serve(
        listener,
        Protocol::Http1,
        router,
        end,
        Duration::from_secs(1),
    );
    Ok(tokio::spawn(serve))
}

fn write(summary: &Summary, file: PathBuf) -> Result<(), LoadError> {
    let text = serde_json::to_vec_pretty(summary).map_err(io::Error::from);
    text.and_then(|text| fs::write(&file, text))
        .map_err(|source| LoadError::Summary { file, source })
}
