//! The attribute catalogue: what may be measured, its unit, its kind and one sentence on what it says.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// A base unit. Values inside are always in these; faces show prettier ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A share, 0 to 1.
    Ratio,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Bits per second (link speeds).
    BitsPerSecond,
    /// Seconds.
    Seconds,
    /// Events per second.
    PerSecond,
    /// A number of things.
    Count,
    /// Hertz.
    Hertz,
    /// Degrees Celsius.
    Celsius,
    /// Watts.
    Watts,
    /// Turns per minute: what fans are counted in everywhere.
    TurnsPerMinute,
    /// A text or a number without a unit.
    None,
}

impl Unit {
    /// The unit's name in JSON and in the manual.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Ratio => "ratio",
            Unit::Bytes => "bytes",
            Unit::BytesPerSecond => "bytes/s",
            Unit::BitsPerSecond => "bits/s",
            Unit::Seconds => "seconds",
            Unit::PerSecond => "1/s",
            Unit::Count => "count",
            Unit::Hertz => "hertz",
            Unit::Celsius => "celsius",
            Unit::Watts => "watts",
            Unit::TurnsPerMinute => "rpm",
            Unit::None => "none",
        }
    }
}

/// How a value behaves over time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only grows, until the machine or the daemon restarts.
    Counter,
    /// A text, or a number that rarely changes.
    Fact,
}

impl Kind {
    /// The kind's name in JSON and in the manual.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Fact => "fact",
        }
    }
}

/// How Prometheus knows an attribute, where node_exporter already has a name for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prometheus {
    /// The metric's name, e.g. `node_cpu_seconds_total`.
    pub name: &'static str,
    /// Labels that are the same for every sample of the attribute, e.g. `mode="idle"`.
    pub labels: &'static [(&'static str, &'static str)],
    /// The label that carries the instance, e.g. `cpu`; empty if the attribute has none.
    pub instance_label: &'static str,
    /// node_exporter declares some counters as `untyped`; keep its word.
    pub untyped: bool,
}

/// One catalogue entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attribute {
    /// Dotted, lower case, big end first; `{}` stands where an instance's name goes: `net.{}.rx.bytes`.
    pub name: Cow<'static, str>,
    /// Base unit of the values.
    pub unit: Unit,
    /// How values behave.
    pub kind: Kind,
    /// What it says, one sentence.
    pub help: Cow<'static, str>,
    /// node_exporter's name for it, if there is one.
    pub prometheus: Option<Prometheus>,
}

impl Attribute {
    /// A gauge.
    pub const fn gauge(name: &'static str, unit: Unit, help: &'static str) -> Self {
        Attribute { name: Cow::Borrowed(name), unit, kind: Kind::Gauge, help: Cow::Borrowed(help), prometheus: None }
    }

    /// A counter.
    pub const fn counter(name: &'static str, unit: Unit, help: &'static str) -> Self {
        Attribute { name: Cow::Borrowed(name), unit, kind: Kind::Counter, help: Cow::Borrowed(help), prometheus: None }
    }

    /// A fact.
    pub const fn fact(name: &'static str, unit: Unit, help: &'static str) -> Self {
        Attribute { name: Cow::Borrowed(name), unit, kind: Kind::Fact, help: Cow::Borrowed(help), prometheus: None }
    }

    /// The same entry, known to Prometheus as `name`, its instance in `instance_label` (empty: none), with constant `labels`.
    pub const fn prom(
        mut self,
        name: &'static str,
        instance_label: &'static str,
        labels: &'static [(&'static str, &'static str)],
    ) -> Self {
        self.prometheus = Some(Prometheus { name, labels, instance_label, untyped: false });
        self
    }

    /// As [`Attribute::prom`], with node_exporter's type `untyped`.
    pub const fn prom_untyped(mut self, name: &'static str) -> Self {
        self.prometheus = Some(Prometheus { name, labels: &[], instance_label: "", untyped: true });
        self
    }

    /// The full name of one instance: `net.{}.rx.bytes` and `eth0` give `net.eth0.rx.bytes`.
    pub fn full_name(&self, instance: Option<&str>) -> Cow<'_, str> {
        match instance {
            Some(i) => Cow::Owned(self.name.replacen("{}", i, 1)),
            None => Cow::Borrowed(&*self.name),
        }
    }
}

/// All attributes this program knows, by name pattern.
#[derive(Clone, Default, Debug)]
pub struct Catalogue {
    by_name: BTreeMap<&'static str, &'static Attribute>,
}

impl Catalogue {
    /// The catalogue of the given lists together with the built-in facts and vitals.
    ///
    /// # Panics
    /// If two entries have one name but differ: that is a mistake in the program, and the tests find it.
    pub fn new<'a>(lists: impl IntoIterator<Item = &'a [&'static Attribute]>) -> Self {
        let mut by_name = BTreeMap::new();
        let builtin = crate::facts::FACTS.iter().map(|f| &f.attribute).chain(crate::vitals::VITALS.iter().map(|v| &v.attribute));
        let given = lists.into_iter().flat_map(|l| l.iter().copied());
        for a in builtin.chain(given) {
            let old = by_name.insert(&*a.name, a);
            assert!(old.is_none_or(|o| o.unit == a.unit && o.kind == a.kind), "two different attributes are named {}", a.name);
        }
        Catalogue { by_name }
    }

    /// All entries, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = &'static Attribute> + '_ {
        self.by_name.values().copied()
    }

    /// The entry with exactly this name or name pattern.
    pub fn find(&self, name: &str) -> Option<&'static Attribute> {
        self.by_name.get(name).copied()
    }
}
