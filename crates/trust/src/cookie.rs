use ring::hmac;
use std::fmt;

/// Bytes of a cookie.
pub const COOKIE_BYTES: usize = 16;

/// Makes cookies: proof that whoever asks receives at the address it names, without keeping anything about it (as in
/// DTLS, RFC 6347, 4.2.1). A cookie holds for the slot it was made in and the next one.
pub struct CookieJar(hmac::Key);

impl CookieJar {
    /// A jar under a secret of this node's own.
    pub fn new(secret: &[u8; 32]) -> Self {
        CookieJar(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The cookie for `asker` (all that must be the same when it comes back) in a time slot.
    pub fn cookie(&self, slot: u64, asker: &[u8]) -> [u8; COOKIE_BYTES] {
        let mut c = hmac::Context::with_key(&self.0);
        c.update(&slot.to_le_bytes());
        c.update(asker);
        let mut cookie = [0; COOKIE_BYTES];
        cookie.copy_from_slice(&c.sign().as_ref()[..COOKIE_BYTES]);
        cookie
    }

    /// Whether the cookie was made for `asker` in this slot or the one before.
    pub fn is_valid(&self, slot: u64, asker: &[u8], cookie: &[u8; COOKIE_BYTES]) -> bool {
        [slot, slot.wrapping_sub(1)].iter().any(|s| {
            // all bytes are compared, so that the time taken tells nothing
            self.cookie(*s, asker).iter().zip(cookie).fold(0, |d, (a, b)| d | (a ^ b)) == 0
        })
    }
}

impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieJar")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_holds_two_slots_for_one_asker() {
        let jar = CookieJar::new(&[1; 32]);
        let c = jar.cookie(7, b"a");
        assert!(jar.is_valid(7, b"a", &c) && jar.is_valid(8, b"a", &c));
        assert!(!jar.is_valid(9, b"a", &c) && !jar.is_valid(7, b"b", &c) && !CookieJar::new(&[2; 32]).is_valid(7, b"a", &c));
    }
}
