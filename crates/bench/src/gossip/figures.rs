//! What was measured: numbers by cluster size, protocol, condition and quantity; kept in a text file, so that sizes and
//! protocols can be measured one at a time and the page shows them together.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::Path;

/// The file's first line.
const HEADS: &str = "nodes\tprotocol\tcondition\tquantity\tvalue";

/// One measured number. Times are seconds, bytes are bytes; a value that was not reached in the time given is infinite.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) condition: &'static str,
    pub(crate) quantity: &'static str,
    pub(crate) value: f64,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Figures {
    all: BTreeMap<(usize, String, String, String), f64>,
}

impl Figures {
    pub(crate) fn put(&mut self, nodes: usize, protocol: &str, figures: Vec<Figure>) {
        for f in figures {
            self.all.insert((nodes, protocol.into(), f.condition.into(), f.quantity.into()), f.value);
        }
    }

    pub(crate) fn at(&self, nodes: usize, protocol: &str, condition: &str, quantity: &str) -> Option<f64> {
        self.all.get(&(nodes, protocol.into(), condition.into(), quantity.into())).copied()
    }

    /// Cluster sizes there are figures of.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        let mut sizes: Vec<usize> = self.all.keys().map(|k| k.0).collect();
        sizes.dedup();
        sizes
    }

    /// Reads a file that [`Figures::write`] wrote; a file that is not there holds none.
    pub(crate) fn read(path: &Path) -> Result<Figures> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Figures::default()),
            Err(e) => return Err(e).with_context(|| format!("reading {}", path.display())),
        };
        Figures::parse(&text).with_context(|| format!("{} is not readable; remove it to begin anew", path.display()))
    }

    fn parse(text: &str) -> Result<Figures> {
        let mut figures = Figures::default();
        for (i, line) in text.lines().enumerate() {
            if i == 0 && line == HEADS {
                continue;
            }
            let [nodes, protocol, condition, quantity, value] = line.split('\t').collect::<Vec<_>>()[..] else {
                bail!("line {}: not five columns", i + 1);
            };
            let key =
                (nodes.parse().with_context(|| format!("line {}: {nodes:?} is no number of nodes", i + 1))?, protocol.into());
            let value = value.parse().with_context(|| format!("line {}: {value:?} is no number", i + 1))?;
            figures.all.insert((key.0, key.1, condition.into(), quantity.into()), value);
        }
        Ok(figures)
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        std::fs::write(path, self.text()).with_context(|| format!("writing {}", path.display()))
    }

    fn text(&self) -> String {
        let line = |((n, p, c, q), v): (&(usize, String, String, String), &f64)| format!("{n}\t{p}\t{c}\t{q}\t{}\n", rounded(*v));
        format!("{HEADS}\n{}", self.all.iter().map(line).collect::<String>())
    }
}

/// Six digits that count: more is noise.
fn rounded(v: f64) -> f64 {
    format!("{v:.5e}").parse().unwrap_or(v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut figures = Figures::default();
        let figure = |quantity, value| Figure { condition: "crash", quantity, value };
        figures.put(500, "wave", vec![figure("dead", 1.839_521_7), figure("suspect", f64::INFINITY)]);
        figures.put(50, "wave", vec![figure("dead", 12_345.0)]);
        let text = figures.text();
        assert_eq!(
            text,
            format!("{HEADS}\n50\twave\tcrash\tdead\t12345\n500\twave\tcrash\tdead\t1.83952\n500\twave\tcrash\tsuspect\tinf\n")
        );
        let read = Figures::parse(&text).unwrap();
        assert_eq!((read.text(), read.sizes()), (text, vec![50, 500]));
        assert_eq!(read.at(500, "wave", "crash", "suspect"), Some(f64::INFINITY));
        for wrong in ["50\twave", "x\ta\tb\tc\t1", "50\ta\tb\tc\tfast"] {
            assert!(Figures::parse(wrong).is_err(), "{wrong}");
        }
    }
}
