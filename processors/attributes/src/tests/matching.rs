use sluice_batch::{Batch, Signal, Value};

use super::{apply, record};

/// Whether a record is included by these properties (and so gets the mark).
#[track_caller]
fn included(properties: &str, batch: &Batch) -> bool {
    let mut batch = batch.clone();
    apply(
        &format!(
            r#"{{"actions": [{{"action": "insert", "key": "mark", "value": 1}}], "include": {{{properties}}}}}"#
        ),
        &mut batch,
    );
    batch.record(0).get("mark").is_some()
}

fn log() -> Batch {
    let mut batch = record(&[("a", Value::Str("hello")), ("n", Value::Int(5))]);
    let mut log = batch.record_mut(0);
    log.set_body(Value::Str("user logged in"));
    log.set_severity(13, "WARN");
    batch
}

#[test]
fn strict_wants_equal_values_of_the_same_type() {
    let log = log();
    let strict =
        |properties: &str| included(&format!(r#""match_type": "strict", {properties}"#), &log);
    assert!(strict(
        r#""attributes": [{"key": "a"}, {"key": "n", "value": 5}]"#
    ));
    assert!(!strict(r#""attributes": [{"key": "n", "value": "5"}]"#));
    assert!(!strict(r#""attributes": [{"key": "a", "value": "hell"}]"#));
    assert!(!strict(
        r#""attributes": [{"key": "a"}, {"key": "missing"}]"#
    ));
    assert!(strict(
        r#""services": ["other", "gateway"], "resources": [{"key": "host", "value": "a"}]"#
    ));
    assert!(!strict(r#""services": ["gate"]"#));
    assert!(strict(
        r#""libraries": [{"name": "audit"}], "log_bodies": ["user logged in"], "log_severity_texts": ["WARN"]"#
    ));
    assert!(strict(r#""libraries": [{"name": "audit", "version": ""}]"#));
    assert!(!strict(
        r#""libraries": [{"name": "audit", "version": "1"}]"#
    ));
    assert!(!strict(r#""log_bodies": ["user"]"#));
}

#[test]
fn regexp_matches_anywhere_in_a_scalar() {
    let log = log();
    let regexp = |properties: &str| {
        included(
            &format!(r#""match_type": "regexp", "regexp": {{"cacheenabled": true}}, {properties}"#),
            &log,
        )
    };
    assert!(regexp(
        r#""attributes": [{"key": "a", "value": "ell"}, {"key": "n", "value": "^5$"}]"#
    ));
    assert!(!regexp(r#""attributes": [{"key": "a", "value": "^ell"}]"#));
    assert!(regexp(
        r#""services": ["^gate"], "libraries": [{"name": "aud.t"}], "log_bodies": ["logged (in|out)"]"#
    ));
}

#[test]
fn a_severity_matches_from_its_minimum_on() {
    let mut log = log();
    let min = |min: &str, batch: &Batch| {
        included(
            &format!(r#""match_type": "strict", "log_severity_number": {{{min}}}"#),
            batch,
        )
    };
    assert!(min(r#""min": 13"#, &log) && min(r#""min": "INFO""#, &log));
    assert!(!min(r#""min": "WARN2""#, &log));
    log.record_mut(0).set_severity(0, "");
    assert!(!min(r#""min": 1"#, &log));
    assert!(min(r#""min": 1, "match_undefined": true"#, &log));
}

#[test]
fn exclude_wins_over_include() {
    let mut batch = log();
    apply(
        r#"{"actions": [{"action": "delete", "key": "a"}], "include": {"match_type": "strict", "attributes": [{"key": "a"}]},
            "exclude": {"match_type": "strict", "log_severity_texts": ["WARN"]}}"#,
        &mut batch,
    );
    assert!(batch.record(0).get("a").is_some());
}

#[test]
fn a_property_of_another_signal_matches_nothing() {
    let spans = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"GET /"}]}]}]}"#;
    let span = Batch::decode_json(Signal::Traces, spans).unwrap();
    let metrics = br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","sum":{"dataPoints":[{"asInt":"1"}]}}]}]}]}"#;
    let point = Batch::decode_json(Signal::Metrics, metrics).unwrap();
    let log = log();
    for (properties, expected) in [
        (
            r#""match_type": "regexp", "span_names": ["."]"#,
            [true, false, false],
        ),
        (
            r#""match_type": "regexp", "metric_names": ["."]"#,
            [false, true, false],
        ),
        (
            r#""match_type": "regexp", "log_bodies": [""]"#,
            [false, false, true],
        ),
        (
            r#""match_type": "regexp", "log_severity_texts": [""]"#,
            [false, false, true],
        ),
        (
            r#""match_type": "strict", "log_severity_number": {"min": 1, "match_undefined": true}"#,
            [false, false, true],
        ),
        (
            r#""match_type": "strict", "span_names": ["GET /"]"#,
            [true, false, false],
        ),
    ] {
        assert_eq!(
            [&span, &point, &log].map(|batch| included(properties, batch)),
            expected,
            "{properties}"
        );
    }
}

#[test]
fn span_kinds_match_by_the_names_of_otlp() {
    let span = |kind: &str| {
        let json = format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"name":"GET /"{kind}}}]}}]}}]}}"#
        );
        Batch::decode_json(Signal::Traces, json.as_bytes()).unwrap()
    };
    let names = [
        "SPAN_KIND_UNSPECIFIED",
        "SPAN_KIND_INTERNAL",
        "SPAN_KIND_SERVER",
        "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER",
    ];
    for number in 0..names.len() {
        let span = span(&format!(r#","kind":{number}"#));
        for (i, name) in names.iter().enumerate() {
            let strict = format!(r#""match_type": "strict", "span_kinds": ["{name}"]"#);
            assert_eq!(included(&strict, &span), i == number, "{name} of {number}");
        }
    }
    let regexp = r#""match_type": "regexp", "span_kinds": ["_(SERVER|CLIENT)$"]"#;
    assert!(included(regexp, &span(r#","kind":3"#)));
    assert!(!included(regexp, &span(r#","kind":1"#)));
    let any = r#""match_type": "regexp", "span_kinds": [""]"#;
    assert!(
        included(any, &span("")),
        "a span without a kind is unspecified"
    );
    let named = r#""match_type": "regexp", "span_kinds": ["."]"#;
    assert!(!included(named, &span(r#","kind":6"#)), "no kind of OTLP");
    assert!(!included(any, &log()), "a log record has no kind at all");
    let both =
        r#""match_type": "strict", "span_names": ["GET /"], "span_kinds": ["SPAN_KIND_SERVER"]"#;
    assert!(included(both, &span(r#","kind":2"#)));
    assert!(!included(both, &span(r#","kind":3"#)));
}
