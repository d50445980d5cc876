//! Short words for writing down a collector's attributes and their samples.

use peermon_model::vitals::VITALS;
use peermon_model::{Attribute, Sample};
use std::borrow::Cow;
use std::sync::Arc;

/// Declares a collector's attributes as statics and the list of all of them as `ATTRIBUTES`, so that none is forgotten.
macro_rules! attributes {
    ($($name:ident = $attribute:expr;)*) => {
        $(static $name: &peermon_model::Attribute = $attribute;)*
        pub(crate) static ATTRIBUTES: &[&peermon_model::Attribute] = &[$($name),*];
    };
}
pub(crate) use attributes;

/// The attribute of a built-in vital; a wrong name does not compile.
pub(crate) const fn vital(name: &str) -> &'static Attribute {
    let mut i = 0;
    while i < VITALS.len() {
        if let Cow::Borrowed(n) = &VITALS[i].attribute.name
            && same(n.as_bytes(), name.as_bytes())
        {
            return &VITALS[i].attribute;
        }
        i += 1;
    }
    panic!("there is no vital of this name")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// Adds a value the host has once.
pub(crate) fn put(out: &mut Vec<Sample>, attribute: &'static Attribute, value: impl IntoValue) {
    out.push(Sample { attribute, instance: None, labels: None, value: value.into_value() });
}

/// Adds a value that may be unknown.
pub(crate) fn put_some(out: &mut Vec<Sample>, attribute: &'static Attribute, value: Option<impl IntoValue>) {
    if let Some(v) = value {
        put(out, attribute, v);
    }
}

/// Adds a value of one instance.
pub(crate) fn put_of(out: &mut Vec<Sample>, attribute: &'static Attribute, instance: &Arc<str>, value: impl IntoValue) {
    out.push(Sample { attribute, instance: Some(Arc::clone(instance)), labels: None, value: value.into_value() });
}

/// Adds a value of one instance that may be unknown.
pub(crate) fn put_some_of(
    out: &mut Vec<Sample>,
    attribute: &'static Attribute,
    instance: &Arc<str>,
    value: Option<impl IntoValue>,
) {
    if let Some(v) = value {
        put_of(out, attribute, instance, v);
    }
}

/// What can be a sample's value. (A counter above 2^53 loses its last digits; none gets there within centuries.)
pub(crate) trait IntoValue {
    fn into_value(self) -> f64;
}

impl IntoValue for f64 {
    fn into_value(self) -> f64 {
        self
    }
}

impl IntoValue for u64 {
    fn into_value(self) -> f64 {
        self as f64
    }
}

impl IntoValue for bool {
    fn into_value(self) -> f64 {
        f64::from(u8::from(self))
    }
}

/// The attributes whose Prometheus name begins with `prefix`, by the rest of that name: node_exporter builds many names
/// from the kernel's own words, so that they find the kernel's words again.
pub(crate) fn by_prometheus(
    list: &'static [&'static Attribute],
    prefix: &'static str,
) -> impl Iterator<Item = (&'static str, &'static Attribute)> {
    list.iter().filter_map(move |a| Some((a.prometheus?.name.strip_prefix(prefix)?, *a)))
}
