//! Every limit of this face, by name, with its reason. What passes one is refused with a JSON error and counted.

use std::time::Duration;

/// Connections of the unix socket at a time, and as many again of all TCP addresses together: half of the usual 1,024
/// descriptors of a process at most. Apart, so that strangers on TCP cannot lock out the tools on this machine.
pub const CONNECTIONS_MAX: usize = 240;
/// Connections beyond the limit that are told so at a time; further ones are closed without a word.
pub const REFUSALS_MAX: usize = 16;
/// Bytes of a request's address with its query: the longest sensible one is a node's id and a few numbers.
pub const URL_BYTES_MAX: usize = 2048;
/// Bytes of a request's head; 8 KiB is the least that the HTTP library allows, and cookies of other services on localhost add up.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a request's body: a join token and some addresses.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Time to send a whole request head, and to keep a connection without a request. Longer than Prometheus' usual interval, so
/// that its connections are kept.
pub const HEAD_TIME_MAX: Duration = Duration::from_secs(20);
/// Time to send a request's body.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(10);
/// Time the daemon has for an answer; its calls read a snapshot, so this passes only if something hangs.
pub const CALL_TIME_MAX: Duration = Duration::from_secs(10);
/// Time a client may leave a part of an answer unread.
pub const WRITE_TIME_MAX: Duration = Duration::from_secs(30);
/// Time for connections to end once the server stops.
pub const STOP_TIME_MAX: Duration = Duration::from_secs(2);
/// Time to let a client finish sending after its answer, so that closing does not destroy the answer on its way.
pub const LINGER_TIME_MAX: Duration = Duration::from_secs(1);
/// Bytes to let a client finish sending after its answer.
pub const LINGER_BYTES_MAX: usize = 1024 * 1024;
/// Readers of `/api/v1/events` at a time: people's screens and a few programs. Each holds a queue of
/// [`peermon_api::EventStream::QUEUE_MAX`] events at most.
pub const SUBSCRIBERS_MAX: usize = 64;
/// How often a silent event stream says that it lives, so that dead ends are noticed on both sides.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Browsers logged in at a time; one more ends the session that was not used for longest.
pub const SESSIONS_MAX: usize = 64;
/// How long a session holds after its last use: whoever leaves in the evening logs in again in the morning.
pub const SESSION_LEASE: Duration = Duration::from_hours(12);
/// Wrong tokens from one address within [`GUESSES_TIME`]; then none from there is looked at. More than any mistyping and more than
/// a program that has an old token and asks every two seconds.
pub const GUESSES_MAX: u32 = 30;
/// How long wrong tokens are held against an address.
pub const GUESSES_TIME: Duration = Duration::from_mins(1);
/// Addresses whose wrong tokens are counted at a time.
pub const GUESSERS_MAX: usize = 1024;
/// Answers smaller than this are not worth compressing: they fit into a few packets.
pub const GZIP_BYTES_MIN: usize = 4096;
/// How hard answers are compressed, 0 to 10. Of 1.7 MB of nodes 1 leaves 9 % and 6 leaves 6 %, for several times the time.
pub const GZIP_LEVEL: u8 = 1;
/// Threads for calls that read the table: one renders a large answer while others give small ones; the rest wait in line.
pub const CALLS_MAX: usize = 4;

/// The times above that decide when a client or the daemon is too slow, as one value, so that a test need not wait as long.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// See [`HEAD_TIME_MAX`].
    pub head: Duration,
    /// See [`BODY_TIME_MAX`].
    pub body: Duration,
    /// See [`CALL_TIME_MAX`].
    pub call: Duration,
    /// See [`WRITE_TIME_MAX`].
    pub write: Duration,
    /// See [`KEEP_ALIVE`].
    pub keep_alive: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Times { head: HEAD_TIME_MAX, body: BODY_TIME_MAX, call: CALL_TIME_MAX, write: WRITE_TIME_MAX, keep_alive: KEEP_ALIVE }
    }
}
