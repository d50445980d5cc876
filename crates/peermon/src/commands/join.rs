use crate::Failure;
use crate::cli::Place;
use crate::connect::{connect, find};
use crate::output::Output;
use peermon_agent::{Config, Overrides, store_invitation};
use peermon_api::{JoinRequest, Service};
use peermon_trust::Invitation;
use std::io::Read;
use std::path::PathBuf;

/// Join the cluster of a token that `peermon invite` printed
///
/// If the daemon of this machine runs, it joins at once. Otherwise the token's key and addresses are put into the state
/// directory, and the daemon joins when it is started.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon join pm1-0123...
  peermon invite | ssh node-2 peermon join -    shows in no list of processes
  peermon join --address 10.0.0.7:19810         more of the same cluster")]
pub(crate) struct Args {
    /// The token; - reads it from the standard input
    #[arg(required_unless_present = "address")]
    token: Option<String>,
    /// A further address of this cluster to contact (repeatable)
    #[arg(long, value_name = "ADDR:PORT")]
    address: Vec<String>,
    /// Join another cluster even if this node has other members already
    #[arg(long)]
    force: bool,
    /// Where the daemon of this machine keeps its state, if none is running and it is not the usual place
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Print a JSON object: contacting, new_cluster, and stored_in if no daemon was running
    #[arg(long)]
    json: bool,
}

/// Bytes read as a token; a token is shorter.
const TOKEN_BYTES_MAX: u64 = 4096;

pub(crate) fn run(args: &Args, place: &Place, output: &mut Output<'_>) -> Result<(), Failure> {
    let token = args.token.as_deref().map(read_token).transpose()?;
    // Refused here, so that a mistyped token is told as such whether or not a daemon runs.
    let invitation = token.as_deref().map(str::parse::<Invitation>).transpose().map_err(|e| Failure::new(e.to_string()))?;
    match (find(place)?, invitation) {
        (Some(daemon), _) => ask(args, token, &daemon, output),
        (None, Some(invitation)) => store(args, &invitation, output),
        // What remains needs a daemon; this says that there is none.
        (None, None) => ask(args, token, &connect(place)?, output),
    }
}

fn read_token(given: &str) -> Result<String, Failure> {
    if given != "-" {
        return Ok(given.to_string());
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(TOKEN_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|e| Failure::new(format!("cannot read the token from the standard input: {e}")))?;
    Ok(text.trim().to_string())
}

fn ask(args: &Args, token: Option<String>, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    let answer = service.join(&JoinRequest { token, addresses: args.address.clone(), force: args.force })?;
    if args.json {
        return output.json(&answer);
    }
    let what = if answer.new_cluster { "Joining that cluster" } else { "Contacting members of this cluster" };
    output.line(&format!("{what} through {}.", answer.contacting.join(", ")))?;
    output.out.flush()?;
    output.hint("`peermon nodes` shows who is there; `peermon status` shows addresses that do not answer yet.")
}

fn store(args: &Args, invitation: &Invitation, output: &mut Output<'_>) -> Result<(), Failure> {
    let mut flags = Overrides::default();
    if let Some(dir) = &args.state_dir {
        flags.set("state_dir", super::daemon::text("--state-dir", dir)?);
    }
    let config = Config::load(&flags).map_err(|e| Failure::new(e.to_string()))?;
    let dir = &config.state_dir;
    store_invitation(dir, config.cluster_key_file.as_deref(), invitation).map_err(|e| Failure::new(e.to_string()))?;
    let addresses: Vec<_> = invitation.addresses.iter().map(ToString::to_string).collect();
    if args.json {
        return output.json(&serde_json::json!({ "contacting": addresses, "new_cluster": true, "stored_in": dir }));
    }
    output.line(&format!("No daemon runs here, so the key and {} are stored in {}.", addresses.join(", "), dir.display()))?;
    output.out.flush()?;
    let start = match &args.state_dir {
        Some(dir) => format!("`peermon daemon --state-dir {}`", dir.display()),
        None => "`peermon daemon` (or `systemctl start peermon`)".to_string(),
    };
    output.hint(&format!("Start it with {start}: it joins then."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Screen, collected};
    use crate::testing::Fake;

    fn args(token: Option<&str>) -> Args {
        let address = vec!["10.0.0.7:1".to_string()];
        Args { token: token.map(ToString::to_string), address, force: false, state_dir: None, json: false }
    }

    #[test]
    fn a_running_daemon_is_asked() {
        let check = |token: Option<&str>, expected: &str| {
            let (out, _, result) =
                collected(Screen::PIPE, |o| ask(&args(token), token.map(ToString::to_string), &Fake::five(), o));
            result.expect("it joins");
            assert_eq!(out, expected);
        };
        check(Some("pm1-x"), "Joining that cluster through 10.0.0.7:1.\n");
        check(None, "Contacting members of this cluster through 10.0.0.7:1.\n");
    }

    #[test]
    fn a_mistyped_token_is_told_as_such() {
        let (out, _, result) = collected(Screen::PIPE, |o| run(&args(Some("pm1-xyz")), &Place::default(), o));
        assert_eq!(out, "");
        let said = result.expect_err("it is no token").to_string();
        assert!(said.contains("not a token of `peermon invite`"), "{said}");
    }
}
