use crate::Failure;
use crate::output::{Cell, Column, Output, Progress, Table};
use peermon_api::{KeyView, Service};
use std::time::{Duration, Instant};

/// How often a rotation is looked at while it is waited for.
const LOOK: Duration = Duration::from_millis(200);
/// How long one is waited for: members that are away longer keep it from ending, and it goes on without anybody waiting.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// List the cluster keys, change to a new one, or show this node's id
///
/// Whoever holds a cluster key is a member. A rotation makes a new key, gives it to all members, and then seals with it; the old
/// one is still accepted for a while, so that nobody is cut off.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon key                       the keys held, without their secrets
  peermon key rotate
  peermon key show-node-id")]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// Print a JSON array: id, sending, held_by, of, fingerprint
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// List the cluster keys held, without their secrets
    #[command(after_help = "Example:\n  peermon key list --json")]
    List {
        /// Print a JSON array: id, sending, held_by, of, fingerprint
        #[arg(long)]
        json: bool,
    },
    /// Make a new cluster key and move the cluster to it
    #[command(after_help = "Example:\n  peermon key rotate --wait")]
    Rotate {
        /// Print the keys held afterwards as a JSON array
        #[arg(long)]
        json: bool,
        /// End once the cluster seals with the new key
        #[arg(long)]
        wait: bool,
        /// With --wait, no line that says how far it is
        #[arg(long, short)]
        quiet: bool,
    },
    /// Print this node's id: the public half of its own key
    #[command(after_help = "Example:\n  peermon key show-node-id")]
    ShowNodeId {
        /// Print a JSON object: name, id
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    match args.action {
        None => print(&service.keys()?, args.json, output),
        Some(Action::List { json }) => print(&service.keys()?, json, output),
        Some(Action::Rotate { json, wait, quiet }) => {
            let mut keys = service.rotate_key()?;
            if wait {
                keys = until_used(keys, service, &mut Progress::new(!json && !quiet), output)?;
            }
            print(&keys, json, output)?;
            output.out.flush()?;
            if json || wait {
                return Ok(());
            }
            output.hint(
                "The new key goes to all members and is used as soon as they hold it; `peermon key list` shows how far it is. \
                 Tokens of `peermon invite` that were made before end with the old key.",
            )
        }
        Some(Action::ShowNodeId { json }) => {
            let status = service.status()?;
            match json {
                true => output.json(&serde_json::json!({ "name": status.name, "id": status.id })),
                false => output.line(&status.id),
            }
        }
    }
}

/// Waits until the newest key is the one that is sent with.
fn until_used(
    mut keys: Vec<KeyView>,
    service: &dyn Service,
    progress: &mut Progress,
    output: &mut Output<'_>,
) -> Result<Vec<KeyView>, Failure> {
    let started = Instant::now();
    let Some(new) = keys.iter().find(|k| !k.sending).map(|k| k.fingerprint.clone()) else { return Ok(keys) };
    loop {
        let now = keys.iter().find(|k| k.fingerprint == new);
        let Some(now) = now else {
            return Err(Failure::new("another rotation took the place of this one; `peermon key list` shows it"));
        };
        if now.sending {
            progress.hide(output)?;
            return Ok(keys);
        }
        if started.elapsed() > WAIT_MAX {
            progress.hide(output)?;
            let (held, of, s) = (now.held_by, now.of, WAIT_MAX.as_secs());
            return Err(Failure::new(format!(
                "after {s} s {held} of {of} nodes hold the new key; it goes on by itself, and `peermon key list` shows how far it is"
            )));
        }
        // All may hold it a moment before it is used.
        progress.show(now.held_by.min(now.of.saturating_sub(1)), now.of, "nodes hold the new key", output)?;
        std::thread::sleep(LOOK);
        keys = service.keys()?;
    }
}

fn print(keys: &[KeyView], json: bool, output: &mut Output<'_>) -> Result<(), Failure> {
    if json {
        return output.json(&keys);
    }
    let mut table = Table::new(&[
        Column::number("KEY", 255),
        Column::text("FINGERPRINT", 255),
        Column::text("USED FOR", 255),
        Column::text("HELD BY", 255),
    ]);
    for k in keys {
        table.row(vec![
            Cell::new(k.id.to_string()),
            Cell::new(&k.fingerprint),
            Cell::new(if k.sending { "sending, receiving" } else { "receiving" }),
            Cell::new(format!("{} of {} alive nodes", k.held_by, k.of)),
        ]);
    }
    table.print(output.out, output.screen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Screen, collected};
    use crate::testing::Fake;

    fn check(action: Option<Action>, expected: &str) {
        let (out, _, result) = collected(Screen::PIPE, |o| run(&Args { json: false, action }, &Fake::five(), o));
        result.expect("it answers");
        assert_eq!(out, expected);
    }

    #[test]
    fn pages() {
        let one = "KEY  FINGERPRINT  USED FOR            HELD BY\n  1  a1b2c3d4     sending, receiving  3 of 3 alive nodes\n";
        check(None, one);
        check(Some(Action::List { json: false }), one);
        check(
            Some(Action::Rotate { json: false, wait: false, quiet: false }),
            &format!("{one}  2  0badcafe     receiving           1 of 3 alive nodes\n"),
        );
        check(Some(Action::ShowNodeId { json: false }), &format!("{}\n", "01".repeat(32)));
        check(
            Some(Action::ShowNodeId { json: true }),
            &format!("{{\n  \"id\": \"{}\",\n  \"name\": \"here-1\"\n}}\n", "01".repeat(32)),
        );
    }
}
