//! What commands that choose nodes can be told about claims, and choosing with them.

use crate::Failure;
use crate::choice::nobody;
use crate::output::Output;
use peermon_api::{BestAnswer, BestQuery, ChooseRequest, ClaimTerms, Error, Service};

/// Whether to claim, for commands that do unless told not to.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Claiming {
    /// Claim the nodes for so many seconds, so that others look elsewhere until the job shows [default: 60]
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "60",
        value_parser = seconds,
        help_heading = "Claims"
    )]
    pub(crate) claim: Option<f64>,
    /// Claim nothing
    #[arg(long, conflicts_with = "claim", help_heading = "Claims")]
    pub(crate) no_claim: bool,
}

/// Reads for how long.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse().map_err(|_| "write seconds, such as 60".to_string())?;
    ClaimTerms { seconds: Some(seconds), ..ClaimTerms::default() }.lasts().map_err(|e| e.to_string())?;
    Ok(seconds)
}

/// What is asked of the daemon: nodes, and claims of the first `most` of them.
pub(crate) fn request(query: BestQuery, seconds: Option<f64>, most: Option<usize>) -> ChooseRequest {
    ChooseRequest { query, claim: ClaimTerms { seconds, ..ClaimTerms::default() }, most }
}

impl Claiming {
    /// Chooses the best nodes and claims the first `most` of them. That there is none is a failure with the reason of each.
    ///
    /// If nobody said that claims are wanted, it goes on without them where the daemon makes none: it says so.
    pub(crate) fn choose(
        &self,
        service: &dyn Service,
        query: &BestQuery,
        most: Option<usize>,
        output: &mut Output<'_>,
    ) -> Result<BestAnswer, Failure> {
        let claimed = (!self.no_claim).then(|| service.choose(&request(query.clone(), self.claim, most)));
        let answer = match claimed {
            Some(Ok(answer)) => answer,
            Some(Err(e)) if self.claim.is_none() && spares(&e) => {
                output.hint(&format!("Nothing is claimed (--no-claim leaves this out): {e}"))?;
                service.best(query)?
            }
            Some(Err(e)) => return Err(e.into()),
            None => service.best(query)?,
        };
        if answer.best.is_empty() { Err(nobody(service, query)?) } else { Ok(answer) }
    }
}

/// Errors that are about the claims and not about the choice.
fn spares(e: &Error) -> bool {
    matches!(e, Error::Unauthorised(_) | Error::TooMany(_) | Error::Conflict(_))
}

/// Takes claims back whose jobs have ended. They end by themselves, too, so it does not matter if the daemon is gone.
pub(crate) fn release(service: &dyn Service, numbers: impl IntoIterator<Item = u16>) {
    for number in numbers {
        drop(service.cancel_claim(number));
    }
}
