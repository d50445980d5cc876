//! The test bed itself: what it says about the network is so.

use peermon_testbed::{Family, Host, Impairment, Testbed, say};

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
}
