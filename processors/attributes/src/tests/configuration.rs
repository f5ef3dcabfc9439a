use sluice_component::{Checked as _, Key, Problems};

use super::config;
use crate::resource;

/// Every problem as `path: message`, with `@offset` where it has one.
fn problems(json: &str) -> Vec<String> {
    let mut problems = Problems::new();
    config(json).check(&mut problems);
    let path = |keys: &[Key]| {
        keys.iter()
            .map(|key| match key {
                Key::Name(name) => name.clone(),
                Key::Index(i) => i.to_string(),
            })
            .collect::<Vec<_>>()
            .join(".")
    };
    problems
        .found
        .iter()
        .map(|p| {
            format!(
                "{}{}: {}",
                path(&p.path),
                p.offset.map_or(String::new(), |o| format!("@{o}")),
                p.message
            )
        })
        .collect()
}

#[track_caller]
fn refused(action: &str, expected: &[&str]) {
    assert_eq!(
        problems(&format!(r#"{{"actions": [{action}]}}"#)),
        expected,
        "{action}"
    );
}

#[test]
fn each_action_says_what_it_needs_and_what_it_does_not_use() {
    refused(
        r#"{"action": "insert", "value": 1}"#,
        &["actions.0: `insert` needs key"],
    );
    refused(
        r#"{"action": "insert", "key": "a"}"#,
        &["actions.0: `insert` needs value, from_attribute or from_context"],
    );
    refused(
        r#"{"action": "update", "key": "a", "value": 1, "from_attribute": "b"}"#,
        &["actions.0.from_attribute: value and from_attribute exclude each other"],
    );
    refused(
        r#"{"action": "upsert", "key": "a", "value": 1, "pattern": "x"}"#,
        &["actions.0.pattern: `upsert` does not use pattern"],
    );
    refused(
        r#"{"action": "delete"}"#,
        &["actions.0: `delete` needs key or pattern"],
    );
    refused(
        r#"{"action": "delete", "key": "a", "value": 1}"#,
        &["actions.0.value: `delete` does not use value"],
    );
    refused(
        r#"{"action": "hash", "pattern": "a(b"}"#,
        &["actions.0.pattern@1: invalid regular expression: unclosed group"],
    );
    refused(
        r#"{"action": "extract", "key": "a"}"#,
        &["actions.0: `extract` needs pattern"],
    );
    for pattern in ["a", "(a)", "(?P<x>a)(b)"] {
        let action = format!(r#"{{"action": "extract", "key": "a", "pattern": "{pattern}"}}"#);
        refused(
            &action,
            &["actions.0.pattern: every group of the pattern needs a name, and there must be one"],
        );
    }
    refused(
        r#"{"action": "convert", "key": "a"}"#,
        &["actions.0: `convert` needs converted_type"],
    );
    refused(
        r#"{"action": "convert", "key": "a", "converted_type": "int", "value": 1}"#,
        &["actions.0.value: `convert` does not use value"],
    );
}

#[test]
fn a_context_that_no_request_has_is_refused_plainly() {
    for (from, error) in [
        (
            "auth.subject",
            "`auth.subject` is not available: authenticators hand nothing on",
        ),
        ("metadata.", "`metadata.` is not a part of a request"),
        ("tenant", "`tenant` is not a part of a request"),
    ] {
        let found = problems(&format!(
            r#"{{"actions": [{{"action": "insert", "key": "a", "from_context": "{from}"}}]}}"#
        ));
        assert_eq!(found, [format!("actions.0.from_context: {error}")]);
    }
    let both = r#"{"actions": [{"action": "insert", "key": "a", "value": 1, "from_context": "client.address"}]}"#;
    assert_eq!(
        problems(both),
        ["actions.0.from_context: value and from_context exclude each other"]
    );
}

#[test]
fn all_problems_are_reported_at_once() {
    let found = problems(
        r#"{"actions": [{"action": "delete"}, {"action": "hash"}],
            "include": {"match_type": "regexp", "attributes": [{"key": "a", "value": "("}, {"key": "", "value": 1}], "span_kinds": ["["]},
            "exclude": {"match_type": "strict"}}"#,
    );
    assert_eq!(
        found,
        [
            "include.attributes.0.value@0: invalid regular expression: unclosed group",
            "include.attributes.1.key: the key is empty",
            "include.attributes.1.value: `match_type: regexp` needs a text here",
            "include.span_kinds.0@0: invalid regular expression: unclosed character class",
            "exclude: there is nothing to match by",
            "actions.0: `delete` needs key or pattern",
            "actions.1: `hash` needs key or pattern",
        ]
    );
    assert_eq!(problems("{}"), [": there is no action in actions"]);
}

#[test]
fn unknown_keys_actions_and_types_are_errors() {
    for (json, wrong) in [
        (r#"{"actions": [], "includes": {}}"#, "includes"),
        (
            r#"{"actions": [{"action": "remove", "key": "a"}]}"#,
            "remove",
        ),
        (r#"{"actions": [{"key": "a"}]}"#, "action"),
        (
            r#"{"actions": [{"action": "convert", "key": "a", "converted_type": "float"}]}"#,
            "float",
        ),
        (r#"{"include": {"services": ["a"]}}"#, "match_type"),
        (r#"{"include": {"match_type": "expr"}}"#, "expr"),
    ] {
        let error = serde_json::from_str::<crate::Config>(json)
            .unwrap_err()
            .to_string();
        assert!(error.contains(wrong), "{json}: {error}");
    }
    assert!(serde_json::from_str::<resource::Config>(r#"{"actions": []}"#).is_err());
}

#[test]
fn a_strict_span_kind_that_does_not_exist_is_an_error() {
    let with = |kind: &str| {
        problems(&format!(
            r#"{{"actions": [{{"action": "delete", "key": "a"}}],
                "include": {{"match_type": "strict", "span_kinds": ["SPAN_KIND_CLIENT", "{kind}"]}}}}"#
        ))
    };
    assert!(with("SPAN_KIND_SERVER").is_empty());
    for kind in ["server", "SERVER", "SPAN_KIND_SERVE", "2", ""] {
        assert_eq!(with(kind), ["include.span_kinds.1: is no kind of span"]);
    }
}
