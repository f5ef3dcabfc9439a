use std::sync::Arc;

use sluice_batch::{Batch, Sender, Signal, Value, ValueBuf};

use super::{apply, apply_to_resources, record, shown};

/// Asserts what one action makes of `a=1` (text) and `n=5` (integer).
#[track_caller]
fn one(action: &str, expected: &[&str]) {
    let mut batch = record(&[("a", Value::Str("1")), ("n", Value::Int(5))]);
    apply(&format!(r#"{{"actions": [{action}]}}"#), &mut batch);
    assert_eq!(shown(&batch), expected, "{action}");
}

#[test]
fn insert_sets_only_what_is_absent_update_only_what_is_there_and_upsert_both() {
    one(
        r#"{"action": "insert", "key": "b", "value": true}"#,
        &["a=1", "n=5", "b=true"],
    );
    one(
        r#"{"action": "insert", "key": "a", "value": "x"}"#,
        &["a=1", "n=5"],
    );
    one(
        r#"{"action": "update", "key": "a", "value": "x"}"#,
        &["a=x", "n=5"],
    );
    one(
        r#"{"action": "update", "key": "b", "value": "x"}"#,
        &["a=1", "n=5"],
    );
    one(
        r#"{"action": "upsert", "key": "a", "value": 1.5}"#,
        &["a=1.5", "n=5"],
    );
    one(
        r#"{"action": "UPSERT", "key": "b", "value": [1, {"k": null}]}"#,
        &["a=1", "n=5", r#"b=[1,{"k":null}]"#],
    );
}

#[test]
fn a_value_can_be_copied_from_another_attribute() {
    one(
        r#"{"action": "insert", "key": "b", "from_attribute": "n"}"#,
        &["a=1", "n=5", "b=5"],
    );
    one(
        r#"{"action": "upsert", "key": "a", "from_attribute": "missing"}"#,
        &["a=1", "n=5"],
    );
    one(
        r#"{"action": "upsert", "key": "a", "from_attribute": "missing", "default_value": "d"}"#,
        &["a=d", "n=5"],
    );
    one(
        r#"{"action": "insert", "key": "b", "default_value": "d"}"#,
        &["a=1", "n=5", "b=d"],
    );
    let mut batch = record(&[("n", Value::Int(5))]);
    apply(
        r#"{"actions": [{"action": "insert", "key": "m", "from_attribute": "n"}]}"#,
        &mut batch,
    );
    assert_eq!(batch.record(0).get("m"), Some(Value::Int(5)));
}

#[test]
fn delete_takes_a_key_and_every_key_that_the_pattern_matches() {
    one(r#"{"action": "delete", "key": "a"}"#, &["n=5"]);
    one(r#"{"action": "delete", "pattern": "^[an]$"}"#, &[]);
    one(
        r#"{"action": "delete", "key": "a", "pattern": "x"}"#,
        &["n=5"],
    );
}

/// A record in which the key `a` stands twice, as only the wire can have it.
fn twice() -> Batch {
    let json = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[
        {"key":"a","value":{"stringValue":"one"}},{"key":"b","value":{"stringValue":"b"}},{"key":"a","value":{"stringValue":"two"}}]}]}]}]}"#;
    Batch::decode_json(Signal::Logs, json).unwrap()
}

#[test]
fn no_second_copy_of_a_deleted_or_hashed_key_is_left() {
    let mut batch = twice();
    apply(
        r#"{"actions": [{"action": "delete", "key": "a"}]}"#,
        &mut batch,
    );
    assert_eq!(shown(&batch), ["b=b"]);
    let mut batch = twice();
    apply(
        r#"{"actions": [{"action": "hash", "pattern": "^a$", "key": "a"}]}"#,
        &mut batch,
    );
    assert_eq!(batch.record(0).attributes().len(), 2);
    // SHA-256 of "one".
    assert_eq!(
        batch.record(0).get("a"),
        Some(Value::Str(
            "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
        ))
    );
}

#[test]
fn hash_is_the_collectors_sha_256_for_every_type() {
    let map = ValueBuf::from_json(br#"{"k":1}"#).unwrap();
    let mut batch = record(&[
        ("text", Value::Str("hello")),
        ("int", Value::Int(1)),
        ("double", Value::Double(0.0)),
        ("bool", Value::Bool(true)),
        ("bytes", Value::Bytes(b"hello")),
        ("map", map.as_value()),
        ("empty", Value::Str("")),
    ]);
    apply(
        r#"{"actions": [{"action": "hash", "pattern": ""}, {"action": "hash", "key": "missing"}]}"#,
        &mut batch,
    );
    assert_eq!(
        shown(&batch),
        [
            "text=2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
            "int=7c9fa136d4413fa6173637e883b6998d32e1d675f88cddff9dcbcf331820f4b8",
            "double=af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc",
            "bool=4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a",
            "bytes=2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
            "map=a0da1fce57d0e4f9f0ae4e4cbe040d34dcc046255c6c8d18e97f55aaed0655f0",
            "empty=",
        ]
    );
}

#[test]
fn extract_sets_one_attribute_for_each_named_group() {
    let extract = |text: &str| {
        let mut batch = record(&[("url", Value::Str(text)), ("port", Value::Str("old"))]);
        let action = r#"{"actions": [{"action": "extract", "key": "url", "pattern": "^(?P<scheme>\\w+)://(?P<host>[^:/]+)(?::(?P<port>\\d+))?"}]}"#;
        apply(action, &mut batch);
        shown(&batch)
    };
    assert_eq!(
        extract("https://host:80/x"),
        [
            "url=https://host:80/x",
            "port=80",
            "scheme=https",
            "host=host"
        ]
    );
    assert_eq!(
        extract("https://host/x"),
        ["url=https://host/x", "port=", "scheme=https", "host=host"]
    );
    assert_eq!(extract("none"), ["url=none", "port=old"]);
    one(
        r#"{"action": "extract", "key": "n", "pattern": "(?P<x>5)"}"#,
        &["a=1", "n=5"],
    );
}

#[test]
fn convert_changes_the_type_or_leaves_the_value() {
    let convert = |value: Value<'_>, to: &str| {
        let mut batch = record(&[("v", value)]);
        apply(
            &format!(
                r#"{{"actions": [{{"action": "convert", "key": "v", "converted_type": "{to}"}}]}}"#
            ),
            &mut batch,
        );
        ValueBuf::new(batch.record(0).get("v").unwrap())
    };
    for (from, to, expected) in [
        (Value::Str("12"), "int", Value::Int(12)),
        (Value::Str("1.5"), "int", Value::Str("1.5")),
        (Value::Double(-1.9), "int", Value::Int(-1)),
        (Value::Double(f64::NAN), "int", Value::Int(0)),
        (Value::Bool(true), "int", Value::Int(1)),
        (Value::Bytes(b"1"), "int", Value::Bytes(b"1")),
        (Value::Int(2), "double", Value::Double(2.0)),
        (Value::Str("2.5"), "double", Value::Double(2.5)),
        (Value::Bool(false), "double", Value::Double(0.0)),
        (Value::Int(2), "string", Value::Str("2")),
        (Value::Bool(true), "string", Value::Str("true")),
    ] {
        assert_eq!(
            convert(from, to),
            ValueBuf::new(expected),
            "{from:?} to {to}"
        );
    }
}

#[test]
fn actions_apply_in_order_and_are_written_out() {
    let mut batch = record(&[("secret", Value::Str("s"))]);
    apply(
        r#"{"actions": [{"action": "insert", "key": "copy", "from_attribute": "secret"}, {"action": "delete", "key": "secret"},
            {"action": "update", "key": "copy", "value": "gone"}]}"#,
        &mut batch,
    );
    let again = Batch::decode(Signal::Logs, batch.encode().into()).unwrap();
    assert_eq!(shown(&again), ["copy=gone"]);
}

#[test]
fn the_resource_processor_changes_resources_and_no_record() {
    let mut batch = record(&[("host", Value::Str("record"))]);
    apply_to_resources(
        r#"{"attributes": [{"action": "upsert", "key": "host", "value": "b"}, {"action": "delete", "key": "service.name"},
            {"action": "insert", "key": "env", "value": "prod"}]}"#,
        &mut batch,
    );
    let resource: Vec<_> = batch
        .resource(0)
        .attributes()
        .iter()
        .map(|(key, value)| (key, value.to_text()))
        .collect();
    assert_eq!(resource, [("host", "b".into()), ("env", "prod".into())]);
    assert_eq!(shown(&batch), ["host=record"]);
}

#[test]
fn a_value_may_come_from_the_request() {
    let actions = |presence: &str| {
        format!(
            r#"{{"actions": [{{"action": "{presence}", "key": "tenant", "from_context": "metadata.X-Tenant"}},
                {{"action": "insert", "key": "peer", "from_context": "client.address"}},
                {{"action": "insert", "key": "team", "from_context": "metadata.team", "default_value": "none"}}]}}"#
        )
    };
    let mut sender = Sender::at(Some("10.1.2.3".parse().unwrap()));
    for (name, value) in [("x-tenant", "a"), ("other", "b"), ("x-tenant", "c")] {
        sender.add(name, value);
    }
    let sender = Arc::new(sender);
    let mut batch = record(&[]);
    batch.set_sender(Some(sender.clone()));
    apply(&actions("upsert"), &mut batch);
    assert_eq!(shown(&batch), ["tenant=a;c", "peer=10.1.2.3", "team=none"]);

    let mut without = record(&[]);
    apply(&actions("upsert"), &mut without);
    assert_eq!(shown(&without), ["team=none"]);

    let mut resource = record(&[]);
    resource.set_sender(Some(sender));
    apply_to_resources(
        r#"{"attributes": [{"action": "upsert", "key": "host", "from_context": "metadata.x-tenant"}]}"#,
        &mut resource,
    );
    assert_eq!(resource.resource(0).get("host"), Some(Value::Str("a;c")));
}
