//! Gzip (RFC 1952) around deflate. Also part of the build script.

use miniz_oxide::deflate::compress_to_vec;

/// `bytes` as a gzip file of one member. `level` is 0 (stored) to 10 (slow and small).
pub(crate) fn gzip(bytes: &[u8], level: u8) -> Vec<u8> {
    // deflate, no name, no time, any system
    let mut all = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    all.extend(compress_to_vec(bytes, level));
    all.extend(crc(bytes).to_le_bytes());
    // the length modulo 2^32, says the format
    all.extend((bytes.len() as u32).to_le_bytes());
    all
}

/// The CRC-32 of ISO 3309, which gzip ends with.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, b| TABLE[usize::from(crc as u8 ^ b)] ^ (crc >> 8))
}

static TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut c = n as u32;
        let mut bit = 0;
        while bit < 8 {
            c = if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 };
            bit += 1;
        }
        table[n] = c;
        n += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use miniz_oxide::inflate::decompress_to_vec;

    #[test]
    fn the_check_sum_is_the_standards() {
        // the check value that every catalogue of CRCs gives
        assert_eq!((crc(b"123456789"), crc(b"")), (0xcbf4_3926, 0));
    }

    #[test]
    fn what_goes_in_comes_out() {
        for bytes in [&b""[..], b"x", &b"abc".repeat(10_000)] {
            for level in [1, 9] {
                let all = gzip(bytes, level);
                let (body, end) = all[10..].split_at(all.len() - 18);
                assert_eq!(decompress_to_vec(body).expect("deflate"), bytes);
                assert_eq!(end, [crc(bytes).to_le_bytes(), (bytes.len() as u32).to_le_bytes()].concat());
            }
        }
    }
}
