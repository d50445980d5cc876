//! The test bed itself: what it says about the network is so.

use peermon_testbed::{Directory, Family, Host, Impairment, SmallDisk, Testbed, say, wait_for};
use std::time::Duration;

/// Sends datagrams to a port where nobody listens, and returns how many arrived there.
fn arrive(from: &Host, to: &Host, count: usize) -> usize {
    let before = refused(to);
    let target = to.address_v6();
    // Every datagram has its own socket, since the answer "nobody listens" would make the next one fail.
    from.run(&["bash", "-c", &format!("for i in $(seq {count}); do echo x 2>/dev/null >/dev/udp/{target}/9; done; true")])
        .expect("sends");
    refused(to) - before
}

/// Datagrams that came to ports where nobody listens.
fn refused(host: &Host) -> usize {
    let counters = host.run(&["cat", "/proc/net/snmp6"]).expect("counters");
    let line = counters.lines().find(|l| l.starts_with("Udp6NoPorts")).expect("kernel counts them");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
}

#[test]
fn hosts_hear_each_other_as_told() {
    if let Err(why) = Testbed::available() {
        say(&format!("skipped: {why}"));
        return;
    }
    let mut bed = Testbed::new(3, Family::Both).expect("a test bed");
    let [a, b, c] = [0, 1, 2].map(|i| bed.hosts()[i].clone());
    assert_eq!(arrive(&a, &b, 20), 20, "well at first");

    bed.impair(1, Impairment { loss_percent: 20, ..Impairment::default() }).expect("loss");
    let some = arrive(&a, &b, 500);
    // 400 are expected; 340 and 460 are more than six standard deviations away.
    assert!((340..460).contains(&some), "{some} of 500 arrived at 20 % loss");
    assert_eq!(arrive(&a, &c, 20), 20, "only b loses");

    bed.impair(1, Impairment { deaf_to: vec![0], ..Impairment::default() }).expect("one way");
    assert_eq!((arrive(&a, &b, 20), arrive(&b, &a, 20), arrive(&c, &b, 20)), (0, 20, 20), "b is deaf to a alone");

    bed.heal().expect("heals");
    bed.cut(&[0]).expect("cut");
    assert_eq!((arrive(&a, &b, 20), arrive(&b, &a, 20), arrive(&c, &b, 20)), (0, 0, 20), "a is alone");

    bed.heal().expect("heals");
    assert_eq!(arrive(&a, &b, 20), 20, "well again");

    bed.impair(0, Impairment { rate_bits: Some(1_000_000), ..Impairment::default() }).expect("slow");
    assert!(a.run(&["tc", "qdisc", "show", "dev", "eth0"]).expect("tc").contains("rate 1Mbit"));
    bed.heal().expect("heals");
    assert!(!a.run(&["tc", "qdisc", "show", "dev", "eth0"]).expect("tc").contains("tbf"));

    bed.down(1).expect("down");
    assert_eq!((arrive(&a, &b, 20), arrive(&a, &c, 20)), (0, 20), "b has no network");
    bed.up(1).expect("up");
    wait_for("b to be found again", Duration::from_secs(20), || match arrive(&a, &b, 5) {
        5 => Ok(()),
        n => Err(format!("{n} of 5 arrived")),
    })
    .expect("b is back");
    let has = |text: &str| b.run(&["ip", "-4", "address", "show", "dev", "eth0"]).expect("ip").contains(text);
    bed.move_to(1, Some(33)).expect("another address");
    assert!(has("10.77.0.33/24") && !has("10.77.0.2/24"));
    bed.move_to(1, None).expect("no address");
    assert!(!has("10.77.0"));
}

#[test]
fn a_small_disk_is_full_as_told() {
    let directory = Directory::new().expect("a directory");
    let path = directory.path().join("disk");
    let disk = match SmallDisk::mount(&path, 64 * 1024) {
        Ok(disk) => disk,
        Err(e) => return say(&format!("skipped: {e:#}")),
    };
    let write = || std::fs::write(path.join("file"), [1; 4096]).map_err(|e| e.kind());
    assert_eq!(write(), Ok(()));
    std::fs::remove_file(path.join("file")).expect("it is there");
    disk.fill().expect("filled");
    assert_eq!(write(), Err(std::io::ErrorKind::StorageFull));
    disk.make_room().expect("room");
    assert_eq!(write(), Ok(()));
    drop(disk);
    assert!(!path.join("file").exists(), "it is gone");
}
