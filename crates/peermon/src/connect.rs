//! Which daemon the tools ask.

use crate::Failure;
use crate::cli::Place;
use peermon_api::Error;
use peermon_client::{Client, Target};
use std::path::Path;

/// The variable that names the daemon, as `--api` does.
const API: &str = "PEERMON_API";
/// The variable with the API's token, for programs; people use `--token-file`, which no list of processes shows either.
const TOKEN: &str = "PEERMON_TOKEN";

/// A client of the daemon that was named, or of the one at the default places.
pub(crate) fn connect(place: &Place) -> Result<Client, Failure> {
    Ok(Client::new(target(place)?, token(place)?)?)
}

/// As [`connect`], but `None` if no daemon was named and none is at the default places.
pub(crate) fn find(place: &Place) -> Result<Option<Client>, Failure> {
    match target(place) {
        Ok(target) => Ok(Some(Client::new(target, token(place)?)?)),
        Err(Error::Unavailable(_)) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

fn target(place: &Place) -> Result<Target, Error> {
    let environment = std::env::var(API).ok();
    Target::find(place.api.as_deref(), environment.as_deref(), &Target::default_places())
}

fn token(place: &Place) -> Result<Option<String>, Failure> {
    match &place.token_file {
        Some(file) => first_line(file).map(Some),
        None => Ok(std::env::var(TOKEN).ok().filter(|t| !t.is_empty())),
    }
}

/// The token in a file: its first line.
pub(crate) fn first_line(file: &Path) -> Result<String, Failure> {
    let shown = file.display();
    let text = std::fs::read_to_string(file);
    let text =
        text.map_err(|e| Failure::new(format!("cannot read the token file {shown}: {e}; name another with --token-file")))?;
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(line.to_string()),
        _ => Err(Failure::new(format!("the token file {shown} is empty; write a long random line into it"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_places_hold_the_one_where_a_daemon_of_this_user_answers() {
        let own = Target::Unix(peermon_agent::config::Places::of_this_process().socket);
        assert!(Target::default_places().contains(&own), "{own}");
    }
}
