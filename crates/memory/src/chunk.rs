//! Packing rows: a column for each vital, differences from row to row, deflated.

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use peermon_model::Instant;
use peermon_model::vitals::SLOTS;

/// Rows of one chunk: two minutes at one a second. More of them pack a little better, but lie unpacked for longer.
pub const CHUNK_ROWS: usize = 120;
/// Moments are kept to this many microseconds: as exact as they are known.
const TICK: u64 = 4_000;
/// How hard to try, 0 to 10: beyond 6 nothing is won.
const LEVEL: u8 = 6;
/// What a chunk takes besides its packed rows: itself, its counters, its places in two lists.
const CHUNK_BYTES: usize = size_of::<Chunk>() + 16 + 8 + 40;

/// One row: all vitals of a node at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// When the node measured it, on this machine's clock.
    pub at: Instant,
    /// By slot.
    pub codes: [u8; SLOTS],
}

/// Some rows of one node, packed.
#[derive(Debug)]
pub struct Chunk {
    from: Instant,
    to: Instant,
    rows: u16,
    /// Deflated: 4 bytes that name the slots that vary, every slot's first code, then columns: the time since the row before
    /// in ticks, its low bytes and its high ones, and the difference of each slot that varies.
    packed: Box<[u8]>,
}

impl Chunk {
    /// Packs rows, oldest first; at least one, fewer than 65,536.
    pub fn of(rows: &[Row]) -> Chunk {
        let (first, last) = (rows[0], rows[rows.len() - 1]);
        let ticks = |at: Instant| at.since(first.at).as_micros() as u64 / TICK;
        let steps: Vec<u16> =
            rows.windows(2).map(|w| u16::try_from(ticks(w[1].at) - ticks(w[0].at)).unwrap_or(u16::MAX)).collect();
        let varies = (0..SLOTS).filter(|i| rows.iter().any(|r| r.codes[*i] != first.codes[*i]));
        let mask = varies.clone().fold(0u32, |m, i| m | 1 << i);
        let mut plain = mask.to_le_bytes().to_vec();
        plain.extend_from_slice(&first.codes);
        plain.extend(steps.iter().map(|s| s.to_le_bytes()[0]));
        plain.extend(steps.iter().map(|s| s.to_le_bytes()[1]));
        for i in varies {
            plain.extend(rows.windows(2).map(|w| w[1].codes[i].wrapping_sub(w[0].codes[i])));
        }
        let packed = compress_to_vec(&plain, LEVEL).into_boxed_slice();
        Chunk { from: first.at, to: last.at, rows: rows.len() as u16, packed }
    }

    /// When its last row was measured.
    pub fn to(&self) -> Instant {
        self.to
    }

    /// How many rows there are.
    #[allow(clippy::len_without_is_empty)] // there is always one
    pub fn len(&self) -> usize {
        self.rows.into()
    }

    /// What it takes in memory.
    pub fn bytes(&self) -> usize {
        CHUNK_BYTES + self.packed.len()
    }

    /// Its rows, oldest first. Moments are right to a few milliseconds; where more than four minutes passed between two rows, the
    /// later ones seem that much earlier.
    pub fn rows(&self) -> Vec<Row> {
        let n = self.len();
        let most = 4 + SLOTS + (n - 1) * (2 + SLOTS);
        let plain = decompress_to_vec_with_limit(&self.packed, most).expect("what was packed here");
        let (mask, rest) = plain.split_first_chunk::<4>().expect("what was packed here");
        let (first, mut columns) = rest.split_first_chunk::<SLOTS>().expect("what was packed here");
        let mask = u32::from_le_bytes(*mask);
        let mut column = || {
            let (column, rest) = columns.split_at(n - 1);
            columns = rest;
            column
        };
        let (low, high) = (column(), column());
        let mut at = self.from;
        let mut rows = vec![Row { at, codes: *first }; n];
        for (i, row) in rows[1..].iter_mut().enumerate() {
            at += std::time::Duration::from_micros(u64::from(u16::from_le_bytes([low[i], high[i]])) * TICK);
            row.at = at;
        }
        for slot in (0..SLOTS).filter(|i| mask & 1 << i != 0) {
            let mut code = first[slot];
            for (row, by) in rows[1..].iter_mut().zip(column()) {
                code = code.wrapping_add(*by);
                row.codes[slot] = code;
            }
        }
        rows
    }
}
