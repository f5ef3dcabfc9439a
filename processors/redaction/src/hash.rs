//! What stands in the place of what was taken out.

use aws_lc_rs::{digest, hmac};
use md5::{Digest as _, Md5};
use processor_detect::{Detector, Finding, unescaped};

use crate::{Action, Config, HashFunction};

/// Writes placeholders, hashes and pseudonyms.
pub(crate) struct Replacement {
    action: Action,
    function: HashFunction,
    key_256: hmac::Key,
    key_512: hmac::Key,
    key_id: String,
}

impl Replacement {
    pub(crate) fn new(config: &Config) -> Self {
        let key = config.hmac_key.expose().as_bytes();
        Self {
            action: config.action,
            function: config.hash_function,
            key_256: hmac::Key::new(hmac::HMAC_SHA256, key),
            key_512: hmac::Key::new(hmac::HMAC_SHA512, key),
            key_id: config.key_id.clone().unwrap_or_else(|| "k1".to_owned()),
        }
    }

    pub(crate) fn drops(&self) -> bool {
        self.action == Action::Drop
    }

    /// In place of a detector's find. What nobody scanned is masked under every action: a hash of it would say nothing.
    pub(crate) fn of_find(&self, finding: Finding, text: &str) -> String {
        match (self.action, finding) {
            (Action::Hash, Finding::Detected(detector)) => {
                format!(
                    "sha256:{}",
                    hex::encode(digest::digest(
                        &digest::SHA256,
                        normalised(detector, text).as_bytes()
                    ))
                )
            }
            (Action::Hmac, Finding::Detected(detector)) => format!(
                "tok_{}_{}_{}",
                detector.name(),
                self.key_id,
                self.pseudonym(detector, text)
            ),
            _ => format!("[REDACTED:{}]", finding.name()),
        }
    }

    /// HMAC-SHA-256 of the detector's name, a zero byte and the normalised value: the first 15 bytes in base32.
    fn pseudonym(&self, detector: Detector, text: &str) -> String {
        let mut context = hmac::Context::with_key(&self.key_256);
        context.update(detector.name().as_bytes());
        context.update(&[0]);
        context.update(normalised(detector, text).as_bytes());
        base32(&context.sign().as_ref()[..15])
    }

    /// In place of what the Collector's keys block.
    pub(crate) fn of_blocked(&self, text: &str) -> String {
        let bytes = text.as_bytes();
        match self.function {
            HashFunction::Stars => "****".to_owned(),
            HashFunction::Md5 => hex::encode(Md5::digest(bytes)),
            HashFunction::Sha1 => {
                hex::encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes))
            }
            HashFunction::Sha3 => hex::encode(digest::digest(&digest::SHA3_256, bytes)),
            HashFunction::HmacSha256 => hex::encode(hmac::sign(&self.key_256, bytes)),
            HashFunction::HmacSha512 => hex::encode(hmac::sign(&self.key_512, bytes)),
        }
    }
}

/// The same text for every way to write a value: e-mail in lower case, numbers as digits, addresses in canonical form.
fn normalised(detector: Detector, text: &str) -> String {
    let text = unescaped(text.trim());
    match detector {
        Detector::Email => text.trim().to_lowercase(),
        Detector::IpAddress => text.parse().map_or_else(
            |_| text.clone().into_owned(),
            |ip: std::net::IpAddr| ip.to_string(),
        ),
        Detector::Iban
        | Detector::EsNif
        | Detector::UkNino
        | Detector::MacAddress
        | Detector::UsMbi => text
            .chars()
            .filter(|c| c.is_ascii_alphanumeric())
            .map(|c| c.to_ascii_uppercase())
            .collect(),
        _ if !detector.is_secret()
            && text.chars().all(|c| {
                c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')' | '+' | '/')
            }) =>
        {
            text.chars().filter(char::is_ascii_digit).collect()
        }
        _ => text.into_owned(),
    }
}

fn base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    let (mut buffer, mut bits) = (0u32, 0);
    for byte in bytes {
        buffer = buffer << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(
                b"abcdefghijklmnopqrstuvwxyz234567"[(buffer >> bits & 31) as usize],
            ));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use sluice_component::Secret;

    use super::*;

    #[test]
    fn pseudonyms_are_those_of_the_published_rule() {
        let key: String = (0..32u8).map(char::from).collect();
        let config = Config {
            action: Action::Hmac,
            hmac_key: Secret::new(key),
            ..Config::default()
        };
        let replacement = Replacement::new(&config);
        let of = |detector, text: &str| replacement.of_find(Finding::Detected(detector), text);
        assert_eq!(
            of(Detector::Email, "user@example.com"),
            "tok_email_k1_mmcng3ea6ngzixymmw2ir5sj"
        );
        assert_eq!(
            of(Detector::Email, " User@Example.COM"),
            "tok_email_k1_mmcng3ea6ngzixymmw2ir5sj"
        );
        assert_eq!(
            of(Detector::UsSsn, "219-09-9999"),
            "tok_us_ssn_k1_mtnds6344heq2kg4ygmtic3v"
        );
        assert_eq!(
            of(Detector::UsSsn, "２１９-09-9999"),
            "tok_us_ssn_k1_mtnds6344heq2kg4ygmtic3v"
        );
        assert_eq!(
            replacement.of_find(Finding::Unscanned, "x"),
            "[REDACTED:unscanned]"
        );
    }

    #[test]
    fn collector_hashes_are_hexadecimal() {
        let of = |function| {
            Replacement::new(&Config {
                hash_function: function,
                hmac_key: Secret::new("k"),
                ..Config::default()
            })
            .of_blocked("abc")
        };
        assert_eq!(of(HashFunction::Stars), "****");
        assert_eq!(of(HashFunction::Md5), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            of(HashFunction::Sha1),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert_eq!(
            of(HashFunction::Sha3),
            "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"
        );
        assert_eq!(of(HashFunction::HmacSha256).len(), 64);
        assert_eq!(of(HashFunction::HmacSha512).len(), 128);
    }
}
