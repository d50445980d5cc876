//! Who has logged in, and who has guessed wrong: in memory only, so that a daemon that starts anew knows nobody.

use crate::limits;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of a session's name: nobody guesses it.
const ID_BYTES: usize = 16;

/// The sessions. Only hashes of their names are kept, so that a look-up tells nothing about them by the time it takes.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<BTreeMap<[u8; 32], Instant>>);

impl Sessions {
    /// A new session's name, for its holder alone; `None` if the system has no random numbers. When there are too many, the one
    /// not used for longest ends.
    pub(crate) fn open(&self, now: Instant) -> Option<String> {
        let mut bytes = [0; ID_BYTES];
        SystemRandom::new().fill(&mut bytes).ok()?;
        let id = bytes.iter().fold(String::new(), |mut s, b| {
            let _ = write!(s, "{b:02x}");
            s
        });
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, used| now.saturating_duration_since(*used) < limits::SESSION_LEASE);
        while all.len() >= limits::SESSIONS_MAX {
            let oldest = all.iter().min_by_key(|(_, used)| **used).map(|(hash, _)| *hash);
            oldest.map(|hash| all.remove(&hash));
        }
        all.insert(hash(&id), now);
        Some(id)
    }

    /// Whether there is such a session; if so, its lease begins anew.
    pub(crate) fn holds(&self, id: &str, now: Instant) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(&hash(id)) {
            Some(used) if now.saturating_duration_since(*used) < limits::SESSION_LEASE => {
                *used = now;
                true
            }
            _ => false,
        }
    }

    /// Ends a session, if there is such a one.
    pub(crate) fn close(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(id));
    }
}

fn hash(id: &str) -> [u8; 32] {
    digest(&SHA256, id.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Wrong tokens by address, within the running minute of each.
#[derive(Default)]
pub(crate) struct Guesses(Mutex<BTreeMap<IpAddr, (Instant, u32)>>);

impl Guesses {
    /// Whether another token from there is looked at; if not, in how long one is.
    pub(crate) fn may(&self, from: IpAddr, now: Instant) -> Result<(), Duration> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(&place(from)) {
            Some((since, n)) if *n >= limits::GUESSES_MAX => {
                match limits::GUESSES_TIME.checked_sub(now.saturating_duration_since(*since)) {
                    Some(left) if !left.is_zero() => Err(left),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// A wrong one came from there.
    pub(crate) fn wrong(&self, from: IpAddr, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |since: &Instant| now.saturating_duration_since(*since) >= limits::GUESSES_TIME;
        all.retain(|_, (since, _)| !over(since));
        // Whoever has so many addresses is not stopped by counting them.
        if all.len() < limits::GUESSERS_MAX || all.contains_key(&place(from)) {
            all.entry(place(from)).or_insert((now, 0)).1 += 1;
        }
    }
}

/// One person has a whole /64 of IPv6.
fn place(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_end_by_themselves_or_when_told() {
        let (s, now) = (Sessions::default(), Instant::now());
        let [a, b] = [(); 2].map(|()| s.open(now).expect("random numbers"));
        assert!(a != b && a.len() == 2 * ID_BYTES);
        let nearly = now + limits::SESSION_LEASE - Duration::from_secs(1);
        assert!(s.holds(&a, nearly), "and is used");
        s.close("no such one");
        let later = now + limits::SESSION_LEASE;
        assert_eq!((s.holds(&a, later), s.holds(&b, later)), (true, false), "b was not used");
        s.close(&a);
        assert!(!s.holds(&a, later));
        assert!(!s.holds("", later) && !s.holds(&"x".repeat(5000), later));
    }

    #[test]
    fn of_too_many_sessions_the_least_used_ends() {
        let (s, now) = (Sessions::default(), Instant::now());
        let at = |i: usize| now + Duration::from_secs(i as u64);
        let ids: Vec<_> = (0..limits::SESSIONS_MAX).map(|i| s.open(at(i)).expect("random numbers")).collect();
        assert!(s.holds(&ids[0], at(limits::SESSIONS_MAX)));
        let new = s.open(at(limits::SESSIONS_MAX + 1)).expect("random numbers");
        let then = at(limits::SESSIONS_MAX + 2);
        assert_eq!([&ids[0], &ids[1], &ids[2], &new].map(|id| s.holds(id, then)), [true, false, true, true]);
    }

    #[test]
    fn guesses_are_counted_by_address_and_forgiven() {
        let (g, now) = (Guesses::default(), Instant::now());
        let ip = |s: &str| s.parse::<IpAddr>().expect("an address");
        for i in 0..limits::GUESSES_MAX {
            assert!(g.may(ip("2001:db8::1"), now).is_ok(), "{i}");
            g.wrong(ip("2001:db8::1"), now);
        }
        assert_eq!(g.may(ip("2001:db8::2"), now), Err(limits::GUESSES_TIME), "the same network");
        for other in ["2001:db8:0:1::1", "::1", "10.0.0.1", "::ffff:10.0.0.1"] {
            assert!(g.may(ip(other), now).is_ok(), "{other}");
        }
        assert!(g.may(ip("2001:db8::2"), now + limits::GUESSES_TIME).is_ok());
    }

    #[test]
    fn guessers_are_bounded() {
        let (g, now) = (Guesses::default(), Instant::now());
        for i in 0..limits::GUESSERS_MAX as u32 + 10 {
            g.wrong(std::net::Ipv4Addr::from_bits(i).into(), now);
        }
        assert_eq!(g.0.lock().expect("not poisoned").len(), limits::GUESSERS_MAX);
        g.wrong(std::net::Ipv4Addr::from_bits(1).into(), now + limits::GUESSES_TIME);
        assert_eq!(g.0.lock().expect("not poisoned").len(), 1);
    }
}
