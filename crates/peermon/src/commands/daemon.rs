use crate::Failure;
use crate::cli::Place;
use crate::connect::first_line;
use crate::output::Output;
use peermon_agent::config::OPTIONS;
use peermon_agent::{Config, Daemon, Overrides};
use peermon_serve_http::Server;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use std::path::{Path, PathBuf};

/// Run a node: measure this machine, talk to the other nodes, answer the tools
///
/// What is not given as a flag is taken from the environment (PEERMON_...), then from the configuration file, then from the
/// defaults. It runs until SIGTERM or SIGINT, and tells the others that it leaves; SIGHUP makes it read the file again.
#[derive(clap::Args, Debug, Default)]
#[command(after_help = "\
Examples:
  peermon daemon                    a node of its own, or in the cluster joined
  peermon daemon --join 10.0.0.7 --cluster-key-file /etc/peermon/cluster.keys
  peermon daemon --name web-1 --label rack=r1 --listen 10.0.0.8:19810
  peermon daemon --print-config     what would hold, as a configuration file")]
pub(crate) struct Args {
    /// The node's label; otherwise the host name
    #[arg(long)]
    name: Option<String>,
    /// Where to receive gossip (repeatable); port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Vec<String>,
    /// Where the HTTP API listens, or off. Other addresses than loopback need --token-file
    #[arg(long, value_name = "ADDR:PORT|off")]
    http: Option<String>,
    /// The API's unix socket, which the tools use first
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Where the node's key, the cluster keys and known peers are kept
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// A member to contact (repeatable); they are tried for ever, and one that answers is enough
    #[arg(long, value_name = "ADDR:PORT")]
    join: Vec<String>,
    /// The cluster keys, if not in the state directory
    #[arg(long, value_name = "FILE")]
    cluster_key_file: Option<PathBuf>,
    /// The configuration file; it must exist then
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Listen and serve the table, but do not publish this machine
    #[arg(long)]
    listen_only: bool,
    /// How often to measure and publish, such as 1s or 500ms; the same on all nodes
    #[arg(long, value_name = "TIME")]
    period: Option<String>,
    /// Processor time this daemon may use, such as 1% of one core, or off: beyond it, collectors that can wait look less often
    #[arg(long, value_name = "SHARE|off")]
    cpu_budget: Option<String>,
    /// Ask for real-time priority and locked memory, where permitted: auto or off
    #[arg(long, value_name = "auto|off")]
    realtime: Option<String>,
    /// Publish the values of a recorded machine instead of this one's, labelled as such: a built-in trace or a file
    #[arg(long, value_name = "TRACE")]
    replay: Option<String>,
    /// A label of this machine that all nodes show (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    label: Vec<String>,
    /// The least important log lines to write: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    log: Option<String>,
    /// How a log line looks: text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Print what holds, as a configuration file, and end
    #[arg(long)]
    print_config: bool,
    /// End when the process with this number, which started this one, ends
    #[arg(long, hide = true, value_name = "PID")]
    with_parent: Option<i32>,
}

pub(crate) fn run(args: &Args, place: &Place, output: &mut Output<'_>) -> Result<(), Failure> {
    if let Some(parent) = args.with_parent {
        end_with(parent)?;
    }
    let mut config = Config::load(&overrides(args, place)?).map_err(said)?;
    if args.print_config {
        return print(&config, output);
    }
    config.process = true;
    serve(config)
}

/// Runs until it is told to stop.
fn serve(config: Config) -> Result<(), Failure> {
    peermon_agent::init_log(config.log);
    let (api, dns) = (config.api.clone(), dns(&config));
    let token = api.token_file.as_deref().map(first_line).transpose()?;
    let faces = peermon_serve_http::Config { tcp: api.http.into_iter().collect(), unix: api.socket, token };
    let daemon = Daemon::start(config).map_err(said)?;
    let server = match Server::start(faces, daemon.service()) {
        Ok(server) => server,
        Err(e) => {
            daemon.stop();
            return Err(said(e));
        }
    };
    let names = match dns.map(|dns| peermon_serve_dns::Server::start(&dns, daemon.service())).transpose() {
        Ok(names) => names,
        Err(e) => {
            server.stop();
            daemon.stop();
            return Err(said(e));
        }
    };
    let mut urls = server.urls();
    if let Some(names) = &names {
        urls.extend(names.addresses().iter().map(|a| format!("dns://{a}")));
        let counters = names.counters();
        daemon.counting(move || counters.all().collect());
    }
    daemon.serving(urls);
    daemon.wait();
    drop(names);
    server.stop();
    Ok(())
}

/// What the DNS face is told, if it is wanted.
fn dns(config: &Config) -> Option<peermon_serve_dns::Config> {
    let d = &config.dns;
    (!d.listen.is_empty()).then(|| peermon_serve_dns::Config {
        listen: d.listen.clone(),
        zone: d.zone.clone(),
        ttl: u32::try_from(d.ttl.as_secs()).unwrap_or(u32::MAX),
        answers: d.answers,
        name_servers: d.name_servers.clone(),
        allow: d.allow.clone(),
        rate_max: d.rate_max,
    })
}

fn said(e: impl std::error::Error) -> Failure {
    // Causes are part of our own messages; what other crates leave out is added.
    let mut text = e.to_string();
    let mut cause = e.source();
    while let Some(c) = cause {
        let c_text = c.to_string();
        if !text.contains(&c_text) {
            text = format!("{text}: {c_text}");
        }
        cause = c.source();
    }
    Failure::new(text)
}

/// A path as text, which options are.
pub(crate) fn text(flag: &str, path: &Path) -> Result<String, Failure> {
    let text = path.to_str().map(ToString::to_string);
    text.ok_or_else(|| Failure::new(format!("{flag} {} is not UTF-8; choose another path", path.display())))
}

fn overrides(args: &Args, place: &Place) -> Result<Overrides, Failure> {
    let mut flags = Overrides::default();
    flags.config.clone_from(&args.config);
    let paths = [
        ("--socket", "api.socket", &args.socket),
        ("--state-dir", "state_dir", &args.state_dir),
        ("--cluster-key-file", "cluster_key_file", &args.cluster_key_file),
        ("--token-file", "api.token_file", &place.token_file),
    ];
    for (flag, key, path) in paths {
        if let Some(path) = path {
            flags.set(key, text(flag, path)?);
        }
    }
    let texts = [
        ("name", &args.name),
        ("api.http", &args.http),
        ("period", &args.period),
        ("cpu_budget", &args.cpu_budget),
        ("realtime", &args.realtime),
        ("log.level", &args.log),
        ("log.format", &args.log_format),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            flags.set(key, value);
        }
    }
    for (key, list) in [("gossip.listen", &args.listen), ("join", &args.join), ("labels", &args.label)] {
        if !list.is_empty() {
            flags.list(key, list.clone());
        }
    }
    if args.listen_only {
        flags.set("listen_only", "true");
    }
    if let Some(trace) = &args.replay {
        flags.set("source", format!("replay:{trace}"));
    }
    Ok(flags)
}

/// Prints the configuration as a file that gives the same one.
fn print(config: &Config, output: &mut Output<'_>) -> Result<(), Failure> {
    match config.origin.as_ref().and_then(|o| o.file.as_ref()) {
        Some(file) => output.line(&format!("# from {}, the environment and the flags", file.display()))?,
        None => output.line("# from the environment and the flags; there is no configuration file")?,
    }
    OPTIONS.iter().try_for_each(|o| output.line(&format!("{} = {}", o.key, o.show(config))))
}

/// Has the kernel end this process when its parent does, however that ends.
fn end_with(parent: i32) -> Result<(), Failure> {
    let failed = |e| Failure::new(format!("cannot follow the process {parent} that started this one: {e}"));
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed)?;
    // It may have ended before that.
    match getppid().map(Pid::as_raw_pid) {
        Some(p) if p == parent => Ok(()),
        _ => Err(Failure::new(format!("the process {parent} that started this one has ended"))),
    }
}
