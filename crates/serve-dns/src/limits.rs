//! Every limit of this face, by name, with its reason. What passes one is dropped or refused, and counted.

use std::time::Duration;

/// Bytes of a UDP answer, whatever a client says it can take: more would be cut into fragments on some paths (the DNS flag day of
/// 2020). What is longer is truncated, and the client comes back over TCP.
pub const UDP_BYTES_MAX: u16 = 1232;
/// Bytes of a UDP answer to a client that says nothing (RFC 1035).
pub const UDP_BYTES_PLAIN: u16 = 512;
/// Bytes of a request: a question and a few options.
pub const REQUEST_BYTES_MAX: usize = 4096;
/// Records beside a question: an OPT and a signature; a query has no others.
pub const REQUEST_RECORDS_MAX: u16 = 2;
/// TCP connections at a time: resolvers come over TCP only after a truncated answer.
pub const CONNECTIONS_MAX: usize = 64;
/// TCP connections of one address at a time, so that one client cannot take all.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 8;
/// Time a TCP client has for its next request (RFC 7766 asks for some seconds).
pub const TCP_IDLE_MAX: Duration = Duration::from_secs(10);
/// Time a TCP client may leave an answer unread.
pub const TCP_WRITE_MAX: Duration = Duration::from_secs(5);
/// Client networks whose rates are watched one by one; further ones share one rate.
pub const RATES_MAX: usize = 4096;
/// Bits of an address that make a client network: what one customer usually has.
pub const RATE_BITS: (u8, u8) = (24, 56);
/// One in so many requests above the rate is answered with "truncated" instead of nothing: a real client then comes over TCP, while
/// a forged address is sent no more than the forger spent.
pub const RATE_SLIP: u64 = 2;
/// How old the list of all nodes may be: they publish about once a second.
pub const NODES_AGE_MAX: Duration = Duration::from_secs(1);
/// How long one ranking serves. Within it questions get the same nodes; at usual rates each question draws anew, and a flood costs
/// no more than 20 rankings a second.
pub const RANKING_AGE_MAX: Duration = Duration::from_millis(50);
/// Targets of the SRV record: they fit a UDP answer, and nobody tries more.
pub const SRV_TARGETS_MAX: usize = 8;
/// Addresses of the best nodes in one answer.
pub const ANSWERS_MAX: usize = 16;
