//! Unary calls of the item application under php-fpm, and the CPU time of PHP itself.

use bytes::Bytes;
use prost::Message;
use proto::google::r#type::Money;
use proto::item::{GetItemRequest, Item};

use super::measurement::Measurement;
use super::turns::Bench;
use crate::load::{CheckedCall, LoadKind, Protocol, Shape};
use crate::setups::{Backend, Intermediary, Paths, RunningSetup, Setup, Transport, WORKERS};

/// One of the sample items.
const ID: &str = "6962f4ff-b752-4103-b90c-1f9bcec30913";

/// Measures all setups, and compares PHP with its earlier revision if one is given.
pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let shapes: &[Shape] = if bench.extent.full {
        &[Shape::SINGLE, Shape::USUAL, Shape::new(32, 8)]
    } else {
        &[Shape::USUAL]
    };
    let backend = Backend::PhpFpm;
    let mut setups = bench.start(&Setup::with_fastcgi(bench.extent.full), backend)?;
    setups.extend(bench.peers_for(&get_item(&bench.paths, backend))?);
    for &shape in shapes {
        if shape.calls() > Shape::USUAL.calls() {
            // The others have been measured with as many callers as they can have.
            setups.retain(|setup| bounded(setup, shape) == shape);
        }
        let all = setups.iter().map(|setup| {
            let shape = bounded(setup, shape);
            (get_item_in(bench, "php", backend, shape), setup)
        });
        let all: Vec<_> = all.collect();
        bench.measure_each(bench.extent.runs, &all)?;
    }
    if bench.paths.php_before.is_some() {
        compare_revisions(bench)?;
    }
    Ok(())
}

/// Measures the CPU time of PHP today and before, in turns, without a proxy.
fn compare_revisions(bench: &mut Bench) -> anyhow::Result<()> {
    let shape = Shape::new(WORKERS, 1);
    let setup = Setup::new(Intermediary::Direct, Transport::Kept, false);
    let now = RunningSetup::start(&bench.paths, setup, Backend::PhpFpm)?;
    let before = RunningSetup::start(&bench.paths, setup, Backend::PhpFpmBefore)?;
    let measurement = |backend| get_item_in(bench, "php-cpu", backend, shape);
    let both = [
        (measurement(Backend::PhpFpm), &now),
        (measurement(Backend::PhpFpmBefore), &before),
    ];
    bench.measure_each(bench.extent.runs, &both)
}

fn get_item_in(bench: &Bench, part: &'static str, backend: Backend, shape: Shape) -> Measurement {
    Measurement {
        part,
        backend,
        call: get_item(&bench.paths, backend),
        shape,
        extent: bench.extent,
    }
}

const NAME: &str = "fifth item";
const DESCRIPTION: &str = "last item for sell";
const QUANTITY: i32 = 100;
const CURRENCY: &str = "EUR";
const UNITS: i64 = 4;
const NANOS: i32 = 250_000_000;

pub(super) fn get_item(paths: &Paths, backend: Backend) -> CheckedCall {
    let request = GetItemRequest { id: ID.to_owned() };
    let item = Item {
        id: ID.to_owned(),
        name: NAME.to_owned(),
        description: DESCRIPTION.to_owned(),
        quantity: Some(QUANTITY),
        price: Some(Money {
            currency_code: CURRENCY.to_owned(),
            units: UNITS,
            nanos: NANOS,
        }),
    };
    CheckedCall {
        kind: LoadKind::Unary,
        path: "/item.ItemService/GetItem",
        script: paths.script(backend),
        message: Bytes::from(request.encode_to_vec()),
        answer: Bytes::from(item.encode_to_vec()),
    }
}

/// The same in JSON.
pub(super) fn get_item_json(paths: &Paths, backend: Backend) -> CheckedCall {
    let price = format!(r#"{{"currencyCode":"{CURRENCY}","units":"{UNITS}","nanos":{NANOS}}}"#);
    let answer = format!(
        r#"{{"id":"{ID}","name":"{NAME}","description":"{DESCRIPTION}","quantity":{QUANTITY},"price":{price}}}"#
    );
    CheckedCall {
        message: format!(r#"{{"id":"{ID}"}}"#).into(),
        answer: answer.into(),
        ..get_item(paths, backend)
    }
}

/// A kept connection pins a worker, and only grpc-fcgi-proxy makes callers queue for one: through the other setups, more
/// callers than workers would wait forever.
fn bounded(setup: &RunningSetup, shape: Shape) -> Shape {
    let queues = setup.name.starts_with("grpc-fcgi-proxy") || !setup.name.contains(", kept");
    if queues || shape.calls() <= WORKERS {
        shape
    } else if setup.endpoint.protocol == Protocol::Grpc {
        Shape::new(1, WORKERS)
    } else {
        Shape::new(WORKERS, 1)
    }
}
