//! What no option can check alone.

use super::{Config, ConfigError};
use std::time::Duration;

/// The protocol counts periods in 64ths of a second.
const PERIOD_STEP: Duration = Duration::from_nanos(1_000_000_000 / 64);

pub(super) fn check(c: &Config) -> Result<(), ConfigError> {
    let wrong = |text: String| Err(ConfigError::Contradiction(text));
    if c.gossip.listen.is_empty() {
        return wrong("gossip.listen names no address, so nobody could reach this node; leave it out for the default".into());
    }
    if !c.period.as_nanos().is_multiple_of(PERIOD_STEP.as_nanos()) {
        return wrong(format!("period is {:?}; it must be a multiple of 15.625 ms (1/64 s), e.g. 500ms, 1s, 2s", c.period));
    }
    if c.gossip.hide_after >= c.gossip.remove_after {
        return wrong(
            "gossip.hide_after must be shorter than gossip.remove_after: a forgotten node cannot be shown again".into(),
        );
    }
    if let Some(http) = c.api.http
        && !http.ip().is_loopback()
        && c.api.token_file.is_none()
    {
        return wrong(format!(
            "api.http is {http}, which others can reach; give api.token_file (--token-file) too, or listen on 127.0.0.1"
        ));
    }
    if let Some(a) = c.gossip.advertise.iter().find(|a| a.ip().is_unspecified() || a.port() == 0) {
        return wrong(format!("gossip.advertise holds {a}, which nobody can send to; name an address and a port"));
    }
    if !c.dns.listen.is_empty() && c.dns.zone.is_empty() {
        return wrong("dns.listen names an address, but dns.zone no zone to answer for, such as \"cluster.example.org\"".into());
    }
    if let Some(v) =
        c.vitals.iter().enumerate().find(|(i, v)| c.vitals[..*i].iter().any(|w| w.published.name == v.published.name))
    {
        return wrong(format!("vital names {:?} twice", v.1.published.name));
    }
    Ok(())
}
