//! How a value becomes the one byte that travels in a row.

/// The code that says "this node does not have it".
pub const ABSENT: u8 = 255;

/// A rule that maps a value in base units to a code 0 to 254 and back.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Quantiser {
    /// A ratio 0 to 1 in steps of 0.5 %.
    Ratio,
    /// A share of another fact of the same node (named here), in steps of 0.5 % of it: available memory of total memory.
    ShareOf(&'static str),
    /// Logarithmic, 8 steps per doubling, values below `floor` are 0. Covers `floor` to `floor` * 2^31 with 9 % steps.
    Log {
        /// The smallest value told from zero.
        floor: f64,
    },
    /// A whole number 0 to 254, larger ones count as 254.
    Count,
}

/// Steps per unit of [`Quantiser::Ratio`].
const STEPS: f64 = 200.0;

impl Quantiser {
    /// The code of `value`. `scale` is the fact that [`Quantiser::ShareOf`] names; without it such a value is absent.
    pub fn encode(&self, value: f64, scale: Option<f64>) -> u8 {
        if !value.is_finite() {
            return ABSENT;
        }
        let code = match self {
            Quantiser::Ratio => (value * STEPS).round().min(STEPS),
            Quantiser::ShareOf(_) => match scale {
                Some(s) if s > 0.0 => (value / s * STEPS).round().min(STEPS),
                Some(_) => 0.0,
                None => return ABSENT,
            },
            Quantiser::Log { floor } if value < *floor => 0.0,
            Quantiser::Log { floor } => 1.0 + (8.0 * (value / floor).log2()).round(),
            Quantiser::Count => value.round(),
        };
        code.clamp(0.0, f64::from(ABSENT - 1)) as u8
    }

    /// The value a code stands for, in base units; `None` if it is absent or its scale is not known.
    pub fn decode(&self, code: u8, scale: Option<f64>) -> Option<f64> {
        if code == ABSENT {
            return None;
        }
        let c = f64::from(code);
        Some(match self {
            Quantiser::Ratio => c / STEPS,
            Quantiser::ShareOf(_) => c / STEPS * scale?,
            Quantiser::Log { .. } if code == 0 => 0.0,
            Quantiser::Log { floor } => floor * ((c - 1.0) / 8.0).exp2(),
            Quantiser::Count => c,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (rule, scale, value, tolerated relative error, tolerated absolute error)
    const CASES: &[(Quantiser, Option<f64>, f64, f64, f64)] = &[
        (Quantiser::Ratio, None, 0.0, 0.0, 0.0),
        (Quantiser::Ratio, None, 0.123, 0.0, 0.0025),
        (Quantiser::Ratio, None, 1.0, 0.0, 0.0),
        (Quantiser::ShareOf("mem.total"), Some(64e9), 13e9, 0.0, 64e9 / 400.0),
        (Quantiser::Log { floor: 1000.0 }, None, 999.0, 0.0, 999.0),
        (Quantiser::Log { floor: 1000.0 }, None, 125e6, 0.05, 0.0),
        (Quantiser::Log { floor: 1.0 / 64.0 }, None, 3.17, 0.05, 0.0),
        (Quantiser::Count, None, 17.0, 0.0, 0.0),
    ];

    #[test]
    fn codes_come_back_close() {
        for (q, scale, v, rel, abs) in CASES {
            let back = q.decode(q.encode(*v, *scale), *scale).expect("present");
            assert!((back - v).abs() <= abs + rel * v + 1e-9, "{q:?} {v} came back as {back}");
        }
    }

    #[test]
    fn odd_values_do_not_wrap() {
        assert_eq!(Quantiser::Ratio.encode(7.0, None), 200);
        assert_eq!(Quantiser::Ratio.encode(-1.0, None), 0);
        assert_eq!(Quantiser::Ratio.encode(f64::NAN, None), ABSENT);
        assert_eq!(Quantiser::Count.encode(1e9, None), 254);
        assert_eq!(Quantiser::Log { floor: 1.0 }.encode(1e30, None), 254);
        assert_eq!(Quantiser::ShareOf("mem.total").encode(5.0, None), ABSENT);
        assert_eq!(Quantiser::ShareOf("swap.total").encode(0.0, Some(0.0)), 0);
    }
}
