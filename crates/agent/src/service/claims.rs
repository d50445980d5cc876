//! Claims, and choosing with them.

use super::best::Bidder;
use super::{Answers, best};
use crate::clock;
use crate::letter::{Claiming, Letter};
use peermon_api::{BestAnswer, ChooseRequest, ClaimRequest, ClaimView, Error};
use peermon_model::{Amounts, NodeId, limits};
use peermon_placement::crowd;
use std::sync::{MutexGuard, PoisonError};

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

    /// Chooses and claims. What takes time is done here, on the thread of who asks; the loop only makes the claims.
    ///
    /// One at a time: whoever comes next through this daemon finds a table in which the claims are. Those who choose through others at
    /// the same moment are known after a while, so a bid comes first (see [`crowd`]), unless there is nothing else to be taken.
    pub(super) fn best_claimed(&self, request: &ChooseRequest) -> Result<BestAnswer, Error> {
        let (amounts, lasts) = (request.amounts()?, request.claim.lasts()?);
        let choose = |bid: &[u16]| {
            let bidder = Bidder { bid, most: request.most.unwrap_or(usize::MAX) };
            let (answer, others) =
                best::choose(&self.snapshot(), &request.query, clock::now(), crate::state::random(), Some(bidder))?;
            let chosen = answer.best.iter().take(bidder.most).map(|b| b.id.parse::<NodeId>());
            let chosen = chosen.collect::<Result<Vec<_>, _>>().map_err(|e| Error::Unavailable(e.to_string()))?;
            if chosen.len() > limits::CLAIMS_OF_ONE_MAX / 2 {
                return Err(Error::BadRequest(format!(
                    "{} nodes are more than can be claimed at once ({}); choose them without claiming",
                    chosen.len(),
                    limits::CLAIMS_OF_ONE_MAX / 2
                )));
            }
            Ok((answer, chosen, others))
        };
        let mut bid = Vec::new();
        {
            let _one_at_a_time = self.one_at_a_time();
            let (mut answer, chosen, others) = choose(&[])?;
            if chosen.is_empty() {
                return Ok(answer);
            }
            if !others || chosen.len() > crowd::BID_NODES_MAX {
                let numbers = self.ask(|reply| Letter::Claim(Claiming::Make(chosen, amounts, lasts), reply))?;
                answer.claims = self.own_claims(&numbers);
                return Ok(answer);
            }
            bid.extend(self.ask(|reply| Letter::Claim(Claiming::Make(chosen, amounts, crowd::BID), reply))?);
        }
        std::thread::sleep(crowd::WAIT);
        let _one_at_a_time = self.one_at_a_time();
        self.ask(|reply| Letter::Claim(Claiming::Show, reply))?;
        let (mut answer, chosen, _) = choose(&bid)?;
        let numbers = self.ask(|reply| Letter::Claim(Claiming::Replace(bid, chosen, amounts, lasts), reply))?;
        answer.claims = self.own_claims(&numbers);
        Ok(answer)
    }

    /// It guards no data, so one that panicked has broken nothing.
    fn one_at_a_time(&self) -> MutexGuard<'_, ()> {
        self.0.choosing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims made here, by number, those that hold.
    fn own_claims(&self, numbers: &[u16]) -> Vec<ClaimView> {
        let (snapshot, now) = (self.snapshot(), clock::now());
        let own = |n: &u16| snapshot.claims.iter().find(|c| c.number == *n && c.by == Some(snapshot.me));
        numbers.iter().filter_map(|n| ClaimView::of(own(n)?, &snapshot, now)).collect()
    }
}
