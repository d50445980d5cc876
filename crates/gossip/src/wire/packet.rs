//! Datagrams: a clear, authenticated header and a sealed body of sections.
//!
//! ```text
//! link packet (LINK, PING, PONG)               without a link (HELLO, COOKIE, ANNOUNCE, PROBE, ANSWER)
//!  0 u8  version 1 (high 4) | ring flag | kind   0 u8  version | kind
//!  1 u8  cluster key id                          1 u8  cluster key id
//!  2 u32 sender tag: its salt's first 4 bytes    2 12 B random nonce
//!  6 u40 counter, one per direction of a link   14 sealed, first contact: u8[32] id, u32 incarnation,
//! 11 sealed: u48 cluster time, us                  u8[16] salt, u48 cluster time, then by kind
//!    u16 echo, u16 hold (16 us), u16 ack,       14 sealed, PROBE and ANSWER: u32 tag, u64 token, u8 opinion
//!    u32 acks
//!    sections: u8 type, varint length, body
//! ... 16 B tag (AES-256-GCM)
//! ```

use super::{Malformed, Reader, put_address, put_u48, put_varint, varint_len};
use crate::time::{ClusterTime, TICKS_PER_SECOND, Version};
use peermon_model::limits::CLAIM_SECONDS_MAX;
use peermon_model::{Incarnation, NodeId, ZoneSummary};
use peermon_trust::{COOKIE_BYTES, Half, NONCE_BYTES};
use std::net::SocketAddr;

const VERSION: u8 = 1;
/// The sender's ring wants this link.
const RING: u8 = 8;
/// Clear bytes before the sealed body of a link packet.
pub(crate) const LINK_HEADER: usize = 11;
/// The same of a first contact.
pub(crate) const HELLO_HEADER: usize = 2 + NONCE_BYTES;
/// Bytes of a link packet's body before its sections.
pub(crate) const FIXED: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Link,
    Ping,
    Pong,
    Hello,
    Cookie,
    Announce,
    /// A light probe of any member, by any member.
    Probe,
    /// Its answer.
    Answer,
}

/// All that three bits can say.
const KINDS: [Kind; 8] =
    [Kind::Link, Kind::Ping, Kind::Pong, Kind::Hello, Kind::Cookie, Kind::Announce, Kind::Probe, Kind::Answer];

impl Kind {
    fn code(self) -> u8 {
        KINDS.iter().position(|k| *k == self).expect("every kind is in the list") as u8
    }
}

/// The clear part of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Header {
    Link { kind: Kind, ring: bool, key: u8, tag: u32, counter: u64 },
    Hello { kind: Kind, key: u8, nonce: [u8; NONCE_BYTES] },
}

/// Why a datagram is none of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotOurs {
    Short,
    Version,
}

impl Header {
    pub(crate) fn read(datagram: &[u8]) -> Result<Header, NotOurs> {
        let mut r = Reader(datagram);
        let short = |_| NotOurs::Short;
        let first = r.u8().map_err(short)?;
        let kind = KINDS[usize::from(first & 7)];
        if first >> 4 != VERSION {
            return Err(NotOurs::Version);
        }
        let key = r.u8().map_err(short)?;
        if !matches!(kind, Kind::Link | Kind::Ping | Kind::Pong) {
            return Ok(Header::Hello { kind, key, nonce: r.array().map_err(short)? });
        }
        let tag = r.u32().map_err(short)?;
        let c: [u8; 5] = r.array().map_err(short)?;
        let counter = u64::from_le_bytes([c[0], c[1], c[2], c[3], c[4], 0, 0, 0]);
        Ok(Header::Link { kind, ring: first & RING != 0, key, tag, counter })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Header::Link { kind, ring, key, tag, counter } => {
                out.push(VERSION << 4 | if *ring { RING } else { 0 } | kind.code());
                out.push(*key);
                out.extend_from_slice(&tag.to_le_bytes());
                out.extend_from_slice(&counter.to_le_bytes()[..5]);
            }
            Header::Hello { kind, key, nonce } => {
                out.push(VERSION << 4 | kind.code());
                out.push(*key);
                out.extend_from_slice(nonce);
            }
        }
    }
}

/// What every link packet tells besides its sections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fixed {
    /// The sender's cluster clock when it sent.
    pub(crate) time: ClusterTime,
    /// The time of the last packet heard, low bits in 16 us; with `hold`, the echo a round trip is measured by.
    pub(crate) echo: u16,
    /// How long ago that was, in 16 us; all ones: no echo.
    pub(crate) hold: u16,
    /// Low bits of the highest counter heard.
    pub(crate) ack: u16,
    /// Bit `i`: the counter `ack - 1 - i` was heard.
    pub(crate) acks: u32,
}

impl Fixed {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put_u48(out, self.time.0);
        for v in [self.echo, self.hold, self.ack] {
            out.extend_from_slice(&v.to_le_bytes());
        }
        out.extend_from_slice(&self.acks.to_le_bytes());
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Fixed, Malformed> {
        Ok(Fixed { time: ClusterTime(r.u48()?), echo: r.u16()?, hold: r.u16()?, ack: r.u16()?, acks: r.u32()? })
    }
}

/// Bytes of an entry of a DICT section, besides the handle.
pub(crate) const DICT_BYTES: usize = 12;

/// Section types. Unknown ones are skipped, so that a later version may add some.
pub(crate) mod section {
    /// (varint handle, u64 nid, u32 tag)*: what the sender's handles mean: which node, and in which of its lives.
    pub(crate) const DICT: u8 = 1;
    /// u8 state (1: down), signed record.
    pub(crate) const RECORD: u8 = 2;
    /// See `rows`.
    pub(crate) const ROWS: u8 = 3;
    /// varint gaps of handles: send me these no more.
    pub(crate) const PRUNE: u8 = 4;
    /// (varint gap, u32 version I have)*: send me these.
    pub(crate) const GRAFT: u8 = 5;
    /// (u64 nid, u32 version, u8 phase, u32 accuser)*.
    pub(crate) const ALARM: u8 = 6;
    /// u64: fingerprint of the set of records of living members; u8: the sender publishes every period << this; u8: eighths of the
    /// bytes of a row that it reckons with.
    pub(crate) const HASH: u8 = 7;
    /// u8 depth, u32 prefix, 16 u32 fingerprints.
    pub(crate) const SET_QUERY: u8 = 8;
    /// u8 depth, u32 prefix, (u64 nid, u32 incarnation, u32 sequence)*.
    pub(crate) const SET_LIST: u8 = 9;
    /// u64 nid *: send me these records.
    pub(crate) const WANT: u8 = 10;
    /// varint gaps of the receiver's handles that meant nothing: tell them anew.
    pub(crate) const UNKNOWN: u8 = 11;
    /// u32 generation, 32 B secret.
    pub(crate) const KEY: u8 = 12;
    /// varint gaps of handles: the rows of these in this packet flood, so that their trees are learned anew.
    pub(crate) const EXPLORE: u8 = 13;
    /// (varint gap of a handle, u32 version, summary)*: what these nodes say of their whole zone, with the row of that version
    /// and after.
    pub(crate) const ZONE: u8 = 14;
    /// (u32 tag of who claims, u16 its number, u32 tag of the node, u32 version, varint ticks it lasts, varint eighths of a
    /// processor, varint MiB, varint GPUs)*: claims; see [`super::Claim`].
    pub(crate) const CLAIM: u8 = 15;
}

/// Bytes of a section's type and length.
pub(crate) const fn section_header(len: usize) -> usize {
    1 + if len < 128 { 1 } else { 2 }
}

pub(crate) fn put_section(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    debug_assert_eq!(section_header(body.len()), 1 + varint_len(body.len() as u64));
    out.push(kind);
    put_varint(out, body.len() as u64);
    out.extend_from_slice(body);
}

/// The next section's type and body.
pub(crate) fn next_section<'a>(r: &mut Reader<'a>) -> Result<Option<(u8, Reader<'a>)>, Malformed> {
    if r.is_empty() {
        return Ok(None);
    }
    let kind = r.u8()?;
    let len = usize::try_from(r.varint()?).map_err(|_| Malformed("a section is too long"))?;
    Ok(Some((kind, Reader(r.bytes(len)?))))
}

/// Writes ascending handles as gaps.
#[derive(Debug, Default)]
pub(crate) struct Gaps(u32);

impl Gaps {
    pub(crate) fn put(&mut self, out: &mut Vec<u8>, handle: u16) {
        let next = u32::from(handle) + 1;
        put_varint(out, u64::from(next - self.0));
        self.0 = next;
    }

    pub(crate) fn read(&mut self, r: &mut Reader<'_>) -> Result<u16, Malformed> {
        let next = u64::from(self.0) + r.varint()?;
        let handle = next.checked_sub(1).and_then(|h| u16::try_from(h).ok()).ok_or(Malformed("a handle is too large"))?;
        self.0 = u32::from(handle) + 1;
        Ok(handle)
    }
}

/// Bytes of a zone's summary.
pub(crate) const SUMMARY_BYTES: usize = 4 * 4 + 3 * 4;

pub(crate) fn put_summary(out: &mut Vec<u8>, s: &ZoneSummary) {
    [s.up, s.down, s.threads, s.gpus].iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
    [s.mem_total, s.mem_available, s.cpu_busy].iter().for_each(|n| out.extend_from_slice(&(*n as f32).to_le_bytes()));
}

pub(crate) fn read_summary(r: &mut Reader<'_>) -> Result<ZoneSummary, Malformed> {
    let [up, down, threads, gpus] = [r.u32()?, r.u32()?, r.u32()?, r.u32()?];
    let mut amount = || {
        let n = f64::from(f32::from_le_bytes(r.array()?));
        if n.is_finite() && n >= 0.0 { Ok(n) } else { Err(Malformed("a sum that is no amount")) }
    };
    Ok(ZoneSummary { up, down, threads, gpus, mem_total: amount()?, mem_available: amount()?, cpu_busy: amount()? })
}

/// That a neighbour was silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Alarm {
    pub(crate) nid: u64,
    /// When: a newer row refutes it.
    pub(crate) at: Version,
    /// 1: in one wave, 2: in two; 3: its own zone has found it down, to other zones.
    pub(crate) phase: u8,
    /// Low half of the accuser's nid.
    pub(crate) by: u32,
}

pub(crate) const ALARM_BYTES: usize = 17;

impl Alarm {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.nid.to_le_bytes());
        out.extend_from_slice(&self.at.0.to_le_bytes());
        out.push(self.phase);
        out.extend_from_slice(&self.by.to_le_bytes());
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Alarm, Malformed> {
        Ok(Alarm { nid: r.u64()?, at: Version(r.u32()?), phase: r.u8()?, by: r.u32()? })
    }
}

/// That somebody has chosen a node for a job. Both are named by their tags: a claim of, or on, a former life means nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Claim {
    /// Who claims.
    pub(crate) by: u32,
    /// Which of its claims; the same number made later takes its place.
    pub(crate) number: u16,
    /// What is claimed.
    pub(crate) node: u32,
    /// When it was made, renewed or cancelled.
    pub(crate) made: Version,
    /// Ticks that it holds from then.
    pub(crate) lasts: u32,
    /// Eighths of a processor. A claim of nothing at all was cancelled.
    pub(crate) cpus: u16,
    /// MiB of memory.
    pub(crate) mem: u32,
    pub(crate) gpus: u16,
}

/// 19 to 21 are usual.
pub(crate) const CLAIM_BYTES_MAX: usize = 4 + 2 + 4 + 4 + 3 + 3 + 5 + 3;
/// Ticks that a claim holds at most.
pub(crate) const CLAIM_TICKS_MAX: u32 = (CLAIM_SECONDS_MAX * TICKS_PER_SECOND) as u32;
// three bytes of a varint hold it
const _: () = assert!(CLAIM_TICKS_MAX < 1 << 21);

impl Claim {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.by.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.node.to_le_bytes());
        out.extend_from_slice(&self.made.0.to_le_bytes());
        for n in [self.lasts, self.cpus.into(), self.mem, self.gpus.into()] {
            put_varint(out, n.into());
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Claim, Malformed> {
        let (by, number, node, made) = (r.u32()?, r.u16()?, r.u32()?, Version(r.u32()?));
        let mut amount = || u32::try_from(r.varint()?).map_err(|_| Malformed("a claim of too much"));
        let (lasts, cpus, mem, gpus) = (amount()?, amount()?, amount()?, amount()?);
        let small = |n: u32| u16::try_from(n).map_err(|_| Malformed("a claim of too much"));
        if lasts > CLAIM_TICKS_MAX {
            return Err(Malformed("a claim for too long"));
        }
        Ok(Claim { by, number, node, made, lasts, cpus: small(cpus)?, mem, gpus: small(gpus)? })
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        (self.cpus, self.mem, self.gpus) == (0, 0, 0)
    }
}

/// Who makes a first contact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Introduction {
    pub(crate) half: Half,
    pub(crate) incarnation: Incarnation,
    pub(crate) time: ClusterTime,
}

impl Introduction {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.half.id.0);
        out.extend_from_slice(&self.incarnation.0.to_le_bytes());
        out.extend_from_slice(&self.half.salt);
        put_u48(out, self.time.0);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let id = NodeId(r.array()?);
        let incarnation = Incarnation(r.u32()?);
        Ok(Introduction { half: Half { id, salt: r.array()? }, incarnation, time: ClusterTime(r.u48()?) })
    }
}

/// A light probe or its answer: needs no link, changes nothing, and is as long as its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Touch {
    /// The sender's tag: its salt's first four bytes.
    pub(crate) tag: u32,
    /// An answer repeats its probe's.
    pub(crate) token: u64,
    /// Whether the sender sees the receiver as viable, if it knows.
    pub(crate) sees: Option<bool>,
}

impl Touch {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.tag.to_le_bytes());
        out.extend_from_slice(&self.token.to_le_bytes());
        out.push(self.sees.map_or(0, |viable| 1 + u8::from(viable)));
    }

    pub(crate) fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader(body);
        let (tag, token) = (r.u32()?, r.u64()?);
        let sees = match r.u8()? {
            0 => None,
            1 => Some(false),
            2 => Some(true),
            _ => return Err(Malformed("an opinion that is none")),
        };
        Ok(Touch { tag, token, sees })
    }
}

/// Members a busy node names instead of itself.
pub(crate) const OTHERS_MAX: usize = 3;
const ADDRESS_BYTES_MAX: usize = 19;

fn addresses(r: &mut Reader<'_>, most: usize) -> Result<Vec<SocketAddr>, Malformed> {
    let n = r.u8()? as usize;
    if n > most {
        return Err(Malformed("a list is too long"));
    }
    (0..n).map(|_| r.address()).collect()
}

/// A first contact's content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Hello<'a> {
    /// May I talk to you? As long as its answer, so that nobody is amplified.
    Ask { from: Introduction, token: u64 },
    /// Prove that you receive where you send from. With `others`: or rather ask one of these members, I serve many now.
    /// It repeats the question's token, so that an old answer serves no new question.
    Cookie { from: Introduction, asker_salt: [u8; 16], token: u64, cookie: [u8; COOKIE_BYTES], others: Vec<SocketAddr> },
    /// Here is the proof, and who I am.
    Greet { from: Introduction, cookie: [u8; COOKIE_BYTES], wants_table: bool, signed: &'a [u8] },
    /// I am here (on the discovery group).
    Announce { from: Introduction, addresses: Vec<SocketAddr> },
}

impl<'a> Hello<'a> {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Hello::Ask { .. } | Hello::Greet { .. } => Kind::Hello,
            Hello::Cookie { .. } => Kind::Cookie,
            Hello::Announce { .. } => Kind::Announce,
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Hello::Ask { from, token } => {
                from.write(out);
                out.push(0);
                out.extend_from_slice(&token.to_le_bytes());
                out.extend_from_slice(&[0; 16 + COOKIE_BYTES + OTHERS_MAX * ADDRESS_BYTES_MAX]);
            }
            Hello::Cookie { from, asker_salt, token, cookie, others } => {
                from.write(out);
                out.extend_from_slice(asker_salt);
                out.extend_from_slice(&token.to_le_bytes());
                out.extend_from_slice(cookie);
                out.push(others.len().min(OTHERS_MAX) as u8);
                others.iter().take(OTHERS_MAX).for_each(|a| put_address(out, a));
            }
            Hello::Greet { from, cookie, wants_table, signed } => {
                from.write(out);
                out.push(1 | if *wants_table { 2 } else { 0 });
                out.extend_from_slice(cookie);
                out.extend_from_slice(signed);
            }
            Hello::Announce { from, addresses } => {
                from.write(out);
                out.push(addresses.len().min(4) as u8);
                addresses.iter().take(4).for_each(|a| put_address(out, a));
            }
        }
    }

    pub(crate) fn read(kind: Kind, body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader(body);
        let from = Introduction::read(&mut r)?;
        Ok(match kind {
            Kind::Cookie => Hello::Cookie {
                from,
                asker_salt: r.array()?,
                token: r.u64()?,
                cookie: r.array()?,
                others: addresses(&mut r, OTHERS_MAX)?,
            },
            Kind::Announce => Hello::Announce { from, addresses: addresses(&mut r, 4)? },
            _ => match r.u8()? {
                0 => Hello::Ask { from, token: r.u64()? },
                flags => Hello::Greet { from, cookie: r.array()?, wants_table: flags & 2 != 0, signed: r.0 },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn headers_come_back() {
        for header in [
            Header::Link { kind: Kind::Pong, ring: true, key: 9, tag: 0xdead_beef, counter: 1 << 39 },
            Header::Hello { kind: Kind::Announce, key: 0, nonce: [3; NONCE_BYTES] },
        ] {
            let mut out = Vec::new();
            header.write(&mut out);
            assert_eq!(Header::read(&out), Ok(header));
            assert_eq!(Header::read(&out[..out.len() - 1]), Err(NotOurs::Short));
        }
        assert_eq!(Header::read(&[0x20; 40]), Err(NotOurs::Version));
        assert_eq!(Header::read(&[0x07; 40]), Err(NotOurs::Version));
    }

    #[test]
    fn a_question_is_as_long_as_its_answer() {
        let from =
            Introduction { half: Half { id: NodeId([1; 32]), salt: [2; 16] }, incarnation: Incarnation(3), time: ClusterTime(4) };
        let len = |h: Hello<'_>| {
            let mut out = Vec::new();
            h.write(&mut out);
            assert_eq!(Hello::read(h.kind(), &out), Ok(h));
            out.len()
        };
        assert!(
            len(Hello::Ask { from, token: 7 })
                >= len(Hello::Cookie {
                    from,
                    asker_salt: [5; 16],
                    token: 7,
                    cookie: [6; COOKIE_BYTES],
                    others: vec!["[::1]:5".parse().expect("valid"); 3]
                })
        );
        len(Hello::Greet { from, cookie: [6; COOKIE_BYTES], wants_table: true, signed: &[1, 2, 3] });
        len(Hello::Announce { from, addresses: vec!["[::1]:5".parse().expect("valid")] });
    }

    proptest! {
        #[test]
        fn gaps_come_back(handles in prop::collection::btree_set(any::<u16>(), 0..50)) {
            let (mut out, mut gaps) = (Vec::new(), Gaps::default());
            handles.iter().for_each(|h| gaps.put(&mut out, *h));
            let (mut r, mut gaps) = (Reader(&out), Gaps::default());
            for h in &handles { prop_assert_eq!(gaps.read(&mut r), Ok(*h)); }
            prop_assert!(r.is_empty());
        }

        #[test]
        fn claims_come_back(by: u32, number: u16, node: u32, made: u32, lasts in 0..=CLAIM_TICKS_MAX, cpus: u16, mem: u32, gpus: u16) {
            let claim = Claim { by, number, node, made: Version(made), lasts, cpus, mem, gpus };
            let mut out = Vec::new();
            claim.write(&mut out);
            prop_assert!(out.len() <= CLAIM_BYTES_MAX);
            prop_assert_eq!(Claim::read(&mut Reader(&out)), Ok(claim));
            for n in 0..out.len() { prop_assert!(Claim::read(&mut Reader(&out[..n])).is_err()); }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..150)) {
            let _ = Header::read(&bytes);
            for kind in KINDS { let _ = Hello::read(kind, &bytes); }
            let mut r = Reader(&bytes);
            while let Ok(Some((_, mut body))) = next_section(&mut r) {
                let _ = (Alarm::read(&mut body), Gaps::default().read(&mut body), Claim::read(&mut body));
            }
        }
    }
}
