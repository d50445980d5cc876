//! Puts the page for people, `web/dist`, into the crate, if it has been built.
#![allow(clippy::print_stdout)] // so speaks a build script to cargo

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

#[path = "src/gzip.rs"]
mod gzip;

/// The page is a few hundred kilobytes; ten times that in every daemon would be a mistake in its build.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// Of gzip, 0 to 10: this is done once.
const LEVEL: u8 = 9;

/// Endings of names, what they are, and whether gzip makes them smaller.
const MEDIA: &[(&str, &str, bool)] = &[
    ("html", "text/html; charset=utf-8", true),
    ("js", "text/javascript; charset=utf-8", true),
    ("css", "text/css; charset=utf-8", true),
    ("svg", "image/svg+xml", true),
    ("json", "application/json", true),
    ("webmanifest", "application/manifest+json", true),
    ("txt", "text/plain; charset=utf-8", true),
    ("ico", "image/x-icon", true),
    ("png", "image/png", false),
    ("woff2", "font/woff2", false),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/gzip.rs");
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let web = here.join("../../web");
    let dist = web.join("dist");
    // A name that does not exist would make every build build this crate anew: what exists is watched.
    if let Some(watched) = [&dist, &web].into_iter().find(|p| p.is_dir()) {
        println!("cargo::rerun-if-changed={}", watched.display());
    }
    let mut files = Vec::new();
    if dist.join("index.html").is_file() {
        gather(&dist, &mut files).unwrap_or_else(|e| panic!("cannot read the page in {}: {e}", dist.display()));
    }
    files.sort();
    let bytes: u64 = files.iter().map(|f| fs::metadata(f).map_or(0, |m| m.len())).sum();
    assert!(bytes <= PAGE_BYTES_MAX as u64, "the page has {bytes} bytes; at most {PAGE_BYTES_MAX} go into the daemon");
    let mut table = "static FILES: &[File] = &[\n".to_string();
    for (i, file) in files.iter().enumerate() {
        let path = file.strip_prefix(&dist).expect("found below it").to_str().unwrap_or_default();
        entry(&mut table, i, path, file, &out).unwrap_or_else(|e| panic!("cannot take {}: {e}", file.display()));
    }
    table += "];\n";
    fs::write(out.join("page.rs"), table).expect("cargo made the directory");
}

fn gather(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        match path.is_dir() {
            true => gather(&path, files)?,
            // maps of sources are for who works on the page, with its own server
            false if path.extension().is_some_and(|e| e == "map") => {}
            false => files.push(path),
        }
    }
    Ok(())
}

/// One line of the table, and its files beside it.
fn entry(table: &mut String, i: usize, path: &str, file: &Path, out: &Path) -> io::Result<()> {
    let plain = fs::read(file)?;
    let wrong = |why: &str| io::Error::other(format!("{why}; see crates/serve-http/build.rs"));
    if path.is_empty() || !path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b)) {
        return Err(wrong("its name needs more than letters, digits and -_."));
    }
    let ending = path.rsplit('.').next().unwrap_or_default();
    let known = MEDIA.iter().find(|(e, _, _)| *e == ending);
    let (_, media, shrinks) = known.ok_or_else(|| wrong(&format!("what .{ending} is is not known")))?;
    fs::write(out.join(i.to_string()), &plain)?;
    let gzip = match shrinks {
        true => {
            fs::write(out.join(format!("{i}.gz")), gzip::gzip(&plain, LEVEL))?;
            format!("Some(include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{i}.gz\")))")
        }
        false => "None".to_string(),
    };
    // Vite puts a hash of the content into the names of what it puts there.
    let hashed = path.starts_with("assets/");
    let path = if path == "index.html" { "" } else { path };
    let tag = tag(&plain);
    writeln!(
        table,
        "File {{ path: \"/{path}\", media: \"{media}\", hashed: {hashed}, tag: \"W/\\\"{tag:016x}\\\"\", \
         plain: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{i}\")), gzip: {gzip} }},"
    )
    .map_err(io::Error::other)
}

/// FNV-1a: tells versions of a file apart, and needs no crate.
fn tag(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}
