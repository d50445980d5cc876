use super::*;
use proptest::prelude::*;
use std::path::Path;

fn of_file(text: &str) -> Result<Config, ConfigError> {
    let mut config = Config::defaults(&Places::system());
    file::apply(&mut config, Path::new("p.toml"), text)?;
    validate::check(&config)?;
    Ok(config)
}

fn of(flags: &Overrides, file: Option<&str>, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let dir = crate::testing::Dir::new();
    let places = Places { config: dir.path().join("peermon.toml"), ..Places::system() };
    if let Some(text) = file {
        std::fs::write(&places.config, text).expect("writing the file");
    }
    Config::load_with(flags, &places, variables.iter().map(|(k, v)| ((*k).into(), (*v).into())))
}

/// The sample with every option taken out of its comment.
fn uncommented(sample: &str) -> String {
    let option = |l: &str| l.starts_with('#') && l.len() > 1 && !l[1..].starts_with([' ', '#']);
    sample.lines().map(|l| if option(l) { &l[1..] } else { l }).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_committed_sample_is_the_list_of_options() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/peermon.toml");
    if std::env::var_os("UPDATE_SAMPLE").is_some() {
        std::fs::write(&path, sample()).expect("writing the sample");
    }
    let committed = std::fs::read_to_string(&path).expect("the sample is there");
    assert_eq!(committed, sample(), "run the test with UPDATE_SAMPLE=1 to write packaging/peermon.toml anew");
}

#[test]
fn the_sample_equals_the_defaults() {
    let text = uncommented(&sample());
    assert_eq!(of_file(&text).expect("the sample is valid"), Config::defaults(&Places::system()));
    for option in OPTIONS.iter().filter(|o| o.example.is_none()) {
        let leaf = option.key.rsplit('.').next().expect("a key has a last part");
        assert!(text.lines().any(|l| l.starts_with(&format!("{leaf} = "))), "{} is not in the sample", option.key);
        assert!(!option.help.is_empty() && option.help.lines().all(|l| l.len() <= 125), "{}", option.key);
    }
}

#[test]
fn the_samples_examples_are_valid() {
    for option in OPTIONS {
        if let Some(example) = option.example {
            let config = of_file(example).unwrap_or_else(|e| panic!("{}: {e}", option.key));
            assert_ne!(option.show(&config), option.show(&Config::defaults(&Places::system())), "{}", option.key);
        }
    }
}

#[test]
fn later_words_win() {
    let check = |flags: &Overrides, file, variables: &[(&str, &str)], rate_max: f64| {
        assert_eq!(of(flags, file, variables).expect("valid").gossip.rate_max, rate_max);
    };
    let file = Some("[gossip]\nrate_max = \"20kB\"\n");
    let mut flag = Overrides::default();
    flag.set("gossip.rate_max", "40kB");
    check(&Overrides::default(), None, &[], 256e3);
    check(&Overrides::default(), file, &[], 20e3);
    check(&Overrides::default(), file, &[("PEERMON_GOSSIP_RATE_MAX", "30kB")], 30e3);
    check(&flag, file, &[("PEERMON_GOSSIP_RATE_MAX", "30kB")], 40e3);
}

#[test]
fn everything_can_be_said() {
    let c = of_file(
        r#"
        name = "node-1"
        period = "500ms"
        cpu_budget = "1.5 %"
        join = ["10.0.0.1", "seed.lab:7000"]
        listen_only = true
        source = "replay:/tmp/a@b@90s"
        [gossip]
        listen = ["127.0.0.1:0"]
        allow = ["10.0.0.0/8"]
        members_max = 50
        [discovery]
        enabled = false
        [api]
        http = ""
        socket = ""
        [log]
        level = "debug"
        format = "json"
        [collector_periods]
        fans = "1m"
        cpu = "5s"
        [labels]
        rack = "r1"
        slot = 7
        [[notice]]
        topic = "maintenance"
        text = "soon"
        [[vital]]
        attribute = "disk.sda.busy"
        unit = "ratio"
        "#,
    )
    .expect("valid");
    assert_eq!(c.name.as_ref().map(NodeName::as_str), Some("node-1"));
    assert_eq!(c.period, Duration::from_millis(500));
    assert_eq!(c.source, ValueSource::Replay { trace: "/tmp/a@b".into(), from: Duration::from_secs(90) });
    assert_eq!(c.join[1], Seed::Name("seed.lab".into(), 7000));
    let periods = c.collector_periods.iter().map(|(k, d)| (k.as_str(), d.as_secs()));
    assert_eq!((periods.collect::<Vec<_>>(), c.cpu_budget), (vec![("cpu", 5), ("fans", 60)], Some(0.015)));
    assert_eq!((c.listen_only, c.discovery.enabled, c.api.http, c.api.socket.clone()), (true, false, None, None));
    assert_eq!(c.facts().label("slot"), Some("7"));
    assert_eq!((c.notices.len(), c.vitals.len(), c.gossip.members_max), (1, 1, 50));
    assert_eq!((c.log.level, c.log.format), (LogLevel::Debug, LogFormat::Json));
}

#[test]
fn what_is_shown_reads_back() {
    let shown = |c: &Config| OPTIONS.iter().map(|o| format!("{} = {}\n", o.key, o.show(c))).collect::<String>();
    let examples: String = OPTIONS.iter().filter_map(|o| o.example).map(|e| format!("{e}\n")).collect();
    let floor = "[[vital]]\nattribute = \"x\"\nunit = \"bytes/s\"\nfloor = 0.5\n";
    let more = "join = [\"a.lab\"]\nsource = \"replay:x@90s\"\nwithout_collectors = [\"users\"]\ncpu_budget = \"off\"\ngossip.allow = [\"10.0.0.0/8\"]\n\
         dns.listen = [\"127.0.0.1:53\"]\ndns.zone = \"a.b\"\ndns.name_servers = [\"c.d\"]\ndns.allow = [\"10.0.0.0/8\"]\n";
    for text in [String::new(), format!("{more}{examples}{floor}")] {
        let config = of_file(&text).expect("valid");
        assert_eq!(of_file(&shown(&config)).expect("valid"), config, "{}", shown(&config));
    }
}

#[test]
fn no_budget_is_no_limit() {
    for text in ["budget = 0", "budget = \"0\""] {
        assert_eq!(of_file(text).expect(text).budget, 0);
    }
}

#[test]
fn mistakes_are_named_with_their_line() {
    // (file, what the message must hold)
    let cases: &[(&str, &[&str])] = &[
        ("nmae = \"x\"", &["p.toml line 1", "\"nmae\"", "did you mean \"name\"?"]),
        ("\n[gossip]\n\nrate_mx = \"1kB\"", &["line 4", "\"gossip.rate_mx\"", "\"gossip.rate_max\""]),
        ("[gosip]\nlisten = []", &["line 1", "\"gosip\"", "\"gossip\""]),
        ("rate_max = \"1kB\"", &["\"gossip.rate_max\""]),
        ("zzzzzz = 1", &["packaging/peermon.toml"]),
        ("period = \"5 parsecs\"", &["line 1", "period", "125ms", "16s", "parsecs"]),
        ("period = 1", &["must be a duration"]),
        ("period = \"300ms\"", &["1/64"]),
        ("name = \"a b\"", &["line 1", "not a node name"]),
        ("name = \"unclosed", &["line 1", "not valid TOML"]),
        ("\n\n= 3", &["line 3", "not valid TOML"]),
        ("gossip = 3", &["\"gossip\""]),
        ("source = \"replay:\"", &["replay:TRACE"]),
        ("source = \"ganglia\"", &["replay:TRACE"]),
        ("join = [\"10.0.0\"]", &["HOST:PORT", "10.0.0"]),
        ("[gossip]\nlisten = [\"127.0.0.1\"]", &["ADDRESS:PORT"]),
        ("[gossip]\nlisten = []", &["names no address"]),
        ("[gossip]\nmembers_max = 1", &["from 2 to 100000"]),
        ("[gossip]\nmembers_max = 99999999999999999999", &["too large"]),
        ("[gossip]\nhide_after = \"2d\"", &["remove_after"]),
        ("[gossip]\nadvertise = [\"0.0.0.0:1\"]", &["nobody can send to"]),
        ("[discovery]\ngroup = \"10.0.0.1:5\"", &["multicast"]),
        ("[api]\nhttp = \"0.0.0.0:80\"", &["api.token_file"]),
        ("[dns]\nlisten = [\"127.0.0.1:53\"]", &["dns.zone", "cluster.example.org"]),
        ("[dns]\nttl = \"1500ms\"", &["whole seconds"]),
        ("[dns]\nanswers = 17", &["from 1 to 16"]),
        ("[log]\nlevel = \"loud\"", &["error, warn, info, debug, trace"]),
        ("[labels]\n\"a b\" = \"x\"", &["label", "a b"]),
        ("cpu_budget = \"2\"", &["0.05%", "100%"]),
        ("cpu_budget = \"0.01%\"", &["a share from 0.05% to 100%"]),
        ("cpu_budget = 1", &["a share from", "\"off\" is no limit"]),
        ("budget = \"12 miles\"", &["a size from 500B to 1GB", "12 miles", "\"0\" is no limit"]),
        ("budget = 3", &["500B"]),
        ("without_collectors = [\"fan\"]", &["no collector", "did you mean \"fans\"?"]),
        ("[collector_periods]\ncgruops = \"1m\"", &["\"cgruops\"", "did you mean \"cgroups\"?"]),
        ("[collector_periods]\nqqqqqqqqqq = \"1m\"", &["qqq", "cpu, load, procs"]),
        ("[collector_periods]\nfans = \"2h\"", &["\"fans\"", "from 125ms to 1h"]),
        ("[collector_periods]\ncpu = \"30s\"", &["\"cpu\"", "from 125ms to 10s", "all nodes see"]),
        ("[collector_periods]\ncpu = 5", &["\"cpu\"", "a duration"]),
        ("collector_periods = \"cpu\"", &["NAME=PERIOD"]),
        ("[[notice]]\ntopic = \"t\"", &["needs \"text\""]),
        ("[[notice]]\ntopic = \"t\"\ntext = \"x\"\nwhen = 3", &["knows no \"when\""]),
        ("[[vital]]\nattribute = \"cpu.busy\"\nunit = \"ratio\"", &["anyway"]),
        ("[[vital]]\nattribute = \"x\"\nunit = \"furlongs\"", &["furlongs", "celsius"]),
        ("[[vital]]\nattribute = \"x\"\nunit = \"bytes\"", &["floor"]),
        ("[[vital]]\nattribute = \"x\"\nunit = \"ratio\"\nfile = \"x\"", &["from / on"]),
        ("[[vital]]\nattribute = \"x\"\nunit = \"ratio\"\nfactor = 2", &["no file"]),
    ];
    for (text, wanted) in cases {
        let message = of_file(text).expect_err(text).to_string();
        for w in *wanted {
            assert!(message.contains(w), "{text:?} gave {message:?}, without {w:?}");
        }
    }
}

#[test]
fn environment_and_flags_name_themselves_when_wrong() {
    let none = Overrides::default();
    let message = of(&none, None, &[("PEERMON_PERIOD", "often")]).expect_err("wrong").to_string();
    assert!(message.contains("PEERMON_PERIOD") && message.contains("often"), "{message}");
    let mut flag = Overrides::default();
    flag.set("gossip.listne", "x");
    let message = of(&flag, None, &[]).expect_err("wrong").to_string();
    assert!(message.contains("command line") && message.contains("gossip.listen"), "{message}");
    let c = of(
        &none,
        None,
        &[
            ("PEERMON_JOIN", "10.0.0.1, 10.0.0.2"),
            ("PEERMON_LABELS", "a=1,b=2"),
            ("PEERMON_COLLECTOR_PERIODS", "fans=2m,users=3s"),
            ("PEERMON_TYPO", ""),
        ],
    )
    .expect("fine");
    assert_eq!((c.join.len(), c.labels.len(), c.collector_periods.len()), (2, 2, 2));
    assert!(c.origin.expect("loaded").warnings[0].contains("PEERMON_TYPO"));
}

#[test]
fn a_named_file_must_be_there_the_default_one_need_not() {
    let mut named = Overrides::default();
    named.config = Some("/nonexistent/peermon.toml".into());
    let message = of(&named, None, &[]).expect_err("not there").to_string();
    assert!(message.contains("/nonexistent/peermon.toml"), "{message}");
    of(&Overrides::default(), None, &[]).expect("defaults");
}

#[test]
fn reload_reads_the_file_again() {
    let dir = crate::testing::Dir::new();
    let file = dir.path().join("c.toml");
    std::fs::write(&file, "[labels]\na = \"1\"").expect("writing");
    let mut flags = Overrides::default();
    flags.config = Some(file.clone());
    flags.set("name", "n");
    let config = Config::load_with(&flags, &Places::system(), []).expect("valid");
    std::fs::write(&file, "period = \"2s\"\n[labels]\na = \"2\"").expect("writing");
    let again = config.reload().expect("valid");
    assert_eq!((again.labels["a"].as_str(), again.name.as_ref().map(NodeName::as_str)), ("2", Some("n")));
    assert_eq!(config.restart_needed(&again), ["period"]);
    std::fs::write(&file, "period = 2").expect("writing");
    config.reload().expect_err("wrong");
}

#[test]
fn host_names_become_node_names() {
    for (host, name) in [("node-1.lab", "node-1.lab"), ("", "unnamed"), ("a b/ö", "a-b--"), (&"x".repeat(80), &"x".repeat(63))] {
        assert_eq!(name_of_host(host).as_str(), name);
    }
}

/// Lines that look like configuration, often enough valid.
fn lines() -> impl Strategy<Value = String> {
    let keys = prop::sample::select(
        OPTIONS.iter().map(|o| o.key).chain(["gossip", "[gossip]", "[[notice]]", "[labels]", "x"]).collect::<Vec<_>>(),
    );
    let values = prop_oneof![
        Just("\"1s\"".to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|x| format!("{x:?}")),
        ".{0,12}",
        "\"[ -~]{0,20}\"",
        Just("[[1, 2], {a = 3}]".to_string()),
        Just("{ topic = \"a\", text = \"b\" }".to_string()),
        Just("1979-05-27T07:32:00Z".to_string()),
    ];
    (keys, prop::sample::select(vec!["=", "", ".x="]), values).prop_map(|(k, eq, v)| format!("{k}{eq}{v}"))
}

proptest! {
    #[test]
    fn no_text_panics(text in prop_oneof!["(?s).{0,200}", prop::collection::vec(lines(), 0..8).prop_map(|l| l.join("\n"))]) {
        drop(of_file(&text).map_err(|e| e.to_string()));
    }

    #[test]
    fn no_variable_panics(which in 0..OPTIONS.len(), value in ".{0,40}") {
        let variable = OPTIONS[which].variable();
        let mut config = Config::defaults(&Places::system());
        drop(environment::read([(variable.into(), value.into())]).apply(&mut config));
    }
}
