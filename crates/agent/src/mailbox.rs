//! How other threads hand something to the loop: a bounded queue, and a file descriptor that wakes the loop.

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// The sending end; clones share one queue.
#[derive(Debug)]
pub(crate) struct Post<T> {
    queue: SyncSender<T>,
    bell: Arc<OwnedFd>,
}

/// The loop's end.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    queue: Receiver<T>,
    bell: Arc<OwnedFd>,
}

impl<T> Clone for Post<T> {
    fn clone(&self) -> Self {
        Post { queue: self.queue.clone(), bell: Arc::clone(&self.bell) }
    }
}

/// A mailbox for at most `capacity` letters.
pub(crate) fn mailbox<T>(capacity: usize) -> io::Result<(Post<T>, Mailbox<T>)> {
    let (tx, rx) = sync_channel(capacity);
    let bell = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
    Ok((Post { queue: tx, bell: Arc::clone(&bell) }, Mailbox { queue: rx, bell }))
}

impl<T> Post<T> {
    /// Hands a letter over without waiting; false if the mailbox is full or gone.
    pub(crate) fn send(&self, letter: T) -> bool {
        let sent = self.queue.try_send(letter).is_ok();
        // The bell can only fail to ring if it is ringing already.
        rustix::io::write(&*self.bell, &1u64.to_ne_bytes()).ok();
        sent
    }
}

impl<T> Mailbox<T> {
    /// What becomes readable when a letter has come.
    pub(crate) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Stops the bell. Letters that come from now on ring it again.
    pub(crate) fn hush(&self) {
        rustix::io::read(&*self.bell, &mut [0u8; 8]).ok();
    }

    /// The next letter, if there is one.
    pub(crate) fn take(&self) -> Option<T> {
        self.queue.try_recv().ok()
    }

    /// The next letter, waited for.
    pub(crate) fn wait(&self, most: Duration) -> Option<T> {
        self.queue.recv_timeout(most).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn rings(m: &Mailbox<u32>) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(m.bell(), PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).expect("poll") == 1
    }

    #[test]
    fn letters_ring_and_too_many_are_refused() {
        let (post, mailbox) = mailbox(2).expect("a mailbox");
        assert!(!rings(&mailbox));
        assert!(post.send(1) && post.send(2) && !post.send(3));
        assert!(rings(&mailbox));
        mailbox.hush();
        assert!(!rings(&mailbox));
        assert_eq!((mailbox.take(), mailbox.take(), mailbox.take()), (Some(1), Some(2), None));
        drop(mailbox);
        assert!(!post.send(4));
    }
}
