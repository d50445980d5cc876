//! Resource requirements in LSF's shape, since people who run jobs know it:
//! `select[mem>4G && gpus_free>=1 && tag(big)] order[-r1m:mem] span[n=4]`.
//!
//! `select` holds a condition in [`peermon_expr`]'s language, in which LSF's indices may be used. A number without a unit beside
//! `mem`, `swp`, `maxmem` or `maxswp` is in MiB. `order` lists what to order by, the best first: of an index the direction is known,
//! of any other expression the highest comes first, and a minus turns either round. `span` says how many nodes, and how many
//! processes each of them takes. A text without brackets is what `select` holds.

use crate::{Order, Requirements};
use peermon_expr::{Alias, Dialect, Error, Expression};
use peermon_model::Snapshot;
use std::ops::Range;

const fn index(name: &'static str, means: &'static str, unit: &'static str) -> Alias {
    Alias { name, means, unit }
}

/// LSF's words, and what each means here.
pub static WORDS: Dialect = Dialect {
    aliases: &[
        index("r15s", "procs.running / cpu.threads", ""),
        index("r1m", "load.1 / cpu.threads", ""),
        index("ut", "cpu.busy", ""),
        index("ls", "users.logged_in", ""),
        index("mem", "mem.available", "MiB"),
        index("swp", "swap.total - swap.used", "MiB"),
        index("maxmem", "mem.total", "MiB"),
        index("maxswp", "swap.total", "MiB"),
        index("ncpus", "cpu.threads", ""),
        index("ncores", "cpu.cores", ""),
        index("nprocs", "cpu.sockets", ""),
        index("free_cpu", "max(cpu.threads - load.1, 0)", ""),
        index("gpus", "gpu.count", ""),
        // GPUs' worth of memory that is not in use: a GPU that runs something holds most of its memory.
        index("gpus_free", "gpu.count * (1 - gpu.mem.used)", ""),
        index("hname", "name", ""),
        index("type", "os.arch", ""),
        index("model", "cpu.model", ""),
        index("status", "state", ""),
    ],
    functions: &[("defined", "known")],
    refused: &[
        ("r15m", "every node tells its load of one minute only: use r1m"),
        ("pg", "use pressure.memory, the share of time in which something waited for memory"),
        ("io", "use disk.busy, the share of time in which the busiest disk had work"),
        ("it", "how long nobody typed is not measured: use ls, the users logged in"),
        ("tmp", "room on disks is not told to all: use a label"),
    ],
};

/// Indices of which less is better.
const LESS_IS_BETTER: &[&str] = &["r15s", "r1m", "ut", "ls"];
/// Things to order by, at most: the fourth already decides nothing.
pub const ORDER_KEYS_MAX: usize = 8;
/// Nodes, and processes on each, at most.
pub const SPAN_MAX: usize = 100_000;

/// A resource requirement that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lsf {
    /// `select[...]`.
    pub select: Option<Expression>,
    /// `order[...]`, the highest first.
    pub order: Vec<Expression>,
    /// `span[n=...]` or `span[hosts=...]`: how many nodes.
    pub nodes: Option<usize>,
    /// `span[ptile=...]`: how many processes each node takes.
    pub per_node: Option<usize>,
}

impl Lsf {
    /// Reads a resource requirement; errors point into it.
    pub fn parse(text: &str) -> Result<Lsf, Error> {
        let mut lsf = Lsf::default();
        let mut seen: Vec<&str> = Vec::new();
        let mut at = 0;
        while let Some(start) = text[at..].find(|c: char| !c.is_whitespace()).map(|i| at + i) {
            let word = &text[start..start + text[start..].find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len() - start)];
            let open = start + word.len();
            if !text[open..].starts_with('[') {
                if !seen.is_empty() {
                    return Err(Error::new(text, start..text.len(), "a section is wanted here")
                        .with_hint("write select[...] order[...] span[...]"));
                }
                lsf.select = Some(Expression::part_of(text, 0..text.len(), &WORDS)?);
                return Ok(lsf);
            }
            let close = closing(text, open)?;
            if seen.contains(&word) {
                return Err(Error::new(text, start..close + 1, format!("there are two {word} sections"))
                    .with_hint("join conditions with && in one"));
            }
            seen.push(word);
            let inside = open + 1..close;
            match word {
                "select" => lsf.select = Some(Expression::part_of(text, inside, &WORDS)?),
                "order" => lsf.order = order(text, inside)?,
                "span" => lsf.span(text, inside)?,
                _ => {
                    return Err(Error::new(text, start..open, format!("there is no section {word:?} here"))
                        .with_hint("there are select[...], order[...] and span[...]"));
                }
            }
            at = close + 1;
        }
        if seen.is_empty() {
            return Err(
                Error::new(text, 0..text.len(), "there is no requirement").with_hint("write e.g. select[mem>4G] order[r1m]")
            );
        }
        Ok(lsf)
    }

    /// Adds what `select` asks for to other requirements.
    pub fn add_to(&self, requirements: &mut Requirements) {
        requirements.conditions.extend(self.select.clone());
    }

    /// What `order` says, for the nodes of a snapshot; `None` if it says nothing.
    pub fn order(&self, delta: f64, snapshot: &Snapshot) -> Result<Option<Order>, Error> {
        if self.order.is_empty() { Ok(None) } else { Order::new(&self.order, delta, snapshot).map(Some) }
    }

    fn span(&mut self, text: &str, range: Range<usize>) -> Result<(), Error> {
        let inside = text[range.clone()].trim();
        let wrong =
            |message: &str| Error::new(text, range.clone(), message).with_hint("write span[n=4], span[hosts=1] or span[ptile=2]");
        let (key, number) = inside.split_once('=').ok_or_else(|| wrong("this is not KEY=NUMBER"))?;
        let number: usize = number.trim().parse().map_err(|_| wrong("a whole number is wanted behind ="))?;
        if number == 0 || number > SPAN_MAX {
            return Err(wrong("the number must be 1 to 100000"));
        }
        match key.trim() {
            "n" | "hosts" => self.nodes = Some(number),
            "ptile" => self.per_node = Some(number),
            _ => return Err(wrong("nodes can span n, hosts or ptile only")),
        }
        Ok(())
    }
}

/// Where the bracket at `open` is closed; those in quotes do not count.
fn closing(text: &str, open: usize) -> Result<usize, Error> {
    let end = unquoted(text, open + 1..text.len()).find(|(_, c)| *c == ']').map(|(i, _)| i);
    end.ok_or_else(|| Error::new(text, open..open + 1, "this bracket is not closed").with_hint("end the section with ]"))
}

/// The characters of a part that stand in no quotes, with their places.
fn unquoted(text: &str, range: Range<usize>) -> impl Iterator<Item = (usize, char)> + '_ {
    let start = range.start;
    let mut quote = None;
    let mut escaped = false;
    text[range].char_indices().filter_map(move |(i, c)| match quote {
        Some(_) if std::mem::take(&mut escaped) => None,
        Some(q) => {
            escaped = c == '\\';
            if c == q {
                quote = None;
            }
            None
        }
        None if matches!(c, '"' | '\'') => {
            quote = Some(c);
            None
        }
        None => Some((start + i, c)),
    })
}

/// The things to order by, each so that the highest is the best.
fn order(text: &str, range: Range<usize>) -> Result<Vec<Expression>, Error> {
    let mut keys = Vec::new();
    let mut start = range.start;
    let ends = unquoted(text, range.clone()).filter(|(_, c)| *c == ':').map(|(i, _)| i);
    for end in ends.chain([range.end]) {
        if keys.len() == ORDER_KEYS_MAX {
            return Err(Error::new(text, start..range.end, format!("more than {ORDER_KEYS_MAX} things to order by")));
        }
        let word = text[start..end].trim();
        let word = word.strip_prefix('-').map_or(word, str::trim_start);
        let expression = Expression::part_of(text, start..end, &WORDS)?;
        // Of an index that was turned round with a minus this takes the minus away.
        keys.push(if LESS_IS_BETTER.contains(&word) { expression.negated() } else { expression });
        start = end + 1;
    }
    Ok(keys)
}
