//! Aligned columns.

/// Prints rows under heads; the first column stands left, the others right.
pub fn print(heads: &[&str], rows: &[Vec<String>]) {
    for line in lines(heads, rows) {
        println!("{line}");
    }
}

fn lines(heads: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let all: Vec<Vec<&str>> =
        std::iter::once(heads.to_vec()).chain(rows.iter().map(|r| r.iter().map(String::as_str).collect())).collect();
    let width = |column: usize| all.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max().unwrap_or(0);
    let cell = |(column, text): (usize, &&str)| match column {
        0 => format!("{text:<w$}", w = width(0)),
        _ => format!("{text:>w$}", w = width(column)),
    };
    all.iter().map(|r| r.iter().enumerate().map(cell).collect::<Vec<_>>().join("   ").trim_end().to_string()).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_stand_under_each_other() {
        let rows = [vec!["a".into(), "1.0".into()], vec!["longer".into(), "22".into()]];
        assert_eq!(super::lines(&["what", "n"], &rows), ["what       n", "a        1.0", "longer    22"]);
    }
}
