//! TSIG keys, in the form that BIND's `tsig-keygen` prints.

use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{Name, TSigner};
use std::fmt;

/// Seconds that this machine's clock and the server's may differ (RFC 8945 recommends 300).
pub(super) const CLOCKS_APART_MAX: u16 = 300;
/// Bytes of a key file that are read: the longest secret takes 100.
const FILE_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a secret below which guessing it is a plan.
const SECRET_BYTES_MIN: usize = 16;

/// A name, an algorithm and a secret that the server knows too.
#[derive(Clone)]
pub struct Key {
    signer: TSigner,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the secret.
        f.debug_struct("Key").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// What is wrong with a key file's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not in the form of `tsig-keygen`.
    #[error("{0}; a key looks as `tsig-keygen` prints it: key \"NAME\" {{ algorithm hmac-sha256; secret \"BASE64\"; }};")]
    Form(String),
    /// The algorithm is not supported.
    #[error("algorithm {0:?} is not supported; make a key with hmac-sha256, hmac-sha384 or hmac-sha512 (tsig-keygen -a)")]
    Algorithm(String),
    /// The secret is too short.
    #[error("the secret has {0} bytes; fewer than {SECRET_BYTES_MIN} can be guessed: make one with `tsig-keygen`")]
    Short(usize),
}

impl Key {
    /// The one key in a file's text.
    ///
    /// # Errors
    /// If there is none, more than one, or it cannot be used.
    pub fn parse(text: &str) -> Result<Key, KeyError> {
        if text.len() > FILE_BYTES_MAX {
            return Err(KeyError::Form(format!("it is longer than {FILE_BYTES_MAX} bytes")));
        }
        let words = words(text)?;
        let mut words = words.iter().map(String::as_str);
        let mut next = |wanted: &str| words.next().ok_or_else(|| KeyError::Form(format!("it ends where {wanted} should stand")));
        let expect = |found: &str, wanted: &str| match found == wanted {
            true => Ok(()),
            false => Err(KeyError::Form(format!("{:?} stands where {wanted:?} should", short(found)))),
        };
        expect(next("\"key\"")?, "key")?;
        let name = next("the key's name")?.to_string();
        expect(next("{")?, "{")?;
        let (mut algorithm, mut secret) = (None, None);
        loop {
            match next("}")? {
                "}" => break,
                "algorithm" => algorithm = Some(next("the algorithm")?.to_string()),
                "secret" => secret = Some(next("the secret")?.to_string()),
                other => return Err(KeyError::Form(format!("it says {:?}, which keys do not have", short(other)))),
            }
            expect(next(";")?, ";")?;
        }
        expect(next(";")?, ";")?;
        if next("").is_ok() {
            return Err(KeyError::Form("more follows after the key; keep one key in the file".into()));
        }
        let missing = |what: &str| KeyError::Form(format!("the key has no {what}"));
        Key::new(&name, &algorithm.ok_or_else(|| missing("algorithm"))?, &secret.ok_or_else(|| missing("secret"))?)
    }

    fn new(name: &str, algorithm: &str, secret: &str) -> Result<Key, KeyError> {
        let algorithm = match algorithm.to_ascii_lowercase().trim_end_matches('.') {
            "hmac-sha256" => TsigAlgorithm::HmacSha256,
            "hmac-sha384" => TsigAlgorithm::HmacSha384,
            "hmac-sha512" => TsigAlgorithm::HmacSha512,
            other => return Err(KeyError::Algorithm(short(other).to_string())),
        };
        let name = crate::zone::name(name).map_err(|e| KeyError::Form(e.to_string()))?.to_lowercase();
        let secret = data_encoding::BASE64.decode(secret.as_bytes());
        let secret = secret.map_err(|e| KeyError::Form(format!("the secret is not base64: {e}")))?;
        if secret.len() < SECRET_BYTES_MIN {
            return Err(KeyError::Short(secret.len()));
        }
        let signer = TSigner::new(secret, algorithm.clone(), name, CLOCKS_APART_MAX);
        Ok(Key { signer: signer.map_err(|_| KeyError::Algorithm(algorithm.to_string()))? })
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        self.signer.signer_name()
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> String {
        self.signer.algorithm().to_string()
    }

    pub(crate) fn signer(&self) -> &TSigner {
        &self.signer
    }
}

fn short(text: &str) -> &str {
    text.char_indices().nth(40).map_or(text, |(end, _)| &text[..end])
}

/// The words of BIND's configuration: quoted or not, braces and semicolons alone, comments of all three kinds left out.
fn words(text: &str) -> Result<Vec<String>, KeyError> {
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches('\u{feff}');
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return Ok(words) };
        let until = |end: &str, rest: &str| rest.find(end).map_or(rest.len(), |at| at + end.len());
        if first == '#' || rest.starts_with("//") {
            rest = &rest[until("\n", rest)..];
        } else if rest.starts_with("/*") {
            rest = &rest[until("*/", rest)..];
        } else if "{};".contains(first) {
            words.push(first.to_string());
            rest = &rest[1..];
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').ok_or_else(|| KeyError::Form("a quotation mark has no second one".into()))?;
            words.push(quoted[..end].to_string());
            rest = &quoted[end + 1..];
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "{};\"#".contains(c)).unwrap_or(rest.len());
            words.push(rest[..end].to_string());
            rest = &rest[end..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn what_tsig_keygen_prints_is_read() {
        for text in [
            format!("key \"Peermon.Example.\" {{\n\talgorithm hmac-sha256;\n\tsecret \"{SECRET}\";\n}};\n"),
            format!(
                "# a key\n// of ours\n/* it is\nsecret */ key peermon.example {{ secret {SECRET}; algorithm HMAC-SHA256.; }} ;"
            ),
        ] {
            let key = Key::parse(&text).expect("a key");
            assert_eq!((key.name().to_ascii(), key.algorithm()), ("peermon.example.".into(), "hmac-sha256".into()));
            assert!(!format!("{key:?}").contains("31"), "the secret is never shown");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |text: String, word: &str| {
            let e = Key::parse(&text).expect_err(word).to_string();
            assert!(e.contains(word), "{e}");
        };
        let key = |algorithm: &str, secret: &str| format!("key k {{ algorithm {algorithm}; secret \"{secret}\"; }};");
        check(String::new(), "ends where \"key\"");
        check("zone x {}".into(), "\"zone\" stands where \"key\"");
        check("key k { algorithm hmac-sha256; };".into(), "no secret");
        check("key k { algorithm hmac-sha256; secret \"x".into(), "no second one");
        check(key("hmac-md5", SECRET), "\"hmac-md5\" is not supported");
        check(key("hmac-sha256", "!"), "not base64");
        check(key("hmac-sha256", "AAEC"), "3 bytes");
        check(key("hmac-sha256", SECRET) + " key", "more follows");
        check(key("hmac-sha256", SECRET).replace("key k", "key a..b"), "not a DNS name");
        check("x".repeat(FILE_BYTES_MAX + 1), "longer than");
    }

    proptest! {
        #[test]
        fn any_text_is_a_key_or_an_error(text in "(key|\\{|\\}|;|\"|/\\*|#|é|[a-z ]){0,40}") {
            drop(Key::parse(&text));
        }
    }
}
