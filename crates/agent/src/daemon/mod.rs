use crate::clock;
use crate::config::Config;
use crate::letter::{ANSWER_WAIT, Letter, ReloadError, reply};
use crate::run::{self, StartError};
use crate::service::Answers;
use crate::shared::Shared;
use peermon_api::Local;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

/// Stack of the loop's thread: it goes some ten calls deep and holds one datagram.
const STACK_BYTES: usize = 512 * 1024;

/// A running daemon. Several may run in one process, each with its own state directory and ports.
///
/// Dropping it stops the loop without saying so to the cluster, as a crash would.
#[derive(Debug)]
pub struct Daemon {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Opens everything and starts the loop.
    ///
    /// # Errors
    /// If the state directory, a socket or a trace cannot be used. Nothing is left running.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let (the_loop, shared) = run::start(config)?;
        let thread = std::thread::Builder::new().name("peermon".into()).stack_size(STACK_BYTES).spawn(move || the_loop.run());
        let thread = thread.map_err(|source| StartError::System { what: "start the loop's thread", source })?;
        Ok(Daemon { shared, thread: Some(thread) })
    }

    /// What it answers; it may be asked from any thread, as long as anybody holds it.
    pub fn service(&self) -> Arc<dyn Local> {
        Arc::new(Answers(Arc::clone(&self.shared)))
    }

    /// Where it receives gossip.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.shared.health.load().listen.clone()
    }

    /// The API is being served there (`http://...`, socket paths): shown by `status`, and the service manager is told that
    /// the daemon is ready.
    pub fn serving(&self, api: Vec<String>) {
        self.shared.api.store(Arc::new(api));
        self.shared.post.send(Letter::Serving);
    }

    /// A face that counts something by itself: `status` shows that too.
    pub fn counting(&self, counts: impl Fn() -> Vec<(&'static str, u64)> + Send + 'static) {
        let mut all = self.shared.counting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.push(crate::shared::Counting(Box::new(counts)));
    }

    /// Reads configuration and keys again, as SIGHUP does.
    ///
    /// # Errors
    /// If either is wrong; what was in use stays.
    pub fn reload(&self) -> Result<(), ReloadError> {
        let (to, from) = reply();
        if !self.shared.post.send(Letter::Reload(to)) {
            return Err(ReloadError::Gone);
        }
        from.recv_timeout(ANSWER_WAIT).unwrap_or(Err(ReloadError::Gone))
    }

    /// Waits until it ends, by a signal or because another thread stopped it.
    pub fn wait(mut self) {
        self.join();
    }

    /// Whether it has ended.
    pub fn ended(&self) -> bool {
        self.shared.ended.load(Ordering::Acquire)
    }

    /// Says to the cluster that this node leaves, and ends: within a third of a second.
    pub fn stop(mut self) {
        self.send_stop(true);
        self.join();
    }

    /// Something that can stop it from another thread while one waits.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.shared))
    }

    fn send_stop(&self, leave: bool) {
        // A full mailbox empties within milliseconds.
        let until = clock::now() + ANSWER_WAIT;
        while !self.ended() && !self.shared.post.send(Letter::Stop { leave }) && clock::now() < until {
            std::thread::yield_now();
        }
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the loop has panicked");
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.send_stop(false);
            self.join();
        }
    }
}

/// Stops a daemon that another thread waits for.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Shared>);

impl Stopper {
    /// Asks it to leave and end; asked twice, it ends at once.
    pub fn stop(&self) {
        self.0.post.send(Letter::Stop { leave: true });
    }
}

#[cfg(test)]
mod tests;
