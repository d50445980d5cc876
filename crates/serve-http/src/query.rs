//! Queries in a request's address; every error names the parameter.

use axum::extract::Query;
use axum::http::Uri;
use peermon_api::{BestQuery, By, Error, Fold, LiveQuery, NodesQuery, SeriesQuery, State};
use std::fmt::Display;

/// The query of `/api/v1/nodes`.
pub(crate) fn nodes(uri: &Uri) -> Result<NodesQuery, Error> {
    let mut q = NodesQuery::default();
    each(uri, &["state", "all", "where", "order"], |name, value| {
        match name {
            "state" => q.state = Some(state(value)?),
            "where" => q.conditions.push(value.to_string()),
            "order" => q.order.push(value.to_string()),
            _ => q.all = flag(name, value)?,
        }
        Ok(())
    })?;
    Ok(q)
}

/// The query of `/api/v1/best`.
pub(crate) fn best(uri: &Uri) -> Result<BestQuery, Error> {
    let mut q = BestQuery { n: 0, ..BestQuery::default() };
    each(uri, BEST, |name, value| {
        let text = || value.to_string();
        match name {
            "n" => q.n = whole(name, value, 1, BestQuery::N_MAX)?,
            "by" => q.by = by(value)?,
            "cpu_delta" => q.cpu_delta = amount(name, value)?,
            "mem_delta" => q.mem_delta = amount(name, value)?,
            "cpus" => q.cpus = Some(count(name, value)?),
            "mem" => q.mem = Some(amount(name, value)?),
            "gpus" => q.gpus = Some(count(name, value)?),
            "gpu_mem" => q.gpu_mem = Some(amount(name, value)?),
            "label" => q.label.push(text()),
            "zone" => q.zone = Some(text()),
            "where" => q.conditions.push(text()),
            "order" => q.order.push(text()),
            "select" => q.select = Some(text()),
            "whole" => q.whole = flag(name, value)?,
            _ => q.explain = flag(name, value)?,
        }
        Ok(())
    })?;
    // Only a `select` may say how many by itself.
    if q.n == 0 && q.select.is_none() {
        q.n = BestQuery::default().n;
    }
    Ok(q)
}

/// The query of `/api/v1/series`.
pub(crate) fn series(uri: &Uri) -> Result<SeriesQuery, Error> {
    let mut q = SeriesQuery::default();
    each(uri, &["node", "attribute", "seconds", "points", "fold"], |name, value| {
        match name {
            "node" => q.node.push(value.to_string()),
            "attribute" => q.attribute.push(value.to_string()),
            "seconds" => q.seconds = amount(name, value)?,
            "points" => q.points = Some(whole(name, value, 1, SeriesQuery::POINTS_MAX)?),
            _ => {
                let names = Fold::ALL.map(Fold::name).join(", ");
                let fold = Fold::ALL.into_iter().find(|f| f.name() == value);
                q.fold = fold.ok_or_else(|| wrong(name, value, format!("one of {names}")))?;
            }
        }
        Ok(())
    })?;
    Ok(q)
}

/// The query of `/api/v1/live`.
pub(crate) fn live(uri: &Uri) -> Result<LiveQuery, Error> {
    let mut q = LiveQuery::default();
    each(uri, &["seconds", "where"], |name, value| {
        if name == "where" {
            q.conditions.push(value.to_string());
            return Ok(());
        }
        q.seconds = amount(name, value)?;
        if LiveQuery::SECONDS.contains(&q.seconds) {
            return Ok(());
        }
        let (least, most) = (LiveQuery::SECONDS.start(), LiveQuery::SECONDS.end());
        Err(wrong(name, value, format!("from {least} to {most}")))
    })?;
    Ok(q)
}

/// The parameters of `/api/v1/best`.
const BEST: &[&str] = &[
    "n",
    "by",
    "cpu_delta",
    "mem_delta",
    "explain",
    "cpus",
    "mem",
    "gpus",
    "gpu_mem",
    "label",
    "zone",
    "where",
    "order",
    "select",
    "whole",
];
/// Parameters that may be given several times; how often is for the daemon to judge.
const SEVERAL: &[&str] = &["label", "where", "order", "node", "attribute"];

fn each(uri: &Uri, known: &[&str], mut take: impl FnMut(&str, &str) -> Result<(), Error>) -> Result<(), Error> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|e| Error::BadRequest(format!("the query cannot be read: {e}; write it as name=value&name=value")))?;
    for (i, (name, value)) in pairs.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            return Err(Error::BadRequest(format!("no parameter is named {:?}; there are: {}", cut(name), known.join(", "))));
        }
        if !SEVERAL.contains(&name.as_str()) && pairs[..i].iter().any(|(n, _)| n == name) {
            return Err(Error::BadRequest(format!("{name} is given twice; give it once")));
        }
        take(name, value)?;
    }
    Ok(())
}

fn state(value: &str) -> Result<State, Error> {
    let names = State::ALL.map(State::name).join(", ");
    State::ALL.into_iter().find(|s| s.name() == value).ok_or_else(|| wrong("state", value, format!("one of {names}")))
}

fn by(value: &str) -> Result<By, Error> {
    match value {
        "cpu" => Ok(By::Cpu),
        "mem" => Ok(By::Mem),
        "both" => Ok(By::Both),
        _ => Err(wrong("by", value, "one of cpu, mem, both")),
    }
}

fn flag(name: &str, value: &str) -> Result<bool, Error> {
    match value {
        "" | "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(wrong(name, value, "true or false")),
    }
}

fn whole(name: &str, value: &str, least: usize, most: usize) -> Result<usize, Error> {
    match value.parse() {
        Ok(n) if n >= least && n <= most => Ok(n),
        _ => Err(wrong(name, value, format!("a whole number from {least} to {most}"))),
    }
}

fn count(name: &str, value: &str) -> Result<u32, Error> {
    value.parse().map_err(|_| wrong(name, value, "a whole number, 0 or more"))
}

fn amount(name: &str, value: &str) -> Result<f64, Error> {
    match value.parse::<f64>() {
        Ok(x) if x.is_finite() && x >= 0.0 => Ok(x),
        _ => Err(wrong(name, value, "a number, 0 or more")),
    }
}

fn wrong(name: &str, value: &str, wanted: impl Display) -> Error {
    Error::BadRequest(format!("{name} is {:?}; it must be {wanted}", cut(value)))
}

fn cut(s: &str) -> String {
    s.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(query: &str) -> Uri {
        format!("/x?{query}").parse().expect("an address")
    }

    #[test]
    fn good_queries_are_read() {
        let nodes_of = |q: &str| nodes(&uri(q)).expect(q);
        assert_eq!(nodes_of(""), NodesQuery::default());
        assert_eq!(nodes_of("all"), NodesQuery { all: true, ..NodesQuery::default() });
        assert_eq!(nodes_of("state=down&all=false"), NodesQuery { state: Some(State::Down), ..NodesQuery::default() });
        let asked = nodes_of("where=me&where=age+%3C+5s&order=-load.1");
        assert_eq!((asked.conditions, asked.order), (vec!["me".into(), "age < 5s".into()], vec!["-load.1".into()]));
        let q = best(&uri("n=3&by=cpu&cpu_delta=0.5&mem_delta=1e9&explain=1")).expect("a query");
        assert_eq!(q, BestQuery { n: 3, by: By::Cpu, cpu_delta: 0.5, explain: true, ..BestQuery::default() });
        let q =
            best(&uri("cpus=2&mem=4e9&gpus=1&gpu_mem=1e9&label=a&label=b%3Dc&zone=z&where=me&order=1&whole")).expect("a query");
        let expected = BestQuery {
            cpus: Some(2),
            mem: Some(4e9),
            gpus: Some(1),
            gpu_mem: Some(1e9),
            label: vec!["a".into(), "b=c".into()],
            zone: Some("z".into()),
            conditions: vec!["me".into()],
            order: vec!["1".into()],
            whole: true,
            ..BestQuery::default()
        };
        assert_eq!(q, expected);
        let q = best(&uri("select=span%5Bn%3D4%5D")).expect("a query");
        assert_eq!(q, BestQuery { n: 0, select: Some("span[n=4]".into()), ..BestQuery::default() });
        assert_eq!(best(&uri("")).expect("a query"), BestQuery::default());
    }

    #[test]
    fn errors_name_the_parameter() {
        for (query, says) in [
            ("n=0", "n is \"0\"; it must be a whole number from 1 to 100000"),
            ("n=-1", "n is \"-1\""),
            ("n=1e3", "n is \"1e3\""),
            ("n=99999999999999999999999", "n is \"99999999999999999999999\""),
            ("by=luck", "by is \"luck\"; it must be one of cpu, mem, both"),
            ("cpu_delta=NaN", "cpu_delta is \"NaN\"; it must be a number, 0 or more"),
            ("cpu_delta=-0.1", "cpu_delta"),
            ("mem_delta=inf", "mem_delta"),
            ("explain=perhaps", "explain is \"perhaps\"; it must be true or false"),
            ("m=1", "no parameter is named \"m\"; there are: n, by, cpu_delta, mem_delta, explain, cpus"),
            ("n=1&n=2", "n is given twice"),
            ("cpus=-1", "cpus is \"-1\"; it must be a whole number, 0 or more"),
            ("gpus=99999999999", "gpus"),
            ("mem=8GiB", "mem is \"8GiB\"; it must be a number, 0 or more"),
            ("%ff=1", "no parameter is named"),
            ("&&&=&", "no parameter is named \"\""),
        ] {
            let e = best(&uri(query)).expect_err(query);
            assert!(matches!(e, Error::BadRequest(_)) && e.to_string().contains(says), "{query}: {e}");
        }
        let e = live(&uri("seconds=0.1")).expect_err("too often").to_string();
        assert_eq!(e, "seconds is \"0.1\"; it must be from 0.25 to 60");
        let asked = LiveQuery { seconds: 2.0, conditions: vec!["me".into()] };
        assert_eq!(live(&uri("seconds=2&where=me")), Ok(asked));
        let e = nodes(&uri("state=Alive")).expect_err("case matters").to_string();
        assert_eq!(e, "state is \"Alive\"; it must be one of alive, suspect, stale, down, left");
    }
}
