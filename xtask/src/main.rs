//! Checks of the repository itself, run by `make test`: `cargo xtask layers`, `licences`, `words`, `anchors`, or `all`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for people and CI logs")]

mod anchors;
mod layers;
mod licences;
mod metadata;
mod words;

use std::process::ExitCode;

/// A check: its name, what it looks at, and the function that returns what it found wrong and one line on what it saw.
type Check = (&'static str, &'static str, fn() -> anyhow::Result<Findings>);

const CHECKS: &[Check] = &[
    ("layers", "crates depend downwards only, and pure crates stay pure", layers::check),
    ("licences", "every crate in the lock file has a licence we may ship under", licences::check),
    ("anchors", "the lock file of bench/anchors knows what our crates need", anchors::check),
    ("words", "no machine's paths, no stubs, no download addresses", words::check),
];

/// What a check found.
struct Findings {
    /// One line each; empty means that the check passed.
    wrong: Vec<String>,
    /// Worth knowing, but no reason to fail.
    notes: Vec<String>,
    /// What was looked at.
    seen: String,
}

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let chosen: Vec<&Check> = match wanted.as_slice() {
        [one] if one == "all" => CHECKS.iter().collect(),
        [one] => CHECKS.iter().filter(|(name, ..)| name == one).collect(),
        _ => Vec::new(),
    };
    if chosen.is_empty() {
        eprintln!("usage: cargo xtask all|CHECK, where CHECK is");
        for (name, about, _) in CHECKS {
            eprintln!("  {name:<10} {about}");
        }
        return ExitCode::from(2);
    }
    let mut ok = true;
    for (name, _, check) in chosen {
        match check() {
            Ok(f) => {
                f.notes.iter().for_each(|n| println!("{name}: note: {n}"));
                f.wrong.iter().for_each(|w| eprintln!("{name}: {w}"));
                ok &= f.wrong.is_empty();
                println!(
                    "{name}: {}: {}",
                    f.seen,
                    if f.wrong.is_empty() { "ok".into() } else { format!("{} wrong", f.wrong.len()) }
                );
            }
            Err(e) => {
                eprintln!("{name}: cannot check: {e:#}");
                ok = false;
            }
        }
    }
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
