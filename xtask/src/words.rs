//! The repository speaks of the project alone: no path of somebody's machine, no download address, nothing left unfinished.

use crate::Findings;
use crate::metadata;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// A word that must not be there.
struct Ban {
    /// Looked for as it stands.
    text: &'static str,
    /// In files whose names end so; empty means in all.
    endings: &'static [&'static str],
    why: &'static str,
}

const SOURCES: &[&str] = &[".rs", ".py", ".sh", ".ts", ".js", "Makefile", ".toml"];

const BANS: &[Ban] = &[
    Ban { text: "/root/", endings: &[], why: "a path of one machine: write it from the repository's root" },
    Ban { text: "/home/", endings: &[], why: "a path of one machine: write it from the repository's root" },
    Ban { text: "todo!(", endings: SOURCES, why: "a stub: build it or leave it out" },
    Ban { text: "unimplemented!(", endings: SOURCES, why: "a stub: build it or leave it out" },
    Ban { text: "FIXME", endings: SOURCES, why: "unfinished: finish it, or write down in words why it is so" },
    Ban {
        text: "\"resolved\": \"http",
        endings: &["package-lock.json"],
        why: "a download address: a build takes what its tools are set to (npm's omit-lockfile-registry-resolved)",
    },
];

/// The source line that Cargo writes for its own registry: a name, not an address that anything is fetched from.
const CARGO_SOURCE: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

/// This file names what it bans.
const ITSELF: &str = "xtask/src/words.rs";

/// Larger files are data, not words.
const FILE_BYTES_MAX: u64 = 4 << 20;

pub(crate) fn check() -> Result<Findings> {
    let root = metadata::root();
    let out = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .context("running git (it lists the files to look at)")?;
    ensure!(out.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&out.stderr).trim());
    let listed = String::from_utf8(out.stdout).context("a file name is not UTF-8: rename it")?;
    let mut wrong = Vec::new();
    let mut count = 0;
    for name in listed.split('\0').filter(|n| !n.is_empty()) {
        let path = root.join(name);
        // A file may be listed and deleted; a link is judged where it points, if that is in the repository.
        let Ok(about) = path.symlink_metadata() else { continue };
        if !about.is_file() || about.len() > FILE_BYTES_MAX {
            continue;
        }
        count += 1;
        let bytes = std::fs::read(&path).with_context(|| format!("reading {name}"))?;
        // What is not UTF-8 is binary: there are no words in it.
        if let Ok(text) = std::str::from_utf8(&bytes) {
            wrong.extend(judge(name, text));
        }
    }
    Ok(Findings { wrong, notes: Vec::new(), seen: format!("{count} files") })
}

fn judge(name: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if name == ITSELF {
        return wrong;
    }
    // Recorded machines speak of their own paths.
    let recorded = Path::new(name).starts_with("testdata");
    for (i, line) in text.lines().enumerate() {
        for ban in BANS {
            let here = ban.endings.is_empty() || ban.endings.iter().any(|e| name.ends_with(e));
            if here && !(recorded && ban.text.starts_with('/')) && stands_alone(line, ban.text) {
                wrong.push(format!("{name}:{}: {:?}: {}", i + 1, ban.text, ban.why));
            }
        }
        let lock = name.ends_with(".lock") || name.ends_with("-lock.json");
        if lock && line.contains("://") && line.trim() != CARGO_SOURCE {
            wrong.push(format!("{name}:{}: a download address in a lock file: {}", i + 1, line.trim()));
        }
    }
    wrong
}

/// Whether `word` occurs; a path only where it begins, so that `crates/home/x` is no machine's path.
fn stands_alone(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !word.starts_with('/') || !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '}' | '*' | '$'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_words_are_found_and_good_ones_are_not() {
        /// (file, its text, part of the complaint or empty)
        const CASES: &[(&str, &str, &str)] = &[
            ("a.md", "see /home/me/x", "a.md:1: \"/home/\""),
            ("a.md", "fine\n\"/root/.cache\"", "a.md:2: \"/root/\""),
            ("a.md", "crates/home/x and ../home/y", ""),
            ("testdata/old/proc/mounts", "/dev/sda1 /home/ ext4", ""),
            ("a.rs", "fn f() { todo!() }", "a stub"),
            ("a.rs", "fn f() { unimplemented!(\"later\") }", "a stub"),
            ("a.rs", "// FIXME: later", "unfinished"),
            ("a.md", "we search for FIXME", ""),
            ("web/package-lock.json", "\"resolved\": \"https://x/y.tgz\"", "a download address"),
            ("Cargo.lock", "source = \"registry+https://github.com/rust-lang/crates.io-index\"", ""),
            ("Cargo.lock", "source = \"git+https://example.org/x\"", "a download address in a lock file"),
            ("web/package-lock.json", "\"resolved\": \"https://example.org/x.tgz\"", "a download address in a lock file"),
            (ITSELF, "FIXME /root/", ""),
        ];
        for (file, text, complaint) in CASES {
            let found = judge(file, text).join("\n");
            assert_eq!(complaint.is_empty(), found.is_empty(), "{file}: {text}: {found}");
            assert!(found.contains(complaint), "{file}: {text}: {found}");
        }
    }
}
