use sluice_component::{Checked as _, Key, Problems};

use crate::Config;

/// Every problem as `path: message (help)`, with `@offset` where it has one.
#[track_caller]
fn refused(json: &str, expected: &[&str]) {
    let config: Config = serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"));
    let mut problems = Problems::new();
    config.check(&mut problems);
    let found: Vec<_> = problems
        .found
        .iter()
        .map(|p| {
            let path: Vec<_> = p
                .path
                .iter()
                .map(|key| match key {
                    Key::Name(name) => name.clone(),
                    Key::Index(i) => i.to_string(),
                })
                .collect();
            let offset = p
                .offset
                .map_or(String::new(), |offset| format!("@{offset}"));
            format!(
                "{}{offset}: {} ({})",
                path.join("."),
                p.message,
                p.help.as_deref().unwrap_or_default()
            )
        })
        .collect();
    assert_eq!(found, expected, "{json}");
}

#[test]
fn a_bad_condition_is_an_error_at_its_column() {
    refused(
        r#"{"rules": [{"tag": "internal", "when": "attributes[\"a\"] = 1"}, {"tag": "internal", "when": "IsMatch(body, \"(\")"}]}"#,
        &[
            "rules.0.when@16: `=` is no comparison (write `==`)",
            "rules.1.when@15: invalid regular expression: unclosed group ()",
        ],
    );
}

#[test]
fn a_tag_must_be_on_the_scale_or_go_to_the_list() {
    let scale = "the scale is public, internal, confidential, restricted; a tag outside it needs a list_attribute to go to";
    refused(
        r#"{"rules": [{"tag": "restrcted", "when": "true"}]}"#,
        &["rules.0.tag: tag `restrcted` is not on the scale (did you mean `restricted`?)"],
    );
    refused(
        r#"{"rules": [{"tag": "gdpr", "when": "true"}]}"#,
        &[&format!(
            "rules.0.tag: tag `gdpr` is not on the scale ({scale})"
        )],
    );
    refused(
        r#"{"default": "secret"}"#,
        &[&format!(
            "default: tag `secret` is not on the scale ({scale})"
        )],
    );
    refused(
        r#"{"list_attribute": "tags", "rules": [{"tag": "gdpr", "when": "true"}]}"#,
        &[],
    );
    refused(
        r#"{"list_attribute": "tags", "rules": [{"tag": "Internal", "when": "true"}]}"#,
        &["rules.0.tag: tag `Internal` is not on the scale (did you mean `internal`?)"],
    );
    refused(
        r#"{"scale": ["low", "high"], "rules": [{"tag": "high", "when": "true"}]}"#,
        &[],
    );
}

#[test]
fn a_rule_has_exactly_one_reason() {
    let one = "a rule needs exactly one of when, detectors and keywords (write one rule for each)";
    refused(
        r#"{"rules": [{"tag": "internal"}]}"#,
        &[&format!("rules.0: {one}")],
    );
    refused(
        r#"{"rules": [{"tag": "internal", "when": "true", "keywords": ["a"]}]}"#,
        &[&format!("rules.0: {one}")],
    );
}

#[test]
fn unknown_detectors_and_empty_lists_are_errors() {
    refused(
        r#"{"rules": [{"tag": "internal", "detectors": ["email", "emial"]}, {"tag": "internal", "detectors": []}, {"tag": "internal", "keywords": []}]}"#,
        &[
            "rules.0.detectors.1: unknown detector `emial` (did you mean `email`?)",
            "rules.1.detectors: the list is empty: the rule can never match (write `[pii]`, `[secrets]` or names of detectors)",
            "rules.2.keywords: the list is empty: the rule can never match ()",
        ],
    );
    refused(
        r#"{"rules": [{"tag": "internal", "keywords": ["ok", "", " x"]}]}"#,
        &[
            "rules.0.keywords.1: a keyword must not be empty or begin or end with white space (only whole words match anyway)",
            "rules.0.keywords.2: a keyword must not be empty or begin or end with white space (only whole words match anyway)",
        ],
    );
}

#[test]
fn the_scale_and_the_names_are_checked() {
    refused(
        "{}",
        &[
            ": there are no rules and no default: nothing would be tagged (add `rules:` or `default: internal`)",
        ],
    );
    refused(
        r#"{"scale": ["a", "A", ""], "default": "a"}"#,
        &[
            "scale.1: `A` is on the scale twice ()",
            "scale.2: a tag needs a name ()",
        ],
    );
    refused(
        r#"{"attribute": "", "list_attribute": "", "default": "public"}"#,
        &[
            "attribute: the attribute needs a name ()",
            "list_attribute: the list needs a name of its own, other than `attribute` ()",
        ],
    );
    let scale = |n: usize| {
        format!(
            r#"{{"scale": {:?}, "default": "t0"}}"#,
            (0..n).map(|i| format!("t{i}")).collect::<Vec<_>>()
        )
    };
    refused(&scale(64), &[]);
    refused(
        &scale(65),
        &["scale: the scale needs 1 to 64 tags, from low to high ()"],
    );
}

#[test]
fn keywords_are_limited_to_10_000() {
    let rules = |n: usize| {
        format!(
            r#"{{"rules": [{{"tag": "internal", "keywords": {:?}}}]}}"#,
            (0..n).map(|i| i.to_string()).collect::<Vec<_>>()
        )
    };
    refused(&rules(10_000), &[]);
    refused(
        &rules(10_001),
        &["rules: there are 10001 keywords, at most 10000 are allowed ()"],
    );
}

#[test]
fn unknown_keys_and_severities_are_errors() {
    for (json, wrong) in [
        (r#"{"atribute": "a"}"#, "atribute"),
        (r#"{"rules": [{"tag": "internal", "if": "true"}]}"#, "if"),
        (r#"{"rules": [{"when": "true"}]}"#, "tag"),
        (
            r#"{"rules": [{"tag": "internal", "when": "true", "severity": "WARNING"}]}"#,
            "WARNING",
        ),
    ] {
        let error = serde_json::from_str::<Config>(json)
            .unwrap_err()
            .to_string();
        assert!(error.contains(wrong), "{json}: {error}");
    }
}
