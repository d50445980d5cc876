//! Node to node: gossip and discovery.

use super::Opt;
use super::words::{ALLOW_MAX, LISTEN_MAX, LONG, addresses, quoted, quoted_list};
use crate::config::input::{Input, show_duration, show_size};
use peermon_model::{AllowList, limits};
use std::ops::RangeInclusive;

const RATES: RangeInclusive<f64> = 1e3..=1e9;

pub(super) const LIST: &[Opt] = &[
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
];
