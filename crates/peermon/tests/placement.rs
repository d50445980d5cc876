//! What the chosen nodes are for: real launchers, real ssh and ClusterShell, on hosts that are network namespaces with an ssh server each.

mod shells;

use anyhow::{Context, Result, ensure};
use peermon_api::Service;
use peermon_testbed::{Cluster, Family, find, say, wait_for};
use shells::{BINARY, Shells};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

/// Longer than anything here takes on a busy machine; passing it is a failure, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the programs are here; says which is missing.
fn installed(programs: &[(&str, &str)]) -> bool {
    programs.iter().all(|(program, package)| {
        let found = find(program).is_ok();
        if !found {
            say(&format!("skipped: no program {program} here: apt-get install {package}"));
        }
        found
    })
}

const SSH: &[(&str, &str)] = &[("ssh", "openssh-client"), ("sshd", "openssh-server"), ("ssh-keygen", "openssh-client")];

/// Three hosts that know each other, the last one labelled, with an ssh server each.
fn test(programs: &[(&str, &str)], body: impl FnOnce(&Shells, &mut Cluster) -> Result<()>) {
    if !installed(SSH) || !installed(programs) {
        return;
    }
    let make = || {
        let mut c = Cluster::hosts(BINARY, 3, Family::Both)?;
        for i in 0..3 {
            let mut spec = c.spec(i);
            if i == 2 {
                spec.flags = ["--label", "role=train"].map(Into::into).to_vec();
            }
            c.add(spec)?;
        }
        Ok(c)
    };
    Cluster::test(make, |c| {
        wait_for("all see all", PATIENCE, || c.all_see_all())?;
        all_are_offered(c)?;
        let shells = Shells::start(c)?;
        body(&shells, c)
    });
}

fn all_are_offered(c: &Cluster) -> Result<()> {
    wait_for("all are offered", PATIENCE, || match c.offers(0)?.len() {
        3 => Ok(()),
        n => Err(format!("{n} are offered")),
    })
    .map(drop)
}

/// The lines of a text, sorted.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    lines.sort_unstable();
    lines
}

const ALL: [&str; 3] = ["node-1", "node-2", "node-3"];

#[test]
fn launchers_start_processes_from_our_files() {
    let launchers = [("mpirun.openmpi", "openmpi-bin"), ("mpiexec.mpich", "mpich"), ("parallel", "parallel")];
    test(&launchers, |shells, _| {
        let file = |format: &str| -> Result<String> {
            let path = shells.path(format);
            shells.run(&["peermon", "hostfile", "-n", "3", "--slots", "1", "--format", format, &path])?;
            Ok(path)
        };
        let openmpi = file("openmpi")?;
        let mpirun = ["mpirun.openmpi", "--allow-run-as-root", "--mca", "plm_rsh_agent", "ssh", "--hostfile", &openmpi];
        let said = shells.run(&[&mpirun[..], &["-n", "3", "hostname"]].concat())?;
        assert_eq!(sorted(&said), ALL, "mpirun (Open MPI): {said}");

        let mpich = file("mpich")?;
        let said = shells.run(&["mpiexec.mpich", "-launcher", "ssh", "-f", &mpich, "-n", "3", "hostname"])?;
        assert_eq!(sorted(&said), ALL, "mpiexec (MPICH): {said}");

        let parallel = file("parallel")?;
        let said = shells.run(&["parallel", "--will-cite", "--slf", &parallel, "--nonall", "hostname"])?;
        assert_eq!(sorted(&said), ALL, "parallel: {said}");

        // autompigen by its own name, with a slot for every processor.
        let classic = shells.path("classic");
        shells.run(&["autompigen", "-n", "3", "-q", &classic])?;
        let text = std::fs::read_to_string(&classic)?;
        ensure!(text.lines().count() == 3 && text.lines().all(|l| l.starts_with("node-") && l.contains(" slots=")), "{text}");
        let said = shells.run(&[&mpirun[..6], &[&classic, "--map-by", "node", "-n", "3", "hostname"]].concat())?;
        assert_eq!(sorted(&said), ALL, "mpirun with autompigen's file: {said}");
        Ok(())
    });
}

/// A file of one format, for every node once.
fn hostfile(shells: &Shells, format: &str) -> Result<String> {
    let path = shells.path(format);
    shells.run(&["peermon", "hostfile", "-n", "3", "--slots", "1", "--no-claim", "--format", format, &path])?;
    Ok(path)
}

/// Intel's mpirun is a Hydra, as MPICH's is, and cannot be had from Debian: MPICH's reads the same file by Intel's option.
#[test]
fn hydra_slurm_and_pdsh_read_our_files() {
    let programs = [("mpiexec.hydra", "mpich"), ("scontrol", "slurm-client"), ("pdsh", "pdsh"), ("parallel", "parallel")];
    test(&programs, |shells, _| {
        let intel = hostfile(shells, "intel")?;
        let said = shells.run(&["mpiexec.hydra", "-launcher", "ssh", "-machinefile", &intel, "-n", "3", "hostname"])?;
        assert_eq!(sorted(&said), ALL, "mpiexec.hydra: {said}");

        // It wants a configuration to read, but nobody to answer.
        let conf = shells.path("slurm.conf");
        std::fs::write(&conf, "ClusterName=test\nSlurmctldHost=node-1\nNodeName=node-[1-3]\n")?;
        let nodelist = std::fs::read_to_string(hostfile(shells, "slurm-nodelist")?)?;
        assert_eq!(nodelist, "node-[1-3]\n");
        let scontrol =
            |what: &str, list: &str| shells.run(&["env", &format!("SLURM_CONF={conf}"), "scontrol", "show", what, list]);
        assert_eq!(sorted(&scontrol("hostnames", nodelist.trim())?), ALL);
        assert_eq!(scontrol("hostlist", &ALL.join(","))?, nodelist, "they fold as we do");

        let pdsh = hostfile(shells, "pdsh")?;
        let expected = ["node-1: node-1", "node-2: node-2", "node-3: node-3"];
        let said = shells.run(&["pdsh", "-R", "ssh", "-w", &format!("^{pdsh}"), "hostname"])?;
        assert_eq!(sorted(&said), expected, "pdsh -w ^FILE");
        let said = shells.run(&["env", &format!("WCOLL={pdsh}"), "pdsh", "-R", "ssh", "hostname"])?;
        assert_eq!(sorted(&said), expected, "pdsh with WCOLL");
        Ok(())
    });
}

#[test]
fn ansible_reads_our_inventory() {
    test(&[("ansible-inventory", "ansible-core"), ("ansible", "ansible-core")], |shells, _| {
        // What it reads is a program that prints it.
        let (json, inventory) = (hostfile(shells, "ansible")?, shells.path("inventory"));
        std::fs::write(&inventory, format!("#!/bin/sh\nexec cat {json}\n"))?;
        std::fs::set_permissions(&inventory, std::fs::Permissions::from_mode(0o755))?;
        let said = shells.run(&["ansible-inventory", "-i", &inventory, "--list"])?;
        let list: serde_json::Value = serde_json::from_str(&said).with_context(|| said.clone())?;
        let mut hosts: Vec<&str> = list["best"]["hosts"].as_array().into_iter().flatten().filter_map(|h| h.as_str()).collect();
        hosts.sort_unstable();
        assert_eq!(hosts, ALL, "{said}");
        assert_eq!(list["_meta"]["hostvars"]["node-2"]["peermon"]["slots"], 1, "{said}");
        let said = shells.run(&["ansible", "best", "-i", &inventory, "-m", "raw", "-a", "hostname"])?;
        for name in ALL {
            ensure!(said.contains(&format!("{name} | CHANGED | rc=0 >>\n{name}")), "{said}");
        }
        Ok(())
    });
}

/// A scheduler on the first host and a worker on each, through the ssh that dask brings.
#[test]
fn dask_starts_on_our_hosts() {
    if !Command::new("/usr/bin/python3").args(["-c", "import paramiko"]).output().is_ok_and(|o| o.status.success()) {
        return say("skipped: dask's ssh is not here: apt-get install python3-paramiko");
    }
    test(&[("dask-ssh", "python3-distributed")], |shells, _| {
        let (hosts, log) = (hostfile(shells, "dask")?, shells.path("dask.log"));
        let options = ["--ssh-username", "root", "--remote-python", "/usr/bin/python3", "--nthreads", "1"];
        let key = shells.path("login");
        let line = [&["dask-ssh", "--hostfile", &hosts, "--ssh-private-key", &key][..], &options].concat();
        let out = std::fs::File::create(&log)?;
        let mut child = shells.command(&line).stdout(out.try_clone()?).stderr(out).spawn().context("running dask-ssh")?;
        let first = std::fs::read_to_string(&hosts)?.lines().next().unwrap_or_default().to_string();
        let seen = wait_for("a scheduler and its workers", PATIENCE, || {
            let said = std::fs::read_to_string(&log).map_err(|e| e.to_string())?;
            let has = |what: &str, name: &str| said.lines().any(|l| l.contains(what) && l.contains(name));
            if has("scheduler", &first) && ALL.iter().all(|name| has("worker", name)) { Ok(()) } else { Err(said) }
        });
        child.kill().context("ending it")?;
        child.wait().context("waiting for it")?;
        seen.map(drop)
    });
}

/// By ray's own reader of cluster files. It is no Debian package and takes 400 MB, so nothing installs it.
#[test]
fn ray_takes_our_cluster_file() {
    const READ: &str = "import sys, yaml
from ray.autoscaler._private.util import prepare_config, validate_config
config = prepare_config(yaml.safe_load(open(sys.argv[1])))
validate_config(config)
print(config['provider']['head_ip'], *config['provider']['worker_ips'])";
    let Ok(ray) = find("ray") else { return say("skipped: no program ray here: pip install 'ray[default]'") };
    let python = ray.with_file_name("python3").display().to_string();
    test(&[], |shells, _| {
        let said = shells.run(&[&python, "-c", READ, &hostfile(shells, "ray")?])?;
        assert_eq!(sorted(&said.replace(' ', "\n")), ALL);
        Ok(())
    });
}

#[test]
fn a_watched_hostfile_forgets_a_node_that_stopped() {
    test(&[], |shells, c| {
        let path = shells.path("watched");
        let mut watching = shells.command(&["peermon", "hostfile", "-n", "3", "-f", "plain", "--watch", "1", &path]);
        let mut child = watching.spawn().context("watching")?;
        let hosts = || std::fs::read_to_string(&path).map_err(|e| e.to_string());
        let is = |expected: &[&str]| match hosts()? {
            text if sorted(&text) == expected => Ok(()),
            text => Err(format!("{text:?}")),
        };
        let seen = wait_for("all three", PATIENCE, || is(&ALL)).and_then(|_| {
            c.daemons[1].stop()?;
            wait_for("the stopped one to be gone", PATIENCE, || is(&["node-1", "node-3"]))
        });
        child.kill().context("ending it")?;
        child.wait().context("waiting for it")?;
        seen.map(drop)
    });
}

#[test]
fn ssh_logs_in_to_the_best() {
    test(&[], |shells, _| {
        let here: BTreeSet<&str> = ALL.into_iter().collect();
        let on = |said: &str| here.contains(said.trim());
        let said = shells.run(&["peermon", "ssh", "--", "hostname"])?;
        ensure!(on(&said), "peermon ssh: {said}");
        let said = shells.run(&["peermon", "ssh", "--label", "role=train", "-I", "--", "-q", "hostname"])?;
        assert_eq!(said.trim(), "node-3");
        // As the documented entries of ssh_config do it, each after its own way of knowing host keys.
        let said = shells.run(&["ssh", "best", "hostname"])?;
        ensure!(on(&said), "ssh best: {said}");
        let said = shells.run(&["ssh", "best-train", "hostname"])?;
        assert_eq!(said.trim(), "node-3");
        let said = shells.run(&["smarterssh", "-m", "hostname"])?;
        let lines: Vec<_> = said.lines().collect();
        ensure!(matches!(lines[..], [first, name] if first == format!("sshing into {name}") && on(name)), "smarterssh: {said}");
        let said = shells.run(&["smarterssh", "-n", "3"])?;
        assert_eq!(sorted(&said), ALL);

        let out = shells.output(&["peermon", "ssh", "--cpus", "4000000"])?;
        let said = String::from_utf8_lossy(&out.stderr);
        ensure!(!out.status.success() && said.contains("4000000 idle processors"), "{said}");
        // The exit code of what ran is ssh's, and so ours.
        let out = shells.output(&["peermon", "ssh", "--", "exit 7"])?;
        assert_eq!(out.status.code(), Some(7));
        Ok(())
    });
}

#[test]
fn a_command_runs_on_several_nodes() {
    test(&[], |shells, c| {
        let expected = ["node-1: node-1", "node-2: node-2", "node-3: node-3"];
        let said = shells.run(&["peermon", "run", "-n", "3", "--", "hostname"])?;
        assert_eq!(sorted(&said), expected);
        let said = shells.run(&["peermon", "run", "-w", "node-[1-3]!node-2", "--at-once", "1", "--", "hostname; echo 'a  b'"])?;
        assert_eq!(sorted(&said), ["node-1: a  b", "node-1: node-1", "node-3: a  b", "node-3: node-3"]);
        let said = shells.run(&["peermon", "run", "--group", "role=train", "--", "printf", "%s\\n", "it's", "$HOME"])?;
        assert_eq!(said, "node-3: it's\nnode-3: $HOME\n");

        let said = shells.run(&["peermon", "run", "-w", "@up!@role=train", "--", "hostname"])?;
        assert_eq!(sorted(&said), expected[..2]);
        assert_eq!(shells.run(&["peermon", "nodes", "--fold", "node-1,@role=train"])?, "node-[1,3]\n");
        assert_eq!(shells.run(&["peermon", "nodes", "--fold", "@*"])?, "node-[1-3]\n");
        let out = shells.output(&["peermon", "nodes", "@rolf"])?;
        let errors = String::from_utf8_lossy(&out.stderr);
        ensure!(errors.contains("there is no group \"rolf\""), "{errors}");

        // a machine that all this kept busy may have been silent for a moment
        all_are_offered(c)?;
        let out = shells.output(&["peermon", "run", "-n", "3", "--", "echo out; echo err >&2; test $(hostname) = node-2"])?;
        let (said, errors) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert_eq!((out.status.code(), said.lines().count()), (Some(1), 3), "{said}{errors}");
        ensure!(errors.lines().filter(|l| l.ends_with(": err")).count() == 3, "{errors}");
        ensure!(errors.ends_with("peermon: it failed on 2 of 3 nodes:\n  node-[1,3]: exit code 1\n"), "{errors}");
        let out = shells.output(&["peermon", "run", "-w", "node-1,node-9", "--", "true"])?;
        let errors = String::from_utf8_lossy(&out.stderr);
        ensure!(errors.contains("no node is named node-9"), "{errors}");
        Ok(())
    });
}

#[test]
fn what_is_chosen_is_claimed_until_the_job_ends() {
    test(&[], |shells, c| {
        let claims = |at: usize| c.daemons[at].ask().claims().map_err(|e| e.to_string());
        let seen = |what: &str, n: usize| {
            wait_for(what, PATIENCE, || match (0..3).map(claims).collect::<std::result::Result<Vec<_>, String>>()? {
                all if all.iter().all(|c| c.len() == n) => Ok(()),
                all => Err(format!("{all:?}")),
            })
        };
        let cancel = || -> Result<()> {
            let numbers: Vec<String> = c.daemons[0].ask().claims()?.iter().map(|c| c.number.to_string()).collect();
            let words: Vec<&str> =
                ["peermon", "claims", "cancel"].into_iter().chain(numbers.iter().map(String::as_str)).collect();
            let said = shells.run(&words)?;
            ensure!(said.lines().count() == numbers.len() && said.contains("are no longer claimed"), "{said}");
            seen("all cancelled", 0).map(drop)
        };
        // All three show the load of one machine, so it is the claims that send who comes next elsewhere.
        let mut chosen = Vec::new();
        for _ in 0..3 {
            chosen.push(shells.run(&["peermon", "best", "--by", "cpu", "--claim=300"])?.trim().to_string());
        }
        assert_eq!(sorted(&chosen.join("\n")), ALL);
        say(&format!("three claims were seen by all after {:?}", seen("the claims everywhere", 3)?));
        let listed = shells.run(&["peermon", "claims"])?;
        ensure!(ALL.iter().all(|n| listed.contains(n)), "{listed}");
        let said = shells.run(&["peermon", "best", "--explain"])?;
        ensure!(said.contains("claims take "), "{said}");
        cancel()?;

        // As long as the commands run, which is until this file is there.
        let while_it_runs = |line: &[&str], name: &str, n: usize| -> Result<()> {
            let file = shells.path(name);
            let wait = format!("until test -e {file}; do sleep 0.1; done");
            let mut child = shells.command(&[line, &[&wait]].concat()).spawn().context("running it")?;
            let started = seen("claimed while it runs", n);
            std::fs::write(&file, "").context("ending it")?;
            let status = child.wait().context("waiting for it")?;
            started?;
            ensure!(status.success(), "{line:?}: {status}");
            seen("free when it has ended", 0).map(drop)
        };
        while_it_runs(&["peermon", "run", "-n", "3", "--"], "run-ends", 3)?;
        while_it_runs(&["ssh", "best"], "ssh-ends", 1)?;

        let file = shells.path("claimed");
        shells.run(&["peermon", "hostfile", "-n", "2", "--slots", "claim", &file])?;
        let text = std::fs::read_to_string(&file)?;
        ensure!(text.lines().count() == 2 && text.lines().all(|l| l.ends_with(" slots=1")), "{text}");
        seen("two hosts claimed", 2)?;
        cancel()?;
        for line in [
            &["hostfile", "--no-claim"][..],
            &["ssh", "--no-claim", "--", "true"],
            &["best"],
            &["run", "-w", "node-1", "--", "true"],
        ] {
            shells.run(&[&["peermon"], line].concat())?;
        }
        assert_eq!(c.daemons[0].ask().claims()?.len(), 0);
        // peermon has become ssh, so this one ends by itself.
        shells.run(&["peermon", "ssh", "--claim=2", "--", "true"])?;
        seen("claimed", 1)?;
        seen("over", 0).map(drop)
    });
}

#[test]
fn clustershell_takes_our_groups() {
    test(&[("clush", "clustershell"), ("nodeset", "clustershell")], |shells, c| {
        let said = shells.run(&["clush", "-w", "@live:up", "hostname"])?;
        assert_eq!(sorted(&said), ["node-1: node-1", "node-2: node-2", "node-3: node-3"]);
        let said = shells.run(&["clush", "-w", "@live:role=train", "hostname"])?;
        assert_eq!(said, "node-3: node-3\n");
        let nodeset = |args: &[&str]| shells.run(&[&["nodeset"], args].concat());
        assert_eq!(nodeset(&["-f", "@live:up"])?, "node-[1-3]\n");
        assert_eq!(nodeset(&["-f", "@live:*"])?, "node-[1-3]\n");
        let groups = nodeset(&["-l", "-s", "live"])?;
        for group in ["@live:up", "@live:idle", "@live:gpufree", "@live:role", "@live:role=train"] {
            ensure!(groups.lines().any(|l| l == group), "{group} is not in {groups}");
        }
        ensure!(nodeset(&["-l", "-s", "live", "node-3"])?.contains("@live:role=train"), "the groups of a node");
        c.daemons[1].stop()?;
        wait_for("the stopped one to leave the group", PATIENCE, || {
            match shells.run(&["peermon", "nodes", "--fold", "--group", "up"]).map_err(|e| e.to_string())?.as_str() {
                "node-[1,3]\n" => Ok(()),
                other => Err(other.to_string()),
            }
        })?;
        assert_eq!(nodeset(&["-f", "@live:up"])?, "node-[1,3]\n");
        Ok(())
    });
}

/// Our folding beside Debian's ClusterShell: in one dimension the same line, in several the same set.
#[test]
fn sets_fold_and_unfold_as_clustershells_do() -> Result<()> {
    if !installed(&[("nodeset", "clustershell")]) {
        return Ok(());
    }
    let nodeset = |args: &[&str]| -> Result<String> {
        let out = Command::new("nodeset").args(args).output().context("running nodeset")?;
        ensure!(out.status.success(), "nodeset {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        Ok(String::from_utf8(out.stdout)?.trim_end().to_string())
    };
    let fold = |names: &[String]| peermon_placement::nodeset::fold(names.iter().map(String::as_str)).text;
    // A small generator of our own: the same names in every run.
    let mut state = 7u64;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    for round in 0..18 {
        let several = round % 3 == 2;
        let names: BTreeSet<String> = (0..1 + below(40))
            .map(|_| {
                let index = |n: u64, width: u64| format!("{n:0w$}", w = width as usize);
                let first = index(below(120), 1 + below(3) * below(2));
                let prefix = ["node", "gpu-", "n"][below(3) as usize];
                let suffix = ["", "", ".lab"][below(3) as usize];
                if several { format!("{prefix}{first}x{}{suffix}", below(6)) } else { format!("{prefix}{first}{suffix}") }
            })
            .collect();
        let names: Vec<String> = names.into_iter().collect();
        let (ours, theirs) = (fold(&names), nodeset(&["-f", &names.join(",")])?);
        if !several {
            assert_eq!(ours, theirs, "{names:?}");
        }
        let expected: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let unfolded = nodeset(&["-e", "-S", ",", &ours])?;
        assert_eq!(unfolded.split(',').collect::<BTreeSet<_>>(), expected, "they unfold {ours}");
        let unfolded = peermon_placement::nodeset::unfold(&theirs).map_err(|e| anyhow::anyhow!("{e}"))?;
        assert_eq!(unfolded.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected, "we unfold {theirs}");
    }
    for set in ["n[1-20/3]!n4", "a[01-12]&a[03-99]", "a[1-9]^a[5-12]", "x0[1-3]5", "r[1-3]n[1-2],r9n9", "n[1-3],n[5-9]&n[2-6]!n6"]
    {
        let ours = peermon_placement::nodeset::unfold(set).map_err(|e| anyhow::anyhow!("{e}"))?;
        assert_eq!(ours, nodeset(&["-e", "-S", ",", set])?.split(',').collect::<Vec<_>>(), "{set}");
    }
    Ok(())
}
