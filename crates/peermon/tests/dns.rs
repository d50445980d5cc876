//! Our own answers as Debian's `dig` reads them, and a name in Debian's BIND 9 kept at the best nodes.

use anyhow::{Context, Result, bail, ensure};
use peermon_api::Service;
use peermon_testbed::{Daemon, Directory, Spec, find, say, wait_for, within_since};
use std::collections::BTreeSet;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Starting daemons and servers takes seconds; a busy machine may need many times that.
const PATIENCE: Duration = Duration::from_secs(60);
/// After a node goes bad nobody is sent to it any more, including what resolvers may have kept.
const WITHDRAWN: Duration = Duration::from_secs(10);
/// The part of it that resolvers take: the default of dns.ttl and --ttl.
const TTL: Duration = Duration::from_secs(5);
const BINARY: &str = env!("CARGO_BIN_EXE_peermon");

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; either way it is gone then.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A port that is free for UDP and TCP.
fn free() -> Result<u16> {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a port")?;
        let port = tcp.local_addr()?.port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
}

/// Daemons on addresses of loopback of their own, so that answers tell them apart. The first one answers DNS.
fn cluster(directory: &Directory, n: u8, dns: &str) -> Result<Vec<Daemon>> {
    let gossip = |i: u8, port| SocketAddr::from(([127, 19, 81, i], port));
    let port = free()?;
    let mut daemons = Vec::new();
    for i in 1..=n {
        let config = format!("discovery.enabled = false\n{}", if i == 1 { dns } else { "" });
        let spec = Spec {
            name: format!("node-{i}"),
            listen: gossip(i, port),
            http: None,
            join: if i == 1 { vec![] } else { vec![gossip(1, port)] },
            key: [9; 32],
            config,
            flags: vec![],
        };
        daemons.push(Daemon::start(Path::new(BINARY), None, directory, spec)?);
    }
    wait_for("all offered by all", PATIENCE, || {
        daemons.iter().try_for_each(|d| {
            let all = peermon_api::BestQuery { n: 100, ..Default::default() };
            let offered = d.ask().best(&all).map_err(|e| e.to_string())?.best.len();
            if offered == usize::from(n) { Ok(()) } else { Err(format!("{} offers {offered}", d.name())) }
        })
    })?;
    Ok(daemons)
}

fn text(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// Asks with the real dig.
fn dig(port: u16, words: &str) -> Result<String, String> {
    let fixed = ["@127.0.0.1", "-p", &port.to_string(), "+tries=1", "+time=3"].map(ToString::to_string);
    let out = Command::new("dig").args(fixed).args(words.split(' ')).output().map_err(|e| e.to_string())?;
    if out.status.success() { Ok(text(&out)) } else { Err(format!("dig {words}: {}", text(&out))) }
}

fn addresses(port: u16, name: &str) -> Result<Vec<String>, String> {
    Ok(dig(port, &format!("+short {name} A"))?.lines().map(ToString::to_string).collect())
}

/// Runs a test if these programs are there, and says if not. The panic comes while the daemons can still tell their logs.
fn with(programs: &[&str], test: fn(&Directory) -> Result<()>) {
    for program in programs {
        if find(program).is_err() {
            say(&format!("skipped: no program {program} here: apt-get install bind9 bind9-utils bind9-dnsutils"));
            return;
        }
    }
    let directory = Directory::new().expect("a directory");
    if let Err(e) = test(&directory) {
        panic!("{e:#}");
    }
}

/// Waits until none of the names has this address, and holds the time since against the bound less what resolvers keep.
fn withdrawn(since: Instant, port: u16, names: &[&str], address: &str) -> Result<()> {
    let what = format!("{address} is gone from {}", names.join(" and "));
    within_since(since, WITHDRAWN - TTL, &what, || {
        names.iter().try_for_each(|name| match addresses(port, name)?.iter().any(|a| a == address) {
            true => Err(format!("{name} still has it")),
            false => Ok(()),
        })
    })
}

#[test]
fn dig_understands_all_our_answers() {
    with(&["dig"], |directory| {
        let zone = "dns.listen = [\"127.0.0.1:0\"]\ndns.zone = \"c.example.org\"\ndns.rate_max = 0\n";
        let mut daemons = cluster(directory, 3, zone)?;
        let api = daemons[0].ask().status()?.api;
        let port = api.iter().find_map(|a| a.strip_prefix("dns://127.0.0.1:")).context("no DNS address in the status")?;
        let port: u16 = port.parse()?;
        let check = |words: &str, parts: &[&str]| -> Result<()> {
            let answer = dig(port, words).map_err(anyhow::Error::msg)?;
            let squeezed = answer.split_whitespace().collect::<Vec<_>>().join(" ");
            for part in parts {
                ensure!(squeezed.contains(part), "dig {words} lacks {part:?}:\n{answer}");
            }
            let complaints = [";; Warning", "malformed", "Truncated", "extra bytes"];
            ensure!(complaints.iter().all(|c| !answer.contains(c)), "dig {words} complains:\n{answer}");
            Ok(())
        };
        let ok = "status: NOERROR";
        check(
            "best.c.example.org A",
            &[ok, "flags: qr aa rd;", "ANSWER: 3", "udp: 1232", "best.c.example.org. 5 IN A 127.19.81."],
        )?;
        check("BEST.c.Example.org A +tcp", &[ok, "ANSWER: 3", "BEST.c.Example.org. 5 IN A"])?;
        check("best-mem.c.example.org A +noedns", &[ok, "ANSWER: 3"])?;
        check("best-cpu.c.example.org A +bufsize=512 +dnssec", &[ok, "ANSWER: 3"])?;
        check("best.c.example.org A +edns=1 +noednsnegotiation", &["status: BADVERS"])?;
        check("best.c.example.org TXT", &[ok, "\"node=node-", "\"age=", "\"load="])?;
        check("best.c.example.org AAAA", &[ok, "ANSWER: 0", "AUTHORITY: 1", "SOA ns.c.example.org."])?;
        check("node-2.c.example.org A", &[ok, "node-2.c.example.org. 5 IN A 127.19.81.2"])?;
        check("node-2.c.example.org TXT", &[ok, "\"state=alive\""])?;
        check("node-2.c.example.org TYPE65280", &[ok, "ANSWER: 0", "AUTHORITY: 1"])?;
        check("node-2.c.example.org ANY", &[ok, "HINFO \"RFC8482\" \"\""])?;
        check("_peermon._tcp.c.example.org SRV", &[ok, "ANSWER: 3", "node-2.c.example.org. 5 IN A 127.19.81.2"])?;
        check("_tcp.c.example.org A", &[ok, "ANSWER: 0"])?;
        check("c.example.org SOA", &[ok, "hostmaster.c.example.org."])?;
        check("c.example.org NS", &[ok, "IN NS ns.c.example.org.", "ns.c.example.org. 5 IN A 127.0.0.1"])?;
        check("nobody.c.example.org A", &["status: NXDOMAIN", "AUTHORITY: 1"])?;
        check("www.example.com A", &["status: REFUSED"])?;
        check("version.bind CH TXT", &["status: REFUSED"])?;
        check("c.example.org A +opcode=NOTIFY", &["status: NOTIMP"])?;
        check("c.example.org AXFR", &["Transfer failed"])?;
        check("best.c.example.org A +keepopen +tcp node-1.c.example.org A", &["127.19.81.1", "ANSWER: 3"])?;

        let mut firsts = BTreeSet::new();
        wait_for("every node to come first", PATIENCE, || {
            firsts.extend(addresses(port, "best.c.example.org")?.into_iter().next());
            if firsts.len() == 3 { Ok(()) } else { Err(format!("{firsts:?}")) }
        })?;

        let killed = Instant::now();
        daemons[2].kill()?;
        withdrawn(killed, port, &["best.c.example.org", "node-3.c.example.org"], "127.19.81.3")?;
        check("node-3.c.example.org TXT", &[ok, "\"state=down\""])?;
        check("best.c.example.org A", &[ok, "ANSWER: 2"])?;
        let counters = daemons[0].ask().status()?.counters;
        for (name, least) in
            [("dns.answers", 10), ("dns.nxdomain", 1), ("dns.refused", 2), ("dns.queries.tcp", 2), ("dns.unsupported", 2)]
        {
            let counted = counters.get(name).copied().unwrap_or(0);
            ensure!(counted >= least, "{name} is {counted}");
        }
        Ok(())
    });
}

/// A BIND 9 of our own, with one key that may update best.example.org and one that may not.
struct Bind {
    port: u16,
    directory: PathBuf,
    _running: Running,
}

const ZONE: &str = "$TTL 60\n@ IN SOA ns hostmaster 1 3600 600 86400 60\n@ IN NS ns\nns IN A 127.0.0.1\nbest IN TXT \"kept by others\"\n\
                    taken IN A 10.9.9.9\nalias IN CNAME ns\n";

impl Bind {
    fn start(directory: &Path) -> Result<Bind> {
        let (port, place) = (free()?, directory.join("bind"));
        std::fs::create_dir_all(&place)?;
        let mut keys = String::new();
        for name in ["good", "powerless"] {
            let out = Command::new("tsig-keygen").arg(name).output().context("running tsig-keygen")?;
            ensure!(out.status.success(), "tsig-keygen: {}", text(&out));
            secret(&place.join(name), &String::from_utf8_lossy(&out.stdout))?;
            keys += &String::from_utf8_lossy(&out.stdout);
        }
        let other = Command::new("tsig-keygen").arg("good").output().context("running tsig-keygen")?;
        secret(&place.join("forged"), &String::from_utf8_lossy(&other.stdout))?;
        secret(&place.join("unknown"), &String::from_utf8_lossy(&other.stdout).replace("\"good\"", "\"stranger\""))?;
        std::fs::write(place.join("zone"), ZONE)?;
        let shown = place.display();
        let config = format!(
            "{keys}controls {{}};\noptions {{ directory \"{shown}\"; pid-file none; session-keyfile none; lock-file none;\n\
             listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no;\n\
             allow-transfer {{ any; }}; rrset-order {{ order cyclic; }}; notify no; }};\n\
             zone \"example.org\" {{ type primary; file \"zone\"; update-policy {{\n\
               grant good name best.example.org A AAAA TXT; grant good name taken.example.org A AAAA TXT;\n\
               grant good name alias.example.org A AAAA TXT; }}; }};\n"
        );
        std::fs::write(place.join("named.conf"), config)?;
        let log = File::create(place.join("log"))?;
        let mut named = Command::new("named");
        named.arg("-g").arg("-c").arg(place.join("named.conf")).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let running = Running(named.spawn().context("starting named")?);
        let bind = Bind { port, directory: place, _running: running };
        let ready = wait_for("named to answer", PATIENCE, || match dig(port, "+short ns.example.org A")?.trim() {
            "127.0.0.1" => Ok(()),
            other => Err(other.to_string()),
        });
        ready.with_context(|| bind.log())?;
        Ok(bind)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// `peermon dns` for a daemon, with what is said into a file.
    fn command(&self, daemon: &Daemon, name: &str, key: &str, flags: &[&str]) -> Command {
        let mut c = Command::new(BINARY);
        c.arg("--api").arg(daemon.socket()).args(["dns", name, "--server", &format!("127.0.0.1:{}", self.port), "--key-file"]);
        c.arg(self.directory.join(key)).args(flags).stdin(Stdio::null());
        c
    }

    fn keep(&self, daemon: &Daemon) -> Result<Running> {
        let log = File::create(self.directory.join(format!("keeper-{}", daemon.name())))?;
        let mut c = self.command(daemon, "best.example.org", "good", &["-n", "4"]);
        Ok(Running(c.stdout(log.try_clone()?).stderr(log).spawn().context("starting peermon dns")?))
    }

    fn said(&self, daemon: &Daemon) -> String {
        std::fs::read_to_string(self.directory.join(format!("keeper-{}", daemon.name()))).unwrap_or_default()
    }

    /// Who wrote the name last, by id.
    fn keeper(&self) -> Result<String, String> {
        let texts = dig(self.port, "+short best.example.org TXT")?;
        let mark =
            texts.lines().find_map(|l| l.strip_prefix("\"peermon\" \"keeper=")).map(|l| l.trim_end_matches('"').to_string());
        mark.ok_or_else(|| format!("no keeper: {texts}"))
    }

    /// All that wrote the name, in order, each once for as long as it went on.
    fn keepers(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for line in self.log().lines().filter(|l| l.contains("adding an RR at 'best.example.org' TXT")) {
            let id = line.split("keeper=").nth(1).and_then(|l| l.split('"').next()).unwrap_or_default().to_string();
            if all.last() != Some(&id) {
                all.push(id);
            }
        }
        all
    }
}

fn secret(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text)?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?)
}

#[test]
fn bind_is_kept_at_the_best_by_one_of_several() {
    with(&["dig", "named", "tsig-keygen", "named-checkzone"], |directory| {
        let bind = Bind::start(directory.path())?;
        let mut daemons = cluster(directory, 4, "")?;
        let mut keepers = daemons[..3].iter().map(|d| bind.keep(d).map(Some)).collect::<Result<Vec<_>>>()?;
        let name = "best.example.org";
        wait_for("all four addresses", PATIENCE, || match addresses(bind.port, name)?.len() {
            4 => Ok(()),
            n => {
                Err(format!("{n} addresses; the keepers say:\n{}", daemons[..3].iter().map(|d| bind.said(d)).collect::<String>()))
            }
        })?;
        let mut firsts = BTreeSet::new();
        wait_for("BIND to turn them", PATIENCE, || {
            firsts.extend(addresses(bind.port, name)?.into_iter().next());
            if firsts.len() == 4 { Ok(()) } else { Err(format!("{firsts:?}")) }
        })?;
        wait_for("the others to stand by", PATIENCE, || {
            let standing = daemons[..3].iter().filter(|d| bind.said(d).contains("stands by")).count();
            if standing == 2 { Ok(()) } else { Err(format!("{standing} stand by")) }
        })?;

        // The machine of the one that updates dies: it goes from the name, and another one updates.
        let ids: Vec<String> = daemons.iter().map(|d| Ok(d.ask().status()?.id)).collect::<Result<_>>()?;
        let first = bind.keeper().map_err(anyhow::Error::msg)?;
        let dead = ids.iter().position(|id| *id == first).context("a stranger keeps it")?;
        let killed = Instant::now();
        daemons[dead].kill()?;
        drop(keepers[dead].take());
        withdrawn(killed, bind.port, &[name], &format!("127.19.81.{}", dead + 1))?;
        wait_for("another keeper", PATIENCE, || match bind.keeper()? {
            id if id != first => Ok(()),
            _ => Err("still the dead one".into()),
        })?;
        // Nobody else went with it.
        wait_for("the other three", PATIENCE, || match addresses(bind.port, name)?.len() {
            3 => Ok(()),
            n => Err(format!("{n} addresses")),
        })?;

        // Another node goes bad that keeps nothing.
        let killed = Instant::now();
        daemons[3].kill()?;
        withdrawn(killed, bind.port, &[name], "127.19.81.4")?;

        // Only the program of the one that updates ends: its lease does, too.
        let second = bind.keeper().map_err(anyhow::Error::msg)?;
        let ended = ids.iter().position(|id| *id == second).context("a stranger keeps it")?;
        drop(keepers[ended].take());
        within_since(Instant::now(), WITHDRAWN, "the last keeper goes on", || match bind.keeper()? {
            id if id != second => Ok(()),
            _ => Err("still the ended one".into()),
        })?;
        let all = bind.keepers();
        ensure!(all.len() == 3 && all.iter().collect::<BTreeSet<_>>().len() == 3, "they took turns: {all:?}");

        // What others keep there is still there, and BIND finds the zone sound.
        let texts = dig(bind.port, "+short best.example.org TXT").map_err(anyhow::Error::msg)?;
        ensure!(texts.contains("kept by others"), "{texts}");
        let whole = dig(bind.port, "example.org AXFR +onesoa").map_err(anyhow::Error::msg)?;
        let file = bind.directory.join("dump");
        std::fs::write(&file, whole)?;
        let check = Command::new("named-checkzone").arg("example.org").arg(&file).output().context("running named-checkzone")?;
        ensure!(check.status.success(), "{}", text(&check));
        Ok(())
    });
}

#[test]
fn what_bind_refuses_is_said_clearly() {
    with(&["dig", "named", "tsig-keygen"], |directory| {
        let bind = Bind::start(directory.path())?;
        let daemons = cluster(directory, 1, "")?;
        let run = |name: &str, key: &str, flags: &[&str]| -> Result<(bool, String)> {
            let out = bind.command(&daemons[0], name, key, flags).output().context("running peermon dns")?;
            Ok((out.status.success(), text(&out)))
        };
        let fails = |name: &str, key: &str, flags: &[&str], word: &str| -> Result<()> {
            let (success, said) = run(name, key, flags)?;
            ensure!(!success && said.contains(word), "{name} with {key} {flags:?}: lacks {word:?}: {said}");
            Ok(())
        };
        // Without --once as well, since a keeper tells what is wrong for good before it stands by.
        for flags in [&["--once"][..], &[]] {
            fails("best.example.org", "unknown", flags, "does not know the key stranger. with hmac-sha256 (BADKEY)")?;
            fails("best.example.org", "forged", flags, "(BADSIG)")?;
        }
        fails("best.example.org", "powerless", &["--once"], "(REFUSED)")?;
        fails("best.example.com", "good", &["--once"], "does not own best.example.com.")?;
        fails(
            "best.example.org",
            "good",
            &["--once", "--dns-zone", "best.example.org"],
            "does not own the zone best.example.org.",
        )?;
        fails("best.example.org", "good", &["--dry-run", "--where", "cpu.bussy < 50%"], "cpu.busy")?;
        let (success, said) = run("best.example.org", "good", &["--dry-run", "--where", "cpu.threads >= 1"])?;
        ensure!(success && said.contains("update add"), "nodes that meet a condition: {said}");
        fails("taken.example.org", "good", &[], "10.9.9.9")?;
        fails("alias.example.org", "good", &["--once"], "CNAME to ns.example.org.")?;
        let before = addresses(bind.port, "best.example.org").map_err(anyhow::Error::msg)?;
        ensure!(before.is_empty(), "{before:?}");

        let (success, said) = run("best.example.org", "good", &["--once"])?;
        ensure!(success && said.contains("127.19.81.1"), "{said}");
        let (success, said) = run("taken.example.org", "good", &["--once", "--adopt", "--ttl", "2"])?;
        ensure!(success, "{said}");
        ensure!(addresses(bind.port, "taken.example.org").map_err(anyhow::Error::msg)? == ["127.19.81.1"]);

        // What --dry-run prints, nsupdate takes.
        let (success, script) = run("best.example.org", "good", &["--dry-run", "--ttl", "9"])?;
        ensure!(success, "{script}");
        let file = bind.directory.join("script");
        std::fs::write(&file, &script)?;
        let out = Command::new("nsupdate")
            .arg("-k")
            .arg(bind.directory.join("good"))
            .arg(&file)
            .output()
            .context("running nsupdate")?;
        ensure!(out.status.success(), "nsupdate: {}\n{script}", text(&out));
        let answer = dig(bind.port, "best.example.org A").map_err(anyhow::Error::msg)?;
        if !answer.split_whitespace().collect::<Vec<_>>().join(" ").contains("best.example.org. 9 IN A 127.19.81.1") {
            bail!("{answer}");
        }
        Ok(())
    });
}
