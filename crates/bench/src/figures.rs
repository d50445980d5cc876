//! The figures that benches print: one list of them, so that all tables have the same columns with the same meaning.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;

/// A quantity that benches measure, in base units.
#[derive(Debug)]
pub struct Figure {
    /// What programs call it.
    pub key: &'static str,
    /// What people call it, with the unit it is shown in.
    pub label: &'static str,
    /// From base units to the unit it is shown in.
    pub scale: f64,
    /// Digits after the point.
    pub digits: usize,
}

const fn figure(key: &'static str, label: &'static str, scale: f64, digits: usize) -> Figure {
    Figure { key, label, scale, digits }
}

/// All of them, in the order in which they are shown.
pub static ALL: &[Figure] = &[
    figure("age.mean", "age mean, s", 1.0, 3),
    figure("age.p99", "age p99, s", 1.0, 3),
    figure("age.max", "age max, s", 1.0, 3),
    figure("sent.bytes", "kB/s sent", 1e-3, 2),
    figure("sent.packets", "packets/s sent", 1.0, 1),
    figure("lost", "% lost in full buffers here", 100.0, 2),
    figure("row.bytes", "bytes of a row", 1.0, 2),
    figure("redundancy", "rows received / rows new", 1.0, 3),
    figure("cpu", "% of a core", 100.0, 3),
    figure("memory", "heap, MB", 1e-6, 2),
    figure("resident", "resident, MB", 1e-6, 2),
    figure("joined", "all know all, s", 1.0, 2),
    figure("suspect.first", "suspected by the first, s", 1.0, 2),
    figure("suspect.all", "suspected by all, s", 1.0, 2),
    figure("down.first", "known down by the first, s", 1.0, 2),
    figure("down.all", "known down by all, s", 1.0, 2),
    figure("down.worst", "known down by all, worst, s", 1.0, 2),
    figure("wrong", "alive, but not shown so, 1/million", 1e6, 0),
];

/// What was measured: by key, in base units. What a program does not have is not there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures(BTreeMap<&'static str, f64>);

impl Figures {
    /// Notes a figure.
    ///
    /// # Panics
    /// If [`ALL`] has none of this key: that is a slip of the bench itself.
    pub fn put(&mut self, key: &str, value: f64) {
        let known = ALL.iter().find(|f| f.key == key).expect("a figure is listed before it is measured");
        self.0.insert(known.key, value);
    }

    /// Takes over all figures of another.
    pub fn extend(&mut self, other: &Figures) {
        self.0.extend(&other.0);
    }

    /// A figure in base units.
    pub fn value(&self, key: &str) -> Option<f64> {
        self.0.get(key).copied()
    }

    /// A figure as people read it; `-` if it is not there.
    pub fn show(&self, figure: &Figure) -> String {
        match self.value(figure.key) {
            Some(v) if v.is_finite() => format!("{:.*}", figure.digits, v * figure.scale),
            _ => "-".into(),
        }
    }

    /// As lines of `key value`, for [`Figures::parse`] in another process.
    pub fn lines(&self) -> String {
        self.0.iter().map(|(key, value)| format!("{key} {value}\n")).collect()
    }

    /// What [`Figures::lines`] wrote.
    ///
    /// # Errors
    /// If the text is something else; with the line.
    pub fn parse(text: &str) -> Result<Figures> {
        let mut figures = Figures::default();
        for line in text.lines() {
            let (key, value) = line.split_once(' ').with_context(|| format!("{line:?} is no figure"))?;
            let Some(known) = ALL.iter().find(|f| f.key == key) else { bail!("{line:?} is no known figure") };
            figures.0.insert(known.key, value.parse().with_context(|| format!("{line:?} has no number"))?);
        }
        Ok(figures)
    }
}

/// Notes mean, 99th percentile and largest of ages in seconds; nothing if there are none.
pub fn put_ages(figures: &mut Figures, mut ages: Vec<f64>) {
    ages.sort_by(f64::total_cmp);
    let Some(last) = ages.last() else { return };
    let at = (ages.len() * 99 / 100).min(ages.len() - 1);
    figures.put("age.max", *last);
    figures.put("age.p99", ages[at]);
    figures.put("age.mean", ages.iter().sum::<f64>() / ages.len() as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_pass_between_processes() {
        let mut f = Figures::default();
        f.put("cpu", 0.0125);
        put_ages(&mut f, vec![3.0, 1.0, 2.0]);
        assert_eq!(Figures::parse(&f.lines()).expect("its own lines"), f);
        let shown: Vec<_> = ALL.iter().filter(|a| f.value(a.key).is_some()).map(|a| (a.key, f.show(a))).collect();
        let want = [("age.mean", "2.000"), ("age.p99", "3.000"), ("age.max", "3.000"), ("cpu", "1.250")];
        assert_eq!(shown, want.map(|(k, v)| (k, v.to_string())));
        assert_eq!(Figures::default().show(&ALL[0]), "-");
        for wrong in ["cpu", "speed 1", "cpu fast"] {
            assert!(Figures::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
