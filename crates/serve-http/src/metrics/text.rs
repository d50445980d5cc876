//! The text formats: Prometheus 0.0.4 and OpenMetrics 1.0.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;

/// Which of the two formats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Prometheus,
    OpenMetrics,
}

impl Format {
    /// What an Accept header asks for: OpenMetrics if it is named and not less wanted than plain text.
    pub(crate) fn asked(accept: &str) -> Format {
        let (mut open, mut plain) = (0.0, 0.0);
        for part in accept.split(',') {
            let mut fields = part.split(';').map(str::trim);
            let kind = fields.next().unwrap_or_default().to_ascii_lowercase();
            let (mut q, mut version) = (1.0, None);
            for f in fields {
                match f.split_once('=') {
                    Some(("q", v)) => q = v.parse().unwrap_or(0.0),
                    Some(("version", v)) => version = Some(v.trim_matches('"')),
                    _ => {}
                }
            }
            match kind.as_str() {
                "application/openmetrics-text" if version.is_none_or(|v| v == "1.0.0") => open = f64::max(open, q),
                "text/plain" | "text/*" => plain = f64::max(plain, q),
                _ => {}
            }
        }
        if open > 0.0 && open >= plain { Format::OpenMetrics } else { Format::Prometheus }
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// How a family's values behave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Type {
    Counter,
    Gauge,
    Untyped,
}

/// All samples of an answer, those of one name together.
#[derive(Default)]
pub(crate) struct Families {
    by_name: BTreeMap<String, Family>,
}

struct Family {
    help: String,
    kind: Type,
    /// Labels as text, and the value.
    samples: Vec<(String, f64)>,
    seen: HashSet<String>,
}

impl Families {
    /// Adds a sample. The first one of a name decides its help and type; a second one with the same labels is left out, since
    /// a scraper would refuse the whole answer for it.
    pub(crate) fn add(&mut self, name: &str, kind: Type, help: &str, labels: &[(&str, &str)], value: f64) {
        let family = self.by_name.entry(name.to_string()).or_insert_with(|| {
            // What the formats call a counter ends in _total.
            let kind = if kind == Type::Counter && !name.ends_with("_total") { Type::Untyped } else { kind };
            Family { help: help.to_string(), kind, samples: Vec::new(), seen: HashSet::new() }
        });
        let labels = label_text(labels);
        if family.seen.insert(labels.clone()) {
            family.samples.push((labels, value));
        }
    }

    /// Whether there is a sample of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    pub(crate) fn render(&self, format: Format) -> String {
        let mut out = String::new();
        for (name, f) in &self.by_name {
            let (family, kind) = match (format, f.kind) {
                (Format::Prometheus, Type::Counter) => (name.as_str(), "counter"),
                (Format::Prometheus, Type::Untyped) => (name.as_str(), "untyped"),
                (_, Type::Gauge) => (name.as_str(), "gauge"),
                (Format::OpenMetrics, Type::Untyped) => (name.as_str(), "unknown"),
                // OpenMetrics names a counter's family without its ending, unless another family has that name.
                (Format::OpenMetrics, Type::Counter) => match name.strip_suffix("_total") {
                    Some(family) if !self.has(family) => (family, "counter"),
                    _ => (name.as_str(), "unknown"),
                },
            };
            let help = escape(&f.help, format == Format::OpenMetrics);
            // Writing to a String cannot fail.
            let _ = write!(out, "# HELP {family} {help}\n# TYPE {family} {kind}\n");
            for (labels, value) in &f.samples {
                let _ = writeln!(out, "{name}{labels} {}", number(*value));
            }
        }
        if format == Format::OpenMetrics {
            out.push_str("# EOF\n");
        }
        out
    }
}

fn label_text(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let mut out = String::from("{");
    for (i, (name, value)) in labels.iter().enumerate() {
        // A label may be given by the catalogue and by the sample; one name twice is an error to a scraper.
        if labels[..i].iter().any(|(n, _)| n == name) {
            continue;
        }
        let comma = if i == 0 { "" } else { "," };
        let _ = write!(out, "{comma}{name}=\"{}\"", escape(value, true));
    }
    out.push('}');
    out
}

fn escape(text: &str, quotes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
    out
}

fn number(value: f64) -> String {
    match value {
        v if v.is_nan() => "NaN".into(),
        f64::INFINITY => "+Inf".into(),
        f64::NEG_INFINITY => "-Inf".into(),
        v if v == 0.0 || (1e-6..1e16).contains(&v.abs()) => format!("{v}"),
        v => format!("{v:e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_given_to_those_who_ask() {
        for (accept, open) in [
            ("", false),
            ("*/*", false),
            ("text/plain", false),
            ("application/openmetrics-text", true),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", true),
            ("application/openmetrics-text;version=0.0.1", false),
            ("application/openmetrics-text;version=1.0.0;q=0.2,text/plain;q=0.5", false),
            ("application/openmetrics-text;q=0", false),
            // What Prometheus 2.42 sends.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                true,
            ),
        ] {
            assert_eq!(Format::asked(accept) == Format::OpenMetrics, open, "{accept}");
        }
    }

    #[test]
    fn both_formats_to_the_letter() {
        let mut f = Families::default();
        f.add("b_total", Type::Counter, "Back\\slash\nand \"quotes\".", &[("l", "a\\b\n\"c\"")], 1.0);
        f.add("a_ratio", Type::Gauge, "A.", &[], 0.25);
        f.add("b_total", Type::Counter, "ignored", &[("l", "2"), ("m", "é"), ("l", "twice")], 1e300);
        f.add("b_total", Type::Counter, "ignored", &[("l", "2"), ("m", "é")], 7.0);
        f.add("c", Type::Counter, "Not named as a counter.", &[], f64::NEG_INFINITY);
        f.add("d_total", Type::Counter, "Beside a d.", &[], 123456789012.0);
        f.add("d", Type::Gauge, "D.", &[], f64::NAN);
        let prometheus = "# HELP a_ratio A.\n# TYPE a_ratio gauge\na_ratio 0.25\n\
            # HELP b_total Back\\\\slash\\nand \"quotes\".\n# TYPE b_total counter\n\
            b_total{l=\"a\\\\b\\n\\\"c\\\"\"} 1\nb_total{l=\"2\",m=\"é\"} 1e300\n\
            # HELP c Not named as a counter.\n# TYPE c untyped\nc -Inf\n\
            # HELP d D.\n# TYPE d gauge\nd NaN\n\
            # HELP d_total Beside a d.\n# TYPE d_total counter\nd_total 123456789012\n";
        assert_eq!(f.render(Format::Prometheus), prometheus);
        let open = "# HELP a_ratio A.\n# TYPE a_ratio gauge\na_ratio 0.25\n\
            # HELP b Back\\\\slash\\nand \\\"quotes\\\".\n# TYPE b counter\n\
            b_total{l=\"a\\\\b\\n\\\"c\\\"\"} 1\nb_total{l=\"2\",m=\"é\"} 1e300\n\
            # HELP c Not named as a counter.\n# TYPE c unknown\nc -Inf\n\
            # HELP d D.\n# TYPE d gauge\nd NaN\n\
            # HELP d_total Beside a d.\n# TYPE d_total unknown\nd_total 123456789012\n# EOF\n";
        assert_eq!(f.render(Format::OpenMetrics), open);
    }
}
