use crate::Failure;
use crate::output::Output;
use peermon_api::Service;

/// Print a token that lets another machine join this cluster
///
/// The token holds addresses of this node and the cluster key. Whoever has it can join and see everything, so hand it over as
/// you would a password. The standard output gets the token alone.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon invite
  peermon invite | ssh node-2 peermon join -")]
pub(crate) struct Args {
    /// Print a JSON object: token, addresses
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    let invitation = service.invite()?;
    if args.json {
        return output.json(&invitation);
    }
    output.line(&invitation.token)?;
    if !output.screen.terminal {
        return Ok(());
    }
    output.out.flush()?;
    output.hint(&format!(
        "\nOn the other machine: peermon join TOKEN\nIt leads to {}. Keep it secret: whoever has it is a member.",
        invitation.addresses.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Screen, collected};
    use crate::testing::{Fake, terminal};

    #[test]
    fn a_pipe_gets_the_token_alone() {
        let check = |json, screen: Screen, out: &str, hint: &str| {
            let (o, h, _) = collected(screen, |o| run(&Args { json }, &Fake::alone(), o));
            assert_eq!(o, out);
            assert!(if hint.is_empty() { h.is_empty() } else { h.contains(hint) }, "{h}");
        };
        check(false, Screen::PIPE, "pm1-token\n", "");
        check(false, terminal(80), "pm1-token\n", "peermon join TOKEN\nIt leads to 10.0.0.1:19810.");
        check(true, Screen::PIPE, "{\n  \"token\": \"pm1-token\",\n  \"addresses\": [\n    \"10.0.0.1:19810\"\n  ]\n}\n", "");
    }
}
