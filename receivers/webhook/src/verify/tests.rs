use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use sluice_component::{HumanDuration, Problems, Secret};

use super::{HeaderConfig, Rejection, Scheme, VerifyConfig};

const BODY: &[u8] = br#"{"test": 2432232314}"#;
const WHSEC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const STANDARD: [(&str, &str); 3] = [
    ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
    ("webhook-timestamp", "1614265330"),
    (
        "webhook-signature",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
];

fn config(scheme: Scheme, secret: &str) -> VerifyConfig {
    VerifyConfig {
        scheme,
        secret: Secret::new(secret),
        secrets: vec![],
        tolerance: HumanDuration(Duration::from_secs(300)),
        header: None,
    }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::try_from(*name).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect()
}

fn verify(
    config: &VerifyConfig,
    pairs: &[(&str, &str)],
    body: &[u8],
    now: u64,
) -> Result<Option<String>, Rejection> {
    config
        .build()
        .unwrap()
        .verify(&headers(pairs), body, at(now))
}

fn with<'a>(
    pairs: &[(&'a str, &'a str)],
    name: &'a str,
    value: &'a str,
) -> Vec<(&'a str, &'a str)> {
    pairs
        .iter()
        .copied()
        .filter(|(n, _)| *n != name)
        .chain([(name, value)])
        .collect()
}

#[test]
fn the_standard_webhooks_vector_passes_and_gives_its_id() {
    let config = config(Scheme::StandardWebhooks, WHSEC);
    assert_eq!(
        verify(&config, &STANDARD, BODY, 1_614_265_330),
        Ok(Some("msg_p5jXN8AQM9LWM0D4loKWxJek".into()))
    );
}

#[test]
fn a_standard_signature_covers_id_time_and_every_byte_of_the_body() {
    let config = config(Scheme::StandardWebhooks, WHSEC);
    let now = 1_614_265_330;
    assert_eq!(
        verify(&config, &STANDARD, br#"{"test": 2432232315}"#, now),
        Err(Rejection::Mismatch)
    );
    assert_eq!(
        verify(&config, &STANDARD, br#"{"test":2432232314}"#, now),
        Err(Rejection::Mismatch)
    );
    assert_eq!(
        verify(
            &config,
            &with(&STANDARD, "webhook-id", "msg_other"),
            BODY,
            now
        ),
        Err(Rejection::Mismatch)
    );
    assert_eq!(
        verify(
            &config,
            &with(&STANDARD, "webhook-timestamp", "1614265331"),
            BODY,
            now
        ),
        Err(Rejection::Mismatch)
    );
}

#[test]
fn a_request_without_each_of_the_headers_is_missing_its_signature() {
    let config = config(Scheme::StandardWebhooks, WHSEC);
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let without: Vec<_> = STANDARD
            .iter()
            .copied()
            .filter(|(n, _)| *n != name)
            .collect();
        assert_eq!(
            verify(&config, &without, BODY, 1_614_265_330),
            Err(Rejection::Missing),
            "{name}"
        );
        assert_eq!(
            verify(&config, &with(&STANDARD, name, ""), BODY, 1_614_265_330),
            Err(Rejection::Missing),
            "{name}"
        );
    }
    assert_eq!(
        verify(
            &config,
            &with(&STANDARD, "webhook-timestamp", "soon"),
            BODY,
            1_614_265_330
        ),
        Err(Rejection::Missing)
    );
    assert_eq!(
        verify(
            &config,
            &with(&STANDARD, "webhook-signature", "v2,AAAA"),
            BODY,
            1_614_265_330
        ),
        Err(Rejection::Missing)
    );
}

#[test]
fn a_signed_time_may_be_off_by_the_tolerance_and_not_a_second_more() {
    let config = config(Scheme::StandardWebhooks, WHSEC);
    for (now, fresh) in [
        (1_614_265_630, true),
        (1_614_265_631, false),
        (1_614_265_030, true),
        (1_614_265_029, false),
    ] {
        let expected = if fresh {
            Ok(Some("msg_p5jXN8AQM9LWM0D4loKWxJek".into()))
        } else {
            Err(Rejection::Stale)
        };
        assert_eq!(verify(&config, &STANDARD, BODY, now), expected, "{now}");
    }
}

#[test]
fn one_of_several_signatures_is_enough_and_unknown_versions_are_passed_over() {
    let config = config(Scheme::StandardWebhooks, WHSEC);
    let list = "v1,AAAA v9,zzz v1a,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    assert!(
        verify(
            &config,
            &with(&STANDARD, "webhook-signature", list),
            BODY,
            1_614_265_330
        )
        .is_ok()
    );
    assert_eq!(
        verify(
            &config,
            &with(&STANDARD, "webhook-signature", "v1a,AAAA"),
            BODY,
            1_614_265_330
        ),
        Err(Rejection::UnknownKey)
    );
    let late = format!(
        "{}v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "v1,AAAA ".repeat(super::MAX_SIGNATURES)
    );
    assert_eq!(
        verify(
            &config,
            &with(&STANDARD, "webhook-signature", &late),
            BODY,
            1_614_265_330
        ),
        Err(Rejection::Mismatch)
    );
}

#[test]
fn the_old_and_the_new_secret_both_pass_during_a_rotation() {
    let mut config = config(
        Scheme::StandardWebhooks,
        "whsec_bmV3LXNlY3JldC1uZXctc2VjcmV0LW5ldw==",
    );
    assert_eq!(
        verify(&config, &STANDARD, BODY, 1_614_265_330),
        Err(Rejection::Mismatch)
    );
    config.secrets = vec![Secret::new(WHSEC)];
    assert!(verify(&config, &STANDARD, BODY, 1_614_265_330).is_ok());
}

#[test]
fn an_ed25519_signature_passes_with_the_public_key_only() {
    let pair = Ed25519KeyPair::from_pkcs8(
        Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .unwrap()
            .as_ref(),
    )
    .unwrap();
    let config = config(
        Scheme::StandardWebhooks,
        &format!("whpk_{}", BASE64_STANDARD.encode(pair.public_key())),
    );
    let signed = [b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.".as_slice(), BODY].concat();
    let signature = format!("v1a,{}", BASE64_STANDARD.encode(pair.sign(&signed)));
    assert!(
        verify(
            &config,
            &with(&STANDARD, "webhook-signature", &signature),
            BODY,
            1_614_265_330
        )
        .is_ok()
    );
    assert_eq!(
        verify(
            &config,
            &with(&STANDARD, "webhook-signature", &signature),
            b"{}",
            1_614_265_330
        ),
        Err(Rejection::Mismatch)
    );
    assert_eq!(
        verify(&config, &STANDARD, BODY, 1_614_265_330),
        Err(Rejection::UnknownKey)
    );
}

#[test]
fn the_github_vector_passes_with_the_secret_taken_as_it_is() {
    let config = config(Scheme::Github, "It's a Secret to Everybody");
    let signature = (
        "x-hub-signature-256",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    );
    assert_eq!(verify(&config, &[signature], b"Hello, World!", 0), Ok(None));
    assert_eq!(
        verify(
            &config,
            &[signature, ("x-github-delivery", "72d3162e")],
            b"Hello, World!",
            0
        ),
        Ok(Some("72d3162e".into()))
    );
    assert_eq!(
        verify(&config, &[signature], b"Hello, World?", 0),
        Err(Rejection::Mismatch)
    );
    assert_eq!(
        verify(&config, &[], b"Hello, World!", 0),
        Err(Rejection::Missing)
    );
    assert_eq!(
        verify(
            &config,
            &[("x-hub-signature-256", "sha256=75")],
            b"Hello, World!",
            0
        ),
        Err(Rejection::Mismatch)
    );
    assert_eq!(
        verify(
            &config,
            &[("x-hub-signature-256", "757107ea")],
            b"Hello, World!",
            0
        ),
        Err(Rejection::Missing)
    );
}

#[test]
fn the_stripe_vector_passes_with_its_whsec_not_decoded() {
    let config = config(Scheme::Stripe, "whsec_test");
    let good = "v1=98a6304ac7cd966786ee1b93ad76319d9cd63829827fa0f93cb3e367cf67086d";
    let sign = |value: String, now| verify(&config, &[("stripe-signature", &value)], BODY, now);
    assert_eq!(
        sign(format!("t=1614265330,{good}"), 1_614_265_330),
        Ok(None)
    );
    assert_eq!(
        sign(format!("t=1614265330,v1=00,v0=ab,{good}"), 1_614_265_330),
        Ok(None)
    );
    assert_eq!(
        sign(format!("t=1614265330,{good}"), 1_614_265_631),
        Err(Rejection::Stale)
    );
    assert_eq!(
        sign(format!("t=1614265331,{good}"), 1_614_265_330),
        Err(Rejection::Mismatch)
    );
    assert_eq!(
        sign("t=1614265330".into(), 1_614_265_330),
        Err(Rejection::Missing)
    );
    assert_eq!(sign(good.into(), 1_614_265_330), Err(Rejection::Missing));
}

#[test]
fn a_plain_hmac_is_read_in_hex_and_base64_and_from_a_list() {
    let mut config = config(Scheme::HmacSha256, "It's a Secret to Everybody");
    let hex = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let base64 = BASE64_STANDARD.encode(hex::decode(hex).unwrap());
    for value in [
        hex.to_owned(),
        format!("sha256={hex}"),
        base64,
        format!("v1=00,v1={hex}"),
        format!("v1=00, v1={}", hex.to_uppercase()),
    ] {
        assert_eq!(
            verify(&config, &[("x-signature", &value)], b"Hello, World!", 0),
            Ok(None),
            "{value}"
        );
    }
    config.header = Some(HeaderConfig {
        name: "X-PagerDuty-Signature".into(),
        value: Secret::default(),
    });
    assert_eq!(
        verify(
            &config,
            &[("x-pagerduty-signature", &format!("v1={hex}"))],
            b"Hello, World!",
            0
        ),
        Ok(None)
    );
    assert_eq!(
        verify(&config, &[("x-signature", hex)], b"Hello, World!", 0),
        Err(Rejection::Missing)
    );
}

#[test]
fn bearer_basic_and_a_fixed_header_compare_the_whole_value() {
    let bearer = config(Scheme::Bearer, "s3cret");
    let basic = config(Scheme::Basic, "siem:s3cret");
    let mut splunk = config(Scheme::Header, "");
    splunk.header = Some(HeaderConfig {
        name: "Authorization".into(),
        value: Secret::new("Splunk s3cret"),
    });
    for (config, good) in [
        (bearer, "Bearer s3cret"),
        (basic, "Basic c2llbTpzM2NyZXQ="),
        (splunk, "Splunk s3cret"),
    ] {
        assert_eq!(
            verify(&config, &[("authorization", good)], BODY, 0),
            Ok(None)
        );
        assert_eq!(
            verify(
                &config,
                &[("authorization", &good[..good.len() - 1])],
                BODY,
                0
            ),
            Err(Rejection::Mismatch)
        );
        assert_eq!(
            verify(&config, &[("authorization", &format!("{good}x"))], BODY, 0),
            Err(Rejection::Mismatch)
        );
        assert_eq!(verify(&config, &[], BODY, 0), Err(Rejection::Missing));
    }
}

#[test]
fn what_can_let_nobody_in_is_a_configuration_error() {
    let errors = |config: VerifyConfig| {
        let mut problems = Problems::new();
        config.check(&mut problems);
        problems.found.len()
    };
    assert_eq!(errors(config(Scheme::StandardWebhooks, WHSEC)), 0);
    for (scheme, secret) in [
        (Scheme::StandardWebhooks, "whsec_not base64"),
        (Scheme::StandardWebhooks, "whpk_AAAA"),
        (Scheme::StandardWebhooks, "whsk_AAAA"),
        (Scheme::Github, ""),
        (Scheme::Basic, "password"),
        (Scheme::Header, "x"),
    ] {
        assert_eq!(errors(config(scheme, secret)), 1, "{scheme:?} {secret}");
    }
    let mut two = config(Scheme::Bearer, "a");
    two.secrets = vec![Secret::default()];
    two.tolerance = HumanDuration(Duration::ZERO);
    two.header = Some(HeaderConfig {
        name: "x".into(),
        value: Secret::default(),
    });
    assert_eq!(errors(two), 3);
}

#[test]
fn no_secret_is_printed() {
    let config = config(Scheme::StandardWebhooks, WHSEC);
    let shown = format!("{config:?} {:?}", config.build().unwrap());
    assert!(!shown.contains("MfKQ"), "{shown}");
}
