use super::*;
use peermon_api::NoticeView;
use std::collections::{BTreeMap, HashSet};

const NAME: &str = "best.example.org";

fn node(id: &str, state: State, keeps: bool) -> NodeView {
    let notice = NoticeView { topic: TOPIC.into(), text: NAME.into(), seconds: None };
    NodeView {
        name: format!("node-{id}"),
        id: id.into(),
        addresses: vec![format!("10.0.0.{}:19810", id.len()), "[fe80::1]:19810".into(), format!("[fd00::{}]:19810", id.len())],
        state,
        state_seconds: 1.0,
        age_seconds: Some(0.5),
        incarnation: 1,
        period_seconds: 1.0,
        facts: BTreeMap::new(),
        vitals: BTreeMap::new(),
        avoided: None,
        notices: if keeps { vec![notice] } else { vec![] },
        this: false,
        zone: String::new(),
    }
}

/// Ids in the order in which they keep the name.
fn in_order() -> Vec<&'static str> {
    let mut ids = vec!["a", "bb", "ccc"];
    ids.sort_by_key(|id| rank_of(NAME, id));
    ids
}

fn keeper() -> Keeper {
    Keeper::new(&name(NAME).expect("a name"), Instant::ZERO)
}

fn sees(states: &[(&str, State, bool)], me: &str) -> Vec<NodeView> {
    let of = |(id, state, keeps): &(&str, State, bool)| NodeView { this: *id == me, ..node(id, *state, *keeps) };
    states.iter().map(of).collect()
}

const LATER: Instant = Instant::from_millis(60_000);

#[test]
fn the_first_that_is_up_has_the_turn() {
    use State::{Alive, Down, Left, Stale, Suspect};
    let ids = in_order();
    let check = |states: [State; 3], keeps: [bool; 3], expected: Option<usize>| {
        let all: Vec<_> = (0..3).map(|i| (ids[i], states[i], keeps[i])).collect();
        for i in (0..3).filter(|i| states[*i] == Alive) {
            let nodes = sees(&all, ids[i]);
            let turn = keeper().turn(Sight { nodes: &nodes, best: &[] }, LATER);
            let wanted = match expected {
                _ if !keeps[i] => Turn::NotAnnounced,
                Some(first) if first != i => Turn::Other(format!("node-{}", ids[first]), ids[first].into()),
                _ => Turn::Mine,
            };
            assert_eq!(turn, wanted, "{all:?} from {i}");
        }
    };
    check([Alive, Alive, Alive], [true, true, true], Some(0));
    check([Down, Alive, Alive], [true, true, true], Some(1));
    check([Left, Alive, Alive], [true, true, true], Some(1));
    check([Stale, Down, Alive], [true, true, true], Some(2));
    check([Suspect, Alive, Alive], [true, true, true], Some(0));
    check([Alive, Alive, Alive], [false, true, true], Some(1));
    check([Alive, Alive, Alive], [false, false, false], None);
}

#[test]
fn a_keeper_watches_first() {
    let nodes = sees(&[("a", State::Alive, true)], "a");
    let mut keeper = keeper();
    let sight = Sight { nodes: &nodes, best: &[] };
    assert_eq!(keeper.turn(sight, Instant::from_millis(10)), Turn::Watching);
    assert_eq!(keeper.turn(sight, Instant::ZERO + WATCH), Turn::Mine);
    let other = NodeView {
        notices: vec![NoticeView { topic: TOPIC.into(), text: "other.example.org".into(), seconds: None }],
        ..nodes[0].clone()
    };
    assert_eq!(keeper.turn(Sight { nodes: &[other], best: &[] }, LATER), Turn::NotAnnounced);
}

fn held_by(id: &str) -> Held {
    exchange::tests::held(&["10.0.0.9"], Some(id))
}

#[test]
fn of_two_that_cannot_see_each_other_one_gives_way() {
    let ids = in_order();
    let (low, high) = (ids[0], ids[1]);
    for (me, other, gives_way) in [(high, low, true), (low, high, false)] {
        let mut keeper = keeper();
        let nodes = sees(&[(me, State::Alive, true), (other, State::Down, true)], me);
        let sight = Sight { nodes: &nodes, best: &[] };
        assert!(keeper.may_overwrite(&held_by(other), sight, me, LATER), "the first time it is what a dead keeper left");
        keeper.wrote();
        assert!(keeper.may_overwrite(&held_by(me), sight, me, LATER));
        assert_eq!(keeper.may_overwrite(&held_by(other), sight, me, LATER), !gives_way);
        let expected = if gives_way { Turn::Unseen(other.into()) } else { Turn::Mine };
        assert_eq!(keeper.turn(sight, LATER), expected);
        assert_eq!(keeper.turn(sight, LATER + YIELD), Turn::Mine);
        // One that the table shows settles it by the table.
        let nodes = sees(&[(me, State::Alive, true), (other, State::Alive, true)], me);
        keeper.wrote();
        assert!(keeper.may_overwrite(&held_by(other), Sight { nodes: &nodes, best: &[] }, me, LATER));
    }
}

#[test]
fn names_are_shared_out_among_nodes() {
    let ids: Vec<String> = (0..10_u8).map(|i| format!("{i:02x}").repeat(32)).collect();
    let first = |name: usize| ids.iter().min_by_key(|id| rank_of(&format!("n{name}.example.org"), id)).expect("some");
    let firsts: HashSet<_> = (0..100).map(first).collect();
    assert!(firsts.len() >= 8, "{} of 10 keep one of 100 names", firsts.len());
}

#[test]
fn a_name_holds_one_address_of_each_family_of_each_node() {
    let nodes = sees(&[("a", State::Alive, true), ("bb", State::Alive, false)], "a");
    let best = |id: &str| BestNode {
        name: String::new(),
        id: id.into(),
        address: String::new(),
        score: 1.0,
        reasons: vec![],
        age_seconds: 0.0,
    };
    let both = [best("bb"), best("a")];
    let text = |set: BTreeSet<IpAddr>| set.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let mut keeper = keeper();
    assert_eq!(text(keeper.wanted(Sight { nodes: &nodes, best: &both[1..] }, 1)), "10.0.0.1 fd00::1");
    assert_eq!(text(keeper.wanted(Sight { nodes: &nodes, best: &both }, 1)), "10.0.0.1 fd00::1", "who is good enough stays");
    assert_eq!(text(keeper.wanted(Sight { nodes: &nodes, best: &both[..1] }, 1)), "10.0.0.2 fd00::2");
    assert_eq!(text(keeper.wanted(Sight { nodes: &nodes, best: &both }, 2)), "10.0.0.1 10.0.0.2 fd00::1 fd00::2");
    assert_eq!(text(keeper.wanted(Sight { nodes: &nodes, best: &[] }, 2)), "");
}
