use peermon_model::{AllowList, limits};
use std::net::SocketAddr;
use std::time::Duration;

/// What a node's gossip is told at start. All nodes of a cluster should have the same `period`.
#[derive(Clone, Debug)]
pub struct Config {
    /// How often this node samples, and publishes its row as long as the budget allows. Default 1 s; a multiple of 1/64 s
    /// from 125 ms to 16 s. Shorter is fresher and costs proportionally more bytes.
    pub period: Duration,
    /// Bytes a second that a node may send, IP and UDP headers included; 0: no limit. Default 32 kB/s. The cluster goes by
    /// the median of its members' budgets: where rows at every `period` would cost more, all publish half as often, and
    /// so on down to 16 s.
    pub budget: u32,
    /// Addresses that may know the cluster; asked until one answers, for ever. Default: none.
    pub seeds: Vec<SocketAddr>,
    /// Prefixes that datagrams may come from and records may name. Default: all.
    pub allow: AllowList,
    /// Receive and serve the table without being in it. Default: false.
    pub listen_only: bool,
    /// Announce this node on the discovery group. Default: true. Seeds alone suffice.
    pub discovery: bool,
    /// Address families of the sockets there are: (IPv4, IPv6).
    pub families: (bool, bool),
    /// Bytes per second, IP and UDP headers included, beyond which rows, records and claims wait: a last guard against storms.
    /// Default 256 kB/s. Alarms and acknowledgements are never held back.
    pub rate_max: f64,
    /// Nodes in all zones together up to which every zone tells the others of all its nodes; beyond it of its relays, its best
    /// nodes, and of itself as a whole. Default 5,000.
    pub members_full: usize,
    /// Nodes the table holds; further ones are refused and counted. Default 20,000.
    pub members_max: usize,
    /// A node that has been down or gone this long is shown only on request. Default 10 min.
    pub hide_after: Duration,
    /// A node that has been down or gone this long is forgotten. Default 24 h. Longer heals longer partitions.
    pub remove_after: Duration,
    /// How long an old cluster key is still accepted after its successor is in use. Default 24 h.
    pub key_overlap: Duration,
    /// How long to wait for every member to hold a new cluster key before using it all the same. Default 1 h.
    pub key_patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            period: Duration::from_secs(1),
            budget: 32_000,
            seeds: Vec::new(),
            allow: AllowList::default(),
            listen_only: false,
            discovery: true,
            families: (true, true),
            rate_max: 256e3,
            members_full: peermon_model::limits::MEMBERS_FULL,
            members_max: limits::MEMBERS_MAX,
            hide_after: Duration::from_secs(600),
            remove_after: Duration::from_secs(24 * 3600),
            key_overlap: Duration::from_secs(24 * 3600),
            key_patience: Duration::from_secs(3600),
        }
    }
}

/// The shortest and the longest period.
pub const PERIODS: (Duration, Duration) = (Duration::from_millis(125), Duration::from_secs(16));

/// Numbers of the protocol, by name. Sources: the reference simulation, as `docs/internals/gossip.md` tells.
pub(crate) mod constants {
    use std::time::Duration;

    /// Datagram payload at first: 1,400 bytes with IPv6 and UDP headers, which tunnels and VPNs still carry.
    pub(crate) const PAYLOAD_MAX: usize = 1_352;
    /// Payload once larger datagrams have proved too big: every IPv6 path carries it.
    pub(crate) const PAYLOAD_SAFE: usize = 1_172;
    /// Bytes of a datagram besides its sections: IP, UDP, header, clock and acknowledgements, tag.
    pub(crate) const DATAGRAM_OVERHEAD: usize = 71;
    /// IP and UDP headers, for the byte accounts (IPv4).
    pub(crate) const HEADERS: usize = 28;
    /// Links at once: ring neighbours, joiners being served, listeners. An index fits a byte.
    pub(crate) const LINKS_MAX: usize = 200;
    /// How long after a period's start rows are published. A clock may be set back by [`CLOCK_SLEW`] just then, and still be in that period.
    pub(crate) const WAVE_OFFSET: Duration = Duration::from_millis(6);
    const _: () = assert!(WAVE_OFFSET.as_micros() as i64 > CLOCK_SLEW);
    /// Nearly all rows have come so long after a wave began, in a LAN: whoever asks earlier for those missing gets them twice.
    pub(crate) const WAVE_PASSED: Duration = Duration::from_millis(80);
    /// How long the first queued row waits for company.
    pub(crate) const HOLD: Duration = Duration::from_millis(8);
    /// The same while clocks do not agree and rows come at any time.
    pub(crate) const HOLD_UNLOCKED: Duration = Duration::from_millis(64);
    /// The same for alarms, for records on their way to everybody, and for claims: at least so long, and at most so much longer. Drawn
    /// for each link, so that of two nodes that could tell each other the same one is mostly first.
    pub(crate) const HOLD_ALARM: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(4));
    pub(crate) const HOLD_RECORD: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(6));
    pub(crate) const HOLD_CLAIM: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(7));
    /// The same for answers to grafts, and refutations.
    pub(crate) const HOLD_URGENT: Duration = Duration::from_millis(2);
    /// The same for prunes that nothing else carries.
    pub(crate) const HOLD_PRUNE: Duration = Duration::from_millis(20);
    /// An acknowledgement leaves by itself after this long.
    pub(crate) const ACK_DELAY: Duration = Duration::from_millis(12);
    /// Data packets after which an acknowledgement leaves at once, so that the 32-bit bitmap never overruns.
    pub(crate) const ACK_EVERY: u32 = 8;
    /// Unacknowledged packets on a link before bulk (records, synchronisation) waits.
    pub(crate) const WINDOW: usize = 16;
    /// The shortest retransmission timeout.
    pub(crate) const RTO_MIN: Duration = Duration::from_millis(15);
    /// The same before the first round trip is measured.
    pub(crate) const RTO_FIRST: Duration = Duration::from_millis(100);
    /// The longest one.
    pub(crate) const RTO_MAX: Duration = Duration::from_secs(2);
    /// Timeouts in a row, without hearing the peer, after which a link is stalled: dirty marks stay, nothing is sent.
    pub(crate) const STALL: u8 = 4;
    /// Pings before a silent neighbour is accused, and the time between two.
    pub(crate) const PINGS: u8 = 4;
    pub(crate) const PING_INTERVAL: Duration = Duration::from_millis(40);
    /// And so many more pings while most neighbours are silent, for others to bear out that they are.
    pub(crate) const PINGS_CUT_OFF: u8 = 3;
    /// Members asked in each wave meanwhile, whether they are there.
    pub(crate) const LOOK_AROUND: usize = 6;
    /// A neighbour counts as heard in a wave if it was heard this long before it.
    pub(crate) const SILENT_SLACK: Duration = Duration::from_millis(20);
    /// Accusers needed, as far as there are so many monitors.
    pub(crate) const QUORUM: usize = 2;
    /// Periods without a row after which a node is down whatever anybody says. Time for which this node itself was stopped does
    /// not count.
    pub(crate) const BACKSTOP: u32 = 5;
    /// The same of one of whom no row ever came.
    pub(crate) const BACKSTOP_NEWCOMER: u32 = 10;
    /// However old a row is, its node counts as heard this many periods ago at the least.
    pub(crate) const HEARD_LATE: u32 = 3;
    /// Periods after its last row for which a neighbour that was never heard over its link is not accused; and after it came up
    /// if no row of it came by anybody, since then its own table may still be on its way to it, and until then it answers nobody.
    pub(crate) const NEWCOMER: (u32, u32) = (1, 6);
    /// Claims that a node may make, renew or cancel at once, and a second: each is told to every node, some 100 bytes in all there.
    pub(crate) const CLAIM_BURST: f64 = 256.0;
    pub(crate) const CLAIMS_PER_SECOND: f64 = 16.0;
    /// News about one node's claims that are taken a second. More than that node may tell itself: after a cut all that it claimed
    /// comes at once.
    pub(crate) const CLAIM_NEWS_PER_SECOND: u32 = 1_024;
    /// Timers this late mean that this node itself was stopped: it accuses nobody in that wave.
    pub(crate) const LATE: Duration = Duration::from_millis(100);
    /// Clock error beyond which waves are not aligned.
    pub(crate) const UNLOCKED: i64 = 50_000;
    /// Microseconds by which a peer must be ahead for this node to step forward to it at once.
    pub(crate) const CLOCK_STEP: i64 = 100_000;
    /// Microseconds a clock is slewed per period at most.
    pub(crate) const CLOCK_SLEW: i64 = 5_000;
    /// How far from the others' median a peer's clock counts at most, microseconds: more than clocks wander in a period or round
    /// trips are unequal on a LAN.
    pub(crate) const CLOCK_OUTLIER: i64 = 2_000;
    /// With zones, the mean of those by whom the relays' rows come counts so many times what the mean of all peers does.
    pub(crate) const CLOCK_RELAYS: i64 = 3;
    /// A relay moves this part of the way to other zones' relays in a wave: little, since few packets cross, so that what is known of
    /// their clocks may be some seconds old.
    pub(crate) const CLOCK_BORDER: i64 = 8;
    /// Rings of the overlay: below the number of nodes, and from it on.
    pub(crate) const RINGS: (usize, usize, usize) = (2, 128, 3);
    /// Members up to which each is a neighbour of each: as many neighbours as two rings give.
    pub(crate) const MESH_MAX: usize = 5;
    /// Periods after which an unchanged field is sent all the same.
    pub(crate) const KEYFRAME: u32 = 16;
    /// With zones, a neighbour from whom nothing came for so long is sent an introduction.
    pub(crate) const INTRODUCED_AFTER: Duration = Duration::from_millis(200);
    /// A relay tells another zone's who died so lately, and so many of them at most: the others show as unheard there later.
    pub(crate) const LOSSES_TOLD: Duration = Duration::from_secs(30);
    pub(crate) const LOSSES_MOST: usize = 64;
    /// Bytes of a row as long as none was counted, and where all must reckon with the same.
    pub(crate) const ROW_BYTES: f64 = 7.0;
    /// Of so many waves at least one passes into other zones.
    pub(crate) const THIN_MAX: u32 = 64;
    /// Rows missed in a row after which somebody is asked once a wave only for those of a member that its zone may no longer tell of.
    pub(crate) const HOPELESS: u32 = 2;
    /// Rows asked for in a wave below which nothing is made of how many of them came by themselves.
    pub(crate) const GAPS_LEAST: usize = 8;
    /// Waves in a row in which most did until less is asked for; in which they did not until more is again.
    pub(crate) const GAPS_HASTY: u8 = 3;
    pub(crate) const GAPS_CALM: u8 = 8;
    /// Rows after which a new node's tree is learned anew, the factor to the next time, and the longest interval between.
    pub(crate) const EXPLORE: (u32, u32, u32) = (3, 3, 256);
    /// Where rows are published more often than once a second, the longest interval is this one.
    pub(crate) const EXPLORE_TIME: Duration = Duration::from_secs(256);
    /// A link that neither side's ring wants is given up after this long.
    pub(crate) const RETIRE_AFTER: Duration = Duration::from_secs(5);
    /// Periods for which it still brings what is asked for elsewhere meanwhile: no row is missed while trees grow anew.
    pub(crate) const RETIRE_PERIODS: u32 = 2;
    /// And for which it brings at most what does not come elsewhere: nobody else may know its origin yet.
    pub(crate) const RETIRE_PERIODS_MOST: u32 = 20;
    /// Periods of silence after which an unwanted link's slot is freed.
    pub(crate) const IDLE_PERIODS: u32 = 4;
    /// First and last interval between two attempts to reach a seed.
    pub(crate) const SEED_RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
    /// How long one who has nobody's record yet waits for more from a peer that it heard, until it asks again.
    pub(crate) const TABLE_PAUSE: Duration = Duration::from_secs(1);
    /// Interval between two attempts to reach a member that is down; it grows to the second value.
    pub(crate) const HEAL_RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
    /// For so long rows older than those of nodes forgotten meanwhile are not taken as a node's first: by then nobody has such rows.
    pub(crate) const FORGOTTEN_COUNTS: Duration = Duration::from_secs(3600);
    /// Joiners served with the whole table at once; further ones are sent to other members, and from twice as many on they
    /// must ask again.
    pub(crate) const SYNCS_MAX: usize = 8;
    /// What a record takes, about.
    pub(crate) const RECORD_BYTES: f64 = 200.0;
    /// Links with peers that the rings do not want, from which on joiners are sent to other members: each of them is told
    /// every record that comes meanwhile.
    pub(crate) const GUESTS_MAX: usize = 32;
    /// Seconds of the byte rate that may be spent at once: joins and healed cuts come in bursts.
    pub(crate) const BURST: f64 = 32.0;
    /// Seconds of the byte rate that what does not wait for it may overdraw it by.
    pub(crate) const DEBT: f64 = 1.0;
    /// Seconds of the byte rate that records leave to rows: whoever tells many joiners the table must still be heard itself.
    pub(crate) const ROWS_RESERVE: f64 = 2.0;
    /// How long what was put off for the byte rate waits until it is tried again.
    pub(crate) const RATE_PAUSE: Duration = Duration::from_millis(50);
    /// First contacts answered per second, questions and greetings each: each costs one decryption and one hash.
    pub(crate) const HELLOS_PER_SECOND: u32 = 500;
    /// How long a refused node is not asked about again, and how many such are remembered.
    pub(crate) const REFUSED_FOR: Duration = Duration::from_secs(60);
    pub(crate) const REFUSED_MAX: usize = 4_096;
    /// Datagrams a second that may prove to be no first contacts: each costs one decryption.
    pub(crate) const STRANGE_PER_SECOND: u32 = 5_000;
    /// How long a cookie's time slot is.
    pub(crate) const COOKIE_SLOT: Duration = Duration::from_secs(30);
    /// A joiner opens links to its neighbours once no record has come for this long, or after the second one: with a part of the
    /// table its neighbours are wrong ones, each of whom would be told all that comes.
    pub(crate) const SETTLE: (Duration, Duration) = (Duration::from_millis(30), Duration::from_millis(500));
    /// A joiner that has not come to its neighbours' table of its zone after so long tells other zones what it has.
    pub(crate) const SETTLED_AFTER: Duration = Duration::from_secs(30);
    /// Interval between two announcements on the discovery group.
    pub(crate) const ANNOUNCE_EVERY: Duration = Duration::from_secs(20);
    /// Rows from further in the future than this many ticks are refused.
    pub(crate) const FUTURE_TICKS: i32 = 64;
    /// Times another life outranked this one before it counts as another machine: once may be a former life whose count
    /// was lost.
    pub(crate) const DUPLICATE_CLASHES: u32 = 2;
}
