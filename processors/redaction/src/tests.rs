use base64::Engine as _;
use processor_detect::{Detector, DetectorSet};
use proptest::prelude::*;
use sluice_batch::{Batch, Signal, Value, ValueBuf};
use sluice_component::{Checked as _, Problems, Secret, Severity};

use super::*;

mod sanitizers;

fn detecting(names: &[&str]) -> Config {
    Config {
        detectors: Some(Detectors::list(names)),
        ..Config::default()
    }
}

fn redactor(config: &Config) -> Redactor {
    Redactor::new(config).unwrap()
}

fn json_of(batch: &Batch) -> String {
    let mut out = Vec::new();
    batch.encode_json_into(0..batch.len(), &mut out);
    String::from_utf8(out).unwrap()
}

fn decode(signal: Signal, json: &str) -> Batch {
    // Through protobuf, as most requests come.
    let batch = Batch::decode_json(signal, json.as_bytes()).unwrap();
    Batch::decode(signal, batch.encode().into()).unwrap()
}

fn log_with(body: &str, attributes: &str) -> Batch {
    decode(
        Signal::Logs,
        &format!(
            r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"1790000000000000000","body":{body},"attributes":[{attributes}]}}]}}]}}]}}"#
        ),
    )
}

fn body_after(config: &Config, body: &str) -> String {
    let mut batch = log_with(body, "");
    redactor(config).redact(&mut batch);
    let mut out = Vec::new();
    batch.record(0).body().write_json(&mut out);
    String::from_utf8(out).unwrap()
}

fn problems_of(config: &Config) -> Vec<(Severity, String)> {
    let mut problems = Problems::new();
    config.check(&mut problems);
    problems
        .found
        .iter()
        .map(|p| {
            (
                p.severity,
                format!(
                    "{:?} {} {}",
                    p.path,
                    p.message,
                    p.help.as_deref().unwrap_or_default()
                ),
            )
        })
        .collect()
}

// The places of values, each marked by @@.
const LOGS: &str = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"r @@","value":{"stringValue":"@@"}}]},"schemaUrl":"@@","scopeLogs":[{"scope":{"name":"@@","version":"@@","attributes":[{"key":"s","value":{"stringValue":"@@"}}]},"schemaUrl":"@@","logRecords":[
{"timeUnixNano":"1790000000000000000","severityText":"@@","eventName":"@@","body":{"kvlistValue":{"values":[{"key":"k @@","value":{"stringValue":"@@"}},{"key":"a","value":{"arrayValue":{"values":[{"stringValue":"@@"},{"kvlistValue":{"values":[{"key":"deep","value":{"bytesValue":"%%"}}]}}]}}}]}},"attributes":[{"key":"x @@","value":{"stringValue":"text @@ text"}},{"key":"b","value":{"bytesValue":"%%"}},{"key":"n","value":{"arrayValue":{"values":[{"stringValue":"@@"}]}}}]},
{"body":{"stringValue":"@@"}},{"body":{"bytesValue":"%%"}}]}]}]}"#;
const TRACES: &str = r#"{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"s"},"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","traceState":"a=@@","name":"GET @@","startTimeUnixNano":"1790000000000000000","endTimeUnixNano":"1790000000000000001","attributes":[{"key":"x","value":{"stringValue":"@@"}}],"events":[{"name":"e @@","attributes":[{"key":"y @@","value":{"stringValue":"@@"}}]}],"links":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","traceState":"@@","attributes":[{"key":"z","value":{"stringValue":"@@"}}]}],"status":{"code":2,"message":"failed for @@"}}]}]}]}"#;
const METRICS: &str = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m.@@","description":"d @@","unit":"@@","metadata":[{"key":"md","value":{"stringValue":"@@"}}],"sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"timeUnixNano":"1790000000000000000","asInt":"4111111111111111","attributes":[{"key":"p","value":{"stringValue":"@@"}}],"exemplars":[{"timeUnixNano":"1","asDouble":1.5,"filteredAttributes":[{"key":"q","value":{"stringValue":"@@"}}]}]}]}},
{"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[{"count":"1","sum":1,"bucketCounts":["1"],"attributes":[{"key":"p","value":{"stringValue":"@@"}}]}]}}]}]}]}"#;

const CANARIES: &[&str] = &[
    "canary.bird@example.com",
    "4111 1111 1111 1111",
    "sk-proj-CANARYabcdEFGH1234ijklMNOP",
    "AKIAIOSFODNN7CANARY0",
    "123-45-6789",
];

fn planted(template: &str, canary: &str) -> String {
    template.replace("@@", canary).replace(
        "%%",
        &base64::engine::general_purpose::STANDARD.encode(canary),
    )
}

#[test]
fn no_planted_secret_leaves_from_any_place_of_any_signal() {
    for (signal, template) in [
        (Signal::Logs, LOGS),
        (Signal::Traces, TRACES),
        (Signal::Metrics, METRICS),
    ] {
        for canary in CANARIES {
            let clean = decode(signal, &planted(template, "none"));
            for action in [Action::Mask, Action::Hash, Action::Hmac, Action::Drop] {
                let config = Config {
                    action,
                    hmac_key: Secret::new("k".repeat(32)),
                    ..detecting(&["all"])
                };
                let mut batch = decode(signal, &planted(template, canary));
                redactor(&config).redact(&mut batch);
                let json = json_of(&batch);
                let encoded = base64::engine::general_purpose::STANDARD.encode(canary);
                assert!(
                    !json.contains(canary) && !json.contains(&encoded),
                    "{signal:?} {action:?}: {json}"
                );
                let wire = batch.encode();
                assert!(
                    memchr_find(&wire, canary.as_bytes()).is_none(),
                    "{signal:?} {action:?}"
                );
                let mut plain = Vec::new();
                batch
                    .records()
                    .for_each(|r| r.body().write_json(&mut plain));
                assert!(memchr_find(&plain, canary.as_bytes()).is_none());
                assert_eq!(batch.len(), clean.len());
                assert!(
                    batch.records().any(|r| r.marks() != 0),
                    "{signal:?} {action:?} {canary}"
                );
                // What arrives is a request again, and a second pass changes nothing.
                let mut again = Batch::decode(signal, wire.clone().into()).unwrap();
                redactor(&config).redact(&mut again);
                assert_eq!(json_of(&again), json);
            }
        }
    }
}

fn memchr_find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

#[test]
fn what_is_clean_leaves_byte_for_byte() {
    for (signal, template) in [
        (Signal::Logs, LOGS),
        (Signal::Traces, TRACES),
        (Signal::Metrics, METRICS),
    ] {
        let mut batch = decode(signal, &planted(template, "none"));
        let before = batch.encode();
        redactor(&detecting(&["all", "ip_address"])).redact(&mut batch);
        assert_eq!(batch.encode(), before, "{signal:?}");
        assert!(batch.records().all(|r| r.marks() == 0));
    }
}

#[test]
fn identifiers_and_times_stay() {
    let attributes = r#"{"key":"event_id","value":{"stringValue":"550e8400-e29b-41d4-a716-446655440000"}},{"key":"trace_id","value":{"stringValue":"4bf92f3577b34da6a3ce929d0e0e4736"}},{"key":"hash","value":{"stringValue":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}},
        {"key":"created_at","value":{"stringValue":"2026-04-20T18:30:05.123456789Z"}},{"key":"ts","value":{"intValue":"1790000000123456789"}},{"key":"sequence","value":{"intValue":"123456789"}},{"key":"input_tokens","value":{"intValue":"4096"}}"#;
    let mut batch = log_with(r#"{"stringValue":"fine"}"#, attributes);
    let before = batch.encode();
    redactor(&detecting(&["all"])).redact(&mut batch);
    assert_eq!(batch.encode(), before);
}

#[test]
fn numbers_are_looked_at() {
    let config = detecting(&["credit_card"]);
    assert_eq!(
        body_after(&config, r#"{"intValue":"4111111111111111"}"#),
        r#""[REDACTED:credit_card]""#
    );
    assert_eq!(
        body_after(&config, r#"{"doubleValue":4111111111111111}"#),
        r#""[REDACTED:credit_card]""#
    );
    assert_eq!(
        body_after(&config, r#"{"intValue":"4111111111111112"}"#),
        "4111111111111112"
    );
    let ssn = r#"{"kvlistValue":{"values":[{"key":"ssn","value":{"intValue":"219099999"}},{"key":"n","value":{"intValue":"219099999"}}]}}"#;
    assert_eq!(
        body_after(&detecting(&["us_ssn"]), ssn),
        r#"{"ssn":"[REDACTED:us_ssn]","n":219099999}"#
    );
}

#[test]
fn a_secret_in_a_json_string_in_a_json_string_goes_and_the_rest_stays() {
    let inner =
        serde_json::json!({"user": "bob", "password": "hunter2", "mail": "bob@example.com"})
            .to_string();
    let outer = serde_json::json!({"payload": inner}).to_string();
    let after = body_after(
        &detecting(&["all"]),
        &serde_json::json!({"stringValue": outer}).to_string(),
    );
    let text: String = serde_json::from_str(&after).unwrap();
    let outer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let inner: serde_json::Value =
        serde_json::from_str(outer["payload"].as_str().unwrap()).unwrap();
    assert_eq!(
        inner,
        serde_json::json!({"user": "bob", "password": "[REDACTED:named_secret]", "mail": "[REDACTED:email]"})
    );
}

#[test]
fn values_under_secret_names_go_whole_and_token_counts_stay() {
    let map = r#"{"kvlistValue":{"values":[{"key":"password","value":{"stringValue":"hunter2"}},{"key":"token","value":{"intValue":"12"}},{"key":"input_tokens","value":{"intValue":"12"}},{"key":"cookie","value":{"arrayValue":{"values":[{"stringValue":"a"}]}}}]}}"#;
    let after = body_after(&detecting(&["secrets"]), map);
    assert_eq!(
        after,
        r#"{"password":"[REDACTED:named_secret]","token":"[REDACTED:named_secret]","input_tokens":12,"cookie":["[REDACTED:named_secret]"]}"#
    );
    assert_eq!(
        body_after(
            &detecting(&["api_key"]),
            r#"{"kvlistValue":{"values":[{"key":"password","value":{"stringValue":"hunter2"}}]}}"#
        ),
        r#"{"password":"hunter2"}"#
    );
}

#[test]
fn attributes_that_an_earlier_step_set_are_looked_at() {
    let mut batch = log_with(r#"{"stringValue":"fine"}"#, "");
    batch
        .record_mut(0)
        .set("who", Value::Str("jane@example.com"));
    redactor(&detecting(&["email"])).redact(&mut batch);
    assert_eq!(
        batch.record(0).get("who"),
        Some(Value::Str("[REDACTED:email]"))
    );
    assert_eq!(batch.record(0).marks(), 1 << Detector::Email as u8);
}

#[test]
fn an_integer_behind_an_overlong_tag_is_looked_at() {
    // AnyValue.int_value (tag 0x18) written as the two bytes 0x98 0x00, which decoders must accept.
    let clean = log_with(r#"{"intValue":"4111111111111111"}"#, "").encode();
    let at = clean.iter().rposition(|b| *b == 0x18).unwrap();
    let mut wire = clean.clone();
    wire.splice(at..=at, [0x98, 0x00]);
    // The lengths of all messages around it grow by one; each is a single byte here.
    let mut grow = |from: usize| {
        let (mut pos, mut fixed) = (from, Vec::new());
        while pos < at {
            match wire[pos] & 7 {
                1 => pos += 9,
                5 => pos += 5,
                0 => pos += 2,
                _ => {
                    let length = wire[pos + 1] as usize;
                    if pos + 2 + length > at {
                        fixed.push(pos + 1);
                        pos += 2;
                    } else {
                        pos += 2 + length;
                    }
                }
            }
        }
        fixed.iter().for_each(|i| wire[*i] += 1);
    };
    grow(0);
    let mut batch = Batch::decode(Signal::Logs, wire.into()).unwrap();
    redactor(&detecting(&["credit_card"])).redact(&mut batch);
    assert_eq!(batch.record(0).body(), Value::Str("[REDACTED:credit_card]"));
}

#[test]
fn what_resources_and_scopes_hold_marks_their_records() {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[("owner", Value::Str("jane@example.com"))], "s");
    batch.push_log().set_body(Value::Str("x"));
    batch.push_scope(&[], "s");
    batch.push_log().set_body(Value::Str("x"));
    let redactor = redactor(&detecting(&["email"]));
    redactor.redact(&mut batch);
    assert_eq!(
        batch.record(0).resource().get("owner"),
        Some(Value::Str("[REDACTED:email]"))
    );
    assert_ne!(batch.record(0).marks(), 0);
    assert_eq!(batch.record(1).marks(), 0);
    assert_eq!(redactor.counts().collect::<Vec<_>>(), [("email", 1)]);
}

#[test]
fn too_long_a_value_loses_its_unscanned_end() {
    let long = "a ".repeat(processor_detect::MAX_SCANNED_BYTES / 2) + "jane@example.com";
    let after = body_after(
        &detecting(&["email"]),
        &serde_json::json!({"stringValue": long}).to_string(),
    );
    assert!(after.ends_with("[REDACTED:unscanned]\"") && !after.contains("jane"));
}

fn kv_body_after(config: &Config, json: &str) -> String {
    let mut built = Batch::new(Signal::Logs);
    built.push_scope(&[], "s");
    let body = ValueBuf::from_json(json.as_bytes()).unwrap();
    built.push_log().set_body(body.as_value());
    let mut fast = Batch::decode(Signal::Logs, built.encode().into()).unwrap();
    let mut plain = fast.clone();
    redactor(config).redact(&mut fast);
    redactor(config).redact_plainly(&mut plain);
    assert_eq!(json_of(&fast), json_of(&plain));
    let once = json_of(&fast);
    let mut out = Vec::new();
    fast.record(0).body().write_json(&mut out);
    redactor(config).redact(&mut fast);
    assert_eq!(json_of(&fast), once);
    String::from_utf8(out)
        .unwrap()
        .replace("[REDACTED:named_secret]", "#")
        .replace("[REDACTED:private_key]", "@")
}

#[test]
fn everything_below_a_key_that_names_a_secret_is_hidden() {
    let config = detecting(&["all"]);
    for (before, after) in [
        (
            r#"{"password":{"old":"p1","new":{"deep":["p2",{"x":7}]}},"user":"bob"}"#,
            r##"{"password":{"old":"#","new":{"deep":["#",{"x":"#"}]}},"user":"bob"}"##,
        ),
        (
            r#"{"token":{"value":"s4","empty":"","is":true},"after":"x"}"#,
            r##"{"token":{"value":"#","empty":"","is":true},"after":"x"}"##,
        ),
        (
            r#"{"passwords":["x1"],"secrets":["s2"],"api_keys":{"a":"k1"}}"#,
            r##"{"passwords":["#"],"secrets":["#"],"api_keys":{"a":"#"}}"##,
        ),
        (
            r#"{"credential":"c8","credentials":"c9","openai_key":"abc123"}"#,
            r##"{"credential":"#","credentials":"#","openai_key":"#"}"##,
        ),
        (
            r#"[{"password":["a"]},["b"],{"x":["c"]}]"#,
            r##"[{"password":["#"]},["b"],{"x":["c"]}]"##,
        ),
    ] {
        assert_eq!(kv_body_after(&config, before), after);
    }
    let clean = r#"{"usage":{"input_tokens":5,"tokens":[6],"max_tokens":7},"cache_key":{"a":"b"},"primary_key":["c"]}"#;
    assert_eq!(kv_body_after(&config, clean), clean);
}

#[test]
fn values_beside_an_entry_that_names_a_secret_are_hidden() {
    let config = detecting(&["all"]);
    assert_eq!(
        kv_body_after(
            &config,
            r#"{"changes":[{"field":"api_key","value":"rotated-abc"},{"old":["o"],"new":{"a":"n"},"name":"password","by":"bob"},{"field":"city","value":"Ulm"}],"value":"v"}"#
        ),
        r##"{"changes":[{"field":"api_key","value":"#"},{"old":["#"],"new":{"a":"#"},"name":"password","by":"bob"},{"field":"city","value":"Ulm"}],"value":"v"}"##
    );
}

#[test]
fn a_name_at_the_end_of_a_message_is_seen_whatever_field_follows() {
    let config = detecting(&["secrets"]);
    for name in ["api_key", "API_KEY", "passwords", "TOKEN"] {
        let map = ValueBuf::map([("value", Value::Str("x1")), ("name", Value::Str(name))]);
        let mut log = Batch::new(Signal::Logs);
        log.push_scope(&[], "s");
        let mut record = log.push_log();
        record.set_body(map.as_value());
        record.set_name("event");
        let mut batches = vec![Batch::decode(Signal::Logs, log.encode().into()).unwrap()];
        let json = serde_json::json!({"key":"a","value":{"kvlistValue":{"values":[{"key":"value","value":{"stringValue":"x1"}},{"key":"name","value":{"stringValue":name}}]}}});
        for fields in [
            r#""links":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}]"#,
            r#""status":{"code":2}"#,
            r#""droppedLinksCount":3"#,
            r#""events":[{"name":"e"}]"#,
        ] {
            batches.push(decode(Signal::Traces, &format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"scope":{{"name":"s"}},"spans":[{{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"n","startTimeUnixNano":"1790000000000000000","endTimeUnixNano":"1790000000000000001","attributes":[{json},{json}],{fields}}}]}}]}}]}}"#)));
        }
        for mut batch in batches {
            redactor(&config).redact(&mut batch);
            let json = json_of(&batch);
            assert!(!json.contains("x1"), "{name}: {json}");
        }
    }
}

#[test]
fn a_private_key_in_lines_is_hidden_to_its_end() {
    let config = detecting(&["private_key"]);
    assert_eq!(
        kv_body_after(
            &config,
            r#"{"pem":["a","-----BEGIN RSA PRIVATE KEY-----","MIIEow","qwerty","-----END RSA PRIVATE KEY-----","b"],"open":["-----BEGIN PRIVATE KEY-----","x"],"c":["y"]}"#
        ),
        r#"{"pem":["a","@","@","@","@","b"],"open":["@","@"],"c":["y"]}"#
    );
    let public = r#"["-----BEGIN PUBLIC KEY-----","MIIEow","-----END PUBLIC KEY-----"]"#;
    assert_eq!(kv_body_after(&config, public), public);
}

// The Collector's keys.

const USER: &str = r#"{"key":"user","value":{"stringValue":"secret-1 and secret-2"}},{"key":"other","value":{"stringValue":"secret-3"}},{"key":"num","value":{"intValue":"1234"}}"#;

fn attributes_after(config: &Config, attributes: &str) -> String {
    let mut batch = log_with(r#"{"stringValue":"b"}"#, attributes);
    redactor(config).redact(&mut batch);
    batch
        .record(0)
        .attributes()
        .iter()
        .map(|(k, v)| format!("{k}={} ", v.to_text()))
        .collect()
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

#[test]
fn attributes_outside_the_allow_list_are_deleted() {
    assert_eq!(
        attributes_after(
            &Config {
                allowed_keys: strings(&["user"]),
                ..Config::default()
            },
            USER
        ),
        "user=secret-1 and secret-2 "
    );
    assert_eq!(attributes_after(&Config::default(), USER), "");
    assert_eq!(
        attributes_after(
            &Config {
                allowed_keys: strings(&["user"]),
                ignored_keys: strings(&["num"]),
                ..Config::default()
            },
            USER
        ),
        "user=secret-1 and secret-2 num=1234 "
    );
}

#[test]
fn blocked_values_are_masked_in_order_and_allowed_ones_are_exempt() {
    let config = Config {
        allow_all_keys: Some(true),
        blocked_values: strings(&["secret-[0-9]"]),
        ..Config::default()
    };
    assert_eq!(
        attributes_after(&config, USER),
        "user=**** and **** other=**** num=1234 "
    );
    let exempt = Config {
        allowed_values: strings(&["-3$"]),
        ..config.clone()
    };
    assert_eq!(
        attributes_after(&exempt, USER),
        "user=**** and **** other=secret-3 num=1234 "
    );
    let all_types = Config {
        redact_all_types: true,
        blocked_values: strings(&["12"]),
        ..config.clone()
    };
    assert_eq!(
        attributes_after(&all_types, USER),
        "user=secret-1 and secret-2 other=secret-3 num=****34 "
    );
    let nested = r#"{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{"stringValue":"secret-9"}]}}}]}}"#;
    assert_eq!(body_after(&config, nested), r#"{"a":["****"]}"#);
}

#[test]
fn blocked_keys_are_masked_whole_and_ignored_ones_pass_untouched() {
    let config = Config {
        allow_all_keys: Some(true),
        blocked_key_patterns: strings(&["^(user|num)$"]),
        ignored_key_patterns: strings(&["^oth"]),
        blocked_values: strings(&["secret"]),
        ..Config::default()
    };
    assert_eq!(
        attributes_after(&config, USER),
        "user=**** other=secret-3 num=**** "
    );
    let hashed = Config {
        hash_function: HashFunction::Md5,
        ..config
    };
    assert_eq!(
        attributes_after(&hashed, USER),
        format!(
            "user={} other=secret-3 num=81dc9bdb52d04dc20036dbd8313ed055 ",
            hex_md5("secret-1 and secret-2")
        )
    );
}

fn hex_md5(text: &str) -> String {
    use md5::Digest as _;
    hex::encode(md5::Md5::digest(text.as_bytes()))
}

#[test]
fn a_summary_says_what_was_done() {
    let config = Config {
        allowed_keys: strings(&["user", "num"]),
        blocked_values: strings(&["secret"]),
        ignored_keys: strings(&["num"]),
        summary: Summary::Debug,
        ..Config::default()
    };
    assert_eq!(
        attributes_after(&config, USER),
        "user=****-1 and ****-2 num=1234 redaction.redacted.keys=other redaction.redacted.count=1 redaction.masked.keys=user redaction.masked.count=1 redaction.ignored.count=1 "
    );
    let info = Config {
        summary: Summary::Info,
        ..config
    };
    assert_eq!(
        attributes_after(&info, USER),
        "user=****-1 and ****-2 num=1234 redaction.redacted.count=1 redaction.masked.count=1 redaction.ignored.count=1 "
    );
}

#[test]
fn an_allowed_value_exempts_one_find_and_not_its_neighbours() {
    let config = Config {
        allowed_values: strings(&["@example\\.org$"]),
        ..detecting(&["email"])
    };
    assert_eq!(
        body_after(&config, r#"{"stringValue":"a@example.org b@example.com"}"#),
        r#""a@example.org [REDACTED:email]""#
    );
}

// The configuration.

#[test]
fn what_is_unknown_is_an_error() {
    assert!(
        serde_json::from_str::<Config>(r#"{"detector": ["email"]}"#)
            .unwrap_err()
            .to_string()
            .contains("unknown field")
    );
    assert!(
        serde_json::from_str::<Config>(r#"{"action": "maks"}"#)
            .unwrap_err()
            .to_string()
            .contains("mask")
    );
    assert!(serde_json::from_str::<Config>(r#"{"hash_function": "sha2"}"#).is_err());
    let typo: Config = serde_json::from_str(r#"{"detectors": ["email", "credit_cards"]}"#).unwrap();
    let problems = problems_of(&typo);
    assert!(
        problems.len() == 1
            && problems[0].1.contains("Index(1)")
            && problems[0].1.contains("did you mean `credit_card`"),
        "{problems:?}"
    );
    assert!(Redactor::new(&typo).is_err());
    let group: Config = serde_json::from_str(r#"{"detectors": "all"}"#).unwrap();
    assert_eq!(problems_of(&group), []);
    assert_eq!(
        group.detector_set().unwrap(),
        DetectorSet::from_name("all").unwrap()
    );
}

#[test]
fn a_configuration_that_would_not_do_what_it_says_is_an_error() {
    let fails = |config: Config, text: &str| {
        let problems = problems_of(&config);
        assert!(
            problems
                .iter()
                .any(|(s, m)| *s == Severity::Error && m.contains(text)),
            "{text}: {problems:?}"
        );
    };
    fails(
        Config {
            blocked_values: strings(&["ok", "("]),
            ..detecting(&["all"])
        },
        "Index(1)",
    );
    fails(
        Config {
            action: Action::Hmac,
            ..detecting(&["all"])
        },
        "at least 32",
    );
    fails(
        Config {
            hash_function: HashFunction::HmacSha512,
            hmac_key: Secret::new("k".repeat(63)),
            ..detecting(&["all"])
        },
        "at least 64",
    );
    fails(detecting(&[]), "no detector");
    fails(
        Config {
            allowed_keys: strings(&["a"]),
            ..detecting(&["all"])
        },
        "allowed_keys",
    );
    fails(
        Config {
            key_id: Some("K!".to_owned()),
            ..detecting(&["all"])
        },
        "key_id",
    );
    assert!(
        problems_of(&Config::default())
            .iter()
            .all(|(s, _)| *s == Severity::Warning)
    );
}

// The oracle.

fn arbitrary_text() -> impl Strategy<Value = String> {
    let canary = prop::sample::select(CANARIES);
    prop_oneof![
        4 => "[ -~]{0,40}",
        1 => any::<String>(),
        1 => prop::sample::select(vec!["550e8400-e29b-41d4-a716-446655440000".to_owned(), "2026-04-20T18:30:05Z".to_owned(), "GB82WEST12345698765432".to_owned(), "+14155550100".to_owned(), "api_key".to_owned(), "-----BEGIN PRIVATE KEY-----".to_owned()]),
        1 => (canary.clone(), "[ -~]{0,10}").prop_map(|(c, n)| format!("{n} {c} {n}")),
        1 => canary.clone().prop_map(|c| serde_json::json!({"a": c}).to_string().replace('@', "\\u0040").replace('4', "\\u0034")),
        1 => canary.prop_map(|c| base64::engine::general_purpose::STANDARD.encode(c)),
    ]
}

fn arbitrary_value() -> impl Strategy<Value = ValueBuf> {
    let leaf = prop_oneof![
        4 => arbitrary_text().prop_map(|t| ValueBuf::new(Value::Str(&t))),
        1 => any::<i64>().prop_map(|n| ValueBuf::new(Value::Int(n))),
        1 => prop::sample::select(vec![4_111_111_111_111_111i64, 219_099_999, -4_111_111_111_111_111, 4_155_550_100]).prop_map(|n| ValueBuf::new(Value::Int(n))),
        1 => prop::sample::select(vec![4_111_111_111_111_111f64, 1.5, f64::NAN]).prop_map(|n| ValueBuf::new(Value::Double(n))),
        1 => arbitrary_text().prop_map(|t| ValueBuf::new(Value::Bytes(t.as_bytes()))),
        1 => prop::collection::vec(any::<u8>(), 0..30).prop_map(|b| ValueBuf::new(Value::Bytes(&b))),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3)
                .prop_map(|v| ValueBuf::array(v.iter().map(ValueBuf::as_value))),
            prop::collection::vec((arbitrary_key(), inner), 0..3)
                .prop_map(|v| ValueBuf::map(v.iter().map(|(k, v)| (k.as_str(), v.as_value())))),
        ]
    })
}

fn arbitrary_key() -> impl Strategy<Value = String> {
    prop_oneof![3 => prop::sample::select(vec!["note", "ssn", "phone", "password", "event_id", "input_tokens", "apiKey", "api_keys", "credentials", "tokens", "field", "value"]).prop_map(str::to_owned), 1 => arbitrary_text()]
}

#[test]
fn a_number_in_a_key_is_found_in_every_neighbour_whatever_the_value_before_it_ends_in() {
    // The run of digits that the search tells by its beginning begins in the port of the first record, and just before
    // the key, whose bytes the others share, in theirs.
    let key = "4111111111111111:customer:card:number:box";
    let mut built = Batch::new(Signal::Logs);
    for port in ["8080", "http", "http"] {
        let mut record = built.push_log();
        record.set("port", Value::Str(port));
        record.set(key, Value::Str("x"));
    }
    let mut batch = Batch::decode(Signal::Logs, built.encode().into()).unwrap();
    let mut plain = batch.clone();
    let redactor = redactor(&detecting(&["credit_card"]));
    redactor.redact(&mut batch);
    redactor.redact_plainly(&mut plain);
    assert!(!json_of(&batch).contains("4111"), "{}", json_of(&batch));
    assert_eq!(json_of(&batch), json_of(&plain));
}

proptest! {
    #[test]
    fn the_search_over_raw_bytes_changes_nothing_but_the_time(
        records in prop::collection::vec((arbitrary_value(), prop::collection::vec((arbitrary_key(), arbitrary_value()), 0..5), arbitrary_text(), any::<u64>()), 1..5),
        detectors in prop::sample::select(vec!["all", "pii", "secrets", "email", "credit_card", "us_ssn", "ip_address"]),
        action in prop::sample::select(vec![Action::Mask, Action::Drop]),
        changed in any::<bool>(),
    ) {
        let mut built = Batch::new(Signal::Logs);
        built.push_scope(&[("service.name", Value::Str("gateway"))], "scope");
        for (body, attributes, name, time) in &records {
            let mut record = built.push_log();
            record.set_time(*time);
            record.set_name(name);
            record.set_body(body.as_value());
            for (key, value) in attributes {
                record.set(key, value.as_value());
            }
        }
        let mut fast = Batch::decode(Signal::Logs, built.encode().into()).unwrap();
        if changed {
            fast.record_mut(0).set("late", Value::Str("jane@example.com"));
        }
        let mut plain = fast.clone();
        let redactor = redactor(&Config { action, ..detecting(&[detectors]) });
        redactor.redact(&mut fast);
        redactor.redact_plainly(&mut plain);
        prop_assert_eq!(json_of(&fast), json_of(&plain));
        let marks = |b: &Batch| b.records().map(|r| r.marks()).collect::<Vec<_>>();
        prop_assert_eq!(marks(&fast), marks(&plain));
        let once = json_of(&fast);
        redactor.redact(&mut fast);
        prop_assert_eq!(json_of(&fast), once);
    }
}
