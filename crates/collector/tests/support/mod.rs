//! Machines of `testdata/`, copied to where they may be changed.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the machine of this name lies in the repository.
pub(crate) fn machine(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name)
}

/// Copies a tree over another one. Files that are there already are written anew in place, so that who has them open sees
/// the new contents, as with `/proc`.
pub(crate) fn copy_over(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory of a machine").flatten() {
        let target = to.join(entry.file_name());
        let kind = entry.file_type().expect("a kind of file");
        if kind.is_symlink() {
            let end = fs::read_link(entry.path()).expect("a link");
            std::os::unix::fs::symlink(end, target).expect("a link");
        } else if kind.is_dir() {
            copy_over(&entry.path(), &target);
        } else {
            fs::write(target, fs::read(entry.path()).expect("a file")).expect("a copy");
        }
    }
}
