//! What the tests of commands share: a service with a table that never changes, and texts to compare with.

use crate::output::Screen;
use peermon_api::*;
use std::collections::BTreeMap;
use std::path::Path;

/// A terminal of so many columns, without colours.
pub(crate) fn terminal(width: usize) -> Screen {
    Screen { terminal: true, width: Some(width), colour: false }
}

/// Compares with the file `tests/expected/FILE`; `UPDATE_EXPECTED=1` writes it instead, to be read in the diff.
pub(crate) fn check_text(file: &str, got: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expected").join(file);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, got).expect("the expected text can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == got,
        "{file} differs.\nexpected:\n{expected}\ngot:\n{got}\nIf it is meant, run the test with UPDATE_EXPECTED=1."
    );
}

/// A daemon's answers, made up.
pub(crate) struct Fake {
    nodes: Vec<NodeView>,
    best: BestAnswer,
    claims: std::sync::Mutex<Vec<ClaimView>>,
}

fn node(number: u8, name: &str, state: State, age: Option<f64>, source: Option<&str>, vitals: &[(&str, f64)]) -> NodeView {
    let text = |t: &str| FactValue::Text(t.to_string());
    let mut facts = BTreeMap::from([
        ("host.name".to_string(), text("bench")),
        ("cpu.threads".to_string(), FactValue::Number(8.0)),
        ("mem.total".to_string(), FactValue::Number(32.0 * 1073741824.0)),
        ("os.name".to_string(), text("Debian GNU/Linux 12")),
        ("boot.time".to_string(), FactValue::Number(1_700_000_000.0)),
        ("nic.eth0.speed".to_string(), FactValue::Number(1e10)),
        ("label.room".to_string(), text("b\u{1b}[31m12")),
    ]);
    if let Some(s) = source {
        facts.insert("source".to_string(), text(s));
    }
    NodeView {
        name: name.to_string(),
        zone: "here".to_string(),
        id: format!("{number:02x}").repeat(32),
        addresses: vec![format!("127.0.0.1:4000{number}")],
        state,
        state_seconds: 75.0,
        age_seconds: age,
        incarnation: 3,
        period_seconds: 1.0,
        facts,
        vitals: vitals.iter().map(|(n, v)| ((*n).to_string(), *v)).collect(),
        avoided: None,
        notices: vec![],
        this: number == 1,
    }
}

fn vitals(busy: f64, load: f64, available: f64) -> [(&'static str, f64); 6] {
    [
        ("cpu.busy", busy),
        ("load.1", load),
        ("mem.available", available * 1073741824.0),
        ("disk.busy", 0.03),
        ("net.rx.rate", 1_250_000.0),
        ("net.tx.rate", 800.0),
    ]
}

impl Fake {
    fn with(nodes: Vec<NodeView>, best: BestAnswer) -> Fake {
        Fake { nodes, best, claims: std::sync::Mutex::default() }
    }

    /// A cluster such as the demo's, with one node down and one not heard from.
    pub(crate) fn five() -> Fake {
        let mut nodes = vec![
            node(1, "here-1", State::Alive, Some(0.42), None, &vitals(0.12, 0.6, 24.1)),
            node(2, "here-2", State::Alive, Some(4.0), None, &vitals(0.13, 0.6, 24.1)),
            node(3, "replay-busy-with-a-long-name", State::Suspect, Some(1.3), Some("replay busy"), &vitals(1.0, 17.25, 3.5)),
            node(4, "replay-idle", State::Down, Some(200.0), Some("replay idle"), &vitals(0.004, 0.0, 30.9)),
            node(5, "機械", State::Alive, None, None, &[]),
        ];
        nodes[0].notices.push(NoticeView {
            topic: "maintenance".to_string(),
            text: "reboots at 18:00".to_string(),
            seconds: None,
        });
        let chosen = |n: &NodeView, score: f64, reasons: &[&str]| BestNode {
            name: n.name.clone(),
            id: n.id.clone(),
            address: "127.0.0.1".to_string(),
            score,
            reasons: reasons.iter().map(|r| (*r).to_string()).collect(),
            age_seconds: n.age_seconds.expect("a chosen node has values"),
        };
        let best = vec![
            chosen(
                &nodes[1],
                25.85e9,
                &["25.9 GiB of memory available / (1 + 0.07 load per core) = 24.1 GiB", "no usable node is better"],
            ),
            chosen(
                &nodes[0],
                25.85e9,
                &["25.9 GiB of memory available / (1 + 0.07 load per core) = 24.1 GiB", "no usable node is better"],
            ),
        ];
        let out = |n: &NodeView, reason: &str| LeftOut { name: n.name.clone(), id: n.id.clone(), reason: reason.to_string() };
        let left_out =
            vec![out(&nodes[3], "down: it answers nobody (for 75 s)"), out(&nodes[4], "no values have come from it yet")];
        Fake::with(nodes, BestAnswer { best, left_out, ..BestAnswer::default() })
    }

    /// A node that has met nobody.
    pub(crate) fn alone() -> Fake {
        let Fake { mut nodes, .. } = Fake::five();
        nodes.truncate(1);
        Fake::with(nodes, BestAnswer::default())
    }

    /// A daemon that only listens and has heard nobody.
    pub(crate) fn empty() -> Fake {
        Fake::with(vec![], BestAnswer::default())
    }

    /// Nodes, but none to offer.
    pub(crate) fn nobody_usable() -> Fake {
        let Fake { nodes, best, .. } = Fake::five();
        Fake::with(nodes, BestAnswer { best: vec![], ..best })
    }

    /// Two nodes of one name.
    pub(crate) fn namesakes() -> Fake {
        let Fake { mut nodes, .. } = Fake::five();
        nodes.truncate(2);
        nodes[1].name = nodes[0].name.clone();
        Fake::with(nodes, BestAnswer::default())
    }
}

impl Service for Fake {
    fn nodes(&self, query: &NodesQuery) -> Result<Vec<NodeView>, Error> {
        Ok(self.nodes.iter().filter(|n| query.state.is_none_or(|s| n.state == s)).cloned().collect())
    }

    fn node(&self, name: &str) -> Result<NodeView, Error> {
        let found = self.nodes.iter().find(|n| n.name == name || n.id.starts_with(name)).cloned();
        found.ok_or_else(|| Error::NotFound(format!("there is no node {name}; `peermon nodes` lists all")))
    }

    fn best(&self, query: &BestQuery) -> Result<BestAnswer, Error> {
        let best: Vec<BestNode> = self.best.best.iter().take(query.n).cloned().collect();
        let left_out = if query.explain { self.best.left_out.clone() } else { vec![] };
        let whole = |b: &BestNode| self.nodes.iter().find(|n| n.id == b.id).cloned();
        let nodes = if query.whole { best.iter().filter_map(whole).collect() } else { vec![] };
        Ok(BestAnswer { best, left_out, nodes, ..BestAnswer::default() })
    }

    fn zones(&self) -> Result<Vec<ZoneView>, Error> {
        let zone = |name: &str, this: bool| ZoneView {
            name: name.into(),
            this,
            stale: !this,
            age_seconds: Some(if this { 0.4 } else { 75.0 }),
            period_seconds: 1.0,
            partial: !this,
            nodes: if this { 3 } else { 2 },
            relays: if this { vec!["here-1".into(), "here-2".into()] } else { vec!["there-1".into()] },
            totals: (!this).then_some(ZoneTotals {
                up: 20,
                down: 1,
                threads: 640,
                gpus: 8,
                mem_total: 5e12,
                mem_available: 3e12,
                cpu_busy: 0.35,
            }),
        };
        Ok(vec![zone("here", true), zone("rack-7", false)])
    }

    fn series(&self, q: &SeriesQuery) -> Result<SeriesAnswer, Error> {
        let points = q.points.unwrap_or(SeriesQuery::POINTS);
        let named = |n: &&NodeView| q.node.is_empty() || q.node.contains(&n.name);
        let of = |n: &NodeView, attribute: &String| {
            // Goes up in the first half, is unknown for a tenth, and then stays at what it is now.
            let at = |i: usize| match i * 10 / points {
                0..5 => Some(i as f64 / points as f64 * 2.0),
                5 => None,
                _ => Some(1.0),
            };
            let now = n.vitals.get(attribute);
            let values = (0..points).map(|i| Some(now? * at(i)?)).collect();
            Series { node: n.name.clone(), id: n.id.clone(), attribute: attribute.clone(), values }
        };
        let series = self.nodes.iter().filter(named).flat_map(|n| q.attribute.iter().map(move |a| of(n, a)));
        let step_seconds = q.seconds / points as f64;
        Ok(SeriesAnswer { step_seconds, to_seconds_ago: 0.4, kept_seconds: 3600.0, series: series.collect() })
    }

    fn status(&self) -> Result<Status, Error> {
        Ok(Status {
            name: "here-1".to_string(),
            id: "01".repeat(32),
            version: "0.1.0".to_string(),
            incarnation: 3,
            uptime_seconds: 312.0,
            listen: vec!["127.0.0.1:40001".to_string()],
            api: vec!["/run/peermon/peermon.sock".to_string(), "http://127.0.0.1:19811".to_string()],
            period_seconds: 1.0,
            pace: PaceView { budget_bytes: Some(32_000.0), cost_bytes: 2_400.0, age_mean_seconds: 0.52, age_most_seconds: 1.04 },
            nodes: BTreeMap::from([("alive".to_string(), 3), ("suspect".to_string(), 1), ("down".to_string(), 1)]),
            links: vec![
                LinkView {
                    name: "here-2".to_string(),
                    address: "127.0.0.1:40002".to_string(),
                    rtt_seconds: Some(0.000_21),
                    role: "ring".to_string(),
                },
                LinkView {
                    name: "0505a0b1".to_string(),
                    address: "[fd00::5]:19810".to_string(),
                    rtt_seconds: None,
                    role: "extra".to_string(),
                },
            ],
            age_mean_seconds: Some(0.52),
            age_max_seconds: Some(1.3),
            cpu_share: Some(0.0042),
            budget: BudgetView {
                cpu_share: Some(0.01),
                used_share: Some(0.015),
                stretch: 1.5,
                why: Some("it used 1.50 % of a core lately; its budget is 1 %".to_string()),
            },
            resident_bytes: Some(12_700_000),
            clock_locked: true,
            clock_error_seconds: 0.000_12,
            seeds_waiting: vec!["10.0.0.9:19810".to_string()],
            counters: BTreeMap::from([
                ("gossip.dropped.replayed".to_string(), 2),
                ("gossip.dropped.forged".to_string(), 0),
                ("gossip.sent.bytes".to_string(), 123_456),
            ]),
            collectors: vec![
                CollectorView { name: "cpu".to_string(), seconds: 0.000_031, every_seconds: 1.0, failure: None },
                CollectorView {
                    name: "filesystem".to_string(),
                    seconds: 2.0,
                    every_seconds: 15.0,
                    failure: Some("/mnt/dead does not answer".to_string()),
                },
            ],
        })
    }

    fn events(&self) -> Result<EventStream, Error> {
        let (sink, stream) = EventStream::pair();
        let (name, id) = ("replay-idle".to_string(), "04".repeat(32));
        sink.send(Event::Member { name: name.clone(), id: id.clone(), state: State::Down, incarnation: 3 });
        sink.send(Event::Record { name, id, incarnation: 4, sequence: 1 });
        sink.send(Event::Lost { count: 7 });
        Ok(stream)
    }

    fn invite(&self) -> Result<Invitation, Error> {
        Ok(Invitation { token: "pm1-token".to_string(), addresses: vec!["10.0.0.1:19810".to_string()] })
    }

    fn join(&self, request: &JoinRequest) -> Result<JoinAnswer, Error> {
        Ok(JoinAnswer { contacting: request.addresses.clone(), new_cluster: request.token.is_some() })
    }

    fn keys(&self) -> Result<Vec<KeyView>, Error> {
        Ok(vec![KeyView { id: 1, sending: true, held_by: 3, of: 3, fingerprint: "a1b2c3d4".to_string() }])
    }

    fn rotate_key(&self) -> Result<Vec<KeyView>, Error> {
        Ok(vec![
            KeyView { id: 1, sending: true, held_by: 3, of: 3, fingerprint: "a1b2c3d4".to_string() },
            KeyView { id: 2, sending: false, held_by: 1, of: 3, fingerprint: "0badcafe".to_string() },
        ])
    }

    fn announce(&self, a: &Announcement) -> Result<Vec<NoticeView>, Error> {
        let shown = NoticeView { topic: a.topic.clone(), text: a.text.clone(), seconds: None };
        Ok(if a.seconds > 0.0 { vec![shown] } else { vec![] })
    }

    fn health(&self) -> Result<HealthAnswer, Error> {
        let text = "the name server 10.0.0.53 does not answer".to_string();
        let reason = ReasonView { probe: "resolver".into(), text, severity: "avoid".into(), seconds: 75.0 };
        let probe = |probe: &str, instance: Option<&str>, history: &str, reason| ProbeView {
            probe: probe.into(),
            instance: instance.map(Into::into),
            history: history.into(),
            tries: 40,
            seconds: 0.0002,
            mean_seconds: Some(0.000_15),
            reason,
        };
        let peer = |name: &str, viable: bool, history: &str| PeerHealthView {
            name: name.into(),
            id: "01".repeat(32),
            viable: Some(viable),
            why: (!viable).then(|| "it did not answer this node's last probe".into()),
            seconds: 9.0,
            history: history.into(),
            rtt_seconds: Some(0.000_3),
            fetch: None,
            viable_share: 0.98,
            sees_me: Some(true),
        };
        Ok(HealthAnswer {
            name: "here-1".into(),
            trust: 0.0,
            reasons: vec![reason.clone()],
            probes: vec![
                probe("resolver", Some("10.0.0.53"), "............................xxxx", Some(reason)),
                probe("sockets", None, "................................", None),
            ],
            sees: Visibility { viable: 1, of: 2 },
            seen_by: Visibility { viable: 2, of: 2 },
            peers: vec![peer("near-2", true, "........"), peer("node-3", false, "........x")],
        })
    }

    fn usage(&self) -> Result<UsageAnswer, Error> {
        let process = |pid, cpus, command: &str| ProcessView {
            pid,
            user: Some("ada".into()),
            command: Some(command.into()),
            cpus,
            mem: 3 << 30,
            read: Some(0.0),
            written: Some(12e6),
            age_seconds: 2.0,
            state: Some("sleeps".into()),
            parent: Some(1),
            threads: Some(4),
            running_seconds: Some(300.0),
        };
        let user = UserView { user: "ada".into(), processes: 2, cpus: 3.5, mem: 6 << 30, read: 0.0, written: 24e6 };
        let gpu = GpuUseView { gpu: 0, pid: 4711, user: None, command: None, mem: Some(2 << 30) };
        Ok(UsageAnswer {
            name: "here-1".into(),
            processes: vec![process(4711, Some(3.5), "solver"), process(12, None, "less")],
            users: vec![user],
            gpus: vec![gpu],
            watched: 90,
        })
    }

    fn claims(&self) -> Result<Vec<ClaimView>, Error> {
        Ok(self.claims.lock().expect("not poisoned").clone())
    }

    fn cancel_claim(&self, number: u16) -> Result<ClaimView, Error> {
        let mut claims = self.claims.lock().expect("not poisoned");
        let at = claims.iter().position(|c| c.number == number);
        at.map(|i| claims.remove(i)).ok_or_else(|| Error::NotFound("no claim with this number".into()))
    }

    fn choose(&self, request: &ChooseRequest) -> Result<BestAnswer, Error> {
        let (amounts, lasts) = (request.amounts()?, request.claim.lasts()?);
        let mut answer = self.best(&request.query)?;
        let mut claims = self.claims.lock().expect("not poisoned");
        for b in answer.best.iter().take(request.most.unwrap_or(usize::MAX)) {
            let claim = ClaimView {
                number: claims.len() as u16 + 1,
                node: b.name.clone(),
                node_id: b.id.clone(),
                by: Some("here-1".into()),
                by_id: Some("01".repeat(32)),
                own: true,
                cpus: amounts.cpus,
                mem: amounts.mem,
                gpus: amounts.gpus,
                age_seconds: 0.0,
                left_seconds: lasts.as_secs_f64(),
            };
            claims.push(claim.clone());
            answer.claims.push(claim);
        }
        Ok(answer)
    }
}
