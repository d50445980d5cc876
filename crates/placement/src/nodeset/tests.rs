use super::{NAMES_MAX, fold, unfold, unfold_with};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn names(text: &str) -> Vec<String> {
    text.split(',').filter(|n| !n.is_empty()).map(Into::into).collect()
}

/// What ClusterShell 1.9.1 makes of these.
#[test]
fn names_fold_as_clustershell_folds_them() {
    let check = |list: &str, folded: &str| {
        let list = names(list);
        assert_eq!(fold(list.iter().map(String::as_str)).text, folded, "{list:?}");
        let back: BTreeSet<_> = unfold(folded).unwrap_or_else(|e| panic!("{e}")).into_iter().collect();
        assert_eq!(back, list.into_iter().collect(), "{folded}");
    };
    check("", "");
    check("node1,node2,node3,node10", "node[1-3,10]");
    check("node10,node1", "node[1,10]");
    check("node08,node09,node10", "node[08-10]");
    check("node2,node01,node001", "node[2,01,001]");
    check("n98,n99,n100,n099", "n[98-99,099-100]");
    check("n9,n10,n11", "n[9-11]");
    check("n09,n10,n11,n100", "n[09-11,100]");
    check("n00,n01,n0", "n[0,00-01]");
    check("n9,n10,n09", "n[9,09-10]");
    check("1,2,3", "[1-3]");
    check("a,b,a1", "a,a1,b");
    check("gpu-a1,gpu-a3,gpu-b1", "gpu-a[1,3],gpu-b1");
    check("rack1n1,rack1n2,rack2n1,rack2n2", "rack[1-2]n[1-2]");
    check("x01y1,x01y2,x02y1", "x01y[1-2],x02y1");
    check("n1x3,n1x4,n1x5,n2x3,n2x5", "n1x[3-5],n2x[3,5]");
    check("n1.lab.edu,n2.lab.edu,n10.lab.edu", "n[1-2,10].lab.edu");
    check("10.0.0.1,10.0.0.2,10.0.0.9", "10.0.0.[1-2,9]");
    check("ü1,ü2,node", "node,ü[1-2]");
    // A range with leading zeros keeps its width.
    let long: Vec<_> = (9..101).map(|i| format!("n{i:02}")).collect();
    check(&long.join(","), "n[09-99,100]");
    check("n12345678901234567890", "n12345678901234567890");
}

#[test]
fn names_that_no_set_can_hold_are_told() {
    let folded = fold(["a1", "b[1]", "c&d", "e f", "", "a2", "f@g", "h%1"]);
    assert_eq!(folded.text, "a[1-2]");
    assert_eq!(folded.left_out, ["b[1]", "c&d", "e f", "", "f@g", "h%1"]);
}

#[test]
fn sets_unfold_as_clustershell_unfolds_them() {
    let check = |set: &str, list: &str| assert_eq!(unfold(set).unwrap_or_else(|e| panic!("{e}")), names(list), "{set}");
    check("", "");
    check("node[1-3,10]", "node1,node2,node3,node10");
    check("node-00[1-3]0", "node-0010,node-0020,node-0030");
    check("node[0-6/2]", "node0,node2,node4,node6");
    check("n[00-10/5]", "n00,n05,n10");
    check("node[1-3]!node2", "node1,node3");
    check("node[1-3],node[5-9]&node[2-6]", "node2,node3,node5,node6");
    check("node[1-3]^node[2-4]", "node1,node4");
    check("n0[1-3]", "n01,n02,n03");
    check("x[1-2]y5[1-2]", "x1y51,x1y52,x2y51,x2y52");
    check(" n[ 1-2 ] , n5 ", "n1,n2,n5");
    check("n1!n1", "");
    check("[8-10]", "8,9,10");

    let wrong = |set: &str, message: &str, marked: &str| {
        let e = unfold(set).expect_err(set);
        assert_eq!((e.message(), &set[e.range()]), (message, marked), "{e}");
    };
    wrong("n[3-1]", "the range goes backwards", "3-1");
    wrong("n[01-1]", "the ends of a range with leading zeros must have the same width", "01-1");
    wrong("n[9-010]", "the ends of a range with leading zeros must have the same width", "9-010");
    wrong("n[1-", "this bracket is not closed", "[");
    wrong("n]", "this bracket was not opened", "]");
    wrong("n[[1]]", "there is a bracket in brackets", "[");
    wrong("n[1-2][3-4]", "brackets follow brackets", "[");
    wrong("n[1-2]5[3-4]", "brackets follow brackets", "[");
    wrong("n[0-6/2]0", "digits cannot follow a range with steps", "0-6/2");
    wrong("n[0-6/0]", "the step is 0", "0-6/0");
    wrong("n[]", "a number of up to 18 digits is wanted here", "");
    wrong("n[1,]", "a number of up to 18 digits is wanted here", "");
    wrong("n[a]", "a number of up to 18 digits is wanted here", "a");
    wrong("n1,", "a name is missing here", ",");
    wrong("!n1", "a name is missing here", "!");
    wrong("n1,,n2", "a name is missing here", ",");
    wrong("n1 n2", "no name holds this sign", " ");
    wrong("n1,@up", "there is no such group here", "@up");
    wrong("n[0-99999999999999999]", &format!("this stands for more than {NAMES_MAX} names"), "0-99999999999999999");
    assert!(unfold("a[1-999]b[1-999]c[1-999]").is_err());
    assert!(unfold(&["n[1-60000]"; 2].join(",")).is_err(), "what is said twice costs twice");
}

fn any_name() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("n".to_string()),
        Just("rack-".to_string()),
        Just(".lab".to_string()),
        (0u32..13).prop_map(|n| n.to_string()),
        (0u32..13).prop_map(|n| format!("{n:02}")),
        (95u32..103).prop_map(|n| format!("{n:03}")),
        (95u32..103).prop_map(|n| n.to_string()),
    ];
    prop::collection::vec(part, 1..5).prop_map(|p| p.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn what_was_folded_unfolds(list in prop::collection::btree_set(any_name(), 0..40)) {
        let folded = fold(list.iter().map(String::as_str));
        prop_assert!(folded.left_out.is_empty());
        let back: BTreeSet<_> = unfold(&folded.text).unwrap_or_else(|e| panic!("{e}")).into_iter().collect();
        prop_assert_eq!(back, list, "{}", folded.text);
    }

    #[test]
    fn any_text_is_answered(pieces in prop::collection::vec(0usize..18, 0..20), junk in "\\PC{0,6}") {
        const PIECES: &[&str] =
            &["n", "[", "]", "1", "0", "9", "-", ",", "/", "!", "&", "^", "@", " ", "[1-3]", "[01-10/3]", "node", "99999999"];
        let text = pieces.iter().map(|i| PIECES[*i]).collect::<String>() + &junk;
        match unfold(&text) {
            Ok(names) => prop_assert!(names.len() <= NAMES_MAX),
            Err(e) => {
                prop_assert!(text.get(e.range()).is_some());
                prop_assert!(e.to_string().len() < 2_000);
            }
        }
    }
}

#[test]
fn groups_are_sets_like_others() {
    let members = |group: &str| match group {
        "odd" => Some(vec!["n1".to_string(), "n3".into(), "n5".into()]),
        "role=train" => Some(vec!["n3".to_string(), "[odd],name".into()]),
        "none" => Some(vec![]),
        "all" => Some(vec!["n1".to_string(); NAMES_MAX + 1]),
        _ => None,
    };
    let check = |set: &str, expected: &[&str]| {
        assert_eq!(unfold_with(set, members).unwrap_or_else(|e| panic!("{e}")), expected, "{set}");
    };
    check("@odd", &["n1", "n3", "n5"]);
    check("n[1-4]!@odd", &["n2", "n4"]);
    check("@odd & @role=train", &["n3"]);
    check("@none,n7", &["n7"]);
    check("@role=train!n3", &["[odd],name"]);
    for (set, message) in
        [("@", "no such group"), ("@up", "no such group"), ("n@odd", "no such group"), ("@all", "more than 100000 names")]
    {
        let said = unfold_with(set, members).expect_err(set).to_string();
        assert!(said.contains(message), "{set}: {said}");
    }
}
