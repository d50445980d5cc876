//! What programs in the kernel count, beside what the collectors read.

use peermon_model::Attribute;

/// Everything they may give.
pub static ATTRIBUTES: &[&Attribute] = list();

#[cfg(feature = "kernel")]
pub(crate) use loaded::beside;

#[cfg(feature = "kernel")]
const fn list() -> &'static [&'static Attribute] {
    peermon_kernel::ATTRIBUTES
}

#[cfg(not(feature = "kernel"))]
const fn list() -> &'static [&'static Attribute] {
    &[]
}

/// Says that there are none in this program.
#[cfg(not(feature = "kernel"))]
pub(crate) fn beside(source: Box<dyn peermon_collector::Source>) -> Box<dyn peermon_collector::Source> {
    tracing::warn!("no kernel capture: this program was built without the feature `kernel`");
    source
}

#[cfg(feature = "kernel")]
mod loaded {
    use peermon_collector::{Demand, Source};
    use peermon_kernel::{Loaded, Part, Reader};
    use peermon_model::{Facts, Instant, Samples};

    /// A source together with the kernel's programs, which are loaded meanwhile. Where they cannot be, one line says why, and
    /// the source is as it was.
    pub(crate) fn beside(source: Box<dyn Source>) -> Box<dyn Source> {
        match Reader::start(tell) {
            Ok(reader) => Box::new(Beside { source, reader }),
            Err(error) => {
                tracing::warn!(%error, "no kernel capture");
                source
            }
        }
    }

    fn tell(loaded: Loaded<'_>) {
        let names = |parts: &[Part]| parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match loaded {
            Ok((parts, [])) => tracing::info!(measures = names(parts), "kernel capture"),
            Ok((parts, refused)) => {
                let why = refused.iter().map(|(part, why)| format!("{part}: {why}")).collect::<Vec<_>>().join("; ");
                tracing::warn!(measures = names(parts), without = why, "kernel capture in part");
            }
            Err(error) => tracing::warn!(%error, "no kernel capture"),
        }
    }

    struct Beside {
        source: Box<dyn Source>,
        reader: Reader,
    }

    impl Source for Beside {
        fn round(&mut self, now: Instant) -> Samples {
            self.reader.ask(now);
            let mut round = self.source.round(now);
            self.reader.answer(&mut round);
            round
        }

        fn demand(&mut self, demand: Demand) {
            self.source.demand(demand);
        }

        fn facts(&mut self) -> Facts {
            self.source.facts()
        }
    }
}
