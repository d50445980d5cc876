use crate::limits::{LENGTH_MAX, NODES_MAX};
use crate::words::{Row, Vocabulary, Word};
use crate::{Alias, Compiled, Dialect, Dimension, Expression};
use peermon_model::Unit;

mod properties;

/// Names and values that the tests write down. What has no value is not known.
const WORDS: &[(&str, Word)] = &[
    ("cpu.busy", Word::Number(Unit::Ratio)),
    ("cpu.threads", Word::Number(Unit::Count)),
    ("load.1", Word::Number(Unit::Count)),
    ("mem.available", Word::Number(Unit::Bytes)),
    ("mem.total", Word::Number(Unit::Bytes)),
    ("net.rx.rate", Word::Number(Unit::BytesPerSecond)),
    ("nic.speed", Word::Number(Unit::BitsPerSecond)),
    ("age", Word::Number(Unit::Seconds)),
    ("temperature.max", Word::Number(Unit::Celsius)),
    ("gone.number", Word::Number(Unit::Count)),
    ("gone.text", Word::Text),
    ("gone.truth", Word::Truth),
    ("zone", Word::Text),
    ("os.kernel", Word::Text),
    ("label.big", Word::Text),
    ("label.small", Word::Text),
    ("label.gpu-type", Word::Text),
    ("state", Word::Choice(&["alive", "suspect", "down"])),
    ("me", Word::Truth),
];

struct Words;

impl Vocabulary for Words {
    type Key = &'static str;
    fn find(&self, name: &str) -> Option<(&'static str, Word)> {
        WORDS.iter().find(|w| w.0 == name).copied()
    }
    fn names(&self, each: &mut dyn FnMut(&str)) {
        WORDS.iter().for_each(|w| each(w.0));
    }
}

struct Machine;

impl Row<&'static str> for Machine {
    fn number(&self, key: &&'static str) -> Option<f64> {
        Some(match *key {
            "cpu.busy" => 0.25,
            "cpu.threads" => 8.0,
            "load.1" => 2.0,
            "mem.available" => 4e9,
            "mem.total" => 16e9,
            "net.rx.rate" => 50e6,
            "nic.speed" => 1e9,
            "age" => 0.5,
            "temperature.max" => 61.0,
            _ => return None,
        })
    }
    fn text<'a>(&'a self, key: &'a &'static str) -> Option<&'a str> {
        Some(match *key {
            "zone" => "rack-7",
            "os.kernel" => "6.1.0-18-amd64",
            "label.big" => "yes",
            "label.gpu-type" => "a100",
            "state" => "alive",
            _ => return None,
        })
    }
    fn truth(&self, key: &&'static str) -> Option<bool> {
        (*key == "me").then_some(true)
    }
}

fn read(text: &str) -> Expression {
    text.parse().unwrap_or_else(|e| panic!("{text}\n{e}"))
}

#[test]
fn conditions_hold_or_not_or_are_not_known() {
    let check = |text: &str, expected: Option<bool>| {
        let condition = read(text).condition(&Words).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(condition.holds(&Machine), expected, "{text}");
    };
    check("mem.available > 3GB", Some(true));
    check("mem.available >= 4 GiB", Some(false));
    check("cpu.busy < 25%", Some(false));
    check("cpu.busy <= 25%", Some(true));
    check("net.rx.rate < 50% * nic.speed", Some(true));
    check("nic.speed == 1Gbit/s && nic.speed == 125MB/s", Some(true));
    check("age < 1500ms", Some(true));
    check("age > 1h || age < 1min", Some(true));
    check("temperature.max > 60C", Some(true));
    check("load.1 / cpu.threads < 0.3", Some(true));
    check("mem.available / mem.total == 25%", Some(true));
    check("mem.available > 0", Some(true));
    check("-load.1 + 3 > 0", Some(true));
    check("mem.total - mem.available > 10GB", Some(true));
    check("1 + 2 * 3 == load.1 + 5", Some(true));
    check("8 - 4 - 2 == load.1", Some(true));
    check("8 / 2 / 2 == load.1", Some(true));
    check("net.rx.rate * age == 25MB", Some(true));
    check("zone == \"rack-7\" and not zone == 'rack-8'", Some(true));
    check("zone != \"rack-7\"", Some(false));
    check("zone ~ \"rack-*\"", Some(true));
    check("zone !~ \"rack-?\"", Some(false));
    check("zone in (\"rack-6\", \"rack-7\")", Some(true));
    check("zone not in (\"rack-6\", \"rack-7\")", Some(false));
    check("load.1 in (1, 2)", Some(true));
    check("load.1 in (-1, 3)", Some(false));
    check("state == \"alive\" && me", Some(true));
    check("me == (load.1 > 3)", Some(false));
    check("!me || !(load.1 > 3)", Some(true));
    check("tag(big) && !tag(small)", Some(true));
    check("tag(\"gpu-type\") && label.\"gpu-type\" == \"a100\"", Some(true));
    check("contains(os.kernel, \"amd\")", Some(true));
    check("starts_with(os.kernel, zone)", Some(false));
    check("ends_with(os.kernel, \"64\")", Some(true));
    check("version_at_least(os.kernel, \"5.10\")", Some(true));
    check("version_at_least(os.kernel, \"6.2\")", Some(false));
    // What is not known.
    check("gone.number > 1", None);
    check("gone.number == gone.number", None);
    check("gone.number > 1 && cpu.busy > 90%", Some(false));
    check("cpu.busy > 90% && gone.number > 1", Some(false));
    check("gone.number > 1 && cpu.busy < 90%", None);
    check("gone.number > 1 || cpu.busy < 90%", Some(true));
    check("cpu.busy < 90% || gone.truth", Some(true));
    check("gone.number > 1 || cpu.busy > 90%", None);
    check("!gone.truth", None);
    check("gone.text == \"\"", None);
    check("gone.text not in (\"a\")", None);
    check("gone.number not in (1)", None);
    check("label.small !~ \"*\"", None);
    check("known(gone.number) || known(gone.text) || known(gone.truth)", Some(false));
    check("known(cpu.busy) && known(zone) && known(me)", Some(true));
    check("default(gone.number, 3) > 2", Some(true));
    check("default(gone.text, zone) == \"rack-7\"", Some(true));
    check("default(gone.truth, false) || default(me, false)", Some(true));
    check("load.1 / gone.number > 0", None);
    check("load.1 / (load.1 - 2) > 0", None);
    check("known(load.1 / (load.1 - 2))", Some(false));
    check("sqrt(0 - load.1) > 0", None);
    check("min(load.1, gone.number) > 0", None);
    check("max(gone.number, load.1) > 0", None);
    check("if(gone.truth, true, true)", None);
    check("default(cpu.busy, 1) == 1", Some(false));
    check("known(cpu.busy) == true", Some(true));
    check("1e308 * cpu.threads > 1", None);
    // Functions on numbers.
    check("min(cpu.threads, 4, load.1) == 2", Some(true));
    check("max(mem.available, 5GB) == 5GB", Some(true));
    check("abs(1 - load.1) == 1", Some(true));
    check("floor(load.1 / 4 * 3) == 1 && ceil(load.1 / 4 * 3) == 2 && round(load.1 / 4 * 3) == 2", Some(true));
    check("sqrt(cpu.threads * load.1) == 4 && log2(cpu.threads) == 3", Some(true));
    check("if(me, load.1, 7) == 2 && if(me, zone, \"\") == \"rack-7\" && if(!me, false, true)", Some(true));
    check("true", Some(true));
    check("false && gone.truth", Some(false));
}

#[test]
fn errors_say_where_and_what_to_do() {
    // What is printed, line by line.
    let check = |text: &str, message: &str, marked: &str, hint: &str| {
        let error = match text.parse::<Expression>() {
            Err(e) => e,
            Ok(e) => e.condition(&Words).err().unwrap_or_else(|| panic!("{text} is taken")),
        };
        assert_eq!(
            (error.message(), &text[error.range()], error.hint().unwrap_or("")),
            (message, marked, hint),
            "{text}\n{error}"
        );
    };
    check("", "there is no expression", "", "write one, e.g. cpu.busy < 50%");
    check("cpu.bsy < 1", "no attribute is named cpu.bsy", "cpu.bsy", "did you mean cpu.busy?");
    check("available > 1GB", "no attribute is named available", "available", "did you mean mem.available?");
    check("mem.free > 1GB", "no attribute is named mem.free", "mem.free", "there are mem.available, mem.total");
    check("zone == rack", "no attribute is named rack", "rack", "is it a text? Write \"rack\". Is it a label? Write tag(rack)");
    check(
        "label.gpu-type == \"x\"",
        "no attribute is named label.gpu",
        "label.gpu",
        "a part of a name with other signs stands in quotes: label.\"gpu-type\"",
    );
    check(
        "mem.available > 4",
        "mem.available is in bytes, but 4 is a number without a unit",
        "mem.available > 4",
        "write its unit, e.g. 4GiB",
    );
    check("5 < age", "5 is a number without a unit, but age is a time", "5 < age", "write its unit, e.g. 5s");
    check(
        "age + mem.total > 1s",
        "age is a time, but mem.total is in bytes",
        "age + mem.total",
        "only what has the same unit can be compared or added",
    );
    check("cpu.busy < 80", "cpu.busy is a share from 0 to 1, and never 80", "80", "write 80%");
    check("120% > cpu.busy", "cpu.busy is a share from 0 to 1, and never 120%", "120%", "shares go from 0% to 100%");
    check("cpu.busy in (1, 2)", "cpu.busy is a share from 0 to 1, and never 2", "2", "write 2%");
    check("mem.available > 4gib", "\"gib\" is not a unit", "gib", "write GiB");
    check("age > 5m", "\"m\" is not a unit", "m", "write min (minutes) or M (MiB)");
    check(
        "age > 5parsec",
        "\"parsec\" is not a unit",
        "parsec",
        "units are e.g. % KiB MiB GiB MB GB MB/s Gbit/s us ms s min h d /s MHz GHz C",
    );
    check("cpu.busy", "a condition is wanted here, and this is a share from 0 to 1", "cpu.busy", "compare it: cpu.busy < 50%");
    check("zone && me", "a condition is wanted here, and this is a text", "zone", "compare it: zone == \"...\"");
    check("zone == 7", "zone is a text, but 7 is a number without a unit", "zone == 7", "texts stand in quotes: \"7\"");
    check(
        "os.kernel >= \"6.1\"",
        "texts have no order",
        "os.kernel >= \"6.1\"",
        "for versions, write version_at_least(os.kernel, \"6.1\")",
    );
    check("state == \"alvie\"", "it is never \"alvie\"", "\"alvie\"", "did you mean \"alive\"?");
    check("state in (\"on\")", "it is never \"on\"", "\"on\"", "it is one of alive, suspect, down");
    check(
        "zone ~ os.kernel",
        "a text in quotes is wanted here",
        "os.kernel",
        "only texts written out can be patterns or versions",
    );
    check("version_at_least(os.kernel, \"x\")", "a version has numbers", "\"x\"", "e.g. \"6.1\"");
    check("4GB > 1GB", "this is always true: it names no attribute", "4GB > 1GB", "");
    check(
        "me && 'zone' == 'b'",
        "this is always false: it names no attribute",
        "'zone' == 'b'",
        "attributes stand without quotes",
    );
    check("load.1 / (2 - 2) > 1", "this divides by zero, so it is never known", "load.1 / (2 - 2)", "");
    check("sqrt(1 - 2) > load.1", "this has no value: it overflows, or it is a root or logarithm of nothing", "sqrt(1 - 2)", "");
    check(
        "log2(mem.total) > 1",
        "log2 takes a number without a unit, and this is in bytes",
        "mem.total",
        "divide it by something in the same unit first",
    );
    check(
        "mem.total*mem.total*mem.total*mem.total*mem.total > 1",
        "its unit would be a power that means nothing",
        "mem.total*mem.total*mem.total*mem.total*mem.total",
        "divide by something alike first",
    );
    check("knwn(me)", "there is no function knwn", "knwn", "did you mean known?");
    check("known()", "known takes 1 argument, not 0", "known()", "write known(ATTRIBUTE)");
    check("min(1) > 2", "min takes 2 to 8 arguments, not 1", "min(1)", "write min(A, B, ...)");
    check("if(me, 1, zone) > 1", "one is a number without a unit, the other a text", "if(me, 1, zone)", "both must be alike");
    check("load.1 = 2", "'=' means nothing here", "=", "to compare, write ==");
    check("me & me", "'&' means nothing here", "&", "write && or the word and");
    check("me {", "'{' means nothing here", "{", "group with ( and )");
    check("1 < load.1 < 3", "comparisons do not chain", "<", "write a < b && b < c");
    check("(me", "this bracket is not closed: \")\" is missing", "(", "");
    check("me)", "this bracket was never opened", ")", "");
    check("me me", "an operator is missing before this", "me", "conditions are joined with && or ||");
    check("me &&", "the expression ends too early", "", "a value is missing at the end");
    check("&& me", "a value is missing before this", "&&", "");
    check(
        "me, me",
        "a comma separates arguments of functions and items of lists only",
        ",",
        "conditions are joined with && or ||",
    );
    check("zone in \"a\"", "an operator is missing before this", "\"a\"", "a list stands in brackets: zone in (\"a\", \"b\")");
    check("zone in (a)", "lists hold numbers and texts only", "a", "is it a text? Write \"a\"");
    check("zone == \"a", "the text has no closing quote", "\"a", "end it with \"");
    check("zone == \"\\n\"", "a backslash stands before a quote or a backslash only", "\\", "");
    check(
        "label. == 1",
        "a name does not end with a dot",
        ".",
        "parts of a name with other signs stand in quotes: label.\"gpu-type\"",
    );
    check("load.1 > 1e999", "the number is too large", "1e999", "numbers go up to 1e308");
    check("mem.total > 1e308GB", "the number is too large", "1e308GB", "numbers go up to 1e308");
}

#[test]
fn a_caret_stands_under_what_is_meant() {
    let check = |text: &str, expected: &str| {
        let e = text.parse::<Expression>().and_then(|e| e.condition(&Words)).expect_err(text);
        assert_eq!(e.to_string(), expected);
    };
    check(
        "zone == \"ü\" && zne == \"\"",
        "column 16: no attribute is named zne\n  zone == \"ü\" && zne == \"\"\n                 ^^^\n  did you mean zone?",
    );
    check("me\n  && mee", "column 6: no attribute is named mee\n    && mee\n       ^^^\n  did you mean me?");
    check("me &&", "column 6: the expression ends too early\n  me &&\n       ^\n  a value is missing at the end");
    // Of a long line the part around.
    let e = format!("{} && mee", ["me"; 60].join(" && ")).parse::<Expression>().expect("read").condition(&Words);
    let e = e.expect_err("a mistyped name");
    assert_eq!(e.column(), 361);
    let said = e.to_string();
    let lines: Vec<_> = said.lines().collect();
    let caret = lines[2].find('^').expect("a caret");
    assert_eq!(&lines[1][caret..caret + 3], "mee");
    assert!(lines.iter().all(|l| l.len() <= 104), "{said}");
}

#[test]
fn limits_are_errors() {
    let check = |text: &str, message: &str| {
        let e = text.parse::<Expression>().expect_err(message);
        assert!(e.message().contains(message), "{e}");
        // The whole error stays readable, however long the text.
        assert!(e.to_string().len() < 1_000, "{e}");
    };
    check(&"x".repeat(LENGTH_MAX + 1), "4096 are the most");
    check(&"é".repeat(LENGTH_MAX), "4096 are the most");
    check(&vec!["1"; LENGTH_MAX / 3 + 1].join("||"), "more than 400 parts");
    check(&format!("zone in ({})", vec!["'\"\"\"\"\"\"\"\"'"; 350].join(",")), "written in full");
    check(&format!("{}me{}", "(".repeat(33), ")".repeat(33)), "nested more than 32 deep");
    check(&format!("{}me", "!".repeat(1000)), "nested more than 32 deep");
    check(&format!("{}1", "-".repeat(1000)), "nested more than 32 deep");
    check(&format!("{}me", "not ".repeat(1000)), "nested more than 32 deep");
    check(&format!("{}me", "known(".repeat(600)), "nested more than 32 deep");
    let names = |n: usize| vec!["me"; n].join("&&");
    read(&names(NODES_MAX / 2));
    check(&names(NODES_MAX / 2 + 1), "more than 400 parts");
    read(&format!("{}me{}", "(".repeat(32), ")".repeat(32)));
}

#[test]
fn an_evaluation_takes_a_bounded_number_of_steps() {
    let hostile = format!("os.kernel ~ \"{}\"", "*0".repeat(1000));
    let condition = read(&hostile).condition(&Words).expect("a condition");
    struct Long(String);
    impl Row<&'static str> for Long {
        fn number(&self, _: &&'static str) -> Option<f64> {
            None
        }
        fn text<'a>(&'a self, _: &'a &'static str) -> Option<&'a str> {
            Some(&self.0)
        }
        fn truth(&self, _: &&'static str) -> Option<bool> {
            None
        }
    }
    assert_eq!(condition.holds(&Long("0".repeat(1_000_000))), None, "it ran out of steps");
    assert_eq!(condition.holds(&Long("0".repeat(999))), Some(false));
}

#[test]
fn what_a_row_should_not_say_is_not_known() {
    struct Odd(f64);
    impl Row<&'static str> for Odd {
        fn number(&self, _: &&'static str) -> Option<f64> {
            Some(self.0)
        }
        fn text<'a>(&'a self, _: &'a &'static str) -> Option<&'a str> {
            None
        }
        fn truth(&self, _: &&'static str) -> Option<bool> {
            None
        }
    }
    let condition = read("load.1 < 5").condition(&Words).expect("a condition");
    let measure = read("load.1").measure(&Words).expect("a number");
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(condition.holds(&Odd(odd)), None);
        assert_eq!(measure.value(&Odd(odd)), None);
        assert_eq!(measure.values(&Odd(odd)), [("load.1", None)]);
    }
}

#[test]
fn measures_know_their_unit_and_their_values() {
    let check = |text: &str, value: f64, dimension: Dimension| {
        let m = read(text).measure(&Words).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((m.value(&Machine), m.dimension()), (Some(value), dimension), "{text}");
    };
    check("mem.available / (1 + load.1 / cpu.threads)", 3.2e9, Dimension::BYTES);
    check("nic.speed", 125e6, Dimension::BYTES_PER_SECOND);
    check("mem.available / nic.speed", 32.0, Dimension::SECONDS);
    check("1 / age", 2.0, Dimension::PER_SECOND);
    let c = read("mem.available > 1GB && load.1 < gone.number && mem.available < 1TB && state == zone && me").condition(&Words);
    let c = c.expect("a condition");
    assert_eq!(c.names().collect::<Vec<_>>(), ["mem.available", "load.1", "gone.number", "state", "zone", "me"]);
    let values = c.values(&Machine);
    let values: Vec<_> = values.iter().map(|(n, v)| format!("{n}={}", v.as_deref().unwrap_or("?"))).collect();
    assert_eq!(values, ["mem.available=3.73 GiB", "load.1=2", "gone.number=?", "state=\"alive\"", "zone=\"rack-7\"", "me=true"]);
    assert!(matches!(read("me").compile(&Words), Ok(Compiled::Condition(_))));
    assert!(matches!(read("load.1").compile(&Words), Ok(Compiled::Measure(_))));
    assert!(read("zone").compile(&Words).is_err_and(|e| e.message() == "this is a text, and nothing is done with it"));
}

static DIALECT: Dialect = Dialect {
    aliases: &[
        Alias { name: "mem", means: "mem.available", unit: "MiB" },
        Alias { name: "r1m", means: "load.1 / cpu.threads", unit: "" },
    ],
    functions: &[("defined", "known")],
    refused: &[("pg", "order by something else")],
};

#[test]
fn dialects_have_their_own_words() {
    let check = |text: &str, expected: &str| {
        let e = Expression::part_of(text, 0..text.len(), &DIALECT).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(e.to_string(), expected);
        e.condition(&Words).unwrap_or_else(|e| panic!("{e}"));
    };
    check("mem>500", "mem.available > 500MiB");
    check("500 < mem", "500MiB < mem.available");
    check("mem - 100 > 500", "mem.available - 100MiB > 500MiB");
    check("(mem) > 4G", "mem.available > 4GiB");
    check("mem > 0", "mem.available > 0MiB");
    check("r1m*2 < 0.5", "load.1 / cpu.threads * 2 < 0.5");
    check("2*r1m < 0.5", "2 * (load.1 / cpu.threads) < 0.5");
    check("mem*2 > 4G", "mem.available * 2 > 4GiB");
    check("defined(mem) && mem.total>1G", "known(mem.available) && mem.total > 1GiB");
    let part = "select[pg < 5]";
    let e = Expression::part_of(part, 7..13, &DIALECT).expect_err("not there");
    assert_eq!((&part[e.range()], e.message(), e.hint()), ("pg", "pg is not in the table", Some("order by something else")));
    let e = Expression::part_of("select[me &&]", 7..12, &DIALECT).expect_err("too short");
    assert_eq!(e.column(), 13);
}
