//! Unary calls of the item application under php-fpm: what a user sees, and what PHP itself costs.

use bytes::Bytes;
use prost::Message;
use proto::item::{GetItemRequest, Item};

use super::{ALONE, Bench, USUAL, turns::Case, ways};
use crate::load::{Call, Kind, Protocol, Shape};
use crate::setups::{Backend, Between, Target, WORKERS, Way};

/// Of the sample items.
const ID: &str = "6962f4ff-b752-4103-b90c-1f9bcec30913";

/// All ways in the usual shape; the earlier PHP files, if there are some, without a proxy.
pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let shapes: &[Shape] = if bench.extent.full {
        &[ALONE, USUAL, Shape::new(32, 8)]
    } else {
        &[USUAL]
    };
    let backend = Backend::PhpFpm;
    let mut targets = bench.start(&ways(bench.extent), backend)?;
    targets.extend(bench.peers_for(&get_item(bench, backend))?);
    for &shape in shapes {
        if shape.calls() > USUAL.calls() {
            // What pins its workers has had as many callers as it can have.
            targets.retain(|target| pinned(target, shape) == shape);
        }
        let all = targets.iter().map(|target| {
            let shape = pinned(target, shape);
            (case(bench, "php", backend, shape), target)
        });
        let all: Vec<_> = all.collect();
        bench.measure_each(bench.extent.runs, &all)?;
    }
    if bench.places.php_before.is_some() {
        compare_revisions(bench)?;
    }
    Ok(())
}

/// PHP's own CPU time, now and before, in turns.
fn compare_revisions(bench: &mut Bench) -> anyhow::Result<()> {
    let shape = Shape::new(WORKERS, 1);
    let way = Way::new(Between::Nothing, true, false);
    let now = Target::start(&bench.places, way, Backend::PhpFpm)?;
    let before = Target::start(&bench.places, way, Backend::PhpFpmBefore)?;
    let case = |backend| case(bench, "php-cpu", backend, shape);
    let both = [
        (case(Backend::PhpFpm), &now),
        (case(Backend::PhpFpmBefore), &before),
    ];
    bench.measure_each(bench.extent.runs, &both)
}

fn case(bench: &Bench, part: &'static str, backend: Backend, shape: Shape) -> Case {
    Case {
        part,
        backend,
        call: get_item(bench, backend),
        shape,
        extent: bench.extent,
    }
}

fn get_item(bench: &Bench, backend: Backend) -> Call {
    let request = GetItemRequest { id: ID.to_owned() };
    let item = Item {
        id: ID.to_owned(),
        name: "fifth item".to_owned(),
        description: "last item for sell".to_owned(),
    };
    Call {
        kind: Kind::Unary,
        path: "/item.ItemService/GetItem",
        script: bench.places.script(backend),
        message: Bytes::from(request.encode_to_vec()),
        answer: Bytes::from(item.encode_to_vec()),
    }
}

/// A kept connection pins a worker, and only grpc-fcgi-proxy has callers wait for one: more callers than workers would
/// wait for ever behind the others.
fn pinned(target: &Target, shape: Shape) -> Shape {
    let bounded = target.name.starts_with("grpc-fcgi-proxy") || !target.name.contains(", kept");
    if bounded || shape.calls() <= WORKERS {
        shape
    } else if target.endpoint.protocol == Protocol::Grpc {
        Shape::new(1, WORKERS)
    } else {
        Shape::new(WORKERS, 1)
    }
}
