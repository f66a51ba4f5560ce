//! Long lists, translated between messages and JSON, in turns with prost-reflect.

use std::env;
use std::hint::black_box;
use std::process::Command;

use anyhow::{Context, ensure};
use tokio::time::Instant;

use super::turns::Bench;
use crate::figures::{ListFigures, Spread};
use crate::list::{Elements, List, Mapping, Way};
use crate::progress::progress;
use crate::setups::thread_cpu;

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let memory = memory(bench)?;
    let mut memory = memory.into_iter();
    for elements in Elements::ALL {
        let list = List::new(&bench.paths.root, elements)?;
        for way in Way::BOTH {
            let figures = compare(bench, elements, &list, way)?;
            let mut next = || memory.next().context("json-memory printed too little");
            let input = match way {
                Way::ToJson => list.message.len(),
                Way::FromJson => list.json.len(),
            };
            let figures = ListFigures {
                memory: next()? + input,
                memory_reflect: next()? + input,
                ..figures
            };
            progress(&format!("{figures:?}"));
            bench.figures.lists.push(figures);
        }
    }
    Ok(())
}

/// Both mappings in turns.
fn compare(
    bench: &Bench,
    elements: Elements,
    list: &List,
    way: Way,
) -> anyhow::Result<ListFigures> {
    let (mut own, mut reflect) = (Vec::new(), Vec::new());
    for _ in 0..bench.extent.runs {
        own.push(rate(bench, list, Mapping::Own, way)?);
        reflect.push(rate(bench, list, Mapping::Reflect, way)?);
    }
    Ok(ListFigures {
        elements: elements.name(),
        way: way.name(),
        message: list.message.len(),
        json: list.json.len(),
        per_second: Spread::of(own).unwrap_or_default(),
        per_second_reflect: Spread::of(reflect).unwrap_or_default(),
        memory: 0,
        memory_reflect: 0,
    })
}

/// Translations per second of this thread's CPU time.
fn rate(bench: &Bench, list: &List, mapping: Mapping, way: Way) -> anyhow::Result<f64> {
    let result = list.translate(mapping, way)?;
    ensure!(
        result == list.expected(way),
        "{mapping:?}, {}: a wrong result",
        way.name()
    );
    let begin = thread_cpu()?;
    let end = Instant::now() + bench.extent.time / 2;
    let mut count = 0.0;
    while Instant::now() < end {
        black_box(list.translate(mapping, way)?);
        count += 1.0;
    }
    Ok(count / (thread_cpu()? - begin))
}

/// What the program json-memory prints.
fn memory(bench: &Bench) -> anyhow::Result<Vec<usize>> {
    let program = env::current_exe()?.with_file_name("json-memory");
    let output = Command::new(&program).arg(&bench.paths.root).output();
    let output = output.with_context(|| format!("cannot start {}", program.display()))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "json-memory: {error}");
    let lines = String::from_utf8(output.stdout)?;
    let numbers: Result<_, _> = lines.lines().map(str::parse).collect();
    Ok(numbers?)
}
