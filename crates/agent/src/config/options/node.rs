//! Who the node is, how often it speaks, and whom it meets first.

use super::Opt;
use super::words::{LONG, path_or_empty, quoted, quoted_list};
use crate::config::input::{Input, show_duration, show_size};
use crate::config::{Seed, ValueSource};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Seeds: a few suffice, and each is tried again and again.
const JOIN_MAX: usize = 64;
const PERIODS: RangeInclusive<Duration> = Duration::from_millis(125)..=Duration::from_secs(16);
/// Bytes per second a node may be told to spend.
const BUDGETS: RangeInclusive<f64> = 500.0..=1e9;

pub(super) const LIST: &[Opt] = &[
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
            c.budget = i.limit("0", |i| i.size(&BUDGETS))?.unwrap_or(0.0) as u32;
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
];

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
