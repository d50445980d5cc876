//! ROWS: the changed fields of many nodes, two bytes each and one per field.
//!
//! ```text
//! u32 base version, then entries in order of handle:
//!   varint gap to the handle before (first: handle + 1)
//!   gap 0: varint n, the next n handles are alive with nothing changed
//!   head u8: 0x80 LATE, 0x40 EXT, low 6 bits: slots 0..6 present
//!   [LATE: u8 ticks before base; 255: u32 version follows]
//!   [EXT: u8: 0x80 EXT2, 0x40 FULL (what is not here is absent), low 6 bits: slots 6..12]
//!   [EXT2: u8: 0x80 EXT3, low 7 bits: slots 12..19]   [EXT3: u8: slots 19..27]
//!   one byte per slot present
//! ```

use super::{Malformed, Reader, put_varint};
use crate::time::Version;
use peermon_model::vitals::SLOTS;

const LATE: u8 = 0x80;
const EXT: u8 = 0x40;
const MORE: u8 = 0x80;
const FULL: u8 = 0x40;
/// The most bytes one entry takes.
pub(crate) const ENTRY_BYTES_MAX: usize = 3 + 1 + 5 + 3 + SLOTS;

/// One entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    pub(crate) handle: u16,
    pub(crate) version: Version,
    /// Bit `i`: slot `i` is present.
    pub(crate) mask: u32,
    /// What is not present is absent, rather than unchanged.
    pub(crate) full: bool,
    /// By slot; only those present count.
    pub(crate) codes: [u8; SLOTS],
}

/// Writes entries one after another.
#[derive(Debug)]
pub(crate) struct RowWriter {
    base: Version,
    prev: i32,
    /// Entries with nothing changed that follow one another and are not written yet.
    run: u32,
}

impl RowWriter {
    pub(crate) fn new(out: &mut Vec<u8>, base: Version) -> Self {
        out.extend_from_slice(&base.0.to_le_bytes());
        RowWriter { base, prev: -1, run: 0 }
    }

    /// Appends an entry; handles must grow. Call [`Self::finish`] at the end.
    pub(crate) fn push(&mut self, out: &mut Vec<u8>, row: &Row) {
        let handle = i32::from(row.handle);
        let late = row.version != self.base;
        if row.mask == 0 && !late && !row.full && handle == self.prev + 1 {
            self.run += 1;
            self.prev = handle;
            return;
        }
        self.finish(out);
        put_varint(out, (handle - self.prev) as u64);
        self.prev = handle;
        let ext1 = (row.mask >> 6 & 0x3f) as u8 | if row.full { FULL } else { 0 };
        let ext2 = (row.mask >> 12 & 0x7f) as u8;
        let ext3 = (row.mask >> 19 & 0xff) as u8;
        let more2 = ext2 != 0 || ext3 != 0;
        let more1 = ext1 != 0 || more2;
        out.push((row.mask & 0x3f) as u8 | if late { LATE } else { 0 } | if more1 { EXT } else { 0 });
        if late {
            match u8::try_from(self.base.ticks_since(row.version)) {
                Ok(ticks) if ticks < 255 => out.push(ticks),
                _ => {
                    out.push(255);
                    out.extend_from_slice(&row.version.0.to_le_bytes());
                }
            }
        }
        if more1 {
            out.push(ext1 | if more2 { MORE } else { 0 });
        }
        if more2 {
            out.push(ext2 | if ext3 != 0 { MORE } else { 0 });
        }
        if ext3 != 0 {
            out.push(ext3);
        }
        let mut mask = row.mask;
        while mask != 0 {
            out.push(row.codes[mask.trailing_zeros() as usize]);
            mask &= mask - 1;
        }
    }

    /// Writes what is still held back.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        match std::mem::take(&mut self.run) {
            0 => {}
            1 => out.extend_from_slice(&[1, 0]),
            n => {
                out.push(0);
                put_varint(out, u64::from(n));
            }
        }
    }
}

/// Reads a ROWS section, one entry at a time.
#[derive(Debug)]
pub(crate) struct RowReader<'a> {
    input: Reader<'a>,
    base: Version,
    prev: i32,
    run: u64,
}

impl<'a> RowReader<'a> {
    pub(crate) fn new(mut input: Reader<'a>) -> Result<Self, Malformed> {
        let base = Version(input.u32()?);
        Ok(RowReader { input, base, prev: -1, run: 0 })
    }

    fn handle(&mut self, gap: u64) -> Result<u16, Malformed> {
        let gap = u16::try_from(gap.saturating_sub(1)).map_err(|_| Malformed("a handle is too large"))?;
        let handle = u16::try_from(self.prev + 1 + i32::from(gap)).map_err(|_| Malformed("a handle is too large"))?;
        self.prev = i32::from(handle);
        Ok(handle)
    }

    fn entry(&mut self) -> Result<Row, Malformed> {
        let mut row = Row { handle: 0, version: self.base, mask: 0, full: false, codes: [0; SLOTS] };
        if self.run == 0 {
            let gap = self.input.varint()?;
            if gap > 0 {
                row.handle = self.handle(gap)?;
                self.fields(&mut row)?;
                return Ok(row);
            }
            self.run = self.input.varint()?;
            if self.run == 0 || self.run > u64::from(u16::MAX) {
                return Err(Malformed("a run of rows has no sensible length"));
            }
        }
        self.run -= 1;
        row.handle = self.handle(1)?;
        Ok(row)
    }

    fn fields(&mut self, row: &mut Row) -> Result<(), Malformed> {
        let head = self.input.u8()?;
        row.mask = u32::from(head & 0x3f);
        if head & LATE != 0 {
            row.version = match self.input.u8()? {
                255 => Version(self.input.u32()?),
                ticks => self.base.earlier(u32::from(ticks)),
            };
        }
        if head & EXT != 0 {
            let ext1 = self.input.u8()?;
            row.mask |= u32::from(ext1 & 0x3f) << 6;
            row.full = ext1 & FULL != 0;
            if ext1 & MORE != 0 {
                let ext2 = self.input.u8()?;
                row.mask |= u32::from(ext2 & 0x7f) << 12;
                if ext2 & MORE != 0 {
                    row.mask |= u32::from(self.input.u8()?) << 19;
                }
            }
        }
        let mut mask = row.mask;
        while mask != 0 {
            row.codes[mask.trailing_zeros() as usize] = self.input.u8()?;
            mask &= mask - 1;
        }
        Ok(())
    }
}

impl Iterator for RowReader<'_> {
    type Item = Result<Row, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.run == 0 && self.input.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_err() {
            (self.run, self.input) = (0, Reader(&[]));
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row() -> impl Strategy<Value = (u16, u32, u32, bool, [u8; SLOTS])> {
        (
            1..300u16,
            prop_oneof![Just(0u32), 0..300u32, any::<u32>()],
            prop_oneof![Just(0u32), 0..1u32 << SLOTS],
            any::<bool>(),
            any::<[u8; SLOTS]>(),
        )
    }

    proptest! {
        #[test]
        fn rows_come_back(rows in prop::collection::vec(row(), 0..40)) {
            let mut out = Vec::new();
            let base = Version(1_000_000);
            let mut writer = RowWriter::new(&mut out, base);
            let mut handle = 0;
            let mut sent = Vec::new();
            for (gap, late, mask, full, mut codes) in rows {
                handle += gap;
                for (i, c) in codes.iter_mut().enumerate() { if mask >> i & 1 == 0 { *c = 0 } }
                let row = Row { handle: handle - 1, version: base.earlier(late), mask, full, codes };
                let before = out.len();
                writer.push(&mut out, &row);
                prop_assert!(out.len() - before <= ENTRY_BYTES_MAX + 4);
                sent.push(row);
            }
            writer.finish(&mut out);
            let back: Result<Vec<_>, _> = RowReader::new(Reader(&out)).expect("a base").collect();
            prop_assert_eq!(back, Ok(sent));
        }

        #[test]
        fn no_bytes_panic_or_run_away(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(reader) = RowReader::new(Reader(&bytes)) {
                prop_assert!(reader.count() <= u16::MAX as usize + 1);
            }
        }
    }

    #[test]
    fn idle_neighbours_cost_three_bytes_together() {
        let mut out = Vec::new();
        let mut w = RowWriter::new(&mut out, Version(7));
        for handle in 0..100 {
            w.push(&mut out, &Row { handle, version: Version(7), mask: 0, full: false, codes: [0; SLOTS] });
        }
        w.finish(&mut out);
        assert_eq!(out, [7, 0, 0, 0, 0, 100]);
    }
}
