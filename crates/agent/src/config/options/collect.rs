//! What is measured, and at what cost.

use super::Opt;
use super::words::{auto_or_off, quoted, quoted_list};
use crate::config::input::{Input, show_duration, show_percent};
use crate::config::tables;
use peermon_collector::ProcessPrivacy;
use peermon_collector::limits::SYSTEM_WINDOW_MAX;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Below, even what cannot wait would not fit; more than one core it hardly can use.
const SHARES: RangeInclusive<f64> = 0.0005..=1.0;
/// What others are told says "within 3 minutes", so it is no longer.
const CPU_WINDOWS: RangeInclusive<Duration> = Duration::from_secs(10)..=SYSTEM_WINDOW_MAX;
/// Collectors that can be left out: more than there are.
const WITHOUT_MAX: usize = 64;

pub(super) const LIST: &[Opt] = &[
    Opt {
        key: "without_collectors",
        help: "Names of collectors that do not run, e.g. [\"users\", \"temperature\"]; `peermon status --all` lists them. What they would\n\
               give is absent, vitals among it. Worth it only for one that costs much or does harm on this machine.",
        reloads: true,
        example: None,
        show: |c| quoted_list(&c.without_collectors),
        put: |c, i| {
            let name = |i: &Input| i.text().and_then(|t| tables::collector(t).map(str::to_string));
            c.without_collectors = i.list(WITHOUT_MAX)?.iter().map(name).collect::<Result<_, _>>()?;
            Ok(())
        },
    },
    Opt {
        key: "cpu_budget",
        help: "Processor time that this daemon may use: a share of one core, \"0.05%\" to \"100%\", or \"off\" for no limit. Where it uses\n\
               more, collectors look less often, up to 16 times, as far as nobody else waits for them: what all nodes see, self-probes\n\
               and gossip stay as they are. `peermon status`, the log and the attribute self.stretch say so. Small: values that this\n\
               machine alone shows get old, at most 2 minutes. Large, or none: a machine with very many devices pays for them.",
        reloads: true,
        example: None,
        show: |c| quoted(&c.cpu_budget.map_or("off".to_string(), show_percent)),
        put: |c, i| {
            c.cpu_budget = i.limit("off", |i| i.percent(&SHARES))?;
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
        key: "probes.cpu_window",
        help: "How long it counts against this node that the kernel itself used over 95 % of its processors, 10s to 3m. Short: it is\n\
               offered again soon, perhaps between two attacks of the same trouble. Long: one attack keeps jobs away for minutes.",
        reloads: true,
        example: None,
        show: |c| quoted(&show_duration(c.probes.cpu_window)),
        put: |c, i| {
            c.probes.cpu_window = i.duration(&CPU_WINDOWS)?;
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
];

pub(super) const TABLES: &[Opt] = &[Opt {
    key: "collector_periods",
    help: "How often single collectors look, 125ms to 1h, rather than as often as usual (`peermon status --all` tells); what all nodes\n\
           see may be 10s old at most. None looks more often than `period`. Short: fresher values, more processor time. Long: the\n\
           reverse. In the variable: NAME=PERIOD,NAME=PERIOD.",
    reloads: true,
    example: Some("[collector_periods]\ncgroups = \"1m\"\nfilesystems = \"30s\""),
    show: |c| {
        let pairs: Vec<_> =
            c.collector_periods.iter().map(|(k, d)| format!("{} = {}", quoted(k), quoted(&show_duration(*d)))).collect();
        format!("{{ {} }}", pairs.join(", "))
    },
    put: |c, i| {
        c.collector_periods = tables::collector_periods(i)?;
        Ok(())
    },
}];
