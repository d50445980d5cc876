//! A daemon that is not one: a fixed table, and calls that fail on request.

use peermon_api::*;
use peermon_model::{Attribute, Catalogue, CollectorReport, Instant, NodeId, Sample, Samples, Snapshot, Unit};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

pub(crate) static ATTRIBUTES: &[&Attribute] = &[
    &Attribute::counter("cpu.{}.idle.time", Unit::Seconds, "Time a processor was idle.").prom(
        "node_cpu_seconds_total",
        "cpu",
        &[("mode", "idle")],
    ),
    &Attribute::counter("cpu.{}.user.time", Unit::Seconds, "Time a processor ran programs.").prom(
        "node_cpu_seconds_total",
        "cpu",
        &[("mode", "user")],
    ),
    &Attribute::counter("net.{}.rx.bytes", Unit::Bytes, "Bytes received."),
    &Attribute::gauge("disk.{}.busy", Unit::Ratio, "Share of time a disk had work."),
    &Attribute::gauge("fs.{}.avail", Unit::Bytes, "Bytes free.").prom("node_filesystem_avail_bytes", "", &[]),
    &Attribute::counter("mem.faults", Unit::Count, "Page faults.").prom_untyped("node_vmstat_pgfault"),
    &Attribute::gauge("mem.info.total", Unit::Bytes, "All memory.").prom("node_memory_MemTotal_bytes", "", &[]),
    &Attribute::gauge("nic.{}.rate", Unit::BitsPerSecond, "Speed of a link."),
    &Attribute::counter("gossip.dropped.replayed", Unit::Count, "Datagrams dropped since they were seen before."),
];

pub(crate) struct Fake {
    catalogue: Catalogue,
    pub(crate) nodes: Vec<NodeView>,
    pub(crate) ready: Mutex<Result<(), String>>,
    sinks: Mutex<Vec<EventSink>>,
    /// Calls of `node("held")` wait while this is true.
    held: Mutex<bool>,
    released: Condvar,
}

pub(crate) fn node(name: &str, digit: char, state: State) -> NodeView {
    NodeView {
        name: name.into(),
        id: digit.to_string().repeat(64),
        zone: "default".into(),
        addresses: vec!["10.0.0.1:19810".into()],
        state,
        state_seconds: 12.5,
        age_seconds: Some(0.75),
        incarnation: 4,
        period_seconds: 1.0,
        facts: BTreeMap::from([
            ("host.name".into(), FactValue::Text(name.into())),
            ("os.kernel".into(), FactValue::Text("6.1.0 \"x\"\\".into())),
            ("os.name".into(), FactValue::Text("Example Linux 12".into())),
            ("os.arch".into(), FactValue::Text("x86_64".into())),
            ("mem.total".into(), FactValue::Number(64e9)),
            ("cpu.threads".into(), FactValue::Number(8.0)),
            ("boot.time".into(), FactValue::Number(1.7e9)),
        ]),
        vitals: BTreeMap::from([
            ("cpu.busy".into(), 0.25),
            ("mem.available".into(), 32e9),
            ("net.rx.rate".into(), 1e6),
            ("disk.sda.busy".into(), 0.5),
            ("queue.length".into(), 3.0),
        ]),
        avoided: None,
        notices: vec![NoticeView { topic: "maintenance".into(), text: "new fan".into(), seconds: None }],
        this: name == "alpha",
    }
}

impl Fake {
    pub(crate) fn new() -> Arc<Fake> {
        let nodes = vec![
            node("alpha", 'a', State::Alive),
            node("beta", 'b', State::Suspect),
            node("gone", 'c', State::Down),
            NodeView { age_seconds: None, vitals: BTreeMap::new(), ..node("twin", 'd', State::Alive) },
            node("twin", 'e', State::Left),
        ];
        Fake::with(nodes)
    }

    pub(crate) fn with(nodes: Vec<NodeView>) -> Arc<Fake> {
        Arc::new(Fake {
            catalogue: Catalogue::new([ATTRIBUTES]),
            nodes,
            ready: Mutex::new(Ok(())),
            sinks: Mutex::default(),
            held: Mutex::new(false),
            released: Condvar::new(),
        })
    }

    /// Sends an event to all readers, and tells how many there are.
    pub(crate) fn emit(&self, event: &Event) -> usize {
        let mut sinks = self.sinks.lock().unwrap();
        sinks.retain(|s| s.send(event.clone()));
        sinks.len()
    }

    /// How many readers there are.
    pub(crate) fn readers(&self) -> usize {
        self.sinks.lock().unwrap().iter().filter(|s| s.wanted()).count()
    }

    /// Ends all event streams.
    pub(crate) fn end_events(&self) {
        self.sinks.lock().unwrap().clear();
    }

    pub(crate) fn hold(&self, held: bool) {
        *self.held.lock().unwrap() = held;
        self.released.notify_all();
    }
}

impl Service for Fake {
    fn nodes(&self, query: &NodesQuery) -> Result<Vec<NodeView>, Error> {
        // It reads no expressions; what came through is in the answer.
        if query.conditions.len() + query.order.len() > 1 {
            return Err(Error::Conflict(format!("{query:?}")));
        }
        let shown = |n: &&NodeView| query.state.is_none_or(|s| s == n.state) && (query.all || n.state != State::Left);
        Ok(self.nodes.iter().filter(shown).cloned().collect())
    }

    fn node(&self, name_or_id: &str) -> Result<NodeView, Error> {
        match name_or_id {
            "panics" => panic!("asked to"),
            "held" => {
                let held = self.held.lock().unwrap();
                drop(self.released.wait_while(held, |h| *h).unwrap());
            }
            "conflict" => return Err(Error::Conflict("not now".into())),
            "many" => return Err(Error::TooMany("too many".into())),
            "unavailable" => return Err(Error::Unavailable("not yet".into())),
            _ => {}
        }
        let found: Vec<_> = self.nodes.iter().filter(|n| n.name == name_or_id || n.id == name_or_id).collect();
        match found[..] {
            [n] => Ok(n.clone()),
            [] => Err(Error::NotFound(format!("no node is named {name_or_id:?}"))),
            _ => Err(Error::Ambiguous(format!("{} nodes are named {name_or_id:?}", found.len()))),
        }
    }

    fn best(&self, query: &BestQuery) -> Result<BestAnswer, Error> {
        let best = self.nodes.iter().filter(|n| n.state == State::Alive).take(query.n.max(1));
        let best = best.map(|n| BestNode {
            name: n.name.clone(),
            id: n.id.clone(),
            address: "10.0.0.1".into(),
            score: if query.by == By::Cpu { -query.cpu_delta } else { query.mem_delta },
            reasons: vec![format!("{query:?}")],
            age_seconds: 0.75,
        });
        let out = |n: &NodeView| LeftOut { name: n.name.clone(), id: n.id.clone(), reason: format!("it is {}", n.state.name()) };
        let left_out = if query.explain { self.nodes.iter().skip(1).map(out).collect() } else { Vec::new() };
        let nodes = if query.whole { self.nodes[..1].to_vec() } else { Vec::new() };
        Ok(BestAnswer { best: best.collect(), left_out, nodes, per_node: query.select.as_ref().map(|_| 2), claims: vec![] })
    }

    fn series(&self, q: &SeriesQuery) -> Result<SeriesAnswer, Error> {
        // what came over the wire shows in the answer
        let values = vec![Some(0.25), None, Some(q.seconds)];
        let nodes = if q.node.is_empty() { vec!["alpha".to_string()] } else { q.node.clone() };
        let attribute = |node: &String| {
            let one = |a: &String| Series { node: node.clone(), id: "0a".into(), attribute: a.clone(), values: values.clone() };
            q.attribute.iter().map(one).collect::<Vec<_>>()
        };
        Ok(SeriesAnswer {
            step_seconds: q.points.map_or(1.0, |p| p as f64),
            to_seconds_ago: q.fold as u8 as f64,
            kept_seconds: 3600.0,
            series: nodes.iter().flat_map(attribute).collect(),
        })
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

    fn status(&self) -> Result<Status, Error> {
        Ok(Status {
            name: "alpha".into(),
            id: "a".repeat(64),
            version: "1.2.3".into(),
            incarnation: 4,
            uptime_seconds: 3600.0,
            listen: vec!["10.0.0.1:19810".into()],
            api: vec!["http://127.0.0.1:19811".into()],
            period_seconds: 1.0,
            pace: PaceView { budget_bytes: Some(32_000.0), cost_bytes: 2_400.0, age_mean_seconds: 0.52, age_most_seconds: 1.04 },
            nodes: BTreeMap::from([("alive".into(), 2), ("down".into(), 1)]),
            links: vec![LinkView {
                name: "beta".into(),
                address: "10.0.0.2:19810".into(),
                rtt_seconds: Some(0.0003),
                role: "ring".into(),
            }],
            age_mean_seconds: Some(0.5),
            age_max_seconds: Some(1.5),
            cpu_share: Some(0.004),
            budget: BudgetView { cpu_share: Some(0.01), used_share: Some(0.004), stretch: 1.0, why: None },
            resident_bytes: Some(12_000_000),
            clock_locked: true,
            clock_error_seconds: 0.001,
            seeds_waiting: vec!["10.0.0.9:19810".into()],
            counters: BTreeMap::from([("gossip.dropped.replayed".into(), 7), ("packets.sent".into(), 12345)]),
            collectors: vec![CollectorView { name: "cpu".into(), seconds: 0.0001, every_seconds: 1.0, failure: None }],
        })
    }

    fn events(&self) -> Result<EventStream, Error> {
        let (sink, stream) = EventStream::pair();
        self.sinks.lock().unwrap().push(sink);
        Ok(stream)
    }

    fn invite(&self) -> Result<Invitation, Error> {
        Ok(Invitation { token: "secret-token".into(), addresses: vec!["10.0.0.1:19810".into()] })
    }

    fn join(&self, request: &JoinRequest) -> Result<JoinAnswer, Error> {
        match request.token.as_deref() {
            Some("other") if !request.force => Err(Error::Conflict("that is another cluster; say force".into())),
            token => Ok(JoinAnswer { contacting: request.addresses.clone(), new_cluster: token.is_some() }),
        }
    }

    fn keys(&self) -> Result<Vec<KeyView>, Error> {
        Ok(vec![KeyView { id: 1, sending: true, held_by: 2, of: 2, fingerprint: "ab12".into() }])
    }

    fn rotate_key(&self) -> Result<Vec<KeyView>, Error> {
        let old = self.keys()?;
        Ok(old.into_iter().chain([KeyView { id: 2, sending: false, held_by: 1, of: 2, fingerprint: "cd34".into() }]).collect())
    }

    fn announce(&self, a: &Announcement) -> Result<Vec<NoticeView>, Error> {
        let shown = NoticeView { topic: a.topic.clone(), text: a.text.clone(), seconds: None };
        Ok(if a.seconds > 0.0 { vec![shown] } else { vec![] })
    }

    fn health(&self) -> Result<HealthAnswer, Error> {
        let reason =
            ReasonView { probe: "sockets".into(), text: "no sockets left".into(), severity: "avoid".into(), seconds: 3.0 };
        let probe = ProbeView {
            probe: "sockets".into(),
            history: "..x".into(),
            tries: 3,
            reason: Some(reason.clone()),
            ..ProbeView::default()
        };
        let peer = PeerHealthView { name: "beta".into(), id: "02".repeat(32), viable: Some(true), ..PeerHealthView::default() };
        Ok(HealthAnswer {
            name: "alpha".into(),
            reasons: vec![reason],
            probes: vec![probe],
            peers: vec![peer],
            ..HealthAnswer::default()
        })
    }

    fn usage(&self) -> Result<UsageAnswer, Error> {
        let process = ProcessView { pid: 7, mem: 4096, ..ProcessView::default() };
        let user = UserView { user: "ada".into(), processes: 1, ..UserView::default() };
        Ok(UsageAnswer {
            processes: vec![process],
            users: vec![user],
            gpus: vec![GpuUseView::default()],
            ..UsageAnswer::default()
        })
    }

    fn parts(&self) -> Result<PartsAnswer, Error> {
        Ok(PartsAnswer {
            name: "alpha".into(),
            cores: vec![CoreView { name: "0".into(), busy: Some(0.5), ..CoreView::default() }],
            disks: vec![DiskView { name: "sda".into(), read: Some(1e6), ..DiskView::default() }],
            file_systems: vec![FileSystemView {
                point: "/".into(),
                size: Some(1 << 40),
                answers: true,
                ..FileSystemView::default()
            }],
            interfaces: vec![InterfaceView { name: "eth0".into(), link: Some(true), ..InterfaceView::default() }],
            ..PartsAnswer::default()
        })
    }

    fn claims(&self) -> Result<Vec<ClaimView>, Error> {
        Ok(vec![ClaimView { number: 7, node: "alpha".into(), own: true, cpus: 1.0, ..ClaimView::default() }])
    }

    fn claim(&self, request: &ClaimRequest) -> Result<ClaimView, Error> {
        let amounts = request.claim.amounts()?.unwrap_or_default();
        Ok(ClaimView { number: 8, node: request.node.clone().unwrap_or_default(), cpus: amounts.cpus, ..ClaimView::default() })
    }

    fn cancel_claim(&self, number: u16) -> Result<ClaimView, Error> {
        self.claims()?.into_iter().find(|c| c.number == number).ok_or_else(|| Error::NotFound("no such claim".into()))
    }

    fn choose(&self, request: &ChooseRequest) -> Result<BestAnswer, Error> {
        Ok(BestAnswer { claims: self.claims()?, ..self.best(&request.query)? })
    }
}

impl Local for Fake {
    fn live(&self, reader: &mut LiveReader, query: &LiveQuery) -> Result<Live, Error> {
        if query.conditions.iter().any(|c| c == "wrong") {
            return Err(Error::BadRequest("where: column 1: wrong".into()));
        }
        // A table without nodes; what came over the wire shows in the answer.
        let live = reader.next(&Snapshot::empty(NodeId([0; 32])), Instant::ZERO, None);
        Ok(Live { attributes: Some(query.conditions.clone()), ages: vec![Some(query.seconds)], ..live })
    }

    fn samples(&self) -> Option<(Arc<Samples>, Duration)> {
        let sample = |name: &str, instance: Option<&str>, value: f64| Sample {
            attribute: self.catalogue.find(name).unwrap(),
            instance: instance.map(Into::into),
            labels: None,
            value,
        };
        let mut list = vec![
            sample("cpu.{}.idle.time", Some("0"), 100.5),
            sample("net.{}.rx.bytes", Some("eth0"), 1e9),
            sample("cpu.{}.user.time", Some("0"), 3.0),
            sample("disk.{}.busy", Some("sda"), 0.25),
            sample("mem.faults", None, 99.0),
            sample("mem.info.total", None, 64e9),
            sample("nic.{}.rate", Some("eth0"), 8e9),
            sample("cpu.busy", None, 0.25),
            sample("cpu.busy", None, 0.75),
        ];
        let labels: Arc<[_]> =
            [("device", "/dev/sda1".to_string()), ("fstype", "ext4".to_string()), ("mountpoint", "/a \"b\"\\c".to_string())]
                .into();
        list.push(Sample { labels: Some(labels), ..sample("fs.{}.avail", Some("/a \"b\"\\c"), 5e10) });
        let failed = CollectorReport {
            collector: "disk",
            duration: Duration::from_millis(2),
            every: Duration::ZERO,
            failure: Some("no such file".into()),
        };
        let well =
            CollectorReport { collector: "cpu", duration: Duration::from_micros(100), every: Duration::ZERO, failure: None };
        Some((Arc::new(Samples { list, reports: vec![well, failed], ..Samples::default() }), Duration::from_millis(250)))
    }

    fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    fn ready(&self) -> Result<(), String> {
        self.ready.lock().unwrap().clone()
    }
}
