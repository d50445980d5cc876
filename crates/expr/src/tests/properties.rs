//! What holds of every expression, and of every text that is none.

use super::{Machine, WORDS, Words, read};
use crate::ast::{Ast, Binary, FUNCTIONS, Function, Node};
use crate::error::Span;
use crate::lex::Name;
use crate::limits::{DEPTH_MAX, LENGTH_MAX};
use crate::unit::UNITS;
use crate::{Compiled, Expression};
use proptest::prelude::*;

fn any_tree() -> impl Strategy<Value = Ast> {
    let ast = |node| Ast { node, at: Span::default(), usual: None };
    let units = prop::option::of(0..UNITS.len()).prop_map(|i| i.and_then(|i| crate::unit::find(UNITS[i].word)));
    let number = prop_oneof![0u32..20, 0u32..1_000_000].prop_map(f64::from);
    let number = prop_oneof![number, 0.0..1e3f64, prop::num::f64::POSITIVE.prop_filter("finite", |n| n.is_finite())];
    let literal = (number, units).prop_map(|(n, u)| Node::Number(n, u));
    let text = "[a-z\"'\\\\ü ]{0,6}".prop_map(|t| Node::Text(t.into()));
    let name = prop_oneof![
        (0..WORDS.len()).prop_map(|i| Node::Name(Name { segments: WORDS[i].0.split('.').map(Into::into).collect() })),
        ("[a-z]{2}", "[a-z0-9.\"-]{1,4}")
            .prop_map(|(a, b)| Node::Name(Name { segments: vec![format!("x{a}").into(), b.into()] })),
    ];
    let leaf = prop_oneof![literal.clone(), text.clone(), name, any::<bool>().prop_map(Node::Truth)].prop_map(ast);
    let item = prop_oneof![literal, text].prop_map(ast);
    leaf.prop_recursive(5, 60, 4, move |inner| {
        let one = inner.clone().prop_map(Box::new);
        let list = prop::collection::vec(item.clone(), 1..4);
        let ops = (0..OPERATIONS.len(), one.clone(), one.clone()).prop_map(|(i, a, b)| Node::Binary(OPERATIONS[i], a, b));
        let calls = (0..FUNCTIONS.len(), prop::collection::vec(inner, 8)).prop_map(|(i, mut list)| {
            list.truncate(FUNCTIONS[i].2);
            Node::Call(FUNCTIONS[i].1, list)
        });
        prop_oneof![
            one.clone().prop_map(Node::Minus),
            one.clone().prop_map(Node::Not),
            ops.clone(),
            ops,
            (one, list, any::<bool>()).prop_map(|(a, list, negated)| Node::In(a, list, negated)),
            calls,
        ]
        .prop_map(ast)
    })
}

const OPERATIONS: &[Binary] = &[
    Binary::Or,
    Binary::And,
    Binary::Equal,
    Binary::Unequal,
    Binary::Less,
    Binary::LessEqual,
    Binary::Greater,
    Binary::GreaterEqual,
    Binary::Like,
    Binary::Unlike,
    Binary::Plus,
    Binary::Minus,
    Binary::Times,
    Binary::Over,
];

/// Trees of numbers and conditions that pass the checker, most of them: everything is a count.
fn any_condition() -> impl Strategy<Value = Ast> {
    let ast = |node| Ast { node, at: Span::default(), usual: None };
    let name = |n: &'static str| Node::Name(Name { segments: n.split('.').map(Into::into).collect() });
    let number = prop_oneof![
        3 => prop_oneof![Just("load.1"), Just("cpu.threads"), Just("gone.number")].prop_map(name),
        1 => (0u32..4).prop_map(|n| Node::Number(f64::from(n), None)),
    ]
    .prop_map(ast)
    .prop_recursive(3, 12, 3, move |inner| {
        let two = (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        let ops = prop_oneof![Just(Binary::Plus), Just(Binary::Minus), Just(Binary::Times), Just(Binary::Over)];
        let calls = prop_oneof![Just(Function::Min), Just(Function::Max), Just(Function::Default)];
        prop_oneof![
            (ops, two).prop_map(|(op, (a, b))| Node::Binary(op, a, b)),
            inner.clone().prop_map(|a| Node::Minus(Box::new(a))),
            (calls, inner.clone(), inner).prop_map(|(f, a, b)| Node::Call(f, vec![a, b])),
        ]
        .prop_map(ast)
    });
    let ops = prop_oneof![Just(Binary::Less), Just(Binary::GreaterEqual), Just(Binary::Equal), Just(Binary::Unequal)];
    let compared = (ops, number.clone(), number.clone()).prop_map(|(op, a, b)| Node::Binary(op, Box::new(a), Box::new(b)));
    let truths = prop_oneof![Just("me"), Just("gone.truth")].prop_map(name);
    let known = number.prop_map(|n| Node::Call(Function::Known, vec![n]));
    let leaf = prop_oneof![4 => compared, 1 => truths, 1 => known, 1 => any::<bool>().prop_map(Node::Truth)].prop_map(ast);
    leaf.prop_recursive(4, 24, 3, move |inner| {
        let ops = prop_oneof![Just(Binary::And), Just(Binary::Or), Just(Binary::Equal), Just(Binary::Unequal)];
        prop_oneof![
            4 => (ops, inner.clone(), inner.clone()).prop_map(|(op, a, b)| Node::Binary(op, Box::new(a), Box::new(b))),
            1 => inner.clone().prop_map(|a| Node::Not(Box::new(a))),
            1 => inner.clone().prop_map(|a| Node::Call(Function::Known, vec![a])),
            1 => prop::collection::vec(inner.clone(), 3).prop_map(|l| Node::Call(Function::If, l)),
            1 => prop::collection::vec(inner, 2).prop_map(|l| Node::Call(Function::Default, l)),
        ]
        .prop_map(ast)
    })
}

/// The same language, said once more as plainly as possible.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Plain {
    Unknown,
    Number(f64),
    Truth(bool),
}

fn plainly(ast: &Ast) -> Plain {
    use Plain::{Number, Truth, Unknown};
    let real = |n: f64| if n.is_finite() { Number(n) } else { Unknown };
    match &ast.node {
        Node::Number(n, _) => Number(*n),
        Node::Truth(t) => Truth(*t),
        Node::Name(n) => match &*n.full() {
            "load.1" => Number(2.0),
            "cpu.threads" => Number(8.0),
            "me" => Truth(true),
            _ => Unknown,
        },
        Node::Minus(a) => match plainly(a) {
            Number(n) => Number(-n),
            _ => Unknown,
        },
        Node::Not(a) => match plainly(a) {
            Truth(t) => Truth(!t),
            _ => Unknown,
        },
        Node::Binary(op, a, b) => match (op, plainly(a), plainly(b)) {
            (Binary::And, Truth(false), _) | (Binary::And, _, Truth(false)) => Truth(false),
            (Binary::Or, Truth(true), _) | (Binary::Or, _, Truth(true)) => Truth(true),
            (_, Unknown, _) | (_, _, Unknown) => Unknown,
            (Binary::And, ..) => Truth(true),
            (Binary::Or, ..) => Truth(false),
            (Binary::Plus, Number(a), Number(b)) => real(a + b),
            (Binary::Minus, Number(a), Number(b)) => real(a - b),
            (Binary::Times, Number(a), Number(b)) => real(a * b),
            (Binary::Over, Number(a), Number(b)) => real(a / b),
            (Binary::Less, Number(a), Number(b)) => Truth(a < b),
            (Binary::GreaterEqual, Number(a), Number(b)) => Truth(a >= b),
            (Binary::Equal, a, b) => Truth(a == b),
            (Binary::Unequal, a, b) => Truth(a != b),
            other => panic!("{other:?} is not made here"),
        },
        Node::Call(f, list) => match (f, plainly(&list[0]), list.get(1).map(plainly)) {
            (Function::Known, a, _) => Truth(a != Unknown),
            (Function::Default, Unknown, Some(b)) => b,
            (Function::Default, a, _) => a,
            (Function::Min, Number(a), Some(Number(b))) => Number(a.min(b)),
            (Function::Max, Number(a), Some(Number(b))) => Number(a.max(b)),
            (Function::If, Truth(true), Some(b)) => b,
            (Function::If, Truth(false), _) => plainly(&list[2]),
            _ => Unknown,
        },
        other => panic!("{other:?} is not made here"),
    }
}

/// Whatever the text, there is an answer or an error, and both can be printed; what is read prints as the same.
fn try_text(text: &str) {
    match text.parse::<Expression>() {
        Err(e) => {
            assert!(text.get(e.range()).is_some(), "{text:?} {:?}", e.range());
            assert!(e.to_string().len() < 2_000, "{e}");
        }
        Ok(e) => {
            let printed = e.to_string();
            let again = read(&printed);
            assert_eq!(e.ast, again.ast, "{text:?} printed as {printed:?}");
            assert_eq!(again.to_string(), printed);
            match e.compile(&Words) {
                Err(e) => assert!(e.to_string().len() < 2_000, "{e}"),
                Ok(Compiled::Condition(c)) => {
                    let _ = c.holds(&Machine);
                }
                Ok(Compiled::Measure(m)) => assert!(m.value(&Machine).is_none_or(f64::is_finite)),
            }
        }
    }
}

/// Expressions to spoil.
const GOOD: &[&str] = &[
    "mem.available > 4GiB && cpu.busy < 50% || age <= 250 ms",
    "not (zone in (\"a\", 'b\\'') or tag(big)) and version_at_least(os.kernel, \"6.1\")",
    "default(gone.number, 3) / max(load.1, 1, -2) >= sqrt(cpu.threads) - 1e-3",
    "label.\"gpu-type\" ~ \"a*?\" == !me && if(me, 1h, 2d) > age * 2 - 5s",
    "nic.speed > 10Gbit/s && net.rx.rate !~ 100MB/s",
];
const PIECES: &[&str] = &[
    "(",
    ")",
    "\"",
    "'",
    "\\",
    "!",
    "-",
    "not ",
    " in ",
    "known(",
    "if(",
    ",",
    "&&",
    "||",
    "==",
    "~",
    "*",
    "/",
    "/s",
    "%",
    "4",
    "1e",
    ".",
    "G",
    "é",
    "\u{0}",
    "\n",
    "mem.available",
    "zone",
    "°C",
    "9999999999999999999999",
    "true",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn trees_read_as_they_print(tree in any_tree()) {
        let printed = tree.to_string();
        prop_assume!(printed.len() <= LENGTH_MAX);
        match printed.parse::<Expression>() {
            Ok(e) => prop_assert_eq!(&e.ast, &tree, "{}", printed),
            // Printed with all its brackets it may be too deep; nothing else can be wrong with it.
            Err(e) => prop_assert!(e.message().contains(&format!("more than {DEPTH_MAX} deep")), "{}", e),
        }
    }

    #[test]
    fn programs_say_what_the_language_says(tree in any_condition()) {
        if let Ok(c) = read(&tree.to_string()).condition(&Words) {
            let expected = match plainly(&tree) {
                Plain::Truth(t) => Some(t),
                _ => None,
            };
            prop_assert_eq!(c.holds(&Machine), expected, "{}", tree);
        }
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,60}") {
        try_text(&text);
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        try_text(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn pieces_in_any_order_are_answered(which in prop::collection::vec(0..PIECES.len(), 0..60)) {
        try_text(&which.iter().map(|i| PIECES[*i]).collect::<String>());
    }
}

/// As a fuzzer does it: valid expressions, spoilt ever further, from seeds that never change.
#[test]
fn spoilt_expressions_are_answered() {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut below = |n: usize| {
        // xorshift64 (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % n as u64) as usize
    };
    let mut taken = 0;
    for round in 0..20_000 {
        let mut bytes = GOOD[round % GOOD.len()].as_bytes().to_vec();
        for _ in 0..=below(6) {
            let at = below(bytes.len() + 1);
            match below(5) {
                0 if at < bytes.len() => drop(bytes.remove(at)),
                1 if at < bytes.len() => bytes[at] = below(256) as u8,
                2 => bytes.truncate(at.max(1)),
                3 => {
                    let from = below(bytes.len());
                    let piece = bytes[from..(from + below(20)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
                _ => drop(bytes.splice(at..at, PIECES[below(PIECES.len())].bytes())),
            }
            if bytes.is_empty() {
                bytes.push(b'1');
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        taken += usize::from(text.parse::<Expression>().is_ok());
        try_text(&text);
    }
    assert!(taken > 500, "only {taken} of the spoilt expressions were still readable: the test looks at errors only");
}
