//! How webhook senders prove who they are.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A header, name and value.
pub type Header = (String, String);

/// Unix seconds now.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs()
}

/// Standard Webhooks v1: the key is the base64 behind `whsec_`.
#[must_use]
pub fn standard_webhooks(secret: &str, id: &str, timestamp: u64, body: &[u8]) -> Vec<Header> {
    let key = STANDARD
        .decode(secret.trim_start_matches("whsec_"))
        .expect("a whsec_ secret");
    let signature = STANDARD.encode(hmac(&key, &[format!("{id}.{timestamp}.").as_bytes(), body]));
    vec![
        ("webhook-id".to_owned(), id.to_owned()),
        ("webhook-timestamp".to_owned(), timestamp.to_string()),
        ("webhook-signature".to_owned(), format!("v1,{signature}")),
    ]
}

/// GitHub: `X-Hub-Signature-256` over the body.
#[must_use]
pub fn github(secret: &str, body: &[u8]) -> Vec<Header> {
    vec![(
        "x-hub-signature-256".to_owned(),
        format!("sha256={}", hex::encode(hmac(secret.as_bytes(), &[body]))),
    )]
}

/// Stripe: `Stripe-Signature` over time and body.
#[must_use]
pub fn stripe(secret: &str, timestamp: u64, body: &[u8]) -> Vec<Header> {
    let signature = hex::encode(hmac(
        secret.as_bytes(),
        &[format!("{timestamp}.").as_bytes(), body],
    ));
    vec![(
        "stripe-signature".to_owned(),
        format!("t={timestamp},v1={signature}"),
    )]
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_vendors_published_examples() {
        let body = br#"{"test": 2432232314}"#;
        let standard = standard_webhooks(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            body,
        );
        assert_eq!(
            standard[2].1,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        let github = github("It's a Secret to Everybody", b"Hello, World!");
        assert_eq!(
            github[0].1,
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
        let stripe = stripe("whsec_test", 1_614_265_330, body);
        assert_eq!(
            stripe[0].1,
            "t=1614265330,v1=98a6304ac7cd966786ee1b93ad76319d9cd63829827fa0f93cb3e367cf67086d"
        );
    }
}
