//! Whether programs still get sockets: CoDeeN's test, which finds leaks of descriptors and exhausted tables.

use super::{Kind, Plan, Probe, Told, Tried, attributes_of};
use peermon_model::Severity;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, socket};
use std::time::Duration;

/// Sockets opened, without connecting them, and closed (CoDeeN's figure).
const SOCKETS: usize = 50;
/// Between two tries (CoDeeN's figure).
const EVERY: Duration = Duration::from_secs(2);

attributes_of!("sockets", "opening and closing 50 sockets");
pub(super) const KIND: Kind = Kind { name: "sockets", failed: &FAILED, time: &TIME, list };

fn list(_: &Told) -> Vec<Plan> {
    vec![Plan {
        instance: None,
        every: EVERY,
        late: Duration::from_secs(2),
        fails: Duration::from_secs(5),
        words: "opening sockets takes long".into(),
        severity: Severity::Avoid,
        once_good: false,
        make: Box::new(|| Box::new(Sockets)),
    }]
}

struct Sockets;

impl Probe for Sockets {
    fn try_once(&mut self, _: &Told) -> Option<Tried> {
        let mut open = Vec::with_capacity(SOCKETS);
        for _ in 0..SOCKETS {
            match socket(AddressFamily::INET, SocketType::STREAM, None) {
                Ok(s) => open.push(s),
                // no IPv4 here
                Err(Errno::AFNOSUPPORT) => return None,
                Err(e) => {
                    // what is open must be closed before anything is said: saying may need a descriptor
                    drop(open);
                    return Tried::failed(Severity::Avoid, format!("no sockets left: {}", word(e)));
                }
            }
        }
        Tried::good()
    }
}

fn word(e: Errno) -> String {
    match e {
        Errno::MFILE => "too many open files in a process".into(),
        Errno::NFILE => "too many open files in the system".into(),
        Errno::NOBUFS | Errno::NOMEM => "no memory for them".into(),
        other => std::io::Error::from(other).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_sockets() {
        assert!(Sockets.try_once(&Told::default()).expect("IPv4 is here").words.is_empty());
    }
}
