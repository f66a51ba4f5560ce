//! Bar charts as SVG, readable on a light and on a dark page.

use crate::figures::{Figures, Row};
use crate::load::Shape;
use crate::setups::Backend;

const WIDTH: f64 = 720.0;
const LABELS: f64 = 250.0;
const BARS: f64 = 360.0;
const STEP: f64 = 26.0;
const TOP: f64 = 40.0;

/// The file name of each plot, and its SVG.
pub(super) fn all(figures: &Figures) -> Vec<(&'static str, String)> {
    let usual = Shape::USUAL.to_string();
    let rows = |part: &str, backend| -> Vec<&Row> {
        figures
            .rows
            .iter()
            .filter(|row| {
                row.part == part
                    && row.backend == backend
                    && !row.round_trips
                    && (part == "php" || row.shape == usual)
            })
            .collect()
    };
    let trivial = rows("unary", Backend::Trivial);
    // The usual shape, or the most callers that a setup can have.
    let single = Shape::SINGLE.to_string();
    let php: Vec<&Row> = rows("php", Backend::PhpFpm)
        .into_iter()
        .filter(|row| row.shape == usual || (row.setup.contains(", kept") && row.shape != single))
        .collect();
    let rate = |row: &&Row| Some(row.per_second.median);
    let cpu = |row: &&Row| Some(row.cpu_between.as_ref()?.median);
    [
        (
            "trivial-rate.svg",
            "Calls a second, trivial application, 8×8 (more is better)",
            bars(&trivial, rate),
            0,
        ),
        (
            "trivial-cpu.svg",
            "CPU seconds per 10,000 calls, trivial application, 8×8 (less is better)",
            bars(&trivial, cpu),
            3,
        ),
        (
            "php-rate.svg",
            "Calls a second, php-fpm with 4 workers, 8×8 or 4 callers (more is better)",
            bars(&php, rate),
            0,
        ),
    ]
    .into_iter()
    .filter(|(_, _, bars, _)| !bars.is_empty())
    .map(|(file, title, bars, digits)| (file, plot(title, &bars, digits)))
    .collect()
}

fn bars<'a>(rows: &[&'a Row], value: impl Fn(&&Row) -> Option<f64>) -> Vec<(&'a str, f64)> {
    let mut bars: Vec<(&str, f64)> = Vec::new();
    for row in rows {
        if let Some(value) = value(row)
            && bars.iter().all(|(setup, _)| *setup != row.setup)
        {
            bars.push((&row.setup, value));
        }
    }
    bars
}

fn plot(title: &str, bars: &[(&str, f64)], digits: usize) -> String {
    let longest = bars
        .iter()
        .map(|(_, value)| *value)
        .fold(f64::MIN_POSITIVE, f64::max);
    let mut y = TOP;
    let mut out = String::new();
    for (setup, value) in bars {
        let width = value / longest * BARS;
        let colour = if setup.starts_with("grpc-fcgi-proxy") {
            "#2f81f7"
        } else {
            "#8b949e"
        };
        let (label, text) = (LABELS - 8.0, y + 13.0);
        let behind = LABELS + width + 6.0;
        out += &format!(
            "<text x=\"{label:.0}\" y=\"{text:.0}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LABELS}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"18\" rx=\"2\" fill=\"{colour}\"/>\
             <text x=\"{behind:.1}\" y=\"{text:.0}\">{value:.digits$}</text>\n",
            escape(setup),
        );
        y += STEP;
    }
    let height = y + 8.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"13\" fill=\"#768390\">\n<text x=\"8\" y=\"20\" font-weight=\"bold\">{}</text>\n{out}</svg>\n",
        escape(title),
    )
}

/// The user names a peer.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_width_and_names_are_escaped() {
        let svg = plot("t", &[("a<b", 10.0), ("c", 5.0)], 1);
        assert!(svg.contains("a&lt;b") && !svg.contains("a<b"));
        assert!(svg.contains("width=\"360.0\"") && svg.contains("width=\"180.0\""));
        assert!(svg.contains(">10.0<"));
    }
}
