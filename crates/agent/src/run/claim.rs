//! What people claim of nodes.

use super::Loop;
use crate::letter::Claiming;
use peermon_api::Error;
use peermon_model::{Instant, limits};
use peermon_node::ClaimError;

impl Loop {
    /// Makes, replaces, renews or cancels claims, and shows the table with them before it answers.
    pub(super) fn claim(&mut self, now: Instant, what: Claiming) -> Result<Vec<u16>, Error> {
        let numbers = match what {
            Claiming::Make(nodes, amounts, lasts) => self.node.claim(now, &nodes, &amounts, lasts),
            Claiming::Replace(former, nodes, amounts, lasts) => self.node.replace_claims(now, &former, &nodes, &amounts, lasts),
            Claiming::Show => Ok(Vec::new()),
            Claiming::Renew(n, amounts, lasts) => self.node.renew_claim(now, n, amounts.as_ref(), lasts).map(|()| vec![n]),
            Claiming::Cancel(n) => self.node.cancel_claim(now, n).map(|()| vec![n]),
        };
        let numbers = numbers.map_err(|e| match e {
            ClaimError::NoSuchNode => Error::Conflict("a node that was chosen is no longer in the table; choose again".into()),
            ClaimError::NoSuchClaim => Error::NotFound(
                "no claim with this number was made through this daemon, or its time is over; `peermon claims` lists those that hold".into(),
            ),
            ClaimError::Full => Error::TooMany(format!(
                "claims of one node that hold are {} at most, cancelled ones until their time is over; wait, or claim for a shorter time",
                limits::CLAIMS_OF_ONE_MAX
            )),
            ClaimError::TooFast => Error::TooMany("too many claims were made or cancelled through this daemon lately; wait some seconds".into()),
        })?;
        // How often this happens is bounded with the claims.
        self.publish(now);
        Ok(numbers)
    }
}
