//! Which licences the crates in the lock file have. A small stand-in for cargo-deny, which takes minutes to build.

use crate::Findings;
use crate::metadata::{self, Package};
use anyhow::Result;
use std::collections::BTreeMap;

/// Licences that ask for no more than their text and a name, so that the whole can be MIT OR Apache-2.0.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// The exception that LLVM adds to Apache-2.0 only gives more freedom.
const ALLOWED_EXCEPTIONS: &[&str] = &["LLVM-exception"];

/// Where peermon runs. Crates for other systems are named in the lock file, but never built or shipped.
const PLATFORMS: &[&str] = &["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

pub(crate) fn check() -> Result<Findings> {
    let mut all = BTreeMap::new();
    for platform in PLATFORMS {
        let found = metadata::packages(&["--filter-platform", platform])?;
        all.extend(found.into_iter().map(|p| ((p.name.clone(), p.version.clone()), p)));
    }
    let packages: Vec<Package> = all.into_values().collect();
    Ok(judge(&packages))
}

fn judge(packages: &[Package]) -> Findings {
    let mut wrong = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for p in packages {
        versions.entry(&p.name).or_default().push(&p.version);
        let says = p.licence.as_deref().unwrap_or("");
        match allowed(says) {
            Ok(true) => {}
            Ok(false) if says.is_empty() => {
                wrong.push(format!("{} {} names no licence: do not use it, or ask its author", p.name, p.version));
            }
            Ok(false) => wrong.push(format!(
                "{} {} is under {says:?}, which is not in ALLOWED of xtask/src/licences.rs: replace it, or add it with a reason",
                p.name, p.version
            )),
            Err(e) => wrong.push(format!("{} {}: cannot read its licence {says:?}: {e}", p.name, p.version)),
        }
    }
    let twice = versions.iter().filter(|(_, v)| v.len() > 1);
    let notes = twice.map(|(name, v)| format!("{name} is there more than once: {}", v.join(", "))).collect();
    let foreign = packages.iter().filter(|p| p.foreign).count();
    Findings { wrong, notes, seen: format!("{foreign} crates of other people") }
}

/// Whether an SPDX expression can be met with allowed licences alone. `/` is an old way to write OR.
fn allowed(expression: &str) -> Result<bool, String> {
    if expression.trim().is_empty() {
        return Ok(false);
    }
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let result = any(&mut rest)?;
    match rest {
        [] => Ok(result),
        [word, ..] => Err(format!("{word:?} is in an odd place")),
    }
}

fn any(rest: &mut &[&str]) -> Result<bool, String> {
    let mut result = every(rest)?;
    while let ["OR", tail @ ..] = *rest {
        *rest = tail;
        result |= every(rest)?;
    }
    Ok(result)
}

fn every(rest: &mut &[&str]) -> Result<bool, String> {
    let mut result = one(rest)?;
    while let ["AND", tail @ ..] = *rest {
        *rest = tail;
        result &= one(rest)?;
    }
    Ok(result)
}

fn one(rest: &mut &[&str]) -> Result<bool, String> {
    match *rest {
        [] | ["OR" | "AND" | "WITH" | ")", ..] => Err("a licence is missing".into()),
        ["(", tail @ ..] => {
            *rest = tail;
            let result = any(rest)?;
            let [")", tail @ ..] = *rest else { return Err("a bracket stays open".into()) };
            *rest = tail;
            Ok(result)
        }
        [licence, "WITH", exception, tail @ ..] => {
            *rest = tail;
            Ok(ALLOWED.contains(licence) && ALLOWED_EXCEPTIONS.contains(exception))
        }
        [licence, tail @ ..] => {
            *rest = tail;
            Ok(ALLOWED.contains(licence))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        const CASES: &[(&str, Result<bool, ()>)] = &[
            ("MIT", Ok(true)),
            ("MIT OR Apache-2.0", Ok(true)),
            ("MIT/Apache-2.0", Ok(true)),
            ("GPL-3.0-only", Ok(false)),
            ("GPL-3.0-only OR MIT", Ok(true)),
            ("GPL-3.0-only AND MIT", Ok(false)),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", Ok(true)),
            ("(MIT OR Apache-2.0) AND MPL-2.0", Ok(false)),
            ("Apache-2.0 WITH LLVM-exception", Ok(true)),
            ("GPL-2.0-only WITH Classpath-exception-2.0", Ok(false)),
            ("", Ok(false)),
            ("MIT OR", Err(())),
            ("(MIT", Err(())),
            ("MIT MIT", Err(())),
            (")", Err(())),
        ];
        for (text, want) in CASES {
            assert_eq!(allowed(text).map_err(|_| ()), *want, "{text:?}");
        }
    }

    #[test]
    fn complaints_name_the_crate_and_its_licence() {
        let package = |name: &str, version: &str, licence: Option<&str>| Package {
            name: name.into(),
            version: version.into(),
            licence: licence.map(str::to_string),
            foreign: true,
            ..Package::default()
        };
        let f = judge(&[
            package("good", "1.0.0", Some("MIT")),
            package("good", "2.0.0", Some("ISC")),
            package("bad", "0.3.0", Some("AGPL-3.0-only")),
            package("mute", "0.1.0", None),
        ]);
        assert_eq!(f.wrong.len(), 2, "{:?}", f.wrong);
        assert!(f.wrong[0].contains("bad 0.3.0") && f.wrong[0].contains("AGPL-3.0-only"), "{:?}", f.wrong);
        assert!(f.wrong[1].contains("mute 0.1.0 names no licence"), "{:?}", f.wrong);
        assert_eq!(f.notes, ["good is there more than once: 1.0.0, 2.0.0"]);
    }
}
