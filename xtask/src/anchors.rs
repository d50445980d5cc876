//! Whether the lock file of `bench/anchors`, a workspace of its own that no test builds, still knows all that our crates need: without that
//! `make bench-anchors` ends before it begins.

use crate::Findings;
use crate::metadata::{self, Package};
use anyhow::{Context, Result};
use std::collections::BTreeMap;

const LOCK: &str = "bench/anchors/Cargo.lock";

pub(crate) fn check() -> Result<Findings> {
    let lock = std::fs::read_to_string(metadata::root().join(LOCK)).with_context(|| format!("reading {LOCK}"))?;
    let locked = locked(&lock);
    let ours = metadata::packages(&["--no-deps"])?;
    let wrong = missing(&locked, &ours);
    Ok(Findings { wrong, notes: Vec::new(), seen: format!("{} packages in {LOCK}", locked.len()) })
}

/// What a lock file says each package depends on.
fn locked(lock: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut packages: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut name = "";
    for line in lock.lines() {
        if let Some(of) = line.strip_prefix("name = ") {
            name = of.trim_matches('"');
            packages.entry(name).or_default();
        } else if let Some(dependency) = line.strip_prefix(" \"") {
            // a version follows where there are several
            let dependency = dependency.trim_end_matches([',', '"']).split(' ').next().unwrap_or_default();
            packages.entry(name).or_default().push(dependency);
        }
    }
    packages
}

fn missing(locked: &BTreeMap<&str, Vec<&str>>, ours: &[Package]) -> Vec<String> {
    let mut wrong = Vec::new();
    for p in ours {
        let Some(known) = locked.get(p.name.as_str()) else { continue };
        for d in p.dependencies.iter().filter(|d| !d.dev && !d.optional && !known.contains(&d.name.as_str())) {
            wrong.push(format!(
                "{LOCK} does not know that {} needs {}; run  cargo update --workspace --manifest-path bench/anchors/Cargo.toml",
                p.name, d.name
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    #[test]
    fn a_dependency_that_the_lock_file_does_not_know_is_told() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1\"\ndependencies = [\n \"b\",\n \"c 2.0.0\",\n]\n\n[[package]]\nname = \"b\"\n";
        let needs = |name: &str, optional| Dependency { name: name.into(), dev: false, optional };
        let package = |name: &str, dependencies| Package { name: name.into(), dependencies, ..Package::default() };
        let ours = [
            package("a", vec![needs("b", false), needs("c", false), needs("d", false), needs("e", true)]),
            package("x", vec![needs("y", false)]),
        ];
        let wrong = missing(&locked(lock), &ours);
        assert_eq!(wrong.len(), 1);
        assert!(wrong[0].contains("that a needs d;"), "{wrong:?}");
    }
}
