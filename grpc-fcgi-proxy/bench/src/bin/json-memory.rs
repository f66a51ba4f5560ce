//! Prints the most memory that each translation of a list takes, beside its input, in bytes. A program of its own, since
//! counting costs every allocation of a program.

#[path = "../list.rs"]
mod list;

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::{Context, ensure};
use peak_alloc::PeakAlloc;

use self::list::{Elements, List, Mapping, Way};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// In the order of the loops: the part `lists` reads them so.
fn main() -> anyhow::Result<()> {
    let root = std::env::args_os().nth(1);
    let root = PathBuf::from(root.context("name the folder of the checkout")?);
    for elements in Elements::ALL {
        let list = List::new(&root, elements)?;
        for way in Way::BOTH {
            for mapping in [Mapping::Own, Mapping::Reflect] {
                let peak = peak(&list, mapping, way).context(elements.name())?;
                writeln!(stdout(), "{peak}")?;
            }
        }
    }
    Ok(())
}

fn peak(list: &List, mapping: Mapping, way: Way) -> anyhow::Result<usize> {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let result = list.translate(mapping, way)?;
    let peak = ALLOCATOR.peak_usage() - before;
    ensure!(
        result == list.expected(way),
        "{}: a wrong result",
        way.name()
    );
    Ok(peak)
}
