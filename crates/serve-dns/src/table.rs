//! What the daemon's table says, kept for a moment so that many questions cost few readings.

use crate::limits::{NODES_AGE_MAX, RANKING_AGE_MAX, SRV_TARGETS_MAX};
use crate::names::{self, ID_DIGITS_MIN};
use crate::zone::Zone;
use hickory_proto::rr::Name;
use peermon_api::{BestNode, BestQuery, By, Error, FactValue, NodeView, NodesQuery, Service, State};
use peermon_model::Instant;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// One node as the zone shows it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) state: State,
    /// Best first, without those that only mean something on the node itself.
    pub(crate) addresses: Vec<IpAddr>,
    /// Where it receives gossip.
    pub(crate) port: u16,
    pub(crate) age: Option<f64>,
    pub(crate) load: Option<f64>,
    pub(crate) threads: Option<f64>,
    pub(crate) mem_available: Option<f64>,
    this: bool,
}

impl Row {
    fn of(n: NodeView) -> Row {
        let sockets: Vec<SocketAddr> = n.addresses.iter().filter_map(|a| a.parse().ok()).collect();
        let mut addresses: Vec<IpAddr> = Vec::new();
        for a in sockets.iter().map(|s| s.ip().to_canonical()) {
            let link_local = matches!(a, IpAddr::V6(v6) if v6.is_unicast_link_local());
            if !link_local && !a.is_unspecified() && !addresses.contains(&a) {
                addresses.push(a);
            }
        }
        let threads = match n.facts.get("cpu.threads") {
            Some(FactValue::Number(threads)) => Some(*threads),
            _ => None,
        };
        Row {
            state: n.state,
            addresses,
            port: sockets.first().map_or(0, SocketAddr::port),
            age: n.age_seconds,
            load: n.vitals.get("load.1").copied(),
            mem_available: n.vitals.get("mem.available").copied(),
            threads,
            this: n.this,
            name: n.name,
            id: n.id,
        }
    }

    /// Whether it is given out: not once it is known to be down, or has left.
    pub(crate) fn is_up(&self) -> bool {
        !matches!(self.state, State::Down | State::Left)
    }
}

/// All nodes, by their names.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    pub(crate) rows: Vec<Row>,
    by_name: HashMap<Vec<u8>, Vec<usize>>,
    by_id: BTreeMap<String, usize>,
    /// Names that are none themselves, but have names below them.
    above: HashSet<Vec<u8>>,
}

impl Nodes {
    fn of(views: Vec<NodeView>) -> Nodes {
        let mut nodes = Nodes { rows: views.into_iter().map(Row::of).collect(), ..Nodes::default() };
        for (i, row) in nodes.rows.iter().enumerate() {
            nodes.by_id.insert(row.id.clone(), i);
            let name = row.name.to_ascii_lowercase().into_bytes();
            if name.split(|b| *b == b'.').any(<[u8]>::is_empty) {
                continue; // DNS cannot say it; the id remains.
            }
            for (dot, _) in name.iter().enumerate().filter(|(_, b)| **b == b'.') {
                nodes.above.insert(name[dot + 1..].to_vec());
            }
            nodes.by_name.entry(name).or_default().push(i);
        }
        nodes
    }

    /// The nodes that a relative name in lower case stands for: several only if they share their name.
    pub(crate) fn named(&self, name: &[u8]) -> Vec<&Row> {
        if let Some(found) = self.by_name.get(name) {
            return found.iter().map(|i| &self.rows[*i]).collect();
        }
        let digits = std::str::from_utf8(name).ok();
        let Some(digits) = digits.filter(|d| d.len() >= ID_DIGITS_MIN && d.bytes().all(|b| b.is_ascii_hexdigit())) else {
            return Vec::new();
        };
        let from = self.by_id.range(digits.to_string()..);
        from.take_while(|(id, _)| id.starts_with(digits)).map(|(_, i)| &self.rows[*i]).collect()
    }

    /// Whether names lie below this one.
    pub(crate) fn is_above(&self, name: &[u8]) -> bool {
        self.above.contains(name)
    }

    pub(crate) fn with_id(&self, id: &str) -> Option<&Row> {
        self.by_id.get(id).map(|i| &self.rows[*i])
    }

    /// The node that answers, unless it only listens.
    pub(crate) fn this(&self) -> Option<&Row> {
        self.rows.iter().find(|r| r.this)
    }

    /// A name in the zone that means this node and no other.
    pub(crate) fn full_name(&self, row: &Row, zone: &Zone) -> Option<Name> {
        let lower = row.name.to_ascii_lowercase();
        let alone = self.by_name.get(lower.as_bytes()).is_some_and(|same| same.len() == 1);
        let by_name = (alone && names::fixed(lower.as_bytes()).is_none()).then(|| zone.below(&row.name)).flatten();
        // Half of an id is as good as unique, and fits a label, which all of it does not.
        by_name.or_else(|| zone.below(row.id.get(..32)?))
    }
}

/// Which ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Best(By),
    Targets,
}

type Ranking = Arc<Vec<BestNode>>;

/// The table, and what was read of it last.
pub(crate) struct Table {
    service: Arc<dyn Service>,
    nodes: Option<(Instant, Arc<Nodes>)>,
    rankings: Vec<(Wanted, Instant, Ranking)>,
}

impl Table {
    pub(crate) fn new(service: Arc<dyn Service>) -> Table {
        Table { service, nodes: None, rankings: Vec::new() }
    }

    /// All nodes, and how long ago that was.
    pub(crate) fn nodes(&mut self, now: Instant) -> Result<(Arc<Nodes>, Duration), Error> {
        if let Some((at, nodes)) = &self.nodes
            && now - *at < NODES_AGE_MAX
        {
            return Ok((nodes.clone(), now - *at));
        }
        let nodes = Arc::new(Nodes::of(self.service.nodes(&NodesQuery::default())?));
        self.nodes = Some((now, nodes.clone()));
        Ok((nodes, Duration::ZERO))
    }

    /// The best nodes, drawn not long ago.
    pub(crate) fn best(&mut self, wanted: Wanted, n: usize, now: Instant) -> Result<Ranking, Error> {
        if let Some((_, _, ranking)) = self.rankings.iter().find(|(w, at, _)| *w == wanted && now - *at < RANKING_AGE_MAX) {
            return Ok(ranking.clone());
        }
        let (by, n) = match wanted {
            Wanted::Best(by) => (by, n),
            Wanted::Targets => (By::Both, SRV_TARGETS_MAX),
        };
        let ranking = Arc::new(self.service.best(&BestQuery { n, by, ..BestQuery::default() })?.best);
        self.rankings.retain(|(w, ..)| *w != wanted);
        self.rankings.push((wanted, now, ranking.clone()));
        Ok(ranking)
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").finish_non_exhaustive()
    }
}
