use crate::Failure;
use crate::choice::Choice;
use crate::output::{Output, clean};
use peermon_api::{Announcement, BestNode, BestQuery, NextEvent, NodeView, NodesQuery, Service};
use peermon_serve_dns::keep::exchange::{ExchangeError, Held, NameServer};
use peermon_serve_dns::keep::{self, Keeper, Key, NAME_BYTES_MAX, Sight, TOPIC, Turn};
use peermon_serve_dns::limits::ANSWERS_MAX;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Keep a name of a DNS server at the best nodes, by signed updates (RFC 2136, TSIG)
///
/// It runs until it is stopped. Run it on several nodes: they see each other in the table, one of them updates, and another one
/// goes on when that one or its machine dies. A node that goes bad is taken out within seconds. `peermon daemon` can also
/// answer DNS itself (option dns.listen), which needs no other server.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon dns best.example.org --server 10.0.0.53 --key-file best.key
  peermon dns mem.example.org --server ns1 --key-file k --by mem -n 1 --ttl 2
  peermon dns gpu.example.org --server ns1 --key-file k --gpus 1 --mem 8G
  peermon dns best.example.org --server 10.0.0.53 --key-file k --once
  tsig-keygen best-key > best.key            the key, for both sides")]
pub(crate) struct Args {
    /// The name to keep; it holds A and AAAA records, and a TXT record that says who wrote them
    name: String,
    /// The name server that is primary for the name's zone
    #[arg(long, value_name = "HOST[:PORT]")]
    server: String,
    /// A file with the TSIG key, as tsig-keygen prints it; nobody else may read it
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// The DNS zone to update; otherwise the server is asked in which zone the name lies
    #[arg(long, value_name = "ZONE")]
    dns_zone: Option<String>,
    /// Nodes the name points at
    #[arg(short = 'n', default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=ANSWERS_MAX as i64))]
    count: u8,
    /// Seconds that resolvers may keep an answer
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=300))]
    ttl: u32,
    /// Replace addresses that the name has already and that no keeper wrote
    #[arg(long)]
    adopt: bool,
    /// Update once, whoever keeps the name, and end
    #[arg(long)]
    once: bool,
    /// Print what an update now would be, as commands for nsupdate, and end
    #[arg(long)]
    dry_run: bool,
    /// Print a JSON object a line: name, text, and addresses where they are known
    #[arg(long, conflicts_with = "dry_run")]
    json: bool,
    #[command(flatten)]
    choice: Box<Choice>,
}

impl Args {
    /// Prints what happened, at once.
    fn say(&self, text: &str, addresses: Option<&BTreeSet<IpAddr>>, output: &mut Output<'_>) -> Result<(), Failure> {
        if !self.json {
            output.line(&clean(text))?;
            return Ok(output.out.flush()?);
        }
        let mut told = serde_json::json!({ "name": self.name, "text": text });
        if let Some(addresses) = addresses {
            told["addresses"] = addresses.iter().map(ToString::to_string).collect();
        }
        output.json_line(&told)
    }
}

/// The port of DNS.
const PORT: u16 = 53;
/// How often a keeper looks, at least.
const LOOK: Duration = Duration::from_secs(1);
/// How long an announcement holds: some looks may come late on a busy machine.
const LEASE: Duration = Duration::from_secs(5);
/// How old the ranking may get while nothing happens.
const RANKING_AGE_MAX: Duration = Duration::from_secs(3);
/// How old the list of nodes may get while nothing happens: its changes are told as events.
const NODES_AGE_MAX: Duration = Duration::from_secs(30);
/// How often the one whose turn it is looks at what the server holds, should somebody else change it.
const READ_EVERY: Duration = Duration::from_secs(5);
/// How long to wait after a failure that may pass, and after one that somebody has to do something about.
const RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    let name = keep::name(&args.name).map_err(failure)?;
    if keep::announcement(&name).len() > NAME_BYTES_MAX {
        return Err(Failure::new(format!("{} is longer than {NAME_BYTES_MAX} bytes; keep a shorter name", args.name)));
    }
    let zone = args.dns_zone.as_deref().map(keep::name).transpose().map_err(failure)?;
    let key = read_private(&args.key_file)?;
    let key = Key::parse(&key).map_err(|e| Failure::new(format!("{}: {e}", args.key_file.display())))?;
    let server = NameServer::find(address(&args.server)?, name.clone(), zone, key).map_err(failure)?;
    if args.once || args.dry_run {
        return once(args, service, &server, &name, output);
    }
    // Whatever is wrong for good is said at the start, also by a keeper whose turn does not come for months.
    server.check().map_err(failure)?;
    ours(args, &server.read().map_err(failure)?).map_err(failure)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let registered = signal_hook::flag::register(signal, stop.clone());
        registered.map_err(|e| Failure::new(format!("cannot take signal {signal}: {e}")))?;
    }
    let mut keeping = Keeping::new(args, service, server, &name);
    args.say(&format!("keeping {} in the zone {} of {}", name, keeping.server.zone(), args.server), None, output)?;
    while !stop.load(Ordering::Relaxed) {
        keeping.step(output)?;
    }
    keeping.end(output)
}

fn failure(e: impl std::error::Error) -> Failure {
    Failure::new(e.to_string())
}

/// A file that strangers must not read.
fn read_private(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let wrong = |e: std::io::Error| Failure::new(format!("cannot read the key file {shown}: {e}; name another with --key-file"));
    let mode = std::fs::metadata(path).map_err(wrong)?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(Failure::new(format!("every user of this machine may read the key file {shown}; run: chmod o= {shown}")));
    }
    std::fs::read_to_string(path).map_err(wrong)
}

/// A host name or address, with or without a port.
fn address(text: &str) -> Result<SocketAddr, Failure> {
    let bare: Option<IpAddr> = text.trim_start_matches('[').trim_end_matches(']').parse().ok();
    if let Some(ip) = bare {
        return Ok((ip, PORT).into());
    }
    let found = if text.contains(':') { text.to_socket_addrs() } else { (text, PORT).to_socket_addrs() };
    let wrong = |why: String| Failure::new(format!("--server {text:?}: {why}; write ADDRESS, ADDRESS:PORT, HOST or HOST:PORT"));
    found.map_err(|e| wrong(e.to_string()))?.next().ok_or_else(|| wrong("it has no address".into()))
}

/// Whether the name is ours to change.
fn ours(args: &Args, held: &Held) -> Result<(), ExchangeError> {
    if args.adopt || held.writer().is_some() || held.addresses.is_empty() {
        return Ok(());
    }
    Err(ExchangeError::Foreign { name: args.name.clone(), addresses: list(&held.addresses) })
}

fn list(addresses: &BTreeSet<IpAddr>) -> String {
    match addresses.len() {
        0 => "no address".into(),
        _ => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// One update, without asking the table whose turn it is.
fn once(
    args: &Args,
    service: &dyn Service,
    server: &NameServer,
    name: &impl std::fmt::Display,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let held = server.read().map_err(failure)?;
    ours(args, &held).map_err(failure)?;
    let (nodes, best) = (service.nodes(&NodesQuery::default())?, ranking(args, service)?);
    if best.is_empty() {
        return Err(Failure::new("no node can be used now; `peermon best --explain` says why. Nothing was changed"));
    }
    let id = service.status()?.id;
    let full = keep::name(&args.name).map_err(failure)?;
    let sight = Sight { nodes: &nodes, best: &best };
    let wanted = Keeper::new(&full, peermon_model::Instant::ZERO).wanted(sight, args.count.into());
    if args.dry_run {
        let script = server.script(&held, &wanted, args.ttl, &id);
        return script.lines().try_for_each(|l| output.line(l));
    }
    server.write(&held, &wanted, args.ttl, &id).map_err(failure)?;
    args.say(&format!("{name} is now {}", list(&wanted)), Some(&wanted), output)
}

fn ranking(args: &Args, service: &dyn Service) -> Result<Vec<BestNode>, Failure> {
    Ok(service.best(&args.choice.query(Some(BestQuery::N_MAX)))?.best)
}

/// Everything a keeper knows while it runs.
struct Keeping<'a> {
    args: &'a Args,
    service: &'a dyn Service,
    server: NameServer,
    keeper: Keeper,
    announcement: Announcement,
    started: Instant,
    events: Option<peermon_api::EventStream>,
    nodes: Vec<NodeView>,
    best: Vec<BestNode>,
    nodes_at: Option<Instant>,
    best_at: Option<Instant>,
    /// Something happened since the table was read.
    stale: bool,
    read_at: Option<Instant>,
    written: Option<BTreeSet<IpAddr>>,
    not_before: Instant,
    said: String,
}

impl<'a> Keeping<'a> {
    fn new(args: &'a Args, service: &'a dyn Service, server: NameServer, name: &keep::Name) -> Self {
        let now = Instant::now();
        Keeping {
            args,
            service,
            server,
            keeper: Keeper::new(name, peermon_model::Instant::ZERO),
            announcement: Announcement { topic: TOPIC.into(), text: keep::announcement(name), seconds: LEASE.as_secs_f64() },
            started: now,
            events: None,
            nodes: Vec::new(),
            best: Vec::new(),
            nodes_at: None,
            best_at: None,
            stale: true,
            read_at: None,
            written: None,
            not_before: now,
            said: String::new(),
        }
    }

    /// One look, and what follows from it.
    fn step(&mut self, output: &mut Output<'_>) -> Result<(), Failure> {
        let begun = Instant::now();
        let line = match self.look() {
            Ok(()) => self.act(),
            // The daemon may be starting again; whoever takes the turn meanwhile keeps it.
            Err(e) => Some(format!("cannot ask this node's daemon: {e}")),
        };
        if let Some(line) = line.filter(|l| *l != self.said) {
            self.args.say(&line, self.written.as_ref(), output)?;
            self.said = line;
        }
        self.wait(begun + LOOK);
        Ok(())
    }

    /// Until something happens or it is time to look again. A burst of events is one reason to look.
    fn wait(&mut self, until: Instant) {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let event = match &self.events {
                Some(stream) => stream.next(left),
                None => {
                    std::thread::sleep(left);
                    NextEvent::Quiet
                }
            };
            match event {
                NextEvent::Quiet => return,
                NextEvent::Ended => self.events = None,
                NextEvent::Event(_) => {
                    let first = !std::mem::replace(&mut self.stale, true);
                    if first && self.best_at.is_none_or(|at| at.elapsed() >= LOOK) {
                        return;
                    }
                }
            }
        }
    }

    fn look(&mut self) -> Result<(), Failure> {
        self.service.announce(&self.announcement)?;
        if self.events.is_none() {
            self.events = Some(self.service.events()?);
            self.stale = true;
        }
        let old = |at: Option<Instant>, most| at.is_none_or(|at| at.elapsed() >= most);
        if self.stale || old(self.nodes_at, NODES_AGE_MAX) {
            self.stale = false;
            self.nodes = self.service.nodes(&NodesQuery::default())?;
            self.nodes_at = Some(Instant::now());
            self.best_at = None;
        }
        if old(self.best_at, RANKING_AGE_MAX) {
            self.best = ranking(self.args, self.service)?;
            self.best_at = Some(Instant::now());
        }
        Ok(())
    }

    /// Updates if it is this node's turn; what to say about it.
    fn act(&mut self) -> Option<String> {
        let name = &self.args.name;
        let sight = Sight { nodes: &self.nodes, best: &self.best };
        let now = peermon_model::Instant::ZERO + self.started.elapsed();
        let turn = self.keeper.turn(sight, now);
        if turn != Turn::Mine {
            self.written = None;
        }
        match turn {
            Turn::Watching => None,
            Turn::NotAnnounced if now.since(peermon_model::Instant::ZERO) < keep::WATCH => None,
            Turn::NotAnnounced => Some(
                "this node's record does not show that it keeps a name: nodes that only listen cannot, and full records leave it out".into(),
            ),
            Turn::Other(other, id) => Some(format!("{other} ({}) keeps {name}; this node stands by", id.get(..8).unwrap_or(&id))),
            Turn::Unseen(id) => Some(format!(
                "the node {id}, which this one cannot see, keeps {name}; this node gives way for {} s",
                keep::YIELD.as_secs()
            )),
            Turn::Mine if Instant::now() < self.not_before => None,
            Turn::Mine => match self.update(now) {
                Ok(line) => line,
                Err(e) => {
                    self.written = None;
                    self.not_before = Instant::now() + if e.passes() { RETRY.0 } else { RETRY.1 };
                    Some(format!("{name} could not be updated: {e}"))
                }
            },
        }
    }

    fn update(&mut self, now: peermon_model::Instant) -> Result<Option<String>, ExchangeError> {
        let sight = Sight { nodes: &self.nodes, best: &self.best };
        let wanted = self.keeper.wanted(sight, self.args.count.into());
        let due = self.read_at.is_none_or(|at| at.elapsed() >= READ_EVERY);
        if self.written.as_ref() == Some(&wanted) && !due {
            return Ok(None);
        }
        let held = self.server.read()?;
        self.read_at = Some(Instant::now());
        ours(self.args, &held)?;
        let me = self.nodes.iter().find(|n| n.this).map_or("", |n| &n.id);
        if !self.keeper.may_overwrite(&held, sight, me, now) {
            return Ok(None);
        }
        let mine = held.writer() == Some(me);
        if mine && held.addresses == wanted && (wanted.is_empty() || held.ttl == self.args.ttl) {
            let first = self.written.replace(wanted).is_none();
            return Ok(first.then(|| format!("{} is {}", self.args.name, list(&held.addresses))));
        }
        self.server.write(&held, &wanted, self.args.ttl, me)?;
        self.keeper.wrote();
        let line = format!("{} is now {} (was {})", self.args.name, list(&wanted), list(&held.addresses));
        self.written = Some(wanted);
        Ok(Some(line))
    }

    /// Says that this node keeps the name no longer, so that another one goes on at once.
    fn end(&mut self, output: &mut Output<'_>) -> Result<(), Failure> {
        self.announcement.seconds = 0.0;
        // The lease ends anyway.
        drop(self.service.announce(&self.announcement));
        if !self.keeper.others(Sight { nodes: &self.nodes, best: &self.best }) {
            output.hint(&format!("nobody else keeps {}: it stays as it is now", self.args.name))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Screen, collected};
    use crate::testing::Fake;

    const KEY: &str = "key k { algorithm hmac-sha256; secret \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"; };";

    fn args(name: &str, server: &str, key_file: PathBuf) -> Args {
        let (name, server) = (name.to_string(), server.to_string());
        let choice = Box::default();
        Args {
            name,
            server,
            key_file,
            dns_zone: None,
            count: 3,
            ttl: 5,
            adopt: false,
            once: true,
            dry_run: false,
            json: false,
            choice,
        }
    }

    fn key_file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("k");
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
        (directory, path)
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |args: Args, words: &[&str]| {
            let (_, _, result) = collected(Screen::PIPE, |o| run(&args, &Fake::five(), o));
            let e = result.expect_err(words[0]).to_string();
            assert!(words.iter().all(|w| e.contains(w)), "{e}");
        };
        let (_kept, good) = key_file(KEY, 0o600);
        let (_kept, open) = key_file(KEY, 0o644);
        let (_kept, bad) = key_file("nonsense", 0o600);
        check(args("a..b", "127.0.0.1", good.clone()), &["\"a..b\" is not a DNS name"]);
        check(args(&format!("{}.{}.org", "a".repeat(60), "b".repeat(60)), "127.0.0.1", good.clone()), &["80 bytes"]);
        check(args("a.b", "127.0.0.1", "/nowhere/k".into()), &["/nowhere/k"]);
        check(args("a.b", "127.0.0.1", open), &["chmod o="]);
        check(args("a.b", "127.0.0.1", bad), &["tsig-keygen"]);
        check(args("a.b", "127.0.0.1:x", good.clone()), &["127.0.0.1:x", "HOST:PORT"]);
        // A port that was free a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
        check(args("a.b", &free.to_string(), good.clone()), &["cannot reach the name server", &free.to_string()]);
        let zone = Args { dns_zone: Some("other.org".into()), ..args("a.b", &free.to_string(), good) };
        check(zone, &["outside the zone"]);
    }

    #[test]
    fn servers_are_read_in_all_forms() {
        for (text, wanted) in [
            ("10.0.0.1", "10.0.0.1:53"),
            ("10.0.0.1:54", "10.0.0.1:54"),
            ("::1", "[::1]:53"),
            ("[::1]", "[::1]:53"),
            ("[::1]:54", "[::1]:54"),
        ] {
            assert_eq!(address(text).expect(text).to_string(), wanted);
        }
    }
}
