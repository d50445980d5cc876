//! Which crate may use which: the picture of ARCHITECTURE.md as a table, compared with `cargo metadata`.

use crate::Findings;
use crate::metadata::{self, Package};
use anyhow::{Context, Result};

/// What kind of crate it is, which decides what it may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// Time, chance and bytes are arguments; has a `clippy.toml`; of other people's crates only the ones named here.
    Pure(&'static [&'static str]),
    /// Touches the machine.
    Shell,
    /// Shows the cluster: knows layer 0 only, since it is written against `api`.
    Face,
    /// Only ever a dev-dependency, or a tool of the repository.
    Beside,
}
use Role::{Beside, Face, Pure, Shell};

/// A crate of this workspace: package name, layer, role.
type House = (&'static str, u8, Role);

/// All of them. A new crate gets a line here, in ARCHITECTURE.md, and a `clippy.toml` if it is pure.
const HOUSES: &[House] = &[
    ("peermon-model", 0, Pure(&[])),
    ("peermon-expr", 0, Pure(&[])),
    ("peermon-trust", 0, Pure(&["ring"])),
    ("peermon-api", 0, Pure(&["serde", "serde_json", "thiserror", "utoipa"])),
    ("peermon-gossip", 1, Pure(&[])),
    ("peermon-channel", 1, Pure(&[])),
    ("peermon-pathtest", 1, Pure(&[])),
    ("peermon-health", 1, Pure(&[])),
    ("peermon-memory", 1, Pure(&["miniz_oxide"])),
    ("peermon-placement", 1, Pure(&[])),
    ("peermon-node", 2, Pure(&[])),
    ("peermon-collector", 2, Shell),
    ("peermon-kernel", 2, Shell),
    ("peermon-history", 2, Shell),
    ("peermon-sandbox", 2, Shell),
    ("peermon-client", 2, Shell),
    ("peermon-agent", 3, Shell),
    ("peermon-sim", 3, Shell),
    ("peermon-serve-http", 4, Face),
    ("peermon-serve-text", 4, Face),
    ("peermon-serve-shm", 4, Face),
    ("peermon-serve-fuse", 4, Face),
    ("peermon-serve-dns", 4, Face),
    ("peermon-tui", 4, Face),
    ("peermon", 5, Shell),
    ("peermon-testbed", 6, Beside),
    ("peermon-bench", 6, Beside),
    ("peermon-fuzz", 6, Beside),
    ("xtask", 6, Beside),
];

/// The one crate of layer 0 that the others of layer 0 may use.
const WORDS: &str = "peermon-model";

/// What pure crates may use to test themselves: neither looks at the machine in a way that a result depends on.
const PURE_TEST_TOOLS: &[&str] = &["proptest", "serde_json"];

pub(crate) fn check() -> Result<Findings> {
    let packages = metadata::packages(&["--no-deps"])?;
    let mut wrong = edges(&packages);
    let root = metadata::root();
    let canon = "xtask/pure.clippy.toml";
    let bans = std::fs::read_to_string(root.join(canon)).with_context(|| format!("reading {canon}"))?;
    let pure = packages.iter().filter(|p| matches!(house(&p.name), Some((_, _, Pure(_))))).count();
    for p in &packages {
        let Some((_, _, Pure(_))) = house(&p.name) else { continue };
        let copy = format!("crates/{}/clippy.toml", p.name.trim_start_matches("peermon-"));
        if std::fs::read_to_string(root.join(&copy)).ok().as_deref() != Some(&*bans) {
            wrong.push(format!("{} is pure, but its bans are missing or differ: cp {canon} {copy}", p.name));
        }
    }
    let seen = format!("{} crates, {pure} of them pure", packages.len());
    Ok(Findings { wrong, notes: Vec::new(), seen })
}

fn house(package: &str) -> Option<House> {
    HOUSES.iter().find(|(name, ..)| *name == package).copied()
}

/// Every edge that the table does not allow.
fn edges(packages: &[Package]) -> Vec<String> {
    let mut wrong = Vec::new();
    for p in packages {
        let Some(user) = house(&p.name) else {
            wrong.push(format!("{} has no layer: add it to HOUSES in xtask/src/layers.rs and to ARCHITECTURE.md", p.name));
            continue;
        };
        for d in &p.dependencies {
            if let Err(why) = may_use(user, &d.name, d.dev) {
                wrong.push(format!("{} must not {}use {}: {why}", p.name, if d.dev { "in its tests " } else { "" }, d.name));
            }
        }
    }
    wrong
}

/// Whether one crate may use another, and why not.
fn may_use(user: House, used: &str, dev: bool) -> Result<(), String> {
    let (name, layer, role) = user;
    let Some((_, below, used_role)) = house(used) else {
        return match role {
            Pure(_) if dev && PURE_TEST_TOOLS.contains(&used) => Ok(()),
            Pure(allowed) if !allowed.contains(&used) => {
                Err(format!("a pure crate uses only {allowed:?} of other people's crates"))
            }
            _ => Ok(()),
        };
    };
    // Tests of shells and faces may join anything, in any direction: that is how a face is tried against a real daemon.
    // A pure crate's tests stay pure, so that they replay.
    if role == Beside || (dev && !matches!(role, Pure(_))) {
        return Ok(());
    }
    if used_role == Beside {
        return Err("it is a tool of the repository, at most a dev-dependency".into());
    }
    if layer == 0 && below == 0 {
        return if used == WORDS && name != WORDS {
            Ok(())
        } else {
            Err(format!("of layer 0 only {WORDS} may be used within it"))
        };
    }
    if below >= layer {
        return Err(format!("layer {layer} uses lower layers only, and that is layer {below}"));
    }
    if role == Face && below != 0 {
        return Err("a face is written against peermon-api and knows layer 0 only".into());
    }
    if matches!(role, Pure(_)) && !matches!(used_role, Pure(_)) {
        return Err("a pure crate uses pure crates only".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    #[test]
    fn edges_that_the_house_allows_and_forbids() {
        /// (user, used, in tests, part of the complaint or empty)
        const CASES: &[(&str, &str, bool, &str)] = &[
            ("peermon-trust", "peermon-model", false, ""),
            ("peermon-model", "peermon-trust", false, "only peermon-model"),
            ("peermon-api", "peermon-trust", false, "only peermon-model"),
            ("peermon-gossip", "peermon-trust", false, ""),
            ("peermon-gossip", "peermon-placement", false, "lower layers only"),
            ("peermon-gossip", "peermon-node", false, "lower layers only"),
            ("peermon-gossip", "peermon-collector", true, "lower layers only"),
            ("peermon-gossip", "peermon-testbed", true, "at most a dev-dependency"),
            ("peermon-gossip", "rand", false, "only []"),
            ("peermon-gossip", "proptest", true, ""),
            ("peermon-trust", "ring", false, ""),
            ("peermon-node", "peermon-gossip", false, ""),
            ("peermon-node", "peermon-collector", false, "lower layers only"),
            ("peermon-agent", "peermon-collector", false, ""),
            ("peermon-agent", "peermon-sim", false, "lower layers only"),
            ("peermon-serve-http", "peermon-api", false, ""),
            ("peermon-serve-http", "peermon-node", false, "knows layer 0 only"),
            ("peermon-serve-http", "peermon-serve-text", false, "lower layers only"),
            ("peermon-serve-http", "peermon-client", true, ""),
            ("peermon", "peermon-serve-http", false, ""),
            ("peermon", "peermon-testbed", true, ""),
            ("peermon", "peermon-testbed", false, "at most a dev-dependency"),
            ("peermon-testbed", "peermon-client", false, ""),
            ("peermon-surprise", "peermon-model", false, "has no layer"),
        ];
        for (user, used, dev, complaint) in CASES {
            let dependencies = vec![Dependency { name: (*used).into(), dev: *dev, optional: false }];
            let found = edges(&[Package { name: (*user).into(), dependencies, ..Package::default() }]).join("\n");
            assert_eq!(complaint.is_empty(), found.is_empty(), "{user} -> {used}: {found}");
            assert!(found.contains(complaint), "{user} -> {used}: {found}");
        }
    }
}
