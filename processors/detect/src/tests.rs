use base64::Engine as _;
use proptest::prelude::*;

use super::*;

/// One sample of every detector: the key that it stands under, a text around it (`{}`), the sample.
const SAMPLES: &[(Detector, &str, &str)] = &[
    (Detector::Email, "write to {} now", "jane.doe@example.com"),
    (
        Detector::CreditCard,
        "paid with {} today",
        "4111 1111 1111 1111",
    ),
    (
        Detector::CreditCard,
        "paid with {} today",
        "2223003122003222",
    ),
    (
        Detector::CreditCard,
        "paid with {} today",
        "378282246310005",
    ),
    (
        Detector::CreditCard,
        "paid with {} today",
        "3782-822463-10005",
    ),
    (
        Detector::Iban,
        "send it to {} please",
        "GB82WEST12345698765432",
    ),
    (
        Detector::Iban,
        "send it to {} please",
        "DE89 3704 0044 0532 0130 00",
    ),
    (Detector::UsSsn, "it is {} he said", "123-45-6789"),
    (Detector::UsSsn, "it is {} he said", "078-05-1120"),
    (Detector::UsSsn, "the ssn is {} he said", "219099999"),
    (Detector::Phone, "call {} now", "+14155550100"),
    (Detector::Phone, "call {} now", "+49 30 901820 33"),
    (Detector::Phone, "phone number {} now", "(415) 555-0100"),
    (Detector::IpAddress, "from {} at", "203.0.113.7"),
    (Detector::IpAddress, "from {} at", "2001:db8::8a2e:370:7334"),
    (
        Detector::Jwt,
        "saw {} there",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    ),
    (
        Detector::PrivateKey,
        "{}",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAx\nqwertyuiop\n-----END RSA PRIVATE KEY-----",
    ),
    (
        Detector::AwsAccessKey,
        "id {} was used",
        "AKIAIOSFODNN7EXAMPLE",
    ),
    (
        Detector::GithubToken,
        "saw {} there",
        "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",
    ),
    (
        Detector::ApiKey,
        "saw {} there",
        "sk-proj-abcdEFGH1234ijklMNOP5678",
    ),
    (
        Detector::ApiKey,
        "saw {} there",
        "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrStUvAA",
    ),
    (
        Detector::ApiKey,
        "saw {} there",
        "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    ),
    (
        Detector::ApiKey,
        "saw {} there",
        "xoxb-123456789012-abcdefABCDEF",
    ),
    (
        Detector::ApiKey,
        "saw {} there",
        "SK0123456789abcdef0123456789abcdef",
    ),
    (
        Detector::ApiKey,
        "saw {} there",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ),
    (
        Detector::ApiKey,
        "saw {} there",
        "abc8Q~abcdefghijklmnopqrstuvwxyz0123456",
    ),
    (
        Detector::ApiKey,
        "the api key {} there",
        "0123456789abcdef0123456789abcdef",
    ),
    (
        Detector::UrlPassword,
        "postgres://bob:{}@db.example/x",
        "hunter2pw",
    ),
    (
        Detector::BearerToken,
        "Authorization: Bearer {} ok",
        "abcdefghij0123456789",
    ),
    (
        Detector::BasicAuth,
        "Basic {} ok",
        "dXNlcjpwYXNzd29yZDEyMw==",
    ),
    (Detector::NamedSecret, "password={} end", "hunter2"),
    (Detector::NamedSecret, "{\"client_secret\":\"{}\"}", "x y z"),
    (Detector::UsItin, "it is {} ok", "912-70-1234"),
    (Detector::AbaRouting, "routing number {} ok", "021000021"),
    (Detector::UsNpi, "npi {} ok", "1234567893"),
    (Detector::UsDea, "DEA {} ok", "AB1234563"),
    (Detector::UsMbi, "it is {} ok", "1EG4-TE5-MK73"),
    (Detector::CaSin, "SIN {} ok", "130 692 544"),
    (Detector::UkNhs, "NHS {} ok", "943 476 5919"),
    (Detector::UkNino, "it is {} ok", "AB 12 34 56 C"),
    (Detector::UkNino, "it is {} ok", "AB123456C"),
    (Detector::InAadhaar, "it is {} ok", "2341 2341 2346"),
    (Detector::InAadhaar, "aadhaar {} ok", "234567890124"),
    (Detector::InPan, "it is {} ok", "ABCPE1234F"),
    (Detector::BrCpf, "it is {} ok", "529.982.247-25"),
    (Detector::EsNif, "it is {} ok", "12345678Z"),
    (Detector::EsNif, "it is {} ok", "X1234567L"),
    (Detector::FrNir, "it is {} ok", "2 55 08 14 168 025 38"),
    (Detector::FrNir, "nir {} ok", "255081416802538"),
    (Detector::DeTaxId, "steuer {} ok", "86095742719"),
    (Detector::PlPesel, "pesel {} ok", "44051401359"),
    (Detector::NlBsn, "bsn {} ok", "111222333"),
    (Detector::TrTckn, "tckn {} ok", "10000000146"),
    (Detector::AuTfn, "tfn {} ok", "123456782"),
    (Detector::AuAbn, "it is {} ok", "51 824 753 556"),
    (Detector::AuMedicare, "medicare {} ok", "2123456701"),
    (Detector::MacAddress, "it is {} ok", "00:1A:2b:3c:4D:5e"),
    (
        Detector::BtcAddress,
        "it is {} ok",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
    ),
    (
        Detector::BtcAddress,
        "it is {} ok",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    ),
    (
        Detector::EthAddress,
        "it is {} ok",
        "0x52908400098527886E0F7030069857D2E4169EE7",
    ),
];

fn one(detector: Detector) -> Scanner {
    Scanner::new([detector].into_iter().collect())
}

fn everything() -> Scanner {
    Scanner::new(Detector::ALL.iter().copied().collect())
}

fn json_escaped(text: &str) -> String {
    text.encode_utf16().map(|u| format!("\\u{u:04x}")).collect()
}

fn full_width(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_digit() {
                char::from_u32(c as u32 - 0x30 + 0xff10).unwrap()
            } else {
                c
            }
        })
        .collect()
}

/// The forms in which a text may stand in a value.
fn forms(text: &str) -> Vec<(&'static str, String)> {
    let json =
        |t: &str| serde_json::to_string(&serde_json::json!({"note": t, "n": [1, true]})).unwrap();
    vec![
        ("prose", text.to_owned()),
        ("json", json(text)),
        ("json in json", json(&json(text))),
        ("json in json in json", json(&json(&json(text)))),
        ("escaped", json_escaped(text)),
        ("zero width", text.replace(' ', " \u{200b}")),
        ("full-width digits", full_width(text)),
        ("no-break spaces", text.replace(' ', "\u{a0}")),
        ("lines", format!("first line\n{text}\nlast line")),
        (
            "next to letters outside ascii",
            format!("写信给 {text} 谢谢"),
        ),
        (
            "percent",
            text.bytes().map(|b| format!("%{b:02X}")).collect(),
        ),
        (
            "base64",
            base64::engine::general_purpose::STANDARD.encode(text),
        ),
        (
            "base64url behind a name",
            format!(
                "x={}",
                base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
            ),
        ),
        (
            "base64 of json",
            base64::engine::general_purpose::STANDARD.encode(json(text)),
        ),
    ]
}

fn redacted(text: &str, found: &[Match]) -> String {
    let mut out = String::new();
    let mut at = 0;
    for m in found {
        out.push_str(&text[at..m.range.start]);
        out.push_str("[REDACTED:");
        out.push_str(m.finding.name());
        out.push(']');
        at = m.range.end;
    }
    out + &text[at..]
}

#[test]
fn every_detector_finds_its_sample_in_every_form() {
    let mut seen = DetectorSet::EMPTY;
    for (detector, around, sample) in SAMPLES {
        seen.insert(*detector);
        for (form, text) in forms(&around.replace("{}", sample)) {
            for scanner in [one(*detector), everything()] {
                let mut found = Vec::new();
                let bits = scanner.find("note", &text, &mut found);
                assert!(
                    DetectorSet::from_bits(bits).contains(*detector),
                    "{detector} missed as {form}: {text}"
                );
                let after = redacted(&text, &found);
                assert!(
                    !after.contains(sample) || sample.len() < 6,
                    "{detector} left as {form}: {after}"
                );
                let mut plainly = Vec::new();
                assert_eq!(
                    scanner.find_plainly("note", &text, &mut plainly),
                    bits,
                    "{detector} {form}: {text}"
                );
                assert_eq!(plainly, found);
            }
        }
    }
    assert_eq!(seen, Detector::ALL.iter().copied().collect());
}

#[test]
fn a_sample_is_nominated_wherever_the_search_pauses() {
    // Blocks are judged 4096 bytes together, and by what is before and behind them.
    for (detector, around, sample) in SAMPLES {
        let scanner = one(*detector);
        let text = around.replace("{}", sample);
        for before in 4096 - text.len() - 70..4096 + 70 {
            let (padding, mut out) = (";".repeat(before), Vec::new());
            scanner.candidates(format!("{padding}{text};").as_bytes(), &mut out);
            let near = before.saturating_sub(8)..before + text.len();
            assert!(out.iter().any(|at| near.contains(at)), "{text} at {before}");
        }
    }
}

#[test]
fn a_sample_is_taken_exactly() {
    for (detector, around, sample) in SAMPLES {
        let text = around.replace("{}", sample);
        let mut found = Vec::new();
        one(*detector).find("note", &text, &mut found);
        let taken: Vec<&str> = found.iter().map(|m| &text[m.range.clone()]).collect();
        assert_eq!(taken, [*sample], "{detector} in {text}");
    }
}

#[test]
fn redacting_twice_changes_nothing() {
    let all = everything();
    for (detector, around, sample) in SAMPLES {
        for (form, text) in forms(&around.replace("{}", sample)) {
            let mut found = Vec::new();
            all.find("note", &text, &mut found);
            let once = redacted(&text, &found);
            found.clear();
            all.find("note", &once, &mut found);
            assert!(
                found.is_empty(),
                "{detector} as {form}: {once} has {found:?}"
            );
        }
    }
}

#[test]
fn identifiers_hashes_times_and_names_are_nothing() {
    let negatives = [
        "550e8400-e29b-41d4-a716-446655440000",
        "01890a5d-ac96-774b-bcce-b302099a8057",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "00f067aa0ba902b7",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "1790000000",
        "1790000000123",
        "1790000000123456",
        "1790000000123456789",
        "2026-04-20T18:30:05Z",
        "2026-04-20T18:30:05.123456789Z",
        "2026-04-20 18:30:05",
        "1.2.3",
        "10.20.30-rc.4",
        "v1.95.0",
        "gpt-4o-mini-2024-07-18",
        "claude-sonnet-4-5-20250929",
        "text-embedding-3-large",
        "meta-llama/Llama-3.1-70B-Instruct",
        "SKU-12345-67890",
        "sk-learn",
        "sk-SK",
        "sk-circle",
        "task-123456",
        "input_tokens: 123456789",
        "total_tokens=12345678901234",
        "max_tokens: 4096",
        "user@localhost",
        "@scope/package@1.2.3",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
        "a basic understanding of bearer instruments",
        "0.4111111111111111",
        "4111111111111112",
        "000-12-3456",
        "666-12-3456",
        "900-12-3456",
        "111-11-1111",
        "GB82WEST12345698765431",
        "5123-45-67891",
        "x4111111111111111",
        "https://example.com:8080/a@b",
        "std::fmt::Display",
        "12:30:05",
        "see the secret: it is out",
        "self-harm/intent",
        "chat.completions",
        "http://localhost:4317",
    ];
    for text in negatives {
        let mut found = Vec::new();
        everything().find("note", text, &mut found);
        assert_eq!(found, [], "{text}");
        found.clear();
        everything().find_plainly("note", text, &mut found);
        assert_eq!(found, [], "{text}");
    }
}

#[test]
fn a_key_is_context() {
    let all = everything();
    let finds = |key: &str, text: &str| {
        let mut found = Vec::new();
        all.find(key, text, &mut found)
    };
    assert_ne!(finds("user.ssn", "219099999"), 0);
    assert_eq!(finds("user.id", "219099999"), 0);
    assert_ne!(finds("cardNumber", "4222222222222"), 0);
    assert_eq!(finds("count", "4222222222222"), 0);
}

#[test]
fn keys_name_secrets_by_whole_last_words() {
    for key in [
        "password",
        "db.password",
        "X-Api-Key",
        "apiKey",
        "client_secret",
        "API_KEY",
        "authorization",
        "Set-Cookie",
        "privateKey",
        "access_token",
        "token",
        "auth.token.value",
        "secretAccessKey",
        "password2",
        "HTTPToken",
    ] {
        assert!(names_a_secret(key), "{key}");
    }
    for key in [
        "input_tokens",
        "max_token",
        "token_count",
        "tokenizer",
        "token_type",
        "password_policy",
        "secretary",
        "cookie_consent",
        "key",
        "primary_key",
        "authorization_url",
        "api_key_id",
        "passage",
        "broken",
    ] {
        assert!(!names_a_secret(key), "{key}");
    }
}

#[test]
fn proven_identifiers_are_passed_over_and_others_under_their_names_are_not() {
    let all = everything();
    let finds = |key: &str, text: &str| {
        let mut found = Vec::new();
        all.find(key, text, &mut found)
    };
    assert_eq!(finds("event_id", "41111111-1111-1111-1111-111111111111"), 0);
    assert_eq!(finds("span_id", "4111111111111111"), 0);
    assert_ne!(finds("event_id", "4111111111111111"), 0);
    assert_ne!(finds("event_id", "jane@example.com"), 0);
}

#[test]
fn what_is_too_long_or_packed_too_deep_is_unscanned() {
    let all = everything();
    let mut found = Vec::new();
    let text = "a ".repeat(MAX_SCANNED_BYTES / 2);
    assert_eq!(all.find("k", &text, &mut found), 0);
    let longer = text + "b";
    assert_eq!(all.find("k", &longer, &mut found), DetectorSet::UNSCANNED);
    assert_eq!(found[0].range.end, longer.len());
    assert!(
        found[0].range.start <= MAX_SCANNED_BYTES
            && found[0].range.start > MAX_SCANNED_BYTES - 4097
    );

    let wrapped = |levels: usize| {
        (0..levels).fold("jane@example.com".to_owned(), |text, _| {
            text.replace('%', "%25").replace('@', "%40")
        })
    };
    found.clear();
    all.find("k", &wrapped(MAX_LAYERS), &mut found);
    assert_eq!(found[0].finding, Finding::Detected(Detector::Email));
    found.clear();
    all.find("k", &wrapped(MAX_LAYERS + 1), &mut found);
    assert_eq!(
        (found[0].finding, found[0].range.len()),
        (Finding::Unscanned, wrapped(MAX_LAYERS + 1).len())
    );
}

#[test]
fn an_unknown_name_lists_the_names_and_the_nearest() {
    let error = DetectorSet::from_name("credit_cards")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("did you mean `credit_card`?")
            && error.contains("us_ssn")
            && error.contains("secrets"),
        "{error}"
    );
    assert_eq!(
        DetectorSet::from_name("zzzzzzzzzz").unwrap_err().nearest,
        None
    );
    let all = DetectorSet::from_name("all").unwrap();
    assert!(
        !all.contains(Detector::IpAddress)
            && all.contains(Detector::Email)
            && all.contains(Detector::ApiKey)
    );
}

#[test]
fn hostile_texts_take_linear_time() {
    // Each would take very long if a refused match were tried again from every byte.
    let all = everything();
    for unit in [
        "sk-proj-",
        "eyJ",
        "://a:",
        "1 ",
        "123456789  ",
        "\"password\":{\"a\":",
        "\"key\":\"token\",\"old\":\"",
        "api_key",
        "4111\n",
        "AKIA",
        "-----BEGIN PRIVATE KEY",
        "password:",
        "a@",
        "+1 ",
        "\\\\",
        "%2",
        "::",
        "GB82",
        "aB3",
        "[REDACTED:",
        "4111 ",
        "0x1",
        "www.a.",
        "Basic ",
    ] {
        let text = unit.repeat((32 << 10) / unit.len());
        all.find("k", &text, &mut Vec::new());
        all.candidates(text.as_bytes(), &mut Vec::new());
    }
}

proptest! {
    #[test]
    fn nomination_hides_nothing_that_the_plain_path_finds(
        parts in prop::collection::vec((0..SAMPLES.len(), 0..14usize, "[ a-z0-9.:@+%\\\\/=_\u{e9}\u{ff11}-]{0,12}"), 1..4),
        key in prop::sample::select(vec!["note", "ssn", "phone", "api_key", "event_id", "password", "user.id"]),
    ) {
        let text: String = parts.iter().map(|(sample, form, noise)| {
            let (_, around, sample) = SAMPLES[*sample];
            format!("{noise}{}{noise}", forms(&around.replace("{}", sample))[*form].1)
        }).collect();
        let all = everything();
        let (mut found, mut plainly) = (Vec::new(), Vec::new());
        let bits = all.find(key, &text, &mut found);
        prop_assert_eq!(all.find_plainly(key, &text, &mut plainly), bits, "{}", text);
        prop_assert_eq!(found, plainly);
    }

    #[test]
    fn any_text_is_scanned_without_a_panic(text in any::<String>(), ascii in "[ -~]{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let all = everything();
        for text in [&text, &ascii] {
            let (mut found, mut plainly) = (Vec::new(), Vec::new());
            all.find("note", text, &mut found);
            all.find_plainly("note", text, &mut plainly);
            prop_assert_eq!(&found, &plainly);
            prop_assert!(found.iter().all(|m| text.get(m.range.clone()).is_some()));
        }
        all.candidates(&bytes, &mut Vec::new());
    }
}

fn after(text: &str) -> String {
    let all = Scanner::new(DetectorSet::from_name("all").unwrap());
    let (mut found, mut plainly) = (Vec::new(), Vec::new());
    all.find("note", text, &mut found);
    all.find_plainly("note", text, &mut plainly);
    assert_eq!(found, plainly, "{text}");
    let once = redacted(text, &found);
    found.clear();
    all.find("note", &once, &mut found);
    assert_eq!(found, [], "{once}");
    once
}

#[test]
fn plurals_credentials_and_vendors_keys_name_secrets_and_counts_and_table_keys_do_not() {
    for key in [
        "passwords",
        "secrets",
        "client_secrets",
        "api_keys",
        "apiKeys",
        "API_KEYS",
        "apikeys",
        "credential",
        "credentials",
        "aws.credentials",
        "cookies",
        "access_tokens",
        "refreshTokens",
        "openai_key",
        "OPENAI_KEY",
        "openaiKey",
        "secret_key",
        "private_key",
        "access_key",
        "signing_key",
        "encryption-key",
        "hmac_key",
        "auth_key",
        "service_key",
        "ssh_key",
        "sshkey",
    ] {
        assert!(names_a_secret(key), "{key}");
    }
    for key in [
        "tokens",
        "input_tokens",
        "max_tokens",
        "token_count",
        "total_tokens",
        "thinking_tokens",
        "max_api_keys",
        "policy_key",
        "primary_key",
        "sort_key",
        "cache_key",
        "dedup_key",
        "partition_key",
        "public_key",
        "monkey",
        "keys",
        "credential_type",
        "secrets_count",
        "openai_key_id",
    ] {
        assert!(!names_a_secret(key), "{key}");
    }
}

#[test]
fn every_scalar_below_a_secret_name_in_json_text_is_hidden() {
    assert_eq!(
        after(
            r#"{"password":{"old":"p1","new":{"v":["p2",34,true,null,""]}},"user":"bob","passwords": ["x1"],"n":[1]}"#
        ),
        r#"{"password":{"old":"[REDACTED:named_secret]","new":{"v":["[REDACTED:named_secret]",[REDACTED:named_secret],true,null,""]}},"user":"bob","passwords": ["[REDACTED:named_secret]"],"n":[1]}"#
    );
    assert_eq!(
        after(r#"{"openai_key":"abc123","usage":{"tokens":[5],"cache_key":{"a":"b"}}}"#),
        r#"{"openai_key":"[REDACTED:named_secret]","usage":{"tokens":[5],"cache_key":{"a":"b"}}}"#
    );
    assert_eq!(
        after("\"token\":{\"a\":\u{a0}\u{b}x \"open"),
        "\"token\":{\"a\":[REDACTED:named_secret] \"[REDACTED:named_secret]"
    );
}

#[test]
fn cards_are_found_however_their_groups_are_parted() {
    for card in [
        "4111.1111.1111.1111",
        "4111\n1111\n1111\n1111",
        "4111 1111-1111 1111",
        "4111  1111  1111  1111",
        "4111 - 1111",
        "4111\u{a0}\u{a0}1111\u{a0}1111\u{a0}1111",
        "3782..822463..10005",
    ] {
        if card.len() < 13 {
            assert_eq!(after(card), card);
            continue;
        }
        assert_eq!(
            after(&format!("paid {card} ok")),
            "paid [REDACTED:credit_card] ok",
            "{card}"
        );
    }
    assert_eq!(
        after("at 4111111111111111abc"),
        "at [REDACTED:credit_card]abc"
    );
    assert_eq!(
        after("at 12:30:05.123\n4111111111111111"),
        "at 12:30:05.123\n[REDACTED:credit_card]"
    );
    for text in [
        "4111111111111111abcdef0123456789",
        "tel 4155\n550100",
        "ssn 219  09  9999",
        "4111.1111.1111.1112",
        "2026-04-20 18.30.05.1234",
        "411\n1111\n1111\n11111",
        "1.4111.1111.1111.1111",
    ] {
        assert_eq!(after(text), text);
    }
}

#[test]
fn a_password_in_a_url_is_no_mail_address() {
    assert_eq!(
        after("see https://bob:hunter2pw@example.org/x"),
        "see https://bob:[REDACTED:url_password]@example.org/x"
    );
    for host in [
        "[::1]",
        "[2001:db8::1]:80",
        "[fe80::1]",
        "/db",
        ":5432/db",
        "_h",
        "-h",
    ] {
        assert_eq!(
            after(&format!("postgres://bob:hunter2pw@{host}")),
            format!("postgres://bob:[REDACTED:url_password]@{host}")
        );
    }
    assert_eq!(
        after("https://h/x jane@example.org"),
        "https://h/x [REDACTED:email]"
    );
}

#[test]
fn values_behind_an_entry_that_names_a_secret_in_json_text_are_hidden() {
    assert_eq!(
        after(r#"[{"field": "api_key", "old": "a\"b", "new":"c"},{"name":"city","value":"Ulm"}]"#),
        r#"[{"field": "api_key", "old": "[REDACTED:named_secret]", "new":"[REDACTED:named_secret]"},{"name":"city","value":"Ulm"}]"#
    );
}

proptest! {
    #[test]
    fn odd_cards_and_names_are_nominated(
        parts in prop::collection::vec(prop::sample::select(vec![
            "4111", "1111", "1111\n1111", "1111  1111", "411111111111", "12:30:05.1", "\n", " ", "-", ".", " -", "a", "é", "550e8400-e29b-41d4-a716-446655440000",
            "\"password\":", "\"field\":\"api_key\"", ",\"old\":", "\"api_keys\": ", "openai_key=", "credentials", "tokens", "access", "_", "{", "}", "[", "]", "\"", "\"x1\"", ",", ":", "\\", "https://", "bob:pw@h.org", "x",
        ]), 0..24),
    ) {
        let text = parts.concat();
        let all = everything();
        let (mut found, mut plainly) = (Vec::new(), Vec::new());
        let bits = all.find("note", &text, &mut found);
        prop_assert_eq!(all.find_plainly("note", &text, &mut plainly), bits, "{}", text);
        prop_assert_eq!(found, plainly);
    }
}
