//! Claims: that somebody has chosen a node for a job that does not show in its values yet.

use crate::{BestQuery, Error, one};
use peermon_model::{Amounts, ClaimEntry, Instant, Snapshot, limits};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What to claim of a node, or which claim to renew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ClaimRequest {
    /// The node to claim, by name or id; or else `number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The claim to renew, one that was made through this daemon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u16>,
    /// How much, and for how long; one processor for a minute if nothing is said. A claim that is renewed keeps its amounts if none
    /// is given.
    pub claim: ClaimTerms,
}

/// How much to claim, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ClaimTerms {
    /// Processors, in steps of an eighth [default: 1, if no GPU or memory is claimed either].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// Bytes of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mem: Option<f64>,
    /// GPUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpus: Option<f64>,
    /// Seconds that it holds unless it is renewed, 1 to 600 [default: 60].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

// What the wire holds, of each: far more than any machine has.
const CPUS_MAX: f64 = 8191.0;
const MEM_MAX: f64 = 4e15;
const GPUS_MAX: f64 = 65_535.0;

impl ClaimTerms {
    /// How long a claim holds if nothing else is said, in seconds: by then the load average shows 63 % of a job.
    pub const SECONDS: f64 = 60.0;

    /// The amounts, if any is given.
    ///
    /// # Errors
    /// If one is no amount, or all are 0.
    pub fn amounts(&self) -> Result<Option<Amounts>, Error> {
        let given = [("cpus", self.cpus, CPUS_MAX), ("mem", self.mem, MEM_MAX), ("gpus", self.gpus, GPUS_MAX)];
        for (name, amount, most) in given {
            if let Some(a) = amount.filter(|a| !(0.0..=most).contains(a)) {
                return Err(Error::BadRequest(format!("{name} of a claim must be 0 to {most}, not {a}")));
            }
        }
        if given.iter().all(|g| g.1.is_none()) {
            return Ok(None);
        }
        let amount = |i: usize| given[i].1.unwrap_or(0.0);
        let amounts = Amounts { cpus: amount(0), mem: amount(1), gpus: amount(2) };
        if amounts.is_nothing() {
            return Err(Error::BadRequest("a claim of nothing is none; give cpus, mem or gpus, or DELETE the claim".into()));
        }
        Ok(Some(amounts))
    }

    /// How long it is to hold.
    ///
    /// # Errors
    /// If that is too short or too long.
    pub fn lasts(&self) -> Result<Duration, Error> {
        let seconds = self.seconds.unwrap_or(Self::SECONDS);
        if !(1.0..=limits::CLAIM_SECONDS_MAX as f64).contains(&seconds) {
            let most = limits::CLAIM_SECONDS_MAX;
            return Err(Error::BadRequest(format!(
                "a claim holds for 1 to {most} seconds, not {seconds}; renew it to hold longer"
            )));
        }
        Ok(Duration::from_secs_f64(seconds))
    }
}

/// Choose nodes, and claim them in the same step: of two who ask at once through one daemon, the second one sees what the first has
/// claimed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ChooseRequest {
    /// Which nodes are wanted.
    pub query: BestQuery,
    /// What to claim of each; amounts that are not given are those of the query.
    pub claim: ClaimTerms,
    /// Claim only the first so many of the nodes; null: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<usize>,
}

impl ChooseRequest {
    /// What to claim of each node: what is said, or else what the query asks for, or else one processor.
    ///
    /// # Errors
    /// As [`ClaimTerms::amounts`].
    pub fn amounts(&self) -> Result<Amounts, Error> {
        let q = &self.query;
        let asked = ClaimTerms {
            // Who asks for more than there can be is told by the choice that nobody has it.
            cpus: q.cpus.filter(|n| *n > 0).map(|n| f64::from(n).min(CPUS_MAX)),
            mem: q.mem.filter(|m| *m > 0.0).map(|m| m.min(MEM_MAX)),
            gpus: q.gpus.filter(|n| *n > 0).map(|n| f64::from(n).min(GPUS_MAX)),
            seconds: None,
        };
        let one = Amounts { cpus: 1.0, ..Amounts::default() };
        Ok(self.claim.amounts()?.or(asked.amounts()?).unwrap_or(one))
    }
}

/// A claim that holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimView {
    /// Its number among those made through the same node.
    pub number: u16,
    /// The node that is claimed.
    pub node: String,
    /// That node's identity.
    pub node_id: String,
    /// The node through which it was made; null if it is not in the table.
    pub by: Option<String>,
    /// That node's identity.
    pub by_id: Option<String>,
    /// Whether it was made through the node that answers, which alone can renew and cancel it.
    pub own: bool,
    /// Processors.
    pub cpus: f64,
    /// Bytes of memory.
    pub mem: f64,
    /// GPUs.
    pub gpus: f64,
    /// Seconds since it was made or renewed.
    pub age_seconds: f64,
    /// Seconds that it still holds.
    pub left_seconds: f64,
}

impl ClaimView {
    /// A claim of a snapshot as it is at `now`; `None` if its time is over or its node is not there.
    pub fn of(claim: &ClaimEntry, snapshot: &Snapshot, now: Instant) -> Option<ClaimView> {
        let age = claim.age + (now - snapshot.taken);
        let left = claim.lasts.checked_sub(age).filter(|l| !l.is_zero())?;
        let name = |id| snapshot.node(id).map(|n| n.record.name.to_string());
        Some(ClaimView {
            number: claim.number,
            node: name(&claim.node)?,
            node_id: claim.node.to_string(),
            by: claim.by.as_ref().and_then(name),
            by_id: claim.by.map(|id| id.to_string()),
            own: claim.by == Some(snapshot.me),
            cpus: claim.amounts.cpus,
            mem: claim.amounts.mem,
            gpus: claim.amounts.gpus,
            age_seconds: age.as_secs_f64(),
            left_seconds: left.as_secs_f64(),
        })
    }
}

/// All claims of a table that hold at `now`, in order of node, then of who claimed and number.
pub fn claims(snapshot: &Snapshot, now: Instant) -> Vec<ClaimView> {
    let mut all: Vec<ClaimView> = snapshot.claims.iter().filter_map(|c| ClaimView::of(c, snapshot, now)).collect();
    all.sort_by(|a, b| (&a.node, &a.node_id, &a.by, &a.by_id, a.number).cmp(&(&b.node, &b.node_id, &b.by, &b.by_id, b.number)));
    all
}

impl ClaimRequest {
    /// The node that a new claim is to be of.
    ///
    /// # Errors
    /// If none is named, or a claim to renew as well, or there is no such node, or more than one.
    pub fn target(&self, snapshot: &Snapshot) -> Result<peermon_model::NodeId, Error> {
        match (&self.node, self.number) {
            (Some(node), None) => one(snapshot, node).map(|n| n.record.id),
            _ => Err(Error::BadRequest("name the node to claim, or give the number of the claim to renew".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_claimed_is_said_or_asked_for_or_one_processor() {
        let check = |query: BestQuery, claim: ClaimTerms, expected: (f64, f64, f64)| {
            let a = ChooseRequest { query, claim, most: None }.amounts().expect("amounts");
            assert_eq!((a.cpus, a.mem, a.gpus), expected);
        };
        let asked = BestQuery { cpus: Some(4), mem: Some(8e9), ..BestQuery::default() };
        check(BestQuery::default(), ClaimTerms::default(), (1.0, 0.0, 0.0));
        check(BestQuery { cpus: Some(0), ..BestQuery::default() }, ClaimTerms::default(), (1.0, 0.0, 0.0));
        check(asked.clone(), ClaimTerms::default(), (4.0, 8e9, 0.0));
        check(BestQuery { cpus: Some(4_000_000), ..BestQuery::default() }, ClaimTerms::default(), (8191.0, 0.0, 0.0));
        check(BestQuery { gpus: Some(1), ..BestQuery::default() }, ClaimTerms::default(), (0.0, 0.0, 1.0));
        check(asked, ClaimTerms { cpus: Some(0.5), ..ClaimTerms::default() }, (0.5, 0.0, 0.0));
    }

    #[test]
    fn senseless_terms_are_refused_by_name() {
        let check = |terms: ClaimTerms, word: &str| {
            let e = terms.amounts().and(terms.lasts().map(drop)).expect_err(word).to_string();
            assert!(e.contains(word), "{e}");
        };
        let none = ClaimTerms::default();
        check(ClaimTerms { cpus: Some(-1.0), ..none }, "cpus of a claim must be 0 to 8191, not -1");
        check(ClaimTerms { mem: Some(f64::NAN), ..none }, "mem of a claim");
        check(ClaimTerms { gpus: Some(1e9), ..none }, "gpus of a claim");
        check(ClaimTerms { cpus: Some(0.0), mem: Some(0.0), ..none }, "a claim of nothing");
        check(ClaimTerms { seconds: Some(0.5), ..none }, "1 to 600 seconds, not 0.5");
        check(ClaimTerms { seconds: Some(f64::INFINITY), ..none }, "renew it");
    }
}
