//! The reference model: what must hold of every table at every moment, told in a few plain maps.

use peermon_gossip::Version;
use peermon_model::{MemberState, NodeId, Vitals};
use std::collections::BTreeMap;

/// What really happened, and what each host has said of it so far.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// What each node published, by version, with the incarnation that did: the truth that rows anywhere must agree with. A
    /// node that restarts alone begins a new cluster clock, so two lives may use one version.
    published: BTreeMap<NodeId, BTreeMap<u32, Vec<(u32, Vitals)>>>,
    /// The newest version each host has shown of each node; per host.
    shown: Vec<BTreeMap<NodeId, Version>>,
    /// The highest incarnation each host has shown of each node.
    incarnations: Vec<BTreeMap<NodeId, u32>>,
}

/// Rows remembered of each node: more than any table may lag.
const HISTORY: usize = 400;

impl Model {
    pub(crate) fn restart_host(&mut self, host: usize) {
        if self.shown.len() <= host {
            self.shown.resize_with(host + 1, BTreeMap::new);
            self.incarnations.resize_with(host + 1, BTreeMap::new);
        }
        self.shown[host].clear();
        self.incarnations[host].clear();
    }

    /// A node published a row. Two rows of one version must be one row.
    pub(crate) fn note_published(&mut self, id: NodeId, life: u32, version: Version, row: Vitals) {
        let rows = self.published.entry(id).or_default();
        let same = rows.entry(version.0).or_default();
        match same.iter().find(|r| r.0 == life) {
            Some(old) => assert_eq!(old.1, row, "{id:?} published two rows of version {version:?}"),
            None => same.push((life, row)),
        }
        while rows.len() > HISTORY {
            rows.pop_first();
        }
    }

    /// A host shows a row: it must be one that its node published, and never older than one shown before.
    pub(crate) fn check_row(&mut self, host: usize, id: NodeId, version: Version, row: &Vitals) {
        let rows = self.published.get(&id).unwrap_or_else(|| panic!("host {host} shows a row of {id:?}, who published none"));
        if rows.first_key_value().is_some_and(|(oldest, _)| *oldest <= version.0) {
            let truth =
                rows.get(&version.0).unwrap_or_else(|| panic!("host {host} shows {id:?} at {version:?}, never published"));
            let is_true = truth.iter().any(|(_, published)| published == row);
            assert!(is_true, "host {host} shows a wrong row of {id:?} at {version:?}: {row:?}, published {truth:?}");
        }
        if let Some(before) = self.shown[host].insert(id, version) {
            assert!(!before.newer_than(version), "host {host} went back from {before:?} to {version:?} of {id:?}");
        }
    }

    /// A host tells of a member: its incarnation never goes back.
    pub(crate) fn check_member(&mut self, host: usize, id: NodeId, incarnation: u32, _state: MemberState) {
        if let Some(before) = self.incarnations[host].insert(id, incarnation) {
            assert!(before <= incarnation, "host {host} went back from incarnation {before} to {incarnation} of {id:?}");
        }
    }
}
