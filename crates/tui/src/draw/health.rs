//! How a node is, in words and since when: what its own probes found, what this node thinks of it, and, of the node that answers
//! itself, every probe.

use super::section::{Item, Section};
use crate::app::App;
use crate::table::Node;
use crate::theme::Role;
use crate::units;
use peermon_api::{HealthAnswer, NoticeView, State};
use ratatui::style::Style;

/// Peers that answer badly that are named; `peermon health` has all of them.
const PEERS: usize = 5;

/// Whether a notice is what a self-probe found.
pub(super) fn found(notice: &NoticeView) -> bool {
    notice.topic.split('.').next() == Some("health")
}

pub(super) fn section<'a>(app: &'a App, n: &'a Node) -> Section<'a> {
    let mut s = Section::new("Health");
    let (bad, warn) = (app.palette.style(Role::Bad), app.palette.style(Role::Warn));
    let trust = n.vital("health");
    let grave = trust.is_some_and(|t| t < 0.5);
    let own = app.own.health();
    let waited = (app.now - app.own.at).as_secs_f64();
    let (words, style) = verdict(app, n);
    s.items.push(Item::Entry("verdict".into(), words, style));
    for notice in n.view.notices.iter().filter(|n| found(n)) {
        let since = notice.seconds.map_or(String::new(), |s| format!(", for {}", units::seconds(s + app.waited())));
        let probe = notice.topic.split_once('.').map_or("probe", |(_, probe)| probe);
        s.items.push(Item::Entry(probe.into(), format!("{}{since}", notice.text), if grave { bad } else { warn }));
    }
    let peer = own.and_then(|o| o.peers.iter().find(|p| p.id == n.view.id));
    if let Some(why) = &n.view.avoided {
        let since = peer.filter(|p| p.viable == Some(false)).map(|p| format!(", for {}", units::seconds(p.seconds + waited)));
        s.items.push(Item::Entry("avoided here".into(), format!("{why}{}", since.unwrap_or_default()), warn));
    }
    if let Some(p) = peer {
        let time = p.rtt_seconds.map_or(String::new(), brief);
        s.items.push(Item::Tries("answers us".into(), p.history.clone(), time, Style::new()));
        if p.sees_me == Some(false) {
            s.items.push(Item::Entry("sees us".into(), "it avoids this node".into(), warn));
        }
    }
    if let Some(own) = own.filter(|_| n.view.this) {
        probes(own, waited, &mut s, warn);
    }
    s
}

/// Whether to use it, and since when.
fn verdict(app: &App, n: &Node) -> (String, Style) {
    let for_ = |seconds: f64| units::seconds(seconds + app.waited());
    let role = |role| app.palette.style(role);
    let found = || n.view.notices.iter().filter(|n| found(n));
    let lasts = found().filter_map(|n| n.seconds).reduce(f64::max).map_or(String::new(), |s| format!(" for {}", for_(s)));
    let since = for_(n.view.state_seconds);
    match (n.view.state, n.vital("health")) {
        (State::Alive, Some(t)) if t <= 0.0 => (format!("must not be used{lasts}"), role(Role::Bad)),
        (State::Alive, Some(t)) if t < 0.995 && found().next().is_none() => {
            (format!("recovers: it trusts itself to {} again", units::percent(t)), role(Role::Warn))
        }
        (State::Alive, Some(t)) if t < 0.995 => (format!("weak{lasts}: others are better"), role(Role::Warn)),
        (State::Alive, Some(_)) => (format!("well: up for {since}, its own probes find nothing wrong"), role(Role::Good)),
        (State::Alive, None) => (format!("up for {since}; it has no probes"), Style::new()),
        (State::Suspect, _) => (format!("silent for {since}; its neighbours ask it"), role(Role::Warn)),
        (State::Stale, _) => (format!("its zone is cut off for {since}"), role(Role::Warn)),
        (State::Down, _) => (format!("down for {since}"), role(Role::Bad)),
        (State::Left, _) => (format!("it left, {since} ago"), role(Role::Dim)),
    }
}

/// All probes, those that fail first, and the peers that answer badly.
fn probes(own: &HealthAnswer, waited: f64, s: &mut Section<'_>, warn: Style) {
    s.entry("sees us viable", Some(format!("{} of {} peers", own.seen_by.viable, own.seen_by.of)));
    s.entry("viable to us", Some(format!("{} of {} peers", own.sees.viable, own.sees.of)));
    let bad = own.peers.iter().filter(|p| p.viable == Some(false));
    for p in bad.clone().take(PEERS) {
        let why = p.why.as_deref().unwrap_or("it does not answer");
        let said = format!("avoided for {}: {why}", units::seconds(p.seconds + waited));
        s.items.push(Item::Tries(p.name.clone(), p.history.clone(), said, warn));
    }
    if let Some(more) = bad.count().checked_sub(PEERS).filter(|m| *m > 0) {
        s.entry("", Some(format!("and {more} more: peermon health names them")));
    }
    let mut all: Vec<_> = own.probes.iter().collect();
    all.sort_by_key(|p| p.reason.is_none());
    for p in all {
        let name = p.instance.as_ref().map_or(p.probe.clone(), |of| format!("{} {of}", p.probe));
        let (said, style) = match &p.reason {
            Some(r) => (format!("{}, for {}", r.text, units::seconds(r.seconds + waited)), warn),
            None => (p.mean_seconds.map_or(String::new(), brief), Style::new()),
        };
        s.items.push(Item::Tries(name, p.history.clone(), said, style));
    }
}

/// A short time.
fn brief(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => units::seconds(s),
        s if s >= 0.001 => format!("{:.1} ms", s * 1e3),
        s if s >= 1e-6 => format!("{:.0} µs", s * 1e6),
        // It tried nothing that takes time.
        _ => String::new(),
    }
}
