use proptest::prelude::*;
use sluice_batch::{Batch, Value, ValueBuf};

use super::{apply, event, text};

const CONFIDENTIAL: &str = r#"{"tag": "confidential", "when": "true"}"#;

fn with(json: &str, batch: &Batch) -> [String; 2] {
    let mut batch = batch.clone();
    apply(json, &mut batch);
    ["data.classification", "tags"].map(|key| text(batch.record(0), key))
}

#[test]
fn an_existing_tag_is_raised_and_never_lowered() {
    let tagged = |tag: &str| event(&[("data.classification", Value::Str(tag))], "{}");
    let config = format!(r#"{{"default": "public", "rules": [{CONFIDENTIAL}]}}"#);
    assert_eq!(with(&config, &tagged("internal"))[0], "confidential");
    assert_eq!(with(&config, &tagged("restricted"))[0], "restricted");
    assert_eq!(with(&config, &tagged("RESTRICTED"))[0], "restricted");
    assert_eq!(
        with(r#"{"default": "public"}"#, &tagged("internal"))[0],
        "internal"
    );
}

#[test]
fn the_sources_own_classification_takes_part() {
    let config = format!(r#"{{"default": "public", "rules": [{CONFIDENTIAL}]}}"#);
    assert_eq!(
        with(
            &config,
            &event(&[], r#"{"data_classification": "restricted"}"#)
        )[0],
        "restricted"
    );
    assert_eq!(
        with(
            &config,
            &event(
                &[],
                r#"{"data_classification": ["internal", "restricted"]}"#
            )
        )[0],
        "restricted"
    );
    assert_eq!(
        with(
            r#"{"default": "public"}"#,
            &event(&[], r#"{"data_classification": "internal"}"#)
        )[0],
        "internal"
    );
    assert_eq!(
        with(
            r#"{"default": "public"}"#,
            &event(&[], r#"{"data_classification": null}"#)
        )[0],
        "public"
    );
}

#[test]
fn a_list_of_existing_tags_becomes_its_highest() {
    let list = ValueBuf::array([
        Value::Str("internal"),
        Value::Str("restricted"),
        Value::Int(1),
    ]);
    let batch = event(&[("data.classification", list.as_value())], "{}");
    assert_eq!(
        with(&format!(r#"{{"rules": [{CONFIDENTIAL}]}}"#), &batch)[0],
        "restricted"
    );
}

#[test]
fn a_tag_off_the_scale_yields_to_a_rule_but_not_to_the_default() {
    let batch = event(&[("data.classification", Value::Str("top-secret"))], "{}");
    assert_eq!(with(r#"{"default": "public"}"#, &batch)[0], "top-secret");
    let config = format!(r#"{{"list_attribute": "tags", "rules": [{CONFIDENTIAL}]}}"#);
    assert_eq!(
        with(&config, &batch),
        ["confidential", r#"["top-secret","confidential"]"#]
    );
}

#[test]
fn the_list_gathers_every_tag_once_and_those_off_the_scale() {
    let config = r#"{"list_attribute": "tags", "default": "public", "rules": [
        {"tag": "gdpr", "when": "attributes[\"x\"] == 1"}, {"tag": "restricted", "when": "attributes[\"x\"] == 1"},
        {"tag": "internal", "when": "true"}, {"tag": "gdpr", "when": "true"}, {"tag": "hipaa", "when": "attributes[\"x\"] == 2"}]}"#;
    let x = |n| {
        event(
            &[("x", Value::Int(n))],
            r#"{"data_classification": "Confidential"}"#,
        )
    };
    assert_eq!(
        with(config, &x(1)),
        [
            "restricted",
            r#"["confidential","internal","restricted","gdpr"]"#
        ]
    );
    assert_eq!(
        with(config, &x(2)),
        [
            "confidential",
            r#"["confidential","internal","gdpr","hipaa"]"#
        ]
    );
    assert_eq!(
        with(
            r#"{"list_attribute": "tags", "default": "public"}"#,
            &event(&[], "{}")
        ),
        ["public", r#"["public"]"#]
    );
}

#[test]
fn a_second_pass_changes_nothing() {
    let config = r#"{"list_attribute": "tags", "default": "public", "rules": [{"tag": "gdpr", "when": "true"}, {"tag": "internal", "severity": "WARN", "when": "true"}]}"#;
    let mut batch = event(&[("data.classification", Value::Str("odd"))], "{}");
    apply(config, &mut batch);
    let once = batch.encode();
    apply(config, &mut batch);
    assert_eq!(batch.encode(), once);
    assert_eq!(
        text(batch.record(0), "tags"),
        r#"["odd","internal","gdpr"]"#
    );
}

#[test]
fn a_record_that_nothing_applies_to_keeps_its_bytes() {
    let batch = super::arrived(&event(&[("a", Value::Str("b"))], r#"{"c": "d"}"#));
    let mut classified = batch.clone();
    apply(
        r#"{"rules": [{"tag": "internal", "when": "false"}, {"tag": "internal", "detectors": ["all"]}, {"tag": "internal", "keywords": ["x"]}]}"#,
        &mut classified,
    );
    assert_eq!(classified.encode(), batch.encode());
    assert!(classified.span_in_wire(0).is_some());
}

proptest! {
    /// Whatever rules match and whatever was there: the result is the highest of all of them.
    #[test]
    fn the_highest_tag_wins(existing in 0usize..5, body in 0usize..5, rules in proptest::collection::vec(0usize..4, 1..5)) {
        let scale = ["public", "internal", "confidential", "restricted"];
        let mut batch = event(&[], &scale.get(body).map_or("{}".into(), |tag| format!(r#"{{"data_classification": "{tag}"}}"#)));
        if let Some(tag) = scale.get(existing) {
            batch.record_mut(0).set("data.classification", Value::Str(tag));
        }
        let config: Vec<_> = rules.iter().map(|i| format!(r#"{{"tag": "{}", "when": "true"}}"#, scale[*i])).collect();
        apply(&format!(r#"{{"rules": [{}]}}"#, config.join(",")), &mut batch);
        let highest = rules.iter().chain([&existing, &body]).filter(|i| **i < 4).max().unwrap();
        prop_assert_eq!(text(batch.record(0), "data.classification"), scale[*highest]);
    }
}
