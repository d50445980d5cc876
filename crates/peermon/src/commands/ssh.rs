use crate::Failure;
use crate::choice::{Choice, host};
use crate::claiming::{Claiming, release, request};
use crate::output::Output;
use peermon_api::{BestNode, BestQuery, ClaimRequest, ClaimTerms, Service};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// Log in to the best node, or run a command there
///
/// The program becomes ssh, so everything is as with ssh itself. What stands behind -- is passed on: options, and a command to run.
///
/// The node is claimed for a minute (--claim, --no-claim): what --cpus, --mem and --gpus ask for, or one processor.
///
/// With `ssh best` in mind, --proxy connects to the best node instead and passes bytes on; an ssh_config entry uses it
/// (docs/placement.md).
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon ssh
  peermon ssh --cpus 4 --mem 8G
  peermon ssh --label gpu-type=a100 -- nvidia-smi
  peermon ssh -- -X -l alice")]
pub(crate) struct Args {
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    claiming: Claiming,
    /// Use the node's address instead of its name
    #[arg(long, short = 'I')]
    addresses: bool,
    /// Connect to this port of the best node, for ssh's ProxyCommand; if it does not answer, to the next best one
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..), conflicts_with = "arguments")]
    proxy: Option<u16>,
    /// What ssh gets behind the node's name
    #[arg(last = true, value_name = "SSH ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// Nodes that a proxy tries, one after the other: the best one may run no ssh server.
const PROXY_TRIES: usize = 3;
/// How long one of them has to answer.
const PROXY_CONNECT_MAX: Duration = Duration::from_secs(2);

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    if let Some(port) = args.proxy {
        let answer = args.claiming.choose(service, &args.choice.query(Some(PROXY_TRIES)), Some(1), output)?;
        let claimed = answer.claims.first().map(|c| c.number);
        let connected = connect(&answer.best, port);
        let number = match &connected {
            // The next best one answered instead: the claim follows.
            Ok((_, at)) if *at > 0 => {
                release(service, claimed);
                claimed.and_then(|_| follow(service, &args.claiming, &args.choice, &answer.best[*at].id))
            }
            Ok(_) => claimed,
            Err(_) => {
                release(service, claimed);
                None
            }
        };
        let passed = connected.and_then(|(stream, _)| pass(stream));
        release(service, number);
        return passed;
    }
    let query = BestQuery { n: 1, ..args.choice.query(Some(1)) };
    let answer = args.claiming.choose(service, &query, None, output)?;
    become_ssh(&host(&answer.best[0], args.addresses)?, &args.arguments, output)
}

/// Ends this program and runs ssh in its place. ssh takes options and a command behind the host's name.
pub(super) fn become_ssh(host: &str, arguments: &[OsString], output: &mut Output<'_>) -> Result<(), Failure> {
    output.out.flush()?;
    let e = Command::new("ssh").arg(host).args(arguments).exec();
    Err(Failure::new(no_ssh(&e)))
}

/// Why ssh cannot be run.
pub(super) fn no_ssh(e: &io::Error) -> String {
    format!("cannot run ssh: {e}; install an OpenSSH client, or use `peermon best` with another program")
}

/// Claims another node than the first one; its number.
fn follow(service: &dyn Service, claiming: &Claiming, choice: &Choice, id: &str) -> Option<u16> {
    let asked = request(choice.query(Some(1)), claiming.claim, None);
    let amounts = asked.amounts().ok()?;
    let claim =
        ClaimTerms { cpus: Some(amounts.cpus), mem: Some(amounts.mem), gpus: Some(amounts.gpus), seconds: asked.claim.seconds };
    // A login must not fail for it.
    service.claim(&ClaimRequest { node: Some(id.to_string()), number: None, claim }).ok().map(|c| c.number)
}

/// The first that answers, and which it is.
fn connect(nodes: &[BestNode], port: u16) -> Result<(TcpStream, usize), Failure> {
    let mut why = Vec::new();
    for (i, node) in nodes.iter().enumerate() {
        let tried = node
            .address
            .parse::<IpAddr>()
            .map_err(|_| io::Error::other("it tells no address"))
            .and_then(|ip| TcpStream::connect_timeout(&SocketAddr::new(ip, port), PROXY_CONNECT_MAX));
        match tried {
            Ok(stream) => return Ok((stream, i)),
            Err(e) => why.push(format!("{} ({e})", node.name)),
        }
    }
    Err(Failure::new(format!("nobody answers on port {port} of {}; is an ssh server running there?", why.join(", "))))
}

/// ssh ends its proxy with SIGHUP, and there is still a claim to take back: a signal ends the connection, and all else follows.
fn end_when_told(stream: &TcpStream) -> io::Result<()> {
    let (mut bell, ring) = UnixStream::pair()?;
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::low_level::pipe::register(signal, ring.try_clone()?)?;
    }
    let stream = stream.try_clone()?;
    std::thread::spawn(move || {
        use std::io::Read;
        let _ = bell.read(&mut [0]);
        let _ = stream.shutdown(Shutdown::Both);
    });
    Ok(())
}

/// Passes bytes between the standard streams and a connection until the other side has ended its half.
fn pass(stream: TcpStream) -> Result<(), Failure> {
    let lost = |e: io::Error| Failure::new(format!("the connection was lost: {e}"));
    stream.set_nodelay(true).map_err(lost)?;
    end_when_told(&stream).map_err(lost)?;
    let mut sink = stream.try_clone().map_err(lost)?;
    std::thread::spawn(move || {
        // Either end of it ends the session; the copy below then ends with the connection.
        let _ = io::copy(&mut io::stdin().lock(), &mut sink);
        let _ = sink.shutdown(Shutdown::Write);
    });
    let (mut source, mut out) = (stream, io::stdout().lock());
    let mut buffer = [0; 32 * 1024];
    loop {
        use std::io::Read;
        match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                out.write_all(&buffer[..n])?;
                out.flush()?;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(lost(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_proxy_takes_the_next_best_if_the_best_does_not_answer() {
        let node = |name: &str, address: &str| BestNode {
            name: name.into(),
            id: "01".repeat(32),
            address: address.into(),
            score: 0.0,
            reasons: vec![],
            age_seconds: 0.0,
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        // Nobody listens on 127.0.0.2.
        let nodes = [node("a", ""), node("b", "127.0.0.2"), node("c", "127.0.0.1")];
        assert_eq!(connect(&nodes, port).expect("the third").1, 2);
        let said = connect(&nodes[..2], port).expect_err("nobody").to_string();
        assert!(said.contains("a (it tells no address), b (") && said.contains("ssh server"), "{said}");
    }
}
