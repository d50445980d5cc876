//! The reference model: what must hold of every table at every moment, told in a few plain maps.

use peermon_gossip::Version;
use peermon_model::{MemberState, NodeId, Vitals};
use std::collections::BTreeMap;

/// What really happened, and what each host has said of it so far.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// What each node published, by version: the truth that rows anywhere must agree with.
    published: BTreeMap<NodeId, BTreeMap<u32, Vitals>>,
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
    pub(crate) fn note_published(&mut self, id: NodeId, version: Version, row: Vitals) {
        let rows = self.published.entry(id).or_default();
        if rows.get(&version.0) == Some(&row) {
            return;
        }
        if let Some(old) = rows.insert(version.0, row) {
            assert_eq!(old, row, "{id:?} published two rows of version {version:?}");
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
            assert_eq!(truth, row, "host {host} shows a wrong row of {id:?} at {version:?}");
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
