//! Facts: what rarely changes about a node.

use crate::attribute::{Attribute, Unit};
use crate::limits;
use std::fmt;

/// A fact's value.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// In base units.
    Number(f64),
    /// At most [`limits::FACT_TEXT_BYTES_MAX`] bytes when it came through [`Value::text`].
    Text(Box<str>),
}

impl Value {
    /// A text without control characters, cut to the limit at a character's edge.
    pub fn text(s: &str) -> Value {
        let clean: String = s.trim().chars().filter(|c| !c.is_control()).collect();
        let mut end = clean.len().min(limits::FACT_TEXT_BYTES_MAX);
        while !clean.is_char_boundary(end) {
            end -= 1;
        }
        Value::Text(clean[..end].into())
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Number(n) => Some(*n),
            Value::Text(_) => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(n) => write!(f, "{n}"),
            Value::Text(t) => f.write_str(t),
        }
    }
}

/// A catalogue entry of a fact with its number on the wire.
#[derive(Debug)]
pub struct FactKind {
    /// Number on the wire; never reused.
    pub code: u8,
    /// Its catalogue entry.
    pub attribute: Attribute,
}

const fn fact(code: u8, name: &'static str, unit: Unit, help: &'static str) -> FactKind {
    FactKind { code, attribute: Attribute::fact(name, unit, help) }
}

/// All facts, the most important first: a record that would be too long loses the last ones.
pub static FACTS: &[FactKind] = &[
    fact(1, "host.name", Unit::None, "The machine's own host name."),
    fact(2, "cpu.threads", Unit::Count, "Processors the kernel schedules on."),
    fact(3, "cpu.cores", Unit::Count, "Physical processor cores."),
    fact(4, "cpu.sockets", Unit::Count, "Processor packages."),
    fact(5, "mem.total", Unit::Bytes, "Memory the kernel manages."),
    fact(6, "swap.total", Unit::Bytes, "Swap space."),
    fact(7, "cpu.model", Unit::None, "The processor's name."),
    fact(8, "os.name", Unit::None, "The operating system's name and version."),
    fact(9, "os.kernel", Unit::None, "The kernel's release."),
    fact(10, "os.arch", Unit::None, "The machine's architecture."),
    fact(11, "host.virtualisation", Unit::None, "The hypervisor or container it runs in; none on bare metal."),
    fact(12, "boot.time", Unit::Seconds, "When it booted, in Unix seconds by its own clock."),
    fact(13, "source", Unit::None, "Where its values come from, if not from the machine itself: replay NAME."),
    fact(14, "peermon.version", Unit::None, "The version of its daemon."),
    fact(17, "api.port", Unit::None, "The TCP port of its HTTP API, if other machines can reach it."),
    fact(15, "gpu.count", Unit::Count, "GPUs it has."),
    fact(16, "gpu.mem.total", Unit::Bytes, "Memory of all its GPUs together."),
    fact(18, "gpu.model", Unit::None, "The GPUs' name; several if they differ."),
    fact(20, "label.{}", Unit::None, "A label its administrator gave it."),
    fact(30, "nic.{}.speed", Unit::BitsPerSecond, "A network interface's speed."),
    fact(31, "nic.{}.driver", Unit::None, "A network interface's driver and its version."),
    fact(32, "nic.{}.firmware", Unit::None, "A network interface's firmware version."),
    fact(33, "nic.{}.mtu", Unit::Bytes, "A network interface's MTU."),
    fact(34, "nic.{}.duplex", Unit::None, "A network interface's duplex mode."),
    fact(40, "tcp.congestion", Unit::None, "TCP's default congestion control."),
    fact(41, "tcp.rmem", Unit::None, "TCP receive buffer: least, default, most, in bytes."),
    fact(42, "tcp.wmem", Unit::None, "TCP send buffer: least, default, most, in bytes."),
    fact(43, "tcp.rmem_max", Unit::Bytes, "Largest receive buffer a program may ask for."),
    fact(44, "tcp.wmem_max", Unit::Bytes, "Largest send buffer a program may ask for."),
    fact(45, "tcp.qdisc", Unit::None, "The default queueing discipline."),
    fact(46, "tcp.options", Unit::None, "Which of window scaling, timestamps, SACK and MTU probing are on."),
    fact(50, "host.addresses", Unit::None, "All addresses of its interfaces but loopback, v4 before v6."),
];

/// The fact with this attribute name or pattern.
pub fn find(name: &str) -> Option<&'static FactKind> {
    FACTS.iter().find(|f| f.attribute.name == name)
}

/// One fact of one node.
#[derive(Clone, PartialEq, Debug)]
pub struct Fact {
    /// Which fact.
    pub kind: &'static FactKind,
    /// Whose, where a node has several: an interface's name, a label's key.
    pub instance: Option<Box<str>>,
    /// Its value.
    pub value: Value,
}

impl PartialEq for FactKind {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
    }
}

/// A node's facts, in the catalogue's order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Facts {
    list: Vec<Fact>,
}

impl Facts {
    /// Adds a fact, or replaces the one of the same name.
    ///
    /// # Panics
    /// If `pattern` is not in [`FACTS`]: a mistake in the program.
    pub fn put(&mut self, pattern: &str, instance: Option<&str>, value: Value) {
        let kind = find(pattern).expect("a fact's pattern is in the catalogue");
        self.insert(Fact { kind, instance: instance.map(Into::into), value });
    }

    /// Adds a fact, or replaces the one of the same name.
    pub fn insert(&mut self, fact: Fact) {
        let place = |k: &FactKind| FACTS.iter().position(|f| f.code == k.code);
        match self.list.iter().position(|f| f.kind == fact.kind && f.instance == fact.instance) {
            Some(i) => self.list[i] = fact,
            None => {
                let key = (place(fact.kind), fact.instance.clone());
                let at = self.list.partition_point(|f| (place(f.kind), f.instance.clone()) <= key);
                self.list.insert(at, fact);
            }
        }
    }

    /// All facts, the most important first.
    pub fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The value of a fact without an instance.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.list.iter().find(|f| f.instance.is_none() && f.kind.attribute.name == name).map(|f| &f.value)
    }

    /// The value of a numeric fact without an instance.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.value(name)?.number()
    }

    /// A label's value.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.list.iter().find(|f| f.kind.code == 20 && f.instance.as_deref() == Some(key)).and_then(|f| match &f.value {
            Value::Text(t) => Some(&**t),
            Value::Number(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_keep_their_order_and_replace() {
        let mut f = Facts::default();
        f.put("mem.total", None, Value::Number(1.0));
        f.put("host.name", None, Value::text("a"));
        f.put("nic.{}.mtu", Some("eth1"), Value::Number(1500.0));
        f.put("nic.{}.mtu", Some("eth0"), Value::Number(1500.0));
        f.put("host.name", None, Value::text("b"));
        let names: Vec<_> = f.iter().map(|f| f.kind.attribute.full_name(f.instance.as_deref()).into_owned()).collect();
        assert_eq!(names, ["host.name", "mem.total", "nic.eth0.mtu", "nic.eth1.mtu"]);
        assert_eq!(f.value("host.name"), Some(&Value::text("b")));
    }

    #[test]
    fn codes_are_unique() {
        for (i, a) in FACTS.iter().enumerate() {
            assert!(FACTS[..i].iter().all(|b| b.code != a.code && b.attribute.name != a.attribute.name), "{}", a.attribute.name);
        }
    }

    #[test]
    fn texts_are_cut_at_a_character() {
        let Value::Text(t) = Value::text(&"é".repeat(100)) else { panic!("a text") };
        assert_eq!(t.len(), limits::FACT_TEXT_BYTES_MAX);
        assert_eq!(Value::text(" a\u{1}b\n"), Value::Text("ab".into()));
    }
}
