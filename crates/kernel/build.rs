//! Compiles the programs for the kernel with clang where there is one; else the object kept beside their source is taken.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    for file in ["capture.bpf.c", "kernel.h", "build.sh", "capture.o"] {
        println!("cargo:rerun-if-changed=bpf/{file}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("capture.o");
    let little = env::var("CARGO_CFG_TARGET_ENDIAN").as_deref() != Ok("big");
    let from = match compile(&out, if little { "el" } else { "eb" }) {
        Ok(clang) => clang,
        // An empty object is refused when it is loaded, with a sentence that says why.
        Err(_) if !little => {
            fs::write(&out, []).expect("cargo's folder takes files");
            "nothing: this build had no clang, and the object kept with the source is for little-endian machines".into()
        }
        Err(why) => {
            fs::copy("bpf/capture.o", &out).expect("the object is kept with the source, and cargo's folder takes files");
            format!("the object kept with the source ({why})")
        }
    };
    println!("cargo:rustc-env=PEERMON_BPF_FROM={from}");
}

/// Compiles into `out`; returns the compiler's name and version, or why not, in one line.
fn compile(out: &Path, endian: &str) -> Result<String, String> {
    let version = Command::new("clang").arg("--version").output().map_err(|_| "no clang".to_string())?;
    let version = String::from_utf8_lossy(&version.stdout).lines().next().unwrap_or("clang").trim().to_string();
    let made = Command::new("sh").arg("bpf/build.sh").arg(out).arg(endian).output();
    match made {
        Ok(done) if done.status.success() => Ok(version),
        _ => Err(format!("{version} could not compile it")),
    }
}
