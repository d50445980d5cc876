//! What `cargo metadata` says, as far as the checks need it.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// One package.
#[derive(Clone, Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) licence: Option<String>,
    /// Whether it came from a registry, rather than from this repository.
    pub(crate) foreign: bool,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One entry of a package's manifest.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// In `[dev-dependencies]`.
    pub(crate) dev: bool,
    /// Only built with a feature that asks for it.
    pub(crate) optional: bool,
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}

/// All packages that cargo reports with these further arguments.
pub(crate) fn packages(arguments: &[&str]) -> Result<Vec<Package>> {
    let out = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(arguments)
        .current_dir(root())
        .output()
        .context("running cargo metadata")?;
    ensure!(out.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&out.stderr).trim());
    let all: Value = serde_json::from_slice(&out.stdout).context("reading the answer of cargo metadata")?;
    parse(&all)
}

fn parse(all: &Value) -> Result<Vec<Package>> {
    let text = |v: &Value, key: &str| v[key].as_str().map(str::to_string);
    let list = all["packages"].as_array().context("cargo metadata names no packages")?;
    // Without --no-deps the answer lists every package of the lock file; the resolved graph says which ones are used here.
    let used: Option<Vec<&str>> =
        all["resolve"]["nodes"].as_array().map(|nodes| nodes.iter().filter_map(|n| n["id"].as_str()).collect());
    let mut packages = Vec::new();
    for p in list {
        if used.as_ref().is_some_and(|u| !p["id"].as_str().is_some_and(|id| u.contains(&id))) {
            continue;
        }
        let dependencies = p["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
        packages.push(Package {
            name: text(p, "name").context("a package without a name")?,
            version: text(p, "version").unwrap_or_default(),
            licence: text(p, "license"),
            foreign: !p["source"].is_null(),
            dependencies: dependencies
                .iter()
                .filter_map(|d| {
                    Some(Dependency { name: text(d, "name")?, dev: d["kind"] == "dev", optional: d["optional"] == true })
                })
                .collect(),
        });
    }
    packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(packages)
}
