//! From the model's types to the ones that faces and tools speak.

use crate::{AttributeView, Error, FactValue, NodeView, NodesQuery, NoticeView, State, ZoneTotals, ZoneView};
use peermon_model::{Attribute, Instant, MemberState, NodeEntry, Notice, Snapshot, Value, ZoneEntry};
use std::collections::BTreeMap;

/// The nodes that a query asks for by state, in order of name, then id. Nodes that only listen are not shown. What it says in
/// expressions is left to callers, who can read them.
pub fn selected<'a>(snapshot: &'a Snapshot, query: &NodesQuery) -> Vec<&'a NodeEntry> {
    let wanted = |n: &&NodeEntry| {
        (query.all || !n.hidden) && !n.record.listen_only && query.state.is_none_or(|s| s == State::from(n.state))
    };
    let mut nodes: Vec<&NodeEntry> = snapshot.nodes.iter().filter(wanted).collect();
    nodes.sort_by(|a, b| (&a.record.name, a.record.id).cmp(&(&b.record.name, b.record.id)));
    nodes
}

/// What [`selected`] selects, as seen at `now`.
pub fn listed(snapshot: &Snapshot, query: &NodesQuery, now: Instant) -> Vec<NodeView> {
    selected(snapshot, query).into_iter().map(|n| NodeView::of(n, snapshot, now)).collect()
}

/// The one node that `text` names: an exact name, an exact id, or the first 4 or more digits of an id.
///
/// # Errors
/// [`Error::NotFound`] if there is none, [`Error::Ambiguous`] if there are several; the message lists their ids.
pub fn one<'a>(snapshot: &'a Snapshot, text: &str) -> Result<&'a NodeEntry, Error> {
    let short = |t: &str| t.chars().take(80).collect::<String>();
    let found = snapshot.matching(text);
    match found[..] {
        [node] => Ok(node),
        [] => Err(Error::NotFound(format!(
            "no node is named {:?}, and no node's id begins with it; `peermon nodes --all` lists them all",
            short(text)
        ))),
        _ => {
            let ids: Vec<_> = found.iter().take(10).map(|n| n.record.id.short()).collect();
            let more = if found.len() > ids.len() { ", ..." } else { "" };
            Err(Error::Ambiguous(format!(
                "{} nodes match {:?}: {}{more}; name one by the first digits of its id",
                found.len(),
                short(text),
                ids.join(", ")
            )))
        }
    }
}

/// All zones, the own one first, then by name.
pub fn zones(snapshot: &Snapshot, now: Instant) -> Vec<ZoneView> {
    let since = now - snapshot.taken;
    let up = |n: &&NodeEntry| matches!(n.state, MemberState::Alive | MemberState::Suspect | MemberState::Stale);
    let view = |z: &ZoneEntry| ZoneView {
        name: z.name.to_string(),
        this: z.own,
        stale: z.stale,
        age_seconds: z.age.map(|a| (a + since).as_secs_f64()),
        period_seconds: z.period.as_secs_f64(),
        partial: z.partial,
        nodes: snapshot.nodes.iter().filter(up).filter(|n| n.record.zone == z.name && !n.record.listen_only).count(),
        relays: z.relays.iter().filter_map(|id| Some(snapshot.node(id)?.record.name.to_string())).collect(),
        totals: z.summary.map(|s| ZoneTotals {
            up: s.up,
            down: s.down,
            threads: s.threads,
            gpus: s.gpus,
            mem_total: s.mem_total,
            mem_available: s.mem_available,
            cpu_busy: s.cpu_busy,
        }),
    };
    snapshot.zones.iter().map(view).collect()
}

impl NodeView {
    /// What an entry of a snapshot looks like at `now`. Numbers that are not finite are left out, since JSON has none.
    pub fn of(entry: &NodeEntry, snapshot: &Snapshot, now: Instant) -> NodeView {
        let r = &entry.record;
        let facts = r.facts.iter().filter(|f| f.value.number().is_none_or(f64::is_finite));
        let vitals = r.vitals(&entry.vitals).filter(|(_, _, value)| value.is_finite());
        NodeView {
            name: r.name.to_string(),
            id: r.id.to_string(),
            zone: r.zone.to_string(),
            addresses: r.addresses.iter().map(ToString::to_string).collect(),
            state: entry.state.into(),
            state_seconds: (entry.in_state + (now - snapshot.taken)).as_secs_f64(),
            age_seconds: snapshot.age(entry, now).map(|a| a.as_secs_f64()),
            incarnation: r.incarnation.0,
            period_seconds: entry.period.as_secs_f64(),
            facts: facts.map(|f| (f.kind.attribute.full_name(f.instance.as_deref()).into_owned(), (&f.value).into())).collect(),
            vitals: vitals.map(|(name, _, value)| (name.to_string(), value)).collect::<BTreeMap<_, _>>(),
            notices: r.notices.iter().map(|n| NoticeView { seconds: shown_for(n, snapshot, now), ..n.into() }).collect(),
            avoided: entry.avoided.map(|why| why.to_string()),
            this: r.id == snapshot.me,
        }
    }
}

/// How long a notice has been shown, by the cluster's clock.
fn shown_for(n: &Notice, snapshot: &Snapshot, now: Instant) -> Option<f64> {
    let clock = (snapshot.clock + (now - snapshot.taken)).as_secs_f64();
    (n.since > 0 && !snapshot.clock.is_zero()).then(|| (clock - f64::from(n.since)).max(0.0))
}

impl From<MemberState> for State {
    fn from(s: MemberState) -> State {
        match s {
            MemberState::Alive => State::Alive,
            MemberState::Suspect => State::Suspect,
            MemberState::Down => State::Down,
            MemberState::Left => State::Left,
            MemberState::Stale => State::Stale,
        }
    }
}

impl From<State> for MemberState {
    fn from(s: State) -> MemberState {
        match s {
            State::Alive => MemberState::Alive,
            State::Suspect => MemberState::Suspect,
            State::Down => MemberState::Down,
            State::Left => MemberState::Left,
            State::Stale => MemberState::Stale,
        }
    }
}

impl State {
    /// All states.
    pub const ALL: [State; 5] = [State::Alive, State::Suspect, State::Stale, State::Down, State::Left];

    /// The state's name in JSON and on screens.
    pub const fn name(self) -> &'static str {
        match self {
            State::Alive => MemberState::Alive.name(),
            State::Suspect => MemberState::Suspect.name(),
            State::Down => MemberState::Down.name(),
            State::Left => MemberState::Left.name(),
            State::Stale => MemberState::Stale.name(),
        }
    }
}

impl From<&Value> for FactValue {
    fn from(v: &Value) -> FactValue {
        match v {
            Value::Number(n) => FactValue::Number(*n),
            Value::Text(t) => FactValue::Text(t.to_string()),
        }
    }
}

impl From<&Notice> for NoticeView {
    fn from(n: &Notice) -> NoticeView {
        NoticeView { topic: n.topic.to_string(), text: n.text.to_string(), seconds: None }
    }
}

impl From<&Attribute> for AttributeView {
    fn from(a: &Attribute) -> AttributeView {
        AttributeView {
            name: a.name.to_string(),
            unit: a.unit.name().to_string(),
            kind: a.kind.name().to_string(),
            help: a.help.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peermon_model::{CustomVital, Facts, Incarnation, NodeId, Quantiser, Record, Sequence, Slot, Unit, Vitals, vitals};
    use std::sync::Arc;
    use std::time::Duration;

    fn entry(name: &str, first_byte: u8, state: MemberState) -> NodeEntry {
        let mut facts = Facts::default();
        facts.put("mem.total", None, Value::Number(64e9));
        facts.put("swap.total", None, Value::Number(f64::NAN));
        facts.put("nic.{}.speed", Some("eth0"), Value::Number(1e10));
        facts.put("cpu.model", None, Value::text("Example 9000"));
        let custom = CustomVital { name: "queue.length".into(), unit: Unit::Count, quantiser: Quantiser::Count };
        let record = Record {
            id: NodeId(std::array::from_fn(|i| if i == 0 { first_byte } else { i as u8 })),
            incarnation: Incarnation(3),
            sequence: Sequence(1),
            salt: [0; 16],
            name: name.parse().expect("a name"),
            addresses: vec!["10.0.0.1:19810".parse().expect("an address")],
            period: Duration::from_secs(1),
            budget: 0,
            zone: peermon_model::ZoneName::default(),
            left: false,
            listen_only: false,
            key_held: 0,
            facts,
            custom: vec![custom],
            notices: vec![Notice::new("maintenance", "new fan")],
            facts_dropped: 0,
        };
        let mut row = Vitals::default();
        let mem = vitals::find("mem.available").expect("built in");
        row.put(mem.slot, mem.quantiser.encode(32e9, Some(64e9)));
        let swap = vitals::find("swap.used").expect("built in");
        row.put(swap.slot, 1);
        row.put(Slot::custom(0).expect("a slot"), 7);
        let age = Some(Duration::from_millis(400));
        NodeEntry {
            record: Arc::new(record),
            state,
            vitals: row,
            age,
            avoided: None,
            in_state: Duration::from_secs(9),
            hidden: false,
            period: Duration::from_secs(1),
        }
    }

    fn table(mut nodes: Vec<NodeEntry>) -> Snapshot {
        nodes.sort_by_key(|n| n.record.id);
        let me = nodes[0].record.id;
        Snapshot { taken: Instant::from_millis(5000), me, nodes, zones: Vec::new(), claims: Vec::new(), clock: Duration::ZERO }
    }

    #[test]
    fn a_view_shows_ages_now_and_leaves_out_what_is_not_known() {
        let s = table(vec![entry("a", 0xaa, MemberState::Alive)]);
        let v = NodeView::of(&s.nodes[0], &s, Instant::from_millis(5600));
        assert_eq!(v.age_seconds, Some(1.0));
        assert_eq!(v.state_seconds, 9.6);
        assert_eq!(v.facts["nic.eth0.speed"], FactValue::Number(1e10));
        assert_eq!(v.facts["cpu.model"], FactValue::Text("Example 9000".into()));
        assert!(!v.facts.contains_key("swap.total") && !v.vitals.contains_key("swap.used"), "not a number");
        assert_eq!(v.vitals.into_iter().collect::<Vec<_>>(), [("mem.available".into(), 32e9), ("queue.length".into(), 7.0)]);
        assert_eq!((v.this, v.incarnation, v.addresses), (true, 3, vec!["10.0.0.1:19810".to_string()]));
        assert_eq!(v.notices, [NoticeView { topic: "maintenance".into(), text: "new fan".into(), seconds: None }]);
    }

    #[test]
    fn a_view_survives_json() {
        let s = table(vec![entry("a", 0xaa, MemberState::Suspect)]);
        let v = NodeView::of(&s.nodes[0], &s, s.taken);
        let text = serde_json::to_string(&v).expect("plain");
        assert_eq!(serde_json::from_str::<NodeView>(&text).expect("plain"), v);
    }

    #[test]
    fn a_list_is_filtered_and_in_order() {
        let mut old = entry("old", 3, MemberState::Down);
        old.hidden = true;
        let mut ear = entry("ear", 4, MemberState::Alive);
        Arc::make_mut(&mut ear.record).listen_only = true;
        let nodes = vec![entry("b", 9, MemberState::Alive), entry("a", 8, MemberState::Down), entry("a", 7, MemberState::Alive)];
        let s = table([nodes, vec![old, ear]].concat());
        let names = |query: NodesQuery| {
            let list = listed(&s, &query, s.taken);
            list.iter().map(|n| format!("{}{}", n.name, &n.id[1..2])).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(NodesQuery::default()), "a7 a8 b9");
        assert_eq!(names(NodesQuery { all: true, ..Default::default() }), "a7 a8 b9 old3");
        assert_eq!(names(NodesQuery { state: Some(State::Down), ..Default::default() }), "a8");
        assert_eq!(names(NodesQuery { state: Some(State::Down), all: true, ..Default::default() }), "a8 old3");
    }

    #[test]
    fn one_node_is_found_by_name_or_id_or_refused_with_the_next_step() {
        let s = table(vec![
            entry("a", 7, MemberState::Alive),
            entry("twin", 8, MemberState::Alive),
            entry("twin", 9, MemberState::Alive),
        ]);
        assert_eq!(one(&s, "a").expect("one").record.id.0[0], 7);
        assert_eq!(one(&s, "0901").expect("one").record.id.0[0], 9);
        assert_eq!(one(&s, &s.nodes[1].record.id.to_string()).expect("one").record.id.0[0], 8);
        let e = one(&s, "twin").expect_err("two");
        assert_eq!((e.code(), e.status()), ("ambiguous", 409));
        assert!(e.to_string().contains("08010203, 09010203"), "{e}");
        let e = one(&s, "nobody").expect_err("none");
        assert_eq!((e.code(), e.status()), ("not_found", 404));
        assert!(e.to_string().contains("peermon nodes"), "{e}");
    }

    #[test]
    fn states_and_errors_have_one_name_each() {
        for s in State::ALL {
            assert_eq!(State::from(MemberState::from(s)), s);
            assert_eq!(serde_json::to_string(&s).expect("plain"), format!("{:?}", s.name()));
        }
        let m = || "x".to_string();
        for e in [
            Error::BadRequest(m()),
            Error::Unauthorised(m()),
            Error::NotFound(m()),
            Error::Ambiguous(m()),
            Error::Conflict(m()),
            Error::TooMany(m()),
            Error::Unavailable(m()),
        ] {
            let json = serde_json::to_value(&e).expect("plain");
            assert_eq!(json, serde_json::json!({"code": e.code(), "message": "x"}));
            assert_eq!(serde_json::from_value::<Error>(json).expect("plain"), e);
        }
    }
}
