//! Cluster time and versions.

use std::time::Duration;

/// Versions per second: 15.625 ms each, so that one wave's rows share one version while clocks agree within half of that.
pub(crate) const TICKS_PER_SECOND: u64 = 64;
const MICROS_PER_TICK: u64 = 1_000_000 / TICKS_PER_SECOND;

/// A moment on the cluster's own clock: microseconds since the cluster was founded, by common consent. It is no time of day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct ClusterTime(pub u64);

impl ClusterTime {
    /// The tick this moment lies in.
    pub fn version(self) -> Version {
        Version((self.0 / MICROS_PER_TICK) as u32)
    }
}

/// Which row of a node: the cluster time at which it was sampled, in ticks. It wraps after two years, so versions compare
/// as serial numbers (RFC 1982).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Version(pub u32);

impl Version {
    /// Nothing is known. A real row may carry it once in two years; it is then sent whole, which is harmless.
    pub const NONE: Version = Version(0);

    /// Whether this version is newer than the other. Every real version is newer than none.
    pub fn newer_than(self, other: Version) -> bool {
        if other == Version::NONE || self == Version::NONE {
            return self != other && other == Version::NONE;
        }
        self.ticks_since(other) > 0
    }

    /// Ticks from `other` to this one, negative if `other` is newer.
    pub fn ticks_since(self, other: Version) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }

    /// The version so many ticks earlier.
    pub fn earlier(self, ticks: u32) -> Version {
        Version(self.0.wrapping_sub(ticks))
    }

    /// The version so many ticks later.
    pub fn later(self, ticks: u32) -> Version {
        Version(self.0.wrapping_add(ticks))
    }

    /// How old a row of this version is at `now`; zero if it is from the future.
    pub fn age(self, now: ClusterTime) -> Duration {
        let ticks = now.version().ticks_since(self);
        if ticks < 0 {
            return Duration::ZERO;
        }
        Duration::from_micros(ticks as u64 * MICROS_PER_TICK + now.0 % MICROS_PER_TICK)
    }
}

/// Whole ticks in a duration.
pub(crate) fn ticks(d: Duration) -> u32 {
    u32::try_from(d.as_micros() / u128::from(MICROS_PER_TICK)).unwrap_or(u32::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_across_the_wrap() {
        let (old, new) = (Version(u32::MAX - 1), Version(3));
        assert!(new.newer_than(old) && !old.newer_than(new) && !new.newer_than(new));
        assert_eq!(new.ticks_since(old), 5);
        assert!(Version(u32::MAX / 2 + 9).newer_than(Version::NONE) && !Version::NONE.newer_than(old));
    }

    #[test]
    fn ages_are_finer_than_ticks() {
        let v = ClusterTime(10_000_000).version();
        assert_eq!(v.age(ClusterTime(10_500_000)), Duration::from_millis(500));
        assert_eq!(v.age(ClusterTime(9_000_000)), Duration::ZERO);
    }
}
