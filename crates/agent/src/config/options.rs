//! The list of all options.

use super::input::{Input, show_duration, show_size};
use super::{Config, LogFormat, LogLevel, Seed, ValueSource, tables};
use peermon_collector::ProcessPrivacy;
use peermon_model::{AllowList, Quantiser, limits};
use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// One option: how it is named, explained, read and written.
pub struct Opt {
    /// Its key in the file, with its section: `gossip.listen`.
    pub key: &'static str,
    /// What it does, its range, what too much and too little cost.
    pub help: &'static str,
    /// Whether a reload applies it; otherwise a restart does.
    pub reloads: bool,
    /// How it looks in the file, where its default is nothing to look at.
    pub example: Option<&'static str>,
    show: fn(&Config) -> String,
    put: fn(&mut Config, &Input) -> Result<(), String>,
}

impl Opt {
    /// Its value as TOML.
    pub fn show(&self, config: &Config) -> String {
        (self.show)(config)
    }

    /// The environment variable it is read from.
    pub fn variable(&self) -> String {
        format!("PEERMON_{}", self.key.to_ascii_uppercase().replace('.', "_"))
    }

    pub(super) fn put(&self, config: &mut Config, input: &Input) -> Result<(), String> {
        (self.put)(config, input)
    }
}

impl std::fmt::Debug for Opt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key)
    }
}

/// Addresses a daemon listens on at most: a few families and networks; each is a socket the loop watches.
const LISTEN_MAX: usize = 8;
/// Seeds: a few suffice, and each is tried again and again.
const JOIN_MAX: usize = 64;
/// Collectors that can be left out: more than there are.
const WITHOUT_MAX: usize = 64;
/// Prefixes in the allow list: each packet from a stranger walks it.
const ALLOW_MAX: usize = 256;

const PERIODS: RangeInclusive<Duration> = Duration::from_millis(125)..=Duration::from_secs(16);
const LONG: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_hours(24 * 366);
const RATES: RangeInclusive<f64> = 1e3..=1e9;
/// How long DNS answers may be kept.
const TTLS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(5);
/// Addresses in one DNS answer: more than anybody tries, and well within a datagram.
const DNS_ANSWERS: RangeInclusive<i64> = 1..=16;
/// Name servers of one zone.
const NAME_SERVERS_MAX: usize = 8;
/// DNS requests a second of one client network.
const DNS_RATES: RangeInclusive<i64> = 0..=1_000_000;
/// Bytes per second a node may be told to spend.
const BUDGETS: RangeInclusive<f64> = 500.0..=1e9;

/// All options, in the order of the documented sample.
pub static OPTIONS: &[Opt] = &[
    Opt {
        key: "name",
        help: "This node's label, as others show it; empty: the host name. 1 to 63 printable characters without white space,\n\
               quotes, commas and slashes. Two nodes may have one name (ids differ), but people will mix them up.",
        reloads: false,
        example: None,
        show: |c| quoted(c.name.as_ref().map_or("", |n| n.as_str())),
        put: |c, i| {
            c.name = match i.text()? {
                "" => None,
                t => Some(t.parse().map_err(|e| format!("is wrong: {e}"))?),
            };
            Ok(())
        },
    },
    Opt {
        key: "zone",
        help: "The zone this node belongs to: nodes of one LAN, rack or site. Zones gossip inside, and a few of their nodes, chosen\n\
               by themselves, pass the values on to the others; a zone that is cut off shows as stale, not as down. Rules as for\n\
               `name`. Two zones are worth it where the line between them is slow, dear or at times cut.",
        reloads: false,
        example: None,
        show: |c| quoted(c.zone.as_str()),
        put: |c, i| {
            c.zone = i.text()?.parse().map_err(|e| format!("is wrong: {e}"))?;
            Ok(())
        },
    },
    Opt {
        key: "state_dir",
        help: "Directory for the node's key, the cluster keys, the incarnation and known peers. It is private (mode 0700) and\n\
               belongs to one daemon; a copy of it on another machine makes that machine give up its identity.\n\
               As an ordinary user: $XDG_STATE_HOME/peermon.",
        reloads: false,
        example: None,
        show: |c| quoted(&c.state_dir.to_string_lossy()),
        put: |c, i| {
            c.state_dir = i.path()?.ok_or("must name a directory")?;
            Ok(())
        },
    },
    Opt {
        key: "period",
        help: "How often this node measures and publishes. 125ms to 16s, a multiple of 1/64 s; the same on all nodes.\n\
               Shorter: fresher values, and traffic and processor time grow in proportion. Longer: a dead node is noticed later\n\
               (after two periods).",
        reloads: false,
        example: None,
        show: |c| quoted(&show_duration(c.period)),
        put: |c, i| {
            c.period = i.duration(&PERIODS)?;
            Ok(())
        },
    },
    Opt {
        key: "budget",
        help: "Bytes a second that this node may send to keep the table; \"0\": no limit. 500B to 1GB. The cluster goes by the median\n\
               of all nodes' budgets: where publishing every `period` would cost more, all publish half as often, and so on down\n\
               to 16 s. Small: older values, and a dead node is noticed later. What is lost or gained at once is told at once.",
        reloads: false,
        example: None,
        show: |c| quoted(&show_size(f64::from(c.budget))),
        put: |c, i| {
            c.budget = if i.text().is_ok_and(|t| t == "0") { 0 } else { i.size(&BUDGETS)? as u32 };
            Ok(())
        },
    },
    Opt {
        key: "join",
        help: "Members to contact at start: ADDRESS, ADDRESS:PORT, HOST or HOST:PORT, at most 64. They are tried for ever, until\n\
               they answer; one that answers is enough. None: wait to be found, or to be told by `peermon join`.\n\
               Members that answered before are remembered and tried too.",
        reloads: true,
        example: None,
        show: |c| quoted_list(&c.join),
        put: |c, i| {
            let seed = |i: &Input| i.parsed::<Seed>("ADDRESS, ADDRESS:PORT, HOST or HOST:PORT");
            c.join = i.list(JOIN_MAX)?.iter().map(seed).collect::<Result<_, _>>()?;
            Ok(())
        },
    },
    Opt {
        key: "cluster_key_file",
        help: "File with the cluster keys (mode 0600); empty: cluster.keys in the state directory, made at first start. Lines of\n\
               `NUMBER 64-HEX-DIGITS [sending]`, or only 64 hex digits. It is read again at a reload, so fleet tools may replace it.",
        reloads: false,
        example: None,
        show: |c| path_or_empty(c.cluster_key_file.as_ref()),
        put: |c, i| {
            c.cluster_key_file = i.path()?;
            Ok(())
        },
    },
    Opt {
        key: "listen_only",
        help: "Listen and serve the table, but do not publish this machine and never be offered: for a login host or a web server\n\
               that only shows the cluster.",
        reloads: false,
        example: None,
        show: |c| c.listen_only.to_string(),
        put: |c, i| {
            c.listen_only = i.flag()?;
            Ok(())
        },
    },
    Opt {
        key: "source",
        help: "Where this node's values come from: \"host\" is this machine, \"replay:TRACE\" a recorded trace of another one, for\n\
               demonstrations: a file, or the name of one that comes with the program; \"replay:TRACE@90s\" begins 90 s into it. Such a\n\
               node carries the fact `source`.",
        reloads: false,
        example: None,
        show: |c| match &c.source {
            ValueSource::Host => quoted("host"),
            ValueSource::Replay { trace, from } if from.is_zero() => quoted(&format!("replay:{trace}")),
            ValueSource::Replay { trace, from } => quoted(&format!("replay:{trace}@{}", show_duration(*from))),
        },
        put: |c, i| {
            c.source = source(i)?;
            Ok(())
        },
    },
    Opt {
        key: "without_collectors",
        help: "Names of collectors that do not run, e.g. [\"users\", \"temperature\"]; `peermon status --all` lists them. What they would\n\
               give is absent, vitals among it. Worth it only for one that costs much or does harm on this machine.",
        reloads: true,
        example: None,
        show: |c| quoted_list(&c.without_collectors),
        put: |c, i| {
            let name = |i: &Input| i.text().map(str::to_string);
            c.without_collectors = i.list(WITHOUT_MAX)?.iter().map(name).collect::<Result<_, _>>()?;
            Ok(())
        },
    },
    Opt {
        key: "kernel",
        help: "\"auto\": load small programs into the kernel (eBPF) that count how long tasks wait for a processor, how long requests\n\
               are with disks, and the round trips and retransmits of TCP: attributes kernel.*. It takes CAP_BPF and CAP_PERFMON, or\n\
               root, and Linux 5.14; what is refused is done without, as a line in the log says. It costs some 0.1 to 0.5 µs of\n\
               processor time at each switch between tasks and each TCP segment. \"off\": none are loaded.",
        reloads: false,
        example: None,
        show: |c| quoted(if c.kernel { "auto" } else { "off" }),
        put: |c, i| {
            c.kernel = auto_or_off(i)?;
            Ok(())
        },
    },
    Opt {
        key: "realtime",
        help: "\"auto\": ask for real-time priority (SCHED_FIFO 1) for the threads that measure and publish, and lock memory, so that\n\
               this node stays timely on a machine that is overloaded. It takes CAP_SYS_NICE and CAP_IPC_LOCK, or limits; what is\n\
               refused is done without, as a line in the log says. \"off\": ordinary priority.",
        reloads: false,
        example: None,
        show: |c| quoted(if c.realtime { "auto" } else { "off" }),
        put: |c, i| {
            c.realtime = auto_or_off(i)?;
            Ok(())
        },
    },
    Opt {
        key: "processes",
        help: "What `peermon ps` and `/api/v1/usage` of this node tell of single processes: \"names\" of programs and users, \"numbers\"\n\
               only, or nothing at all, \"off\". No other node is told of any.",
        reloads: true,
        example: None,
        show: |c| {
            quoted(match c.processes {
                ProcessPrivacy::Names => "names",
                ProcessPrivacy::Numbers => "numbers",
                ProcessPrivacy::Off => "off",
            })
        },
        put: |c, i| {
            c.processes = match i.text()? {
                "names" => ProcessPrivacy::Names,
                "numbers" => ProcessPrivacy::Numbers,
                "off" => ProcessPrivacy::Off,
                other => return Err(format!("{other:?} is none of \"names\", \"numbers\" and \"off\"")),
            };
            Ok(())
        },
    },
    Opt {
        key: "probes.without",
        help: "Names of self-probes that do not run, e.g. [\"ssh\"], or [\"all\"]; `peermon health` lists them. A node trusts itself as\n\
               far as those that run succeed, and others choose it accordingly.",
        reloads: true,
        example: None,
        show: |c| quoted_list(&c.probes.without),
        put: |c, i| {
            let name = |i: &Input| match i.text()? {
                n if n == "all" || crate::run::probes::names().any(|k| k == n) => Ok(n.to_string()),
                n => {
                    let all: Vec<_> = crate::run::probes::names().collect();
                    Err(format!("there is no self-probe {n:?}; there are {} and \"all\"", all.join(", ")))
                }
            };
            c.probes.without = i.list(WITHOUT_MAX)?.iter().map(name).collect::<Result<_, String>>()?;
            Ok(())
        },
    },
    Opt {
        key: "probes.write",
        help: "Directories that must take files: every minute a small one is written to each file system among them and removed\n\
               again, sooner if it looks full or read-only. Where this daemon's user may not write, nothing is tried.",
        reloads: true,
        example: None,
        show: |c| quoted_list(&c.probes.write.iter().map(|p| p.display().to_string()).collect::<Vec<_>>()),
        put: |c, i| {
            let path = |i: &Input| match i.text()? {
                p if p.starts_with('/') => Ok(std::path::PathBuf::from(p)),
                p => Err(format!("{p:?} is not an absolute path")),
            };
            c.probes.write = i.list(WITHOUT_MAX)?.iter().map(path).collect::<Result<_, String>>()?;
            Ok(())
        },
    },
    Opt {
        key: "gossip.listen",
        help: "UDP addresses and ports to receive gossip on, at most 8. The port must pass the firewalls between nodes. Where the\n\
               machine has no IPv6, that line is skipped with a warning. Port 0: any free port.",
        reloads: false,
        example: None,
        show: |c| quoted_list(&c.gossip.listen),
        put: |c, i| {
            c.gossip.listen = addresses(i, LISTEN_MAX)?;
            Ok(())
        },
    },
    Opt {
        key: "gossip.advertise",
        help: "Addresses that others are told to reach this node at, best first, at most 4; none: those of the interfaces, looked\n\
               up again whenever they change. Set it behind address translation, or to choose a network.",
        reloads: true,
        example: None,
        show: |c| quoted_list(&c.gossip.advertise),
        put: |c, i| {
            c.gossip.advertise = addresses(i, limits::ADDRESSES_MAX)?;
            Ok(())
        },
    },
    Opt {
        key: "gossip.allow",
        help: "Address prefixes this node talks to, e.g. [\"10.0.0.0/8\", \"fd00::/8\"], at most 256; none: all. Strangers are kept out\n\
               by the cluster key anyway; this also spares the work of opening their packets. Too narrow: members are cut off.",
        reloads: true,
        example: None,
        show: |c| quoted_list(&c.gossip.allow.0),
        put: |c, i| {
            let prefix = |i: &Input| i.parsed("an address prefix such as 10.0.0.0/8");
            c.gossip.allow = AllowList(i.list(ALLOW_MAX)?.iter().map(prefix).collect::<Result<_, _>>()?);
            Ok(())
        },
    },
    Opt {
        key: "gossip.rate_max",
        help: "Bytes per second that rows may take, 1kB to 1GB: a last guard against storms. What does not fit waits for the next\n\
               period and is counted; alarms and acknowledgements are never held back. A thousand nodes at a period of 1s need\n\
               about 8kB. Too little: values get old. Too much: a storm may fill a slow line.",
        reloads: false,
        example: None,
        show: |c| quoted(&show_size(c.gossip.rate_max)),
        put: |c, i| {
            c.gossip.rate_max = i.size(&RATES)?;
            Ok(())
        },
    },
    Opt {
        key: "gossip.members_full",
        help: "Nodes of all zones together up to which zones tell each other of every node. Beyond it each zone tells the others of\n\
               its relays and best nodes and of its totals. 2 to 100000; the same on all nodes. It matters with zones only.",
        reloads: false,
        example: None,
        show: |c| c.gossip.members_full.to_string(),
        put: |c, i| {
            c.gossip.members_full = i.whole(&(2..=100_000))? as usize;
            Ok(())
        },
    },
    Opt {
        key: "gossip.members_max",
        help: "Most members in the table, 2 to 100000. Further ones are refused and counted. It bounds memory (about 1 kB a member)\n\
               should a member run wild; too little cuts off real machines.",
        reloads: false,
        example: None,
        show: |c| c.gossip.members_max.to_string(),
        put: |c, i| {
            c.gossip.members_max = i.whole(&(2..=100_000))? as usize;
            Ok(())
        },
    },
    Opt {
        key: "gossip.hide_after",
        help: "A node that has been down or gone for so long is no longer listed unless asked for. 10s to 366d. Short: the list is\n\
               clean after a planned stop. Long: yesterday's failure is still in view.",
        reloads: false,
        example: None,
        show: |c| quoted(&show_duration(c.gossip.hide_after)),
        put: |c, i| {
            c.gossip.hide_after = i.duration(&LONG)?;
            Ok(())
        },
    },
    Opt {
        key: "gossip.remove_after",
        help: "A node that has been down or gone for so long is forgotten. 10s to 366d, longer than hide_after. Until then it is\n\
               pinged now and then, which is how a cluster that was cut in two finds together again.",
        reloads: false,
        example: None,
        show: |c| quoted(&show_duration(c.gossip.remove_after)),
        put: |c, i| {
            c.gossip.remove_after = i.duration(&LONG)?;
            Ok(())
        },
    },
    Opt {
        key: "gossip.key_overlap",
        help: "How long after a rotation the old cluster key is still accepted. 10s to 366d. Short: a stolen key is worthless sooner.\n\
               Long: a machine that was off during the rotation still finds back.",
        reloads: false,
        example: None,
        show: |c| quoted(&show_duration(c.gossip.key_overlap)),
        put: |c, i| {
            c.gossip.key_overlap = i.duration(&LONG)?;
            Ok(())
        },
    },
    Opt {
        key: "gossip.key_patience",
        help: "How long a rotation waits for every member that is up to hold the new cluster key, before it is used all the same.\n\
               10s to 366d, the same on all nodes. Short: a member that is slow to get it is cut off for a while. Long: one broken\n\
               machine holds the rotation up.",
        reloads: false,
        example: None,
        show: |c| quoted(&show_duration(c.gossip.key_patience)),
        put: |c, i| {
            c.gossip.key_patience = i.duration(&LONG)?;
            Ok(())
        },
    },
    Opt {
        key: "discovery.enabled",
        help: "Find members on the same LAN by multicast, and be found. Only a help: seeds alone suffice. It costs one small packet\n\
               now and then; only holders of a cluster key understand it.",
        reloads: false,
        example: None,
        show: |c| c.discovery.enabled.to_string(),
        put: |c, i| {
            c.discovery.enabled = i.flag()?;
            Ok(())
        },
    },
    Opt {
        key: "discovery.group",
        help: "Multicast group and port of discovery: an IPv4 address in 224.0.0.0/4. The same on all nodes that shall find each\n\
               other; 239.255.0.0/16 stays on the site.",
        reloads: false,
        example: None,
        show: |c| quoted(&c.discovery.group.to_string()),
        put: |c, i| {
            let wanted = "an IPv4 multicast address and port such as 239.255.19.81:19812";
            let group: std::net::SocketAddrV4 = i.parsed(wanted)?;
            if !group.ip().is_multicast() || group.port() == 0 {
                return Err(format!("must be {wanted}, not {}", i.shown()));
            }
            c.discovery.group = group;
            Ok(())
        },
    },
    Opt {
        key: "api.http",
        help: "Address and port of the HTTP API; empty: off. On loopback every user of this machine may ask; any other\n\
               address needs api.token_file.",
        reloads: false,
        example: None,
        show: |c| quoted(&c.api.http.map_or(String::new(), |a| a.to_string())),
        put: |c, i| {
            c.api.http = match i.text()? {
                "" | "off" => None,
                _ => Some(i.parsed("ADDRESS:PORT, or empty for none")?),
            };
            Ok(())
        },
    },
    Opt {
        key: "api.socket",
        help: "Unix socket of the API, which the tools use first; empty: off. As an ordinary user:\n\
               $XDG_RUNTIME_DIR/peermon/peermon.sock.",
        reloads: false,
        example: None,
        show: |c| path_or_empty(c.api.socket.as_ref()),
        put: |c, i| {
            c.api.socket = i.path()?;
            Ok(())
        },
    },
    Opt {
        key: "api.token_file",
        help: "File (mode 0600) whose first line every HTTP request must carry as `Authorization: Bearer LINE`; empty: none. The\n\
               unix socket needs none: its permissions decide.",
        reloads: false,
        example: None,
        show: |c| path_or_empty(c.api.token_file.as_ref()),
        put: |c, i| {
            c.api.token_file = i.path()?;
            Ok(())
        },
    },
    Opt {
        key: "memory.keep",
        help: "How far back this daemon remembers every node's vitals, 1min to 24h: what `/api/v1/series` answers. An hour takes 10\n\
               to 25 kB a node.",
        reloads: false,
        example: None,
        show: |c| quoted(&show_duration(c.memory.keep)),
        put: |c, i| {
            c.memory.keep = i.duration(&(Duration::from_mins(1)..=Duration::from_hours(24)))?;
            Ok(())
        },
    },
    Opt {
        key: "memory.bytes_max",
        help: "Bytes that it may take, 1MB to 16GB. Beyond it the oldest goes first, which `peermon status` counts.",
        reloads: false,
        example: None,
        show: |c| quoted(&show_size(c.memory.bytes_max as f64)),
        put: |c, i| {
            c.memory.bytes_max = i.size(&(1e6..=16e9))? as usize;
            Ok(())
        },
    },
    Opt {
        key: "dns.listen",
        help: "Addresses and ports to answer DNS on, UDP and TCP, at most 8, e.g. [\"10.0.0.8:53\"]; none: off. Port 53 needs\n\
               CAP_NET_BIND_SERVICE. Name the addresses that clients ask: from a machine with several, 0.0.0.0 may answer by another\n\
               than was asked.",
        reloads: false,
        example: None,
        show: |c| quoted_list(&c.dns.listen),
        put: |c, i| {
            c.dns.listen = addresses(i, LISTEN_MAX)?;
            Ok(())
        },
    },
    Opt {
        key: "dns.zone",
        help: "The zone that is answered, e.g. \"cluster.example.org\": best.ZONE, best-cpu.ZONE, best-mem.ZONE, NODE.ZONE,\n\
               _peermon._udp.ZONE. Its parent zone must delegate it to the nodes that answer, or resolvers must be told.",
        reloads: false,
        example: None,
        show: |c| quoted(&c.dns.zone),
        put: |c, i| {
            c.dns.zone = i.text()?.to_string();
            Ok(())
        },
    },
    Opt {
        key: "dns.ttl",
        help: "How long an answer may be kept, whole seconds, 0s to 5m. Long: fewer questions, but a node that went bad is still given\n\
               out for so long, and more clients run to the same node. Short: more questions.",
        reloads: false,
        example: None,
        show: |c| quoted(&show_duration(c.dns.ttl)),
        put: |c, i| {
            let ttl = i.duration(&TTLS)?;
            if ttl.subsec_nanos() > 0 {
                return Err(format!("must be whole seconds, not {}", i.shown()));
            }
            c.dns.ttl = ttl;
            Ok(())
        },
    },
    Opt {
        key: "dns.answers",
        help: "Nodes in one answer about the best ones, 1 to 16. Few: everybody gets one of the very best. Many: a client that finds one\n\
               gone has others to try, but those that take any of them get worse ones.",
        reloads: false,
        example: None,
        show: |c| c.dns.answers.to_string(),
        put: |c, i| {
            c.dns.answers = i.whole(&DNS_ANSWERS)? as usize;
            Ok(())
        },
    },
    Opt {
        key: "dns.name_servers",
        help: "Host names of the zone's name servers, as the parent zone has them, at most 8; none: ns.ZONE, which is this node.",
        reloads: false,
        example: None,
        show: |c| quoted_list(&c.dns.name_servers),
        put: |c, i| {
            let name = |i: &Input| i.text().map(str::to_string);
            c.dns.name_servers = i.list(NAME_SERVERS_MAX)?.iter().map(name).collect::<Result<_, _>>()?;
            Ok(())
        },
    },
    Opt {
        key: "dns.allow",
        help: "Address prefixes that may ask, at most 256; none: all. Others get no answer and are counted. The zone tells names,\n\
               addresses and loads: where strangers reach this port, name your networks.",
        reloads: false,
        example: None,
        show: |c| quoted_list(&c.dns.allow.0),
        put: |c, i| {
            let prefix = |i: &Input| i.parsed("an address prefix such as 10.0.0.0/8");
            c.dns.allow = AllowList(i.list(ALLOW_MAX)?.iter().map(prefix).collect::<Result<_, _>>()?);
            Ok(())
        },
    },
    Opt {
        key: "dns.rate_max",
        help: "Requests a second from one client network (/24 or /56), and twice as many at once; 0: no limit. What is above is\n\
               dropped or told to come over TCP, and counted. Too little: busy resolvers wait. Too much: forged requests make this\n\
               node flood somebody else.",
        reloads: false,
        example: None,
        show: |c| c.dns.rate_max.to_string(),
        put: |c, i| {
            c.dns.rate_max = i.whole(&DNS_RATES)? as u32;
            Ok(())
        },
    },
    Opt {
        key: "log.level",
        help: "Least important level that is logged: error, warn, info, debug or trace. From debug on, single packets show, which\n\
               costs processor time and disk.",
        reloads: true,
        example: None,
        show: |c| quoted(c.log.level.name()),
        put: |c, i| {
            c.log.level = one_of(i, LogLevel::ALL, LogLevel::name)?;
            Ok(())
        },
    },
    Opt {
        key: "log.format",
        help: "How a log line looks: text, or json (one object a line). Logs go to standard error.",
        reloads: false,
        example: None,
        show: |c| quoted(c.log.format.name()),
        put: |c, i| {
            c.log.format = one_of(i, LogFormat::ALL, LogFormat::name)?;
            Ok(())
        },
    },
    Opt {
        key: "labels",
        help: "Labels of this machine, at most 8, which all nodes show as facts `label.KEY`. In the variable: KEY=VALUE,KEY=VALUE.",
        reloads: true,
        example: Some("[labels]\nrack = \"r1\"\nowner = \"physics\""),
        show: |c| {
            let pairs: Vec<_> = c.labels.iter().map(|(k, v)| format!("{} = {}", quoted(k), quoted(v))).collect();
            format!("{{ {} }}", pairs.join(", "))
        },
        put: |c, i| {
            c.labels = tables::labels(i)?;
            Ok(())
        },
    },
    Opt {
        key: "notice",
        help: "Messages to everybody, at most 4: a topic and a text of at most 80 bytes. Only in this file.",
        reloads: true,
        example: Some("[[notice]]\ntopic = \"maintenance\"\ntext = \"down on Friday from 9 to 11\""),
        show: |c| {
            let one = |n: &peermon_model::Notice| format!("{{ topic = {}, text = {} }}", quoted(&n.topic), quoted(&n.text));
            format!("[{}]", c.notices.iter().map(one).collect::<Vec<_>>().join(", "))
        },
        put: |c, i| {
            c.notices = tables::notices(i)?;
            Ok(())
        },
    },
    Opt {
        key: "vital",
        help: "Attributes of this machine that it publishes besides the built-in vitals, at most 8, one byte a period each: a full\n\
               attribute name, its unit (ratio, bytes, bytes/s, bits/s, seconds, 1/s, count, hertz, celsius) and, if it is neither\n\
               a ratio nor a count below 255, a floor: the smallest value told from zero; steps are 9 % above it. If no collector\n\
               gives it: a file that begins with its number, and a factor that makes it the unit. Only in this file.",
        reloads: true,
        example: Some(
            "[[vital]]\nattribute = \"disk.sda.busy\"\nunit = \"ratio\"\n\n\
             [[vital]]\nattribute = \"room.temperature\"\nunit = \"celsius\"\nfile = \"/run/sensors/room\"\nfactor = 0.001",
        ),
        show: |c| {
            let one = |v: &super::OwnVital| {
                let p = &v.published;
                let mut table = format!("attribute = {}, unit = {}", quoted(&p.name), quoted(p.unit.name()));
                if let Quantiser::Log { floor } = p.quantiser {
                    table += &format!(", floor = {floor:?}");
                }
                if let Some(file) = &v.file {
                    table += &format!(", file = {}, factor = {:?}", quoted(&file.to_string_lossy()), v.factor);
                }
                format!("{{ {table} }}")
            };
            format!("[{}]", c.vitals.iter().map(one).collect::<Vec<_>>().join(", "))
        },
        put: |c, i| {
            c.vitals = tables::vitals(i)?;
            Ok(())
        },
    },
];

/// The option with this key.
pub(super) fn find(key: &str) -> Option<&'static Opt> {
    OPTIONS.iter().find(|o| o.key == key)
}

/// Whether a key names a section of the file.
pub(super) fn is_section(key: &str) -> bool {
    sections().any(|s| s == key)
}

fn sections() -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().filter_map(|o| Some(o.key.rsplit_once('.')?.0))
}

/// The option or section whose name is most like the one written, if any is like it at all.
pub(super) fn nearest(key: &str) -> Option<&'static str> {
    let leaf = |k: &str| k.rsplit('.').next().unwrap_or(k).to_string();
    let known = OPTIONS.iter().map(|o| o.key).chain(sections()).filter(|k| *k != key);
    // Somebody who has the right last word in the wrong section is helped best.
    let distance = |k: &&str| steps(k, key).min(steps(&leaf(k), &leaf(key)) + 1);
    // Of several that are as near, the first of the list: it is the more usual one.
    known.map(|k| (distance(&k), k)).min_by_key(|(d, _)| *d).filter(|(d, _)| *d <= key.len().min(60) / 3 + 1).map(|(_, k)| k)
}

/// Letters to change, add or take away to turn one word into the other (Levenshtein), words cut at 64 letters.
fn steps(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

fn addresses(input: &Input, most: usize) -> Result<Vec<SocketAddr>, String> {
    input.list(most)?.iter().map(|i| i.parsed("ADDRESS:PORT, e.g. 0.0.0.0:19810 or [::]:19810")).collect()
}

fn source(input: &Input) -> Result<ValueSource, String> {
    let text = input.text()?;
    if text == "host" {
        return Ok(ValueSource::Host);
    }
    let wrong = || format!("must be \"host\", \"replay:TRACE\" or \"replay:TRACE@90s\", not {}", input.shown());
    let trace = text.strip_prefix("replay:").ok_or_else(wrong)?;
    // Only a duration after the last @ is one: a file's name may have an @ too.
    let split = trace
        .rsplit_once('@')
        .and_then(|(t, from)| Some((t, Input::Text(from.to_string()).duration(&(Duration::ZERO..=*LONG.end())).ok()?)));
    let (trace, from) = split.unwrap_or((trace, Duration::ZERO));
    if trace.is_empty() || trace.contains('\0') {
        return Err(wrong());
    }
    Ok(ValueSource::Replay { trace: trace.to_string(), from })
}

fn one_of<T: Copy>(input: &Input, all: &[T], name: fn(&T) -> &'static str) -> Result<T, String> {
    let names: Vec<_> = all.iter().map(name).collect();
    let text = input.text().unwrap_or_default();
    let found = all.iter().find(|t| name(t) == text).copied();
    found.ok_or_else(|| format!("must be one of {}, not {}", names.join(", "), input.shown()))
}

fn auto_or_off(i: &Input) -> Result<bool, String> {
    match i.text()? {
        "auto" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("{other:?} is neither \"auto\" nor \"off\"")),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_string()).to_string()
}

fn quoted_list<T: Display>(items: &[T]) -> String {
    format!("[{}]", items.iter().map(|i| quoted(&i.to_string())).collect::<Vec<_>>().join(", "))
}

fn path_or_empty(path: Option<&std::path::PathBuf>) -> String {
    quoted(&path.map_or(String::new(), |p| p.to_string_lossy().into_owned()))
}

impl LogLevel {
    /// All levels, the most important first.
    pub const ALL: &[LogLevel] = &[LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];

    /// Its name in options.
    pub fn name(&self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

impl LogFormat {
    /// All formats.
    pub const ALL: &[LogFormat] = &[LogFormat::Text, LogFormat::Json];

    /// Its name in options.
    pub fn name(&self) -> &'static str {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }
    }
}
