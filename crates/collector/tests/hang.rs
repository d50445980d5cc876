//! A file system that does not answer costs nothing but its own values, and comes back.
#![allow(clippy::unwrap_used)]

mod support;

use peermon_collector::{Config, FileSystemSize, Root, Runner, Source, limits};
use peermon_model::{Instant, Samples};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use support::{copy_over, machine};

/// What a dead server's mounts wait for.
#[derive(Default)]
struct Server {
    dead: Mutex<bool>,
    revived: Condvar,
}

impl Server {
    fn answer(&self) {
        let mut dead = self.dead.lock().unwrap();
        while *dead {
            dead = self.revived.wait(dead).unwrap();
        }
    }

    fn set_dead(&self, dead: bool) {
        *self.dead.lock().unwrap() = dead;
        self.revived.notify_all();
    }
}

const SIZE: FileSystemSize = FileSystemSize { size: 1000, free: 500, available: 500, files: 10, files_free: 5, read_only: false };

/// A state that has not come by then never comes; a busy machine needs a second at most.
const GIVE_UP: Duration = Duration::from_secs(60);

fn host(base: &Path, mounts: &str, server: &Arc<Server>) -> Runner {
    copy_over(&machine("small-vm"), base);
    fs::write(base.join("proc/mounts"), mounts).unwrap();
    let server = Arc::clone(server);
    let root = Root::at(base, move |mount| {
        if mount.starts_with("/net") {
            server.answer();
        }
        Ok(SIZE)
    });
    Runner::new(&root, Config::default()).unwrap()
}

fn failure<'a>(s: &'a Samples, collector: &str) -> Option<&'a str> {
    s.reports.iter().find(|r| r.collector == collector).unwrap().failure.as_deref()
}

/// Rounds, ten seconds apart, until one is as wanted. (A slow machine may make even a sound file system late.)
fn until(host: &mut Runner, now: &mut Instant, wanted: impl Fn(&Samples) -> bool) -> Samples {
    let give_up = std::time::Instant::now() + GIVE_UP;
    loop {
        *now += limits::FILE_SYSTEMS_INTERVAL;
        let s = host.round(*now);
        if wanted(&s) {
            return s;
        }
        let file_systems: Vec<_> =
            s.list.iter().filter(|s| s.attribute.name.starts_with("fs.")).map(|s| (s.name(), s.value)).collect();
        assert!(std::time::Instant::now() < give_up, "it never came; the last round had {file_systems:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_dead_mount_is_skipped_and_comes_back() {
    let (here, server, mut now) = (tempfile::tempdir().unwrap(), Arc::default(), Instant::ZERO);
    let mounts = "/dev/a / ext4 rw 0 0\nnas:/x /net/x nfs rw 0 0\nnas:/y /net/y nfs rw 0 0\n";
    let mut host = host(here.path(), mounts, &server);
    let s = until(&mut host, &mut now, |s| s.value("fs.net-x.size").is_some() && s.value("fs.net-y.size").is_some());
    assert_eq!((s.value("fs.root.size"), s.value("fs.hung"), s.value("fs.net-x.error")), (Some(1000.0), Some(0.0), Some(0.0)));

    server.set_dead(true);
    let s = until(&mut host, &mut now, |s| s.value("fs.hung") == Some(1.0) && s.value("fs.root.size").is_some());
    assert_eq!(s.value("fs.net-x.size"), None, "what does not answer has no size");
    assert_eq!((s.value("fs.net-x.error"), s.value("fs.net-y.error")), (Some(1.0), Some(1.0)));
    assert!(s.value("load.1").is_some() && s.value("mem.available").is_some(), "the round is whole");
    let why = failure(&s, "filesystems").unwrap();
    assert!(why.contains("/net/") && why.contains("has not answered"), "{why}");
    // Its other mount is not asked meanwhile: one thread is stuck, not two.
    let s = until(&mut host, &mut now, |s| s.value("fs.root.size").is_some());
    assert_eq!(s.value("fs.hung"), Some(1.0));

    server.set_dead(false);
    let s = until(&mut host, &mut now, |s| s.value("fs.net-x.size").is_some() && s.value("fs.net-y.size").is_some());
    assert_eq!((s.value("fs.hung"), failure(&s, "filesystems")), (Some(0.0), None));
}

#[test]
fn many_dead_servers_leave_the_local_disks_visible() {
    let (here, server, mut now) = (tempfile::tempdir().unwrap(), Arc::<Server>::default(), Instant::ZERO);
    let servers: String = (0..40).map(|i| format!("nas{i}:/ /net/{i} nfs rw 0 0\n")).collect();
    server.set_dead(true);
    let mut host = host(here.path(), &format!("{servers}/dev/a / ext4 rw 0 0\n"), &server);
    let most = (limits::HUNG_STATFS_MAX - limits::HUNG_STATFS_LOCAL) as f64;
    let s = until(&mut host, &mut now, |s| s.value("fs.hung") >= Some(most) && s.value("fs.root.size").is_some());
    assert_eq!(s.value("fs.39.error"), None);
    assert_eq!(s.value("fs.net-39.error"), Some(1.0));
    for _ in 0..5 {
        now += Duration::from_secs(10);
        let s = host.round(now);
        assert!(s.value("fs.hung").unwrap() <= limits::HUNG_STATFS_MAX as f64, "stuck threads are bounded");
    }
    server.set_dead(false);
}
