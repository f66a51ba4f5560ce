//! A long load of resident workers that are killed, reloaded, replaced and recycled.

use super::turns::Bench;
use crate::progress::progress;
use crate::setups::Counted;
use crate::soak;

pub(super) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let Some(time) = bench.extent.soak else {
        return Ok(());
    };
    let counted = Counted::start(&bench.paths)?;
    let soak = soak::run(&counted, time)?;
    progress(&format!("{soak:?}"));
    bench.figures.soak = Some(soak);
    Ok(())
}
