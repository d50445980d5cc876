//! What is measured, and at what cost.

use super::Opt;
use super::words::{auto_or_off, quoted, quoted_list};
use crate::config::input::Input;
use peermon_collector::ProcessPrivacy;

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
];
