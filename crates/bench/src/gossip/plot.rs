//! Two small plots as SVG, element by element: a plotting library would be a dozen crates for some lines and dots.

use super::cells::{LOSSES, PROTOCOLS, Protocol};
use super::figures::Figures;
use super::page::thousands;
use std::fmt::Write;

/// The picture, and within it the field of the plot: left, top, right, bottom.
const SIZE: (f64, f64) = (760.0, 440.0);
const FIELD: (f64, f64, f64, f64) = (70.0, 40.0, 570.0, 380.0);
/// Colours that stay apart for most eyes, in the order of [`PROTOCOLS`].
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#e69f00", "#009e73"];

/// All plots: file name and content.
pub(crate) fn all(figures: &Figures) -> [(&'static str, String); 2] {
    [("gossip-age-bytes.svg", age_bytes(figures)), ("gossip-age-loss.svg", age_loss(figures))]
}

/// Mean age, with the 99th percentile above it, against bytes sent: a line a protocol, a dot a size.
fn age_bytes(figures: &Figures) -> String {
    let lines = PROTOCOLS.iter().zip(COLOURS).map(|(p, colour)| {
        let dots = figures.sizes().into_iter().filter_map(|n| {
            let at = |quantity| figures.at(n, p.key, "loss-0", quantity);
            Some(Dot { x: at("sent")? / 1e3, y: at("age_mean")?, above: at("age_p99")?, text: thousands(n) })
        });
        Line { name: p.name.into(), colour, dots: dots.collect() }
    });
    let plot = Plot {
        title: "Age of what a node knows against what it sends, no loss, by number of nodes",
        x: Axis { name: "sent per node, kB/s", log: true },
        y: Axis { name: "age, s: mean (dot) to p99 (bar)", log: true },
        lines: lines.collect(),
    };
    plot.svg()
}

/// The 99th percentile of ages against loss, at the largest size that has all protocols.
fn age_loss(figures: &Figures) -> String {
    let has = |n: usize, p: &Protocol| figures.at(n, p.key, "loss-20", "age_p99").is_some();
    let size = figures.sizes().into_iter().rfind(|n| PROTOCOLS.iter().all(|p| has(*n, p)));
    let size = size.or_else(|| figures.sizes().last().copied()).unwrap_or(0);
    let lines = PROTOCOLS.iter().zip(COLOURS).map(|(p, colour)| {
        let dots = LOSSES.iter().filter_map(|(condition, loss)| {
            let age = figures.at(size, p.key, condition, "age_p99")?;
            Some(Dot { x: 100.0 * loss, y: age, above: age, text: String::new() })
        });
        Line { name: p.name.into(), colour, dots: dots.collect() }
    });
    let title = format!("99th percentile of ages against loss, {} nodes", thousands(size));
    let plot = Plot {
        title: &title,
        x: Axis { name: "datagrams lost, %", log: false },
        y: Axis { name: "age, p99, s", log: true },
        lines: lines.collect(),
    };
    plot.svg()
}

struct Dot {
    x: f64,
    y: f64,
    /// A bar goes up to here.
    above: f64,
    text: String,
}

struct Line {
    name: String,
    colour: &'static str,
    dots: Vec<Dot>,
}

#[derive(Clone, Copy)]
struct Axis<'a> {
    name: &'a str,
    log: bool,
}

impl Axis<'_> {
    /// The ends of the axis for these values, and its marks.
    fn scale(self, values: &[f64]) -> (f64, f64, Vec<f64>) {
        let finite = || values.iter().copied().filter(|v| v.is_finite());
        let most = finite().fold(f64::MIN_POSITIVE, f64::max);
        if !self.log {
            let step = (most / 4.0).max(1.0);
            return (0.0, most.max(1.0), (0..=4).map(|i| f64::from(i) * step).collect());
        }
        let least = finite().filter(|v| *v > 0.0).fold(most, f64::min);
        let marks = (-6..=9).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
        let marks: Vec<f64> = marks.collect();
        let low = marks.iter().copied().rfind(|m| *m <= least).unwrap_or(least);
        let high = marks.iter().copied().find(|m| *m >= most && *m > low).unwrap_or(most);
        (low, high, marks.into_iter().filter(|m| *m >= low && *m <= high).collect())
    }

    /// Where a value lies between the ends, from 0 to 1.
    fn place(self, v: f64, low: f64, high: f64) -> f64 {
        let place = if self.log { (v / low).ln() / (high / low).ln() } else { (v - low) / (high - low) };
        place.clamp(0.0, 1.0)
    }
}

struct Plot<'a> {
    title: &'a str,
    x: Axis<'a>,
    y: Axis<'a>,
    lines: Vec<Line>,
}

impl Plot<'_> {
    fn svg(&self) -> String {
        let dots = || self.lines.iter().flat_map(|l| &l.dots);
        let xs: Vec<f64> = dots().map(|d| d.x).collect();
        let ys: Vec<f64> = dots().flat_map(|d| [d.y, d.above]).collect();
        let (x_low, x_high, x_marks) = self.x.scale(&xs);
        let (y_low, y_high, y_marks) = self.y.scale(&ys);
        let (left, top, right, bottom) = FIELD;
        let x = |v| left + (right - left) * self.x.place(v, x_low, x_high);
        let y = |v| bottom - (bottom - top) * self.y.place(v, y_low, y_high);
        let mut out = Svg::new(self.title);
        for mark in x_marks {
            out.line((x(mark), top), (x(mark), bottom), "#ddd");
            out.text((x(mark), bottom + 18.0), "middle", &mark_text(mark));
        }
        for mark in y_marks {
            out.line((left, y(mark)), (right, y(mark)), "#ddd");
            out.text((left - 8.0, y(mark) + 4.0), "end", &mark_text(mark));
        }
        out.text(((left + right) / 2.0, bottom + 42.0), "middle", self.x.name);
        out.text((left, top - 8.0), "start", self.y.name);
        for (i, line) in self.lines.iter().enumerate().filter(|(_, l)| !l.dots.is_empty()) {
            let points: Vec<(f64, f64)> = line.dots.iter().map(|d| (x(d.x), y(d.y))).collect();
            out.path(&points, line.colour);
            for (dot, at) in line.dots.iter().zip(points) {
                out.line(at, (at.0, y(dot.above)), line.colour);
                out.dot(at, line.colour);
                out.text((at.0 + 7.0, at.1 + 4.0), "start", &dot.text);
            }
            let legend = top + 14.0 + 22.0 * i as f64;
            out.dot((right + 20.0, legend - 4.0), line.colour);
            out.text((right + 30.0, legend), "start", &line.name);
        }
        out.finish()
    }
}

fn mark_text(v: f64) -> String {
    format!("{}", (v * 1e6).round() / 1e6)
}

/// An SVG under way. Its texts are this program's own and need no escapes.
struct Svg(String);

impl Svg {
    fn new(title: &str) -> Self {
        let (width, height) = SIZE;
        let mut svg = Svg(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
             font-size=\"13\">\n<title>{title}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
        ));
        svg.text((FIELD.0, 18.0), "start", title);
        svg
    }

    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        self.0.write_fmt(element).expect("a string takes all");
        self.0.push('\n');
    }

    fn line(&mut self, a: (f64, f64), b: (f64, f64), colour: &str) {
        let ((x1, y1), (x2, y2)) = (a, b);
        self.put(format_args!("<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>"));
    }

    fn path(&mut self, points: &[(f64, f64)], colour: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.put(format_args!("<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\"/>", points.join(" ")));
    }

    fn dot(&mut self, (x, y): (f64, f64), colour: &str) {
        self.put(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>"));
    }

    fn text(&mut self, (x, y): (f64, f64), anchor: &str, text: &str) {
        if !text.is_empty() {
            self.put(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#222\">{text}</text>"));
        }
    }

    fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers_around_the_values() {
        let log = Axis { name: "", log: true };
        assert_eq!(log.scale(&[0.6, 30.0]), (0.5, 50.0, vec![0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0]));
        assert!((log.place(5.0, 0.5, 50.0) - 0.5).abs() < 1e-9);
        let linear = Axis { name: "", log: false };
        assert_eq!(linear.scale(&[0.0, 20.0]), (0.0, 20.0, vec![0.0, 5.0, 10.0, 15.0, 20.0]));
        // nothing measured, or never reached
        for values in [&[][..], &[f64::INFINITY], &[0.0]] {
            let (low, high, _) = log.scale(values);
            assert!(low < high && low > 0.0, "{values:?}: {low} {high}");
        }
    }

    #[test]
    fn an_empty_plot_is_a_plot() {
        for (name, plot) in all(&Figures::default()) {
            assert!(plot.starts_with("<svg") && !plot.contains("NaN") && !plot.contains("inf"), "{name}: {plot}");
        }
    }
}
