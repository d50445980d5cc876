//! The page in a real browser: `web/e2e/run.mjs`, which starts a demo of five daemons and looks at it with a headless Chromium.

use anyhow::{Context, Result, ensure};
use peermon_testbed::{find, say};
use std::path::Path;
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_peermon");
/// As Debian, and as others, call it.
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome"];

/// What is missing here, and how to get it.
fn missing(web: &Path) -> Option<&'static str> {
    if !peermon_serve_http::page_is_built_in() {
        return Some("the page is not built in: `make web`, then build again");
    }
    if find("node").is_err() || !web.join("node_modules/playwright-core").is_dir() {
        return Some("no Node.js 18 or newer here, or not the packages of web/package-lock.json: `make web` says more");
    }
    if std::env::var_os("CHROMIUM").is_none() && !BROWSERS.iter().any(|b| find(b).is_ok()) {
        return Some("no Chromium: apt-get install chromium, or name one in CHROMIUM");
    }
    None
}

#[test]
fn the_page_in_a_browser() -> Result<()> {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web");
    if let Some(what) = missing(&web) {
        say(&format!("skipped: {what}"));
        return Ok(());
    }
    let out = Command::new("node").arg("e2e/run.mjs").arg(PROGRAM).current_dir(&web).output().context("running node")?;
    let told = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    ensure!(out.status.success(), "{told}");
    say(&told);
    Ok(())
}
