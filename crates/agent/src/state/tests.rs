use super::*;
use crate::testing::Dir;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
}

fn open(dir: &Dir) -> State {
    State::open(&dir.path().join("state"), None).expect("a state directory")
}

#[test]
fn keys_are_made_once_and_are_private() {
    let dir = Dir::new();
    let (id, ring) = {
        let s = open(&dir);
        (s.node_key().expect("made").id(), s.keyring().expect("made"))
    };
    let s = open(&dir);
    assert_eq!(mode(s.dir()), 0o700);
    for name in [NODE_KEY, CLUSTER_KEYS] {
        assert_eq!(mode(&s.dir().join(name)), 0o600, "{name}");
    }
    assert_eq!(s.node_key().expect("kept").id(), id);
    assert_eq!(s.keyring().expect("kept"), ring);
}

#[test]
fn a_second_daemon_is_refused_until_the_first_is_gone() {
    let dir = Dir::new();
    let first = open(&dir);
    let message = State::open(first.dir(), None).expect_err("locked").to_string();
    assert!(message.contains(&format!("process {}", std::process::id())) && message.contains("--state-dir"), "{message}");
    drop(first);
    open(&dir);
}

#[test]
fn open_secrets_are_refused() {
    let dir = Dir::new();
    let s = open(&dir);
    s.node_key().expect("made");
    s.keyring().expect("made");
    for (name, m) in [(NODE_KEY, 0o644), (CLUSTER_KEYS, 0o640), (NODE_KEY, 0o602)] {
        let path = s.dir().join(name);
        chmod(&path, m);
        let e = s.node_key().map(|_| ()).and_then(|()| s.keyring().map(|_| ())).expect_err(name).to_string();
        assert!(e.contains(&format!("mode {m:04o}")) && e.contains(&format!("chmod 600 {}", path.display())), "{e}");
        chmod(&path, 0o600);
    }
    let path = s.dir().to_path_buf();
    drop(s);
    chmod(&path, 0o777);
    let e = State::open(&path, None).expect_err("open to others").to_string();
    assert!(e.contains("chmod go-w"), "{e}");
}

#[test]
fn damaged_files_are_told_and_left_alone() {
    let dir = Dir::new();
    let s = open(&dir);
    s.store_peers(&[]).expect("stored");
    for text in ["", "zz", "0a", "\u{0}\u{1}"] {
        for name in [NODE_KEY, CLUSTER_KEYS, INCARNATION] {
            file::write(&s.dir().join(name), text).expect("written");
        }
        assert!(matches!(s.node_key(), Err(StateError::Damaged { .. })), "{text:?}");
        assert!(matches!(s.keyring(), Err(StateError::Damaged { .. })), "{text:?}");
        assert_eq!(fs::read_to_string(s.dir().join(NODE_KEY)).expect("there"), text);
        let life = s.begin_life(1000);
        assert_eq!(life.incarnation, Incarnation(1000), "{text:?}");
        assert!(matches!(life.problem, Some(StateError::Damaged { .. })), "{text:?}");
    }
    fs::write(s.dir().join(PEERS), b"10.0.0.1:5\n\xff\xfe\nrubbish\n[::1]:7\n").expect("written");
    chmod(&s.dir().join(PEERS), 0o600);
    assert_eq!(s.peers(), ["10.0.0.1:5".parse().expect("an address"), "[::1]:7".parse().expect("an address")]);
}

#[test]
fn lives_only_grow() {
    let dir = Dir::new();
    let s = open(&dir);
    // (the clock says, the life is)
    for (clock, life) in
        [(1000, 1000), (1000, 1001), (5, 1002), (5000, 5000), (u64::MAX, u32::MAX - 1), (0, u32::MAX), (0, u32::MAX)]
    {
        let l = s.begin_life(clock);
        assert_eq!(l.incarnation, Incarnation(life), "at {clock}");
        assert!(l.problem.is_none());
    }
}

#[test]
fn what_cannot_be_stored_is_told_and_the_life_still_begins() {
    let dir = Dir::new();
    let s = open(&dir);
    // Even root cannot replace a directory with a file.
    fs::create_dir_all(s.dir().join("incarnation.new/x")).expect("made");
    fs::create_dir_all(s.dir().join("peers.new/x")).expect("made");
    let life = s.begin_life(77);
    assert_eq!(life.incarnation, Incarnation(77));
    let message = life.problem.expect("told").to_string();
    assert!(message.contains("cannot write") && message.contains("incarnation"), "{message}");
    s.store_peers(&[]).expect_err("told");
}

#[test]
fn a_state_directory_that_cannot_be_made_is_told() {
    let dir = Dir::new();
    fs::write(dir.path().join("file"), "").expect("written");
    let e = State::open(&dir.path().join("file/state"), None).expect_err("below a file").to_string();
    assert!(e.contains("cannot make the directory") && e.contains("file/state"), "{e}");
}

#[test]
fn a_named_key_file_is_used_and_must_be_there() {
    let dir = Dir::new();
    let keys = dir.path().join("keys");
    let s = State::open(&dir.path().join("state"), Some(&keys)).expect("a state directory");
    let e = s.keyring().expect_err("not there").to_string();
    assert!(e.contains("there is no cluster key file") && e.contains("peermon join"), "{e}");
    file::write(&keys, &"0b".repeat(32)).expect("written");
    assert_eq!(s.keyring().expect("a bare key"), Keyring::new(1, ClusterKey::new([11; 32])));
    s.store_keyring(&Keyring::new(2, ClusterKey::new([3; 32]))).expect("stored");
    assert!(fs::read_to_string(&keys).expect("there").contains("2 0303"));
    assert!(!s.dir().join(CLUSTER_KEYS).exists());
}

#[test]
fn a_new_identity_keeps_the_old_key_aside() {
    let dir = Dir::new();
    let s = open(&dir);
    let old = s.node_key().expect("made").id();
    let text = fs::read_to_string(s.dir().join(NODE_KEY)).expect("there");
    let new = s.renew_node_key().expect("made").id();
    assert_ne!(old, new);
    assert_eq!(s.node_key().expect("kept").id(), new);
    assert_eq!(fs::read_to_string(s.dir().join("node.key.old")).expect("kept"), text);
}

#[test]
fn an_invitation_is_kept_for_the_next_start() {
    let dir = Dir::new();
    let path = dir.path().join("state");
    let a = |n: u8| SocketAddr::from(([10, 0, 0, n], 19810));
    let invitation = Invitation { addresses: vec![a(1)], generation: 3, key: ClusterKey::new([8; 32]) };
    {
        let s = open(&dir);
        s.keyring().expect("one of its own");
        s.store_peers(&[a(9)]).expect("stored");
        store_invitation(&path, None, &invitation).expect_err("the daemon runs");
    }
    store_invitation(&path, None, &invitation).expect("stored");
    {
        let s = open(&dir);
        assert_eq!(s.keyring().expect("the cluster's"), Keyring::new(3, ClusterKey::new([8; 32])));
        assert_eq!(s.peers(), [a(1)], "peers of the cluster left behind are forgotten");
    }
    store_invitation(&path, None, &Invitation { addresses: vec![a(2)], ..invitation }).expect("stored");
    assert_eq!(open(&dir).peers(), [a(2), a(1)], "peers of the same cluster stay");
}
