//! Where people and programs ask: HTTP, the past that is kept, DNS.

use super::Opt;
use super::words::{ALLOW_MAX, LISTEN_MAX, addresses, path_or_empty, quoted, quoted_list};
use crate::config::input::{Input, show_duration, show_size};
use peermon_model::AllowList;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How long DNS answers may be kept.
const TTLS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(5);
/// Addresses in one DNS answer: more than anybody tries, and well within a datagram.
const DNS_ANSWERS: RangeInclusive<i64> = 1..=16;
/// Name servers of one zone.
const NAME_SERVERS_MAX: usize = 8;
/// DNS requests a second of one client network.
const DNS_RATES: RangeInclusive<i64> = 0..=1_000_000;

pub(super) const LIST: &[Opt] = &[
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
];
