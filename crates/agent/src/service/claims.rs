//! Claims, and choosing with them.

use super::{Answers, best};
use crate::clock;
use crate::letter::{Claiming, Letter};
use peermon_api::{BestAnswer, ChooseRequest, ClaimRequest, ClaimView, Error};
use peermon_model::{Amounts, NodeId, limits};
use std::sync::PoisonError;

impl Answers {
    pub(super) fn make_claim(&self, request: &ClaimRequest) -> Result<ClaimView, Error> {
        let (amounts, lasts) = (request.claim.amounts()?, request.claim.lasts()?);
        let what = match request.number {
            Some(number) if request.node.is_none() => Claiming::Renew(number, amounts, lasts),
            _ => {
                let node = request.target(&self.snapshot())?;
                let one = Amounts { cpus: 1.0, ..Amounts::default() };
                Claiming::Make(vec![node], amounts.unwrap_or(one), lasts)
            }
        };
        let numbers = self.ask(|reply| Letter::Claim(what, reply))?;
        self.own_claims(&numbers).pop().ok_or_else(|| Error::Conflict("the claim was over at once; make it again".into()))
    }

    pub(super) fn end_claim(&self, number: u16) -> Result<ClaimView, Error> {
        let was = self.own_claims(&[number]).pop();
        self.ask(|reply| Letter::Claim(Claiming::Cancel(number), reply))?;
        was.ok_or_else(|| Error::Conflict("it was made while it was cancelled".into()))
    }

    /// Chooses and claims. One at a time: whoever comes next finds a table in which the claims are. What takes time is done here, on the
    /// thread of who asks; the loop only makes the claims.
    pub(super) fn best_claimed(&self, request: &ChooseRequest) -> Result<BestAnswer, Error> {
        let (amounts, lasts) = (request.amounts()?, request.claim.lasts()?);
        // It guards no data, so one that panicked has broken nothing.
        let _one_at_a_time = self.0.choosing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answer = best::answer(&self.snapshot(), &request.query, clock::now(), crate::state::random())?;
        let most = request.most.unwrap_or(usize::MAX);
        let chosen = answer.best.iter().take(most).map(|b| b.id.parse::<NodeId>());
        let chosen = chosen.collect::<Result<Vec<_>, _>>().map_err(|e| Error::Unavailable(e.to_string()))?;
        if chosen.is_empty() {
            return Ok(answer);
        }
        if chosen.len() > limits::CLAIMS_OF_ONE_MAX / 2 {
            return Err(Error::BadRequest(format!(
                "{} nodes are more than can be claimed at once ({}); choose them without claiming",
                chosen.len(),
                limits::CLAIMS_OF_ONE_MAX / 2
            )));
        }
        let numbers = self.ask(|reply| Letter::Claim(Claiming::Make(chosen, amounts, lasts), reply))?;
        answer.claims = self.own_claims(&numbers);
        Ok(answer)
    }

    /// Claims made here, by number, those that hold.
    fn own_claims(&self, numbers: &[u16]) -> Vec<ClaimView> {
        let (snapshot, now) = (self.snapshot(), clock::now());
        let own = |n: &u16| snapshot.claims.iter().find(|c| c.number == *n && c.by == Some(snapshot.me));
        numbers.iter().filter_map(|n| ClaimView::of(own(n)?, &snapshot, now)).collect()
    }
}
