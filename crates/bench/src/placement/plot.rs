//! The mean slow-downs as bars, an element at a time.

use super::{Found, Part, mean};
use peermon_sim::jobs::Kind;
use std::fmt::Write;

/// Of the picture, and of the field of one size's bars within it.
const WIDTH: f64 = 860.0;
const FIELD: (f64, f64) = (70.0, 690.0);
const PANEL: f64 = 300.0;
const BARS: f64 = 200.0;
/// Colours that stay apart for most eyes, as [`Kind::ALL`].
const COLOURS: [&str; 3] = ["#0072b2", "#d55e00", "#009e73"];
/// Slow-downs that are marked; the axis is logarithmic.
const MARKS: [f64; 7] = [1.0, 1.1, 1.5, 2.0, 5.0, 10.0, 20.0];

/// A panel a size: by each way the mean slow-down of each kind, of the first stream.
pub(super) fn svg(found: &[Found]) -> String {
    let stream = found.iter().find(|f| matches!(f.part, Part::Stream(_))).map(|f| f.part);
    let panels: Vec<&Found> = found.iter().filter(|f| Some(f.part) == stream).collect();
    let height = PANEL * panels.len() as f64 + 20.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <title>Mean slow-down of jobs by who places them</title>\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (i, f) in panels.iter().enumerate() {
        panel(&mut out, f, PANEL * i as f64);
    }
    out + "</svg>\n"
}

fn panel(out: &mut String, found: &Found, top: f64) {
    let all = || found.ways.iter().flat_map(|w| Kind::ALL.map(|k| mean(&w.1, Some(k)))).filter(|v| v.is_finite());
    let most = all().fold(1.2, f64::max) * 1.05;
    let (bottom, (left, right)) = (top + 40.0 + BARS, FIELD);
    let tall = |v: f64| BARS * (v.max(1.0).ln() / most.ln()).clamp(0.0, 1.0);
    let mut put = |element: std::fmt::Arguments<'_>| writeln!(out, "{element}").expect("a string takes all");
    let share = if let Part::Stream(offered) = found.part { 100.0 * offered } else { 0.0 };
    put(format_args!(
        "<text x=\"{left}\" y=\"{:.0}\" fill=\"#222\">Mean slow-down of jobs by who places them, {} nodes, jobs for {share:.0} % of all cores</text>",
        top + 22.0,
        found.nodes
    ));
    for mark in MARKS.into_iter().filter(|m| *m <= most) {
        let y = bottom - tall(mark);
        put(format_args!("<line x1=\"{left}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>"));
        put(format_args!("<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#222\">{mark}</text>", left - 8.0, y + 4.0));
    }
    let step = (right - left) / found.ways.len().max(1) as f64;
    for (i, (name, outcome)) in found.ways.iter().enumerate() {
        let x = left + step * (i as f64 + 0.1);
        for (j, (kind, colour)) in Kind::ALL.into_iter().zip(COLOURS).enumerate() {
            let v = mean(outcome, Some(kind));
            if v.is_finite() {
                // What is not slowed at all is a line.
                let (wide, high) = (step * 0.8 / 3.0, tall(v).max(1.0));
                let (x, y) = (x + wide * j as f64, bottom - high);
                put(format_args!("<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\" fill=\"{colour}\"/>"));
            }
        }
        for (line, word) in name.split(", ").enumerate() {
            let (x, y) = (x + step * 0.4, bottom + 16.0 + 14.0 * line as f64);
            put(format_args!(
                "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"11\" text-anchor=\"middle\" fill=\"#222\">{word}</text>"
            ));
        }
    }
    for (j, (kind, colour)) in Kind::ALL.into_iter().zip(COLOURS).enumerate() {
        let y = top + 60.0 + 22.0 * j as f64;
        put(format_args!("<rect x=\"{:.1}\" y=\"{:.1}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>", right + 20.0, y - 11.0));
        put(format_args!("<text x=\"{:.1}\" y=\"{y:.1}\" fill=\"#222\">{}</text>", right + 38.0, kind.name()));
    }
}
