use super::nodes::state_style;
use crate::Failure;
use crate::output::{Output, clean};
use peermon_api::{Event, NextEvent, Service};
use std::time::{Duration, Instant};

/// Follow what changes: nodes that come, go and change their facts
///
/// One line a change, from now on, until interrupted.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  peermon events
  peermon events --count 1 --for 60 the first change, or failure in a minute
  peermon events --json | jq -c 'select(.state == \"down\")'")]
pub(crate) struct Args {
    /// End after so many changes
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// End after so many seconds; with --count it is a failure if there were fewer changes by then
    #[arg(long = "for", value_name = "SECONDS", value_parser = duration)]
    time: Option<Duration>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|s| (0.0..=1e9).contains(s));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "it must be a number of seconds, such as 10".to_string())
}

/// How often a quiet stream looks at the clock.
const LOOK: Duration = Duration::from_millis(500);

pub(crate) fn run(args: &Args, service: &dyn Service, output: &mut Output<'_>) -> Result<(), Failure> {
    let stream = service.events()?;
    let end = args.time.map(|t| Instant::now() + t);
    let mut seen = 0;
    loop {
        if args.count.is_some_and(|c| seen >= c) {
            return Ok(());
        }
        let left = end.map(|e| e.saturating_duration_since(Instant::now()));
        if left.is_some_and(|l| l.is_zero()) {
            return match args.count {
                None => Ok(()),
                Some(count) => Err(Failure::new(format!("{seen} of {count} changes came within the time given"))),
            };
        }
        match stream.next(left.unwrap_or(LOOK).min(LOOK)) {
            NextEvent::Quiet => {}
            NextEvent::Ended => {
                return Err(Failure::new("the daemon ended the stream; `peermon status` says whether it still runs"));
            }
            NextEvent::Event(event) => {
                print(&event, args.json, output)?;
                // Followers are shown each change at once, and a closed pipe is noticed.
                output.out.flush()?;
                seen += 1;
            }
        }
    }
}

fn print(event: &Event, json: bool, output: &mut Output<'_>) -> Result<(), Failure> {
    if json {
        let line = serde_json::to_string(event).map_err(std::io::Error::from)?;
        return output.line(&line);
    }
    let who = |name: &str, id: &str| format!("{} ({})", clean(name), clean(id.get(..8).unwrap_or(id)));
    let line = match event {
        Event::Member { name, id, state, incarnation } => {
            let state = output.screen.paint(state.name(), state_style(*state));
            format!("{} is {state}, incarnation {incarnation}", who(name, id))
        }
        Event::Record { name, id, incarnation, sequence } => {
            format!("{} published new facts, version {incarnation}.{sequence}", who(name, id))
        }
        Event::Lost { count } => format!("{count} changes were lost: this reader is too slow"),
    };
    output.line(&line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Screen, collected};
    use crate::testing::Fake;

    fn follow(args: &Args) -> (String, Result<(), Failure>) {
        let (out, _, result) = collected(Screen::PIPE, |o| run(args, &Fake::five(), o));
        (out, result)
    }

    #[test]
    fn changes_are_lines() {
        let (out, result) = follow(&Args { count: Some(3), time: None, json: false });
        result.expect("three changes came");
        // Which is first, the loss or what was kept, is the stream's affair.
        for line in
            ["replay-idle (04040404) is down, incarnation 3\n", "replay-idle (04040404) published new facts, version 4.1\n"]
        {
            assert!(out.contains(line), "{out}");
        }
        let (out, _) = follow(&Args { count: Some(1), time: None, json: true });
        assert!(serde_json::from_str::<Event>(&out).is_ok(), "{out}");
    }

    #[test]
    fn the_end_of_the_daemon_and_of_the_time_are_told() {
        let (_, result) = follow(&Args { count: None, time: None, json: false });
        assert!(result.expect_err("the stream ended").to_string().starts_with("the daemon ended the stream"));
        let none = Some(Duration::ZERO);
        assert!(follow(&Args { count: None, time: none, json: false }).1.is_ok());
        let (_, result) = follow(&Args { count: Some(9), time: none, json: false });
        assert_eq!(result.expect_err("too few").to_string(), "0 of 9 changes came within the time given");
    }
}
