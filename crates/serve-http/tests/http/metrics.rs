use crate::fake::{Fake, node};
use crate::talk::{Running, To, run, run_with, until};
use peermon_api::State;
use peermon_serve_http::limits::Times;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn text(r: &Running, path: &str) -> String {
    let a = r.tcp.get(path);
    assert_eq!((a.status, a.header("content-type")), (200, PLAIN));
    a.body
}

fn has(text: &str, lines: &[&str]) {
    for l in lines {
        assert!(text.lines().any(|have| have == *l), "{l}\nin\n{text}");
    }
}

#[test]
fn this_nodes_page_has_node_exporters_names() {
    let r = run();
    let t = text(&r, "/metrics");
    has(
        &t,
        &[
            "# HELP node_cpu_seconds_total Time a processor was idle.",
            "# TYPE node_cpu_seconds_total counter",
            "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} 100.5",
            "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} 3",
            "node_filesystem_avail_bytes{device=\"/dev/sda1\",fstype=\"ext4\",mountpoint=\"/a \\\"b\\\"\\\\c\"} 50000000000",
            "# TYPE node_vmstat_pgfault untyped",
            "node_uname_info{domainname=\"(none)\",machine=\"x86_64\",nodename=\"alpha\",release=\"6.1.0 \\\"x\\\"\\\\\",sysname=\"Linux\",version=\"\"} 1",
            "node_os_info{pretty_name=\"Example Linux 12\"} 1",
            "node_boot_time_seconds 1700000000",
            "node_scrape_collector_success{collector=\"cpu\"} 1",
            "node_scrape_collector_success{collector=\"disk\"} 0",
            "peermon_net_rx_bytes_total{net=\"eth0\"} 1000000000",
            "peermon_disk_each_busy_ratio{disk=\"sda\"} 0.25",
            "peermon_nic_bytes_per_second{nic=\"eth0\"} 1000000000",
            "peermon_cpu_busy_ratio 0.25",
            "# HELP peermon_gossip_dropped_replayed_total Datagrams dropped since they were seen before.",
            "peermon_gossip_dropped_replayed_total 7",
            "peermon_packets_sent_total 12345",
            "peermon_daemon_nodes{state=\"alive\"} 2",
            "peermon_daemon_nodes{state=\"left\"} 0",
            "peermon_build_info{version=\"1.2.3\"} 1",
            "peermon_samples_age_seconds 0.25",
            "peermon_http_requests_total 1",
        ],
    );
    r.tcp.get("/nothing");
    has(&text(&r, "/metrics"), &["peermon_http_requests_total 3", "peermon_http_refused_total{reason=\"not_found\"} 1"]);
    well_formed(&t);
}

#[test]
fn the_clusters_page_has_every_node_with_its_age() {
    let r = run();
    let t = text(&r, "/metrics/cluster");
    has(
        &t,
        &[
            "peermon_node_up{node=\"alpha\",id=\"aaaaaaaa\"} 1",
            "peermon_node_up{node=\"beta\",id=\"bbbbbbbb\"} 1",
            "peermon_node_up{node=\"gone\",id=\"cccccccc\"} 0",
            "peermon_node_state{node=\"gone\",id=\"cccccccc\",state=\"down\"} 1",
            "peermon_node_state{node=\"gone\",id=\"cccccccc\",state=\"alive\"} 0",
            "peermon_node_age_seconds{node=\"gone\",id=\"cccccccc\"} 0.75",
            "peermon_mem_available_bytes{node=\"beta\",id=\"bbbbbbbb\"} 32000000000",
            "peermon_net_rx_bytes_per_second{node=\"alpha\",id=\"aaaaaaaa\"} 1000000",
            "peermon_disk_each_busy_ratio{node=\"alpha\",id=\"aaaaaaaa\",disk=\"sda\"} 0.5",
            "peermon_custom_queue_length{node=\"alpha\",id=\"aaaaaaaa\"} 3",
            "peermon_mem_total_bytes{node=\"gone\",id=\"cccccccc\"} 64000000000",
        ],
    );
    for absent in ["peermon_mem_available_bytes{node=\"gone\"", "peermon_node_age_seconds{node=\"twin\"", "id=\"eeeeeeee\""] {
        assert!(!t.contains(absent), "{absent}");
    }
    well_formed(&t);
}

/// What the format asks for, besides what promtool looks at.
fn well_formed(text: &str) {
    assert!(text.ends_with('\n'));
    let mut seen = BTreeSet::new();
    let mut types = BTreeMap::new();
    let mut current = "";
    let mut samples = BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            current = rest.split(' ').next().unwrap();
            assert!(seen.insert(current), "samples of {current} are apart");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, current);
            types.insert(name, kind);
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert_eq!(series.split('{').next().unwrap(), current, "{line}");
            assert!(types.contains_key(current), "{line}");
            assert!(samples.insert(series), "twice: {series}");
            value.parse::<f64>().unwrap();
        }
    }
}

#[test]
fn openmetrics_for_those_who_ask() {
    let r = run();
    for path in ["/metrics", "/metrics/cluster"] {
        let a = r.tcp.ask("GET", path, &[("Accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")], "");
        assert_eq!((a.status, a.header("content-type")), (200, OPEN));
        assert!(a.body.ends_with("\n# EOF\n") && a.body.matches("# EOF").count() == 1);
    }
    let a = r.tcp.ask("GET", "/metrics", &[("Accept", OPEN)], "");
    has(&a.body, &["# TYPE node_cpu_seconds counter", "# TYPE node_vmstat_pgfault unknown"]);
}

#[test]
fn promtool_has_nothing_to_say() {
    let r = run();
    for path in ["/metrics", "/metrics/cluster"] {
        let Some(said) = promtool(&text(&r, path)) else { return };
        assert_eq!(said, "", "{path}");
    }
    assert!(!promtool("a_kilobytes 1\n").unwrap().is_empty(), "it does say something when it should");
}

/// What `promtool check metrics` says of a page; `None` where there is no promtool.
fn promtool(page: &str) -> Option<String> {
    let mut tool = Command::new("promtool");
    tool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match tool.spawn() {
        Ok(c) => c,
        Err(e) => {
            #[allow(clippy::print_stderr)]
            let () = eprintln!("skipped: promtool cannot be run here ({e}); Debian has it in the package prometheus");
            return None;
        }
    };
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let said = [out.stdout, out.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(out.status.success(), said.is_empty(), "{said}");
    // node_exporter's own names mix cases, and dashboards depend on them; about anything else promtool must be silent.
    let theirs = |l: &&str| l.starts_with("node_") && l.ends_with("should be written in 'snake_case' not 'camelCase'");
    Some(said.lines().filter(|l| !theirs(l)).map(|l| format!("{l}\n")).collect())
}

#[test]
fn strange_names_stay_inside_their_quotes() {
    let mut odd = node("we\"ird\\\n{}", 'a', State::Alive);
    odd.vitals.insert("one\"two{three}\nfour é".into(), 1.0);
    odd.vitals.insert("node.up".into(), 9.0);
    odd.id = "short".into();
    let r = run_with(Fake::with(vec![odd]), None, Times::default());
    let t = text(&r, "/metrics/cluster");
    has(&t, &["peermon_node_up{node=\"we\\\"ird\\\\\\n{}\",id=\"short\"} 1"]);
    assert!(t.contains("peermon_custom_node_up{") && t.contains("peermon_custom_one_two_three__four__{"), "{t}");
    if let Some(said) = promtool(&t) {
        assert_eq!(said, "");
    }
}

/// A process that ends with the test, however that ends.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _killed = self.0.kill();
        let _waited = self.0.wait();
    }
}

/// The real thing: Debian's Prometheus asks for OpenMetrics, and takes both pages without a warning.
#[test]
fn prometheus_scrapes_both_pages() {
    let r = run();
    let To::Tcp(target) = r.tcp else { unreachable!("the TCP door") };
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dir = &r.place.0;
    let job = |name: &str, path: &str| {
        format!("- job_name: {name}\n  metrics_path: {path}\n  static_configs: [{{targets: ['{target}']}}]\n")
    };
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n{}{}",
        job("here", "/metrics"),
        job("cluster", "/metrics/cluster")
    );
    std::fs::write(dir.join("p.yml"), config).unwrap();
    let log = std::fs::File::create(dir.join("log")).unwrap();
    let mut prometheus = Command::new("prometheus");
    prometheus.arg(format!("--config.file={}", dir.join("p.yml").display()));
    prometheus.arg(format!("--storage.tsdb.path={}", dir.join("data").display()));
    prometheus.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    prometheus.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let child = match prometheus.spawn() {
        Ok(c) => Ending(c),
        Err(e) => {
            #[allow(clippy::print_stderr)]
            let () = eprintln!("skipped: prometheus cannot be run here ({e}); Debian has it in the package prometheus");
            return;
        }
    };
    let there = To::Tcp(([127, 0, 0, 1], port).into());
    let value = |query: &str| -> Option<String> {
        TcpStream::connect(("127.0.0.1", port)).ok()?;
        let query = query.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
        let answer = there.get(&format!("/api/v1/query?query={query}"));
        // It listens before it is ready.
        if answer.status != 200 {
            return None;
        }
        Some(answer.json()["data"]["result"][0]["value"][1].as_str()?.to_string())
    };
    until("both pages are taken", || value("count(up==1)").as_deref() == Some("2"));
    assert_eq!(value("peermon_node_up{node=\"gone\"}").as_deref(), Some("0"));
    assert_eq!(value("node_cpu_seconds_total{mode=\"idle\",cpu=\"0\"}").as_deref(), Some("100.5"));
    drop(child);
    let log = std::fs::read_to_string(dir.join("log")).unwrap();
    let complaints: Vec<_> =
        log.lines().filter(|l| l.contains("scrape") && (l.contains("level=warn") || l.contains("level=error"))).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}
