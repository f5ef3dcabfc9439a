use processor_detect::DetectorSet;
use sluice_batch::{Batch, Signal, Value};

use super::{apply, arrived, event, tag, text};

#[test]
fn a_condition_tags_and_raises_the_severity() {
    let rule = r#"{"tag": "restricted", "severity": "WARN", "when": "attributes[\"ai.policy.outcome\"] == \"deny\" and body[\"n\"] > 1"}"#;
    assert_eq!(
        tag(
            rule,
            &event(&[("ai.policy.outcome", Value::Str("deny"))], r#"{"n": 2}"#)
        ),
        "restricted WARN"
    );
    assert_eq!(
        tag(
            rule,
            &event(&[("ai.policy.outcome", Value::Str("deny"))], r#"{"n": 1}"#)
        ),
        "- INFO"
    );
}

#[test]
fn a_severity_is_never_lowered_and_the_highest_rule_counts() {
    let event = event(&[], "{}");
    assert_eq!(
        tag(
            r#"{"tag": "public", "severity": 1, "when": "true"}"#,
            &event
        ),
        "public INFO"
    );
    let rules = r#"{"tag": "public", "severity": "ERROR", "when": "true"}, {"tag": "internal", "severity": "WARN", "when": "true"}"#;
    assert_eq!(tag(rules, &event), "internal ERROR");
}

#[test]
fn a_span_is_tagged_but_has_no_severity_to_raise() {
    let spans = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"GET /"}]}]}]}"#;
    let mut batch = Batch::decode_json(Signal::Traces, spans).unwrap();
    apply(
        r#"{"rules": [{"tag": "restricted", "severity": "FATAL", "when": "name == \"GET /\""}]}"#,
        &mut batch,
    );
    assert_eq!(text(batch.record(0), "data.classification"), "restricted");
}

const PII: &str = r#"{"tag": "confidential", "detectors": ["pii"]}, {"tag": "restricted", "detectors": ["credit_card"]}"#;

#[test]
fn a_detector_rule_finds_what_no_redaction_took_away() {
    assert_eq!(
        tag(
            PII,
            &event(&[], r#"{"deep": [{"x": "write to jane@example.com"}]}"#)
        ),
        "confidential INFO"
    );
    assert_eq!(
        tag(
            PII,
            &event(&[("card", Value::Str("4111 1111 1111 1111"))], "{}")
        ),
        "restricted INFO"
    );
    assert_eq!(
        tag(
            PII,
            &event(&[("card", Value::Int(4_111_111_111_111_111))], "{}")
        ),
        "restricted INFO"
    );
    assert_eq!(
        tag(
            PII,
            &event(&[("raw", Value::Bytes(b"jane@example.com"))], "{}")
        ),
        "confidential INFO"
    );
    assert_eq!(
        tag(PII, &event(&[("jane@example.com", Value::Int(1))], "{}")),
        "confidential INFO"
    );
    assert_eq!(
        tag(PII, &event(&[], r#""jane@example.com""#)),
        "confidential INFO"
    );
    assert_eq!(
        tag(
            PII,
            &event(&[("a", Value::Str("nothing here"))], r#"{"n": 12}"#)
        ),
        "- INFO"
    );
}

#[test]
fn a_detector_rule_sees_what_redaction_took_away() {
    let mut batch = event(&[("a", Value::Str("[REDACTED:credit_card]"))], "{}");
    batch
        .record_mut(0)
        .mark(DetectorSet::from_name("credit_card").unwrap().bits());
    apply(&format!(r#"{{"rules": [{PII}]}}"#), &mut batch);
    assert_eq!(text(batch.record(0), "data.classification"), "restricted");
}

#[test]
fn a_mark_of_another_detector_does_not_hide_what_still_stands_there() {
    let mut batch = event(&[("a", Value::Str("4111 1111 1111 1111"))], "{}");
    batch
        .record_mut(0)
        .mark(DetectorSet::from_name("email").unwrap().bits());
    apply(&format!(r#"{{"rules": [{PII}]}}"#), &mut batch);
    assert_eq!(text(batch.record(0), "data.classification"), "restricted");
}

#[test]
fn what_could_not_be_scanned_counts_as_found() {
    let mut batch = event(&[], "{}");
    batch.record_mut(0).mark(DetectorSet::UNSCANNED);
    apply(&format!(r#"{{"rules": [{PII}]}}"#), &mut batch);
    assert_eq!(text(batch.record(0), "data.classification"), "restricted");
}

#[test]
fn only_the_record_with_the_find_is_tagged() {
    let mut batch = event(&[("a", Value::Str("jane@example.com"))], "{}");
    batch.push_log().set("a", Value::Str("harmless"));
    batch.push_log().set("a", Value::Str("joe@example.com"));
    let mut batch = arrived(&batch);
    apply(&format!(r#"{{"rules": [{PII}]}}"#), &mut batch);
    let tags: Vec<_> = batch
        .records()
        .map(|record| text(record, "data.classification"))
        .collect();
    assert_eq!(tags, ["confidential", "-", "confidential"]);
}

#[test]
fn a_record_too_large_for_the_quick_search_is_looked_at_too() {
    let mut long = "-".repeat(processor_detect::MAX_SCANNED_BYTES - 100);
    long.push_str(" jane@example.com");
    let mut batch = event(
        &[
            ("long", Value::Str(&long)),
            ("more", Value::Str(&"-".repeat(200))),
        ],
        "{}",
    );
    assert!(batch.record_bytes(0) > processor_detect::MAX_SCANNED_BYTES);
    batch = arrived(&batch);
    apply(&format!(r#"{{"rules": [{PII}]}}"#), &mut batch);
    assert_eq!(text(batch.record(0), "data.classification"), "confidential");
}

const WORDS: &str = r#"{"tag": "confidential", "keywords": ["merger", "project x"]}, {"tag": "restricted", "severity": "WARN", "keywords": ["Project X Files"]}"#;

#[test]
fn keywords_match_whole_words_in_any_case_however_deep() {
    assert_eq!(
        tag(WORDS, &event(&[], r#""the MERGER is near""#)),
        "confidential INFO"
    );
    assert_eq!(
        tag(WORDS, &event(&[], r#"{"a": [1, {"b": "Merger"}]}"#)),
        "confidential INFO"
    );
    assert_eq!(
        tag(WORDS, &event(&[("a", Value::Str("pre-merger"))], "{}")),
        "confidential INFO"
    );
    assert_eq!(
        tag(
            WORDS,
            &event(&[("a", Value::Str("mergers submerger merger_2"))], "{}")
        ),
        "- INFO"
    );
    assert_eq!(
        tag(
            WORDS,
            &event(&[("a", Value::Str("mergers and merger"))], "{}")
        ),
        "confidential INFO"
    );
    assert_eq!(
        tag(
            WORDS,
            &event(&[("merger", Value::Int(1))], r#"{"merger": 1}"#)
        ),
        "- INFO"
    );
}

#[test]
fn a_longer_keyword_counts_beside_the_shorter_one_in_it() {
    assert_eq!(
        tag(WORDS, &event(&[], r#""see project x files""#)),
        "restricted WARN"
    );
    assert_eq!(
        tag(WORDS, &event(&[], r#""see project x filesystem""#)),
        "confidential INFO"
    );
}

#[test]
fn tags_are_no_evidence_for_keywords() {
    let rules = r#"{"tag": "restricted", "keywords": ["internal"]}"#;
    assert_eq!(
        tag(
            rules,
            &event(
                &[("data.classification", Value::Str("internal"))],
                r#"{"data_classification": "internal"}"#
            )
        ),
        "internal INFO"
    );
    assert_eq!(
        tag(rules, &event(&[], r#"{"note": "internal"}"#)),
        "restricted INFO"
    );
}
