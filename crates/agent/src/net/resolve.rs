//! Looks up seeds that are host names, again and again, where a stuck resolver holds up nobody.

use crate::config::Seed;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Between two lookups of all names: names move rarely.
const EVERY: Duration = Duration::from_mins(1);
/// Between two lookups while some name has no address yet: at boot the resolver may come after us.
const EVERY_AT_FIRST: Duration = Duration::from_secs(5);
/// Addresses taken from one name.
const ADDRESSES_PER_NAME_MAX: usize = 8;
/// Stack: the C library's resolver uses large buffers.
const STACK_BYTES: usize = 256 * 1024;

/// The seeds that are addresses already.
pub(crate) fn addresses(seeds: &[Seed]) -> Vec<SocketAddr> {
    let address = |s: &Seed| match s {
        Seed::Address(a) => Some(*a),
        Seed::Name(..) => None,
    };
    seeds.iter().filter_map(address).collect()
}

/// A thread that looks up names, gone when this is dropped (or, stuck in the resolver, soon after).
#[derive(Debug)]
pub(crate) struct Resolver {
    _stop: SyncSender<()>,
}

impl Resolver {
    /// Starts it if there are names among the seeds. `found` gets every lookup's addresses and says whether to go on.
    pub(crate) fn start(seeds: &[Seed], found: impl Fn(Vec<SocketAddr>) -> bool + Send + 'static) -> Option<Self> {
        let names: Vec<(String, u16)> = seeds
            .iter()
            .filter_map(|s| match s {
                Seed::Name(host, port) => Some((host.clone(), *port)),
                Seed::Address(_) => None,
            })
            .collect();
        if names.is_empty() {
            return None;
        }
        let (stop, stopped) = sync_channel::<()>(0);
        let work = move || loop {
            let mut missing = false;
            let mut all = Vec::new();
            for (host, port) in &names {
                match (host.as_str(), *port).to_socket_addrs() {
                    Ok(addresses) => all.extend(addresses.take(ADDRESSES_PER_NAME_MAX)),
                    Err(e) => {
                        missing = true;
                        tracing::warn!(host, error = %e, "cannot look up a seed; trying again");
                    }
                }
            }
            if !found(all) || stopped.recv_timeout(if missing { EVERY_AT_FIRST } else { EVERY }) != Err(RecvTimeoutError::Timeout)
            {
                return;
            }
        };
        let thread = std::thread::Builder::new().name("resolve".into()).stack_size(STACK_BYTES).spawn(work);
        match thread {
            Ok(_) => Some(Resolver { _stop: stop }),
            Err(e) => {
                tracing::warn!(error = %e, "cannot look up seeds by name");
                None
            }
        }
    }
}
