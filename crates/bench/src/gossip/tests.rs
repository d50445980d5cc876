use super::cells::{PEERMON_FAST, WAVE};
use super::*;

fn words(line: &str) -> impl Iterator<Item = String> {
    line.split_whitespace().map(String::from).collect::<Vec<_>>().into_iter()
}

#[test]
fn options_are_read_and_wrong_ones_named() {
    let options =
        parse(words("--nodes 50,2200 --only wave,push --runs full-rows --seed 7 --jobs 3 --watch 60 --loss 5 --out x")).unwrap();
    assert_eq!((options.runs, options.loss_max), (vec![Run::FullRows], 0.05));
    assert_eq!((options.nodes, options.only, options.seed), (vec![50, 2200], vec![WAVE, PUSH], 7));
    for (line, named) in [
        ("--nodes 9", "from 10 to 10000"),
        ("--nodes fifty", "\"fifty\" is no number"),
        ("--only serf", "there are wave, peermon-10s"),
        ("--runs none", "there are losses, events"),
        ("--seed", "--seed needs a value"),
        ("--fast 1", "no option --fast"),
    ] {
        let error = format!("{:#}", parse(words(line)).unwrap_err());
        assert!(error.contains(named), "{line}: {error}");
    }
}

/// All protocols and conditions at ten nodes, and all that is made of the figures.
#[test]
fn a_tiny_cluster_gives_every_figure_and_a_page() {
    let directory = std::env::temp_dir().join(format!("peermon-gossip-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let numbers = directory.join("gossip-figures.tsv");
    let options = parse(words("--nodes 10")).unwrap();
    let plan = Plan { seed: 1, watch: Duration::from_secs(2), loss_max: 0.2, brief: true };
    let mut figures = Figures::default();
    measure(&mut figures, &options, &plan, &numbers).unwrap();
    for p in PROTOCOLS {
        let at = |condition: &str, quantity: &str| {
            figures.at(10, p.key, condition, quantity).unwrap_or_else(|| panic!("{}: no {condition} {quantity}", p.key))
        };
        let period = p.period.as_secs_f64();
        for (condition, loss) in cells::LOSSES {
            let (mean, p99, max) = (at(condition, "age_mean"), at(condition, "age_p99"), at(condition, "age_max"));
            assert!(0.0 < mean && mean <= p99 && p99 <= max, "{} {condition}: {mean} {p99} {max}", p.key);
            assert!(mean < 3.0 * period && max < 10.0 * period, "{} {condition}: {mean} {max}", p.key);
            assert!(at(condition, "redundancy") >= 1.0 && at(condition, "rows_per_new") >= 1.0, "{} {condition}", p.key);
            assert!(at(condition, "busiest") >= 1.0 && at(condition, "row_bytes") >= 2.0, "{} {condition}", p.key);
            let received = at(condition, "received") / at(condition, "sent");
            assert!((received - (1.0 - loss)).abs() < 0.05, "{} {condition}: {received} of what was sent arrived", p.key);
            assert!(loss > 0.0 || at(condition, "false_down") == 0.0 && at(condition, "rows_missing") == 0.0, "{}", p.key);
        }
        assert!(at("crash", "dead_mean") <= at("crash", "dead_worst") && at("crash", "dead_worst") < 12.0 * period, "{}", p.key);
        assert!(at("join", "complete") < 12.0 * period, "{}", p.key);
    }
    let wave = |condition, quantity| figures.at(10, "wave", condition, quantity).unwrap();
    assert!(wave("loss-0", "age_mean") < 0.6 && wave("loss-0", "age_max") < 1.3 && wave("loss-0", "rows_per_new") < 1.1);
    assert!(wave("crash", "suspect_worst") < 1.5 && wave("crash", "dead_worst") < 2.6);
    assert!(wave("partition", "fresh") < 2.0 && wave("partition", "down_worst") < 6.0);
    assert_eq!((wave("stalls", "dead"), wave("watch-20", "false_down")), (0.0, 0.0));
    // whole rows are longer, and PeerMon's are 28 bytes
    assert!(wave("full-rows", "row_bytes") > wave("loss-0", "row_bytes"));
    assert_eq!(figures.at(10, "peermon-1s", "loss-0", "row_bytes"), Some(28.0));

    // the saved numbers are the measured ones, and a second run's are the same
    assert_eq!(Figures::read(&numbers).unwrap().sizes(), [10]);
    let mut again = Figures::default();
    let options = Options { only: vec![WAVE, PEERMON_FAST], jobs: 1, ..options };
    measure(&mut again, &options, &plan, &numbers).unwrap();
    for (protocol, quantity) in [("wave", "sent"), ("wave", "age_max"), ("peermon-1s", "age_mean")] {
        assert_eq!(again.at(10, protocol, "loss-20", quantity), figures.at(10, protocol, "loss-20", quantity));
    }

    write(&figures, &directory).unwrap();
    let page = std::fs::read_to_string(directory.join("gossip-figures.md")).unwrap();
    for p in PROTOCOLS {
        assert!(page.contains(&format!("| {} |", p.name)), "{page}");
    }
    assert!(page.contains("## 10 nodes") && page.contains("gossip-age-bytes.svg") && !page.contains("NaN"), "{page}");
    for name in ["gossip-age-bytes.svg", "gossip-age-loss.svg"] {
        let plot = std::fs::read_to_string(directory.join(name)).unwrap();
        assert!(plot.starts_with("<svg") && plot.ends_with("</svg>\n") && !plot.contains("NaN") && plot.len() < 40_000, "{plot}");
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn push_needs_a_row_length() {
    let cell = cells::cells(50, PUSH)[0];
    let plan = Plan { seed: 1, watch: Duration::ZERO, loss_max: 0.2, brief: true };
    let error = cell.measure(&plan, &Figures::default()).unwrap_err();
    assert!(format!("{error:#}").contains("--only wave"), "{error:#}");
}
