//! The list of all options; each file beside this one holds those of one subject.

mod collect;
mod faces;
mod gossip;
mod log;
mod node;
mod own;
mod words;

use super::Config;
use super::input::Input;

/// One option: how it is named, explained, read and written.
#[derive(Clone, Copy)]
pub struct Opt {
    /// Its key in the file, with its section: `gossip.listen`.
    pub key: &'static str,
    /// What it does, its range, what too much and too little cost.
    pub help: &'static str,
    /// Whether a reload applies it; otherwise a restart does.
    pub reloads: bool,
    /// How it looks in the file, where its default is nothing to look at.
    pub example: Option<&'static str>,
    show: fn(&Config) -> String,
    put: fn(&mut Config, &Input) -> Result<(), String>,
}

impl Opt {
    /// Its value as TOML.
    pub fn show(&self, config: &Config) -> String {
        (self.show)(config)
    }

    /// The environment variable it is read from.
    pub fn variable(&self) -> String {
        format!("PEERMON_{}", self.key.to_ascii_uppercase().replace('.', "_"))
    }

    pub(in crate::config) fn put(&self, config: &mut Config, input: &Input) -> Result<(), String> {
        (self.put)(config, input)
    }
}

impl std::fmt::Debug for Opt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key)
    }
}

/// By subject, in the order of the documented sample: what stands in no section of the file comes before what does, but for
/// tables, which are sections of their own.
const LISTS: &[&[Opt]] = &[node::LIST, collect::LIST, gossip::LIST, faces::LIST, log::LIST, collect::TABLES, own::LIST];

/// All options, in the order of the documented sample.
pub static OPTIONS: &[Opt] = &JOINED;

static JOINED: [Opt; COUNT] = {
    let mut joined = [LISTS[0][0]; COUNT];
    let (mut list, mut n) = (0, 0);
    while list < LISTS.len() {
        let mut i = 0;
        while i < LISTS[list].len() {
            joined[n] = LISTS[list][i];
            n += 1;
            i += 1;
        }
        list += 1;
    }
    joined
};

const COUNT: usize = {
    let (mut list, mut count) = (0, 0);
    while list < LISTS.len() {
        count += LISTS[list].len();
        list += 1;
    }
    count
};

/// The option with this key.
pub(in crate::config) fn find(key: &str) -> Option<&'static Opt> {
    OPTIONS.iter().find(|o| o.key == key)
}

/// Whether a key names a section of the file.
pub(in crate::config) fn is_section(key: &str) -> bool {
    sections().any(|s| s == key)
}

fn sections() -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().filter_map(|o| Some(o.key.rsplit_once('.')?.0))
}

/// The option or section whose name is most like the one written, if any is like it at all.
pub(in crate::config) fn nearest(key: &str) -> Option<&'static str> {
    like(key, OPTIONS.iter().map(|o| o.key).chain(sections()))
}

/// The name among those known that is most like the one written, if any is like it at all.
pub(in crate::config) fn like<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let leaf = |k: &str| k.rsplit('.').next().unwrap_or(k).to_string();
    let known = known.filter(|k| *k != key);
    // Somebody who has the right last word in the wrong section is helped best.
    let distance = |k: &&str| steps(k, key).min(steps(&leaf(k), &leaf(key)) + 1);
    // Of several that are as near, the first of the list: it is the more usual one.
    known.map(|k| (distance(&k), k)).min_by_key(|(d, _)| *d).filter(|(d, _)| *d <= key.len().min(60) / 3 + 1).map(|(_, k)| k)
}

/// Letters to change, add or take away to turn one word into the other (Levenshtein), words cut at 64 letters.
fn steps(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
