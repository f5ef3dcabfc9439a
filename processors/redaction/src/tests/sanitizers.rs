use std::time::{Duration, Instant};

use super::*;

fn config(yaml_as_json: &str) -> Config {
    serde_json::from_str(yaml_as_json).unwrap()
}

const ALL: &str = r#"{"allow_all_keys": true,
    "url_sanitizer": {"enabled": true, "attributes": ["http.url"]},
    "db_sanitizer": {
        "sql": {"enabled": true, "attributes": ["db.statement"]}, "redis": {"enabled": true, "attributes": ["db.statement"]},
        "valkey": {"enabled": true, "attributes": ["db.statement"]}, "memcached": {"enabled": true, "attributes": ["db.statement"]},
        "mongo": {"enabled": true, "attributes": ["db.statement"]}, "opensearch": {"enabled": true, "attributes": ["db.statement"]},
        "es": {"enabled": true, "attributes": ["db.statement"]}}}"#;

fn text(key: &str, value: &str) -> String {
    serde_json::json!({"key": key, "value": {"stringValue": value}}).to_string()
}

/// The attribute `key` of a log with these attributes, after redaction.
fn attribute_after(config: &Config, attributes: &[(&str, &str)], key: &str) -> String {
    let attributes: Vec<String> = attributes.iter().map(|(k, v)| text(k, v)).collect();
    let mut batch = log_with(r#"{"stringValue":""}"#, &attributes.join(","));
    redactor(config).redact(&mut batch);
    batch.record(0).get(key).unwrap().to_text().into_owned()
}

fn statement_after(config: &Config, system: &str, statement: &str) -> String {
    let attributes = [("db.system.name", system), ("db.statement", statement)];
    attribute_after(config, &attributes, "db.statement")
}

fn span_name_after(config: &Config, kind: i32, name: &str, attributes: &[(&str, &str)]) -> String {
    let attributes: Vec<String> = attributes.iter().map(|(k, v)| text(k, v)).collect();
    let attributes = attributes.join(",");
    let name = serde_json::json!(name);
    let mut batch = decode(
        Signal::Traces,
        &format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":{name},"kind":{kind},"attributes":[{attributes}],"events":[{{"name":"/e/42","attributes":[{attributes}]}}]}}]}}]}}]}}"#
        ),
    );
    redactor(config).redact(&mut batch);
    batch.record(0).name().to_owned()
}

#[test]
fn the_system_beside_a_statement_says_which_language_it_is_in() {
    let all = config(ALL);
    for (system, statement, left) in [
        (
            "mysql",
            "SELECT a FROM b WHERE c = 'x'",
            "SELECT a FROM b WHERE c = ?",
        ),
        (
            "PostgreSQL",
            "SELECT \"a\" WHERE c = 1",
            "SELECT \"a\" WHERE c = ?",
        ),
        (
            "microsoft.sql_server",
            "SELECT [a] WHERE c = 1",
            "SELECT [a] WHERE c = ?",
        ),
        ("redis", "SET user:1 john", "SET ?"),
        ("valkey", "SET user:1 john", "SET ?"),
        ("memcached", "set k 0 0 4\r\njohn", "set ?"),
        ("mongodb", r#"{"find":"users"}"#, r#"{"find":"?"}"#),
        (
            "opensearch",
            r#"{"query":{"term":{"a":1}}}"#,
            r#"{"query":{"term":{"a":"?"}}}"#,
        ),
        ("elasticsearch", "GET _search 42", "?"),
        ("cassandra", "SELECT 'x'", "SELECT 'x'"),
    ] {
        assert_eq!(statement_after(&all, system, statement), left, "{system}");
    }
    let old = [
        ("db.system", "redis"),
        ("db.statement", "GET k"),
        ("db.other", "GET k"),
    ];
    assert_eq!(attribute_after(&all, &old, "db.statement"), "GET ?");
    assert_eq!(attribute_after(&all, &old, "db.other"), "GET k");
}

#[test]
fn without_a_system_an_attribute_stays_unless_the_fallback_is_on() {
    let statement = [("db.statement", "SELECT a FROM b WHERE c = 'x'")];
    let sql = r#"{"allow_all_keys": true, "db_sanitizer": {"allow_fallback_without_system": FALLBACK, "sql": {"enabled": true, "attributes": ["db.statement"]}}}"#;
    let without = config(&sql.replace("FALLBACK", "false"));
    let with = config(&sql.replace("FALLBACK", "true"));
    assert_eq!(
        attribute_after(&without, &statement, "db.statement"),
        statement[0].1
    );
    assert_eq!(
        attribute_after(&with, &statement, "db.statement"),
        "SELECT a FROM b WHERE c = ?"
    );
}

#[test]
fn a_statement_that_is_no_text_keeps_its_shape_at_most() {
    let all = config(ALL);
    let after = |value: &str| {
        let mut batch = log_with(
            r#"{"stringValue":""}"#,
            &format!(
                r#"{},{{"key":"db.statement","value":{value}}}"#,
                text("db.system", "mongodb")
            ),
        );
        redactor(&all).redact(&mut batch);
        batch
            .record(0)
            .get("db.statement")
            .unwrap()
            .to_text()
            .into_owned()
    };
    let map = r#"{"kvlistValue":{"values":[{"key":"find","value":{"stringValue":"users"}},{"key":"limit","value":{"intValue":"7"}}]}}"#;
    assert_eq!(after(map), r#"{"find":"?","limit":"?"}"#);
    assert_eq!(after(r#"{"intValue":"7"}"#), "?");
    assert_eq!(
        after(r#"{"arrayValue":{"values":[{"stringValue":"{\"a\":1}"},{"stringValue":"x"}]}}"#),
        r#"["{\"a\":\"?\"}","?"]"#
    );
    // The bytes of `SET k john`.
    assert_eq!(after(r#"{"bytesValue":"U0VUIGsgam9obg=="}"#), "Pw==");
}

#[test]
fn urls_lose_what_varies_in_named_attributes_and_within_bodies() {
    let all = config(ALL);
    let attributes = [
        ("http.url", "https://h.io/users/42?a=b"),
        ("other", "https://h.io/users/42"),
    ];
    assert_eq!(
        attribute_after(&all, &attributes, "http.url"),
        "https://h.io/users/*"
    );
    assert_eq!(attribute_after(&all, &attributes, "other"), attributes[1].1);
    let urls = config(
        r#"{"allow_all_keys": true, "url_sanitizer": {"enabled": true, "attributes": ["http.url"]}}"#,
    );
    let body = r#"{"kvlistValue":{"values":[{"key":"http.url","value":{"stringValue":"h/42"}},{"key":"note","value":{"stringValue":"see https://h.io/users/42 for 42"}}]}}"#;
    assert_eq!(
        body_after(&urls, body),
        r#"{"http.url":"h/*","note":"see https://h.io/users/* for 42"}"#
    );
}

#[test]
fn a_body_that_is_a_text_is_a_statement_and_an_entry_of_a_map_only_if_it_is_named() {
    let named = config(
        r#"{"allow_all_keys": true, "db_sanitizer": {"sql": {"enabled": true, "attributes": ["db.statement"]}}}"#,
    );
    let everywhere =
        config(r#"{"allow_all_keys": true, "db_sanitizer": {"sql": {"enabled": true}}}"#);
    let body = r#"{"stringValue":"SELECT 'x'"}"#;
    assert_eq!(body_after(&named, body), r#""SELECT ?""#);
    let body = r#"{"kvlistValue":{"values":[{"key":"db.statement","value":{"stringValue":"SELECT 1"}},{"key":"note","value":{"stringValue":"on 42"}}]}}"#;
    assert_eq!(
        body_after(&named, body),
        r#"{"db.statement":"SELECT ?","note":"on 42"}"#
    );
    assert_eq!(
        body_after(&everywhere, body),
        r#"{"db.statement":"SELECT ?","note":"on ?"}"#
    );
    assert!(
        problems_of(&everywhere)[0]
            .1
            .contains("every text of every log body")
    );
    assert_eq!(problems_of(&named), []);
}

#[test]
fn what_an_event_is_known_by_is_never_taken_for_a_statement() {
    let everywhere = config(
        r#"{"allow_all_keys": true, "url_sanitizer": {"enabled": true, "attributes": ["event_id"]}, "db_sanitizer": {"sql": {"enabled": true}}}"#,
    );
    let body = r#"{"kvlistValue":{"values":[{"key":"event_id","value":{"stringValue":"urn:/e/3d14a2b8-42"}}]}}"#;
    assert_eq!(
        body_after(&everywhere, body),
        r#"{"event_id":"urn:/e/3d14a2b8-42"}"#
    );
    let attributes = [("event_id", "/e/42")];
    assert_eq!(
        attribute_after(&everywhere, &attributes, "event_id"),
        "/e/42"
    );
}

#[test]
fn span_names_are_sanitised_by_kind_and_system() {
    let all = config(ALL);
    let (internal, server, client, producer) = (1, 2, 3, 4);
    let redis: &[(&str, &str)] = &[("db.system", "redis")];
    let mysql: &[(&str, &str)] = &[("db.system", "mysql")];
    let mongo: &[(&str, &str)] = &[("db.system", "mongodb")];
    for (kind, name, attributes, left) in [
        (server, "GET /users/42", &[] as &[_], "GET /users/*"),
        (client, "/42", &[], "/*"),
        (internal, "/users/42", &[], "/users/42"),
        (producer, "/users/42", &[], "/users/42"),
        (client, "checkout 42", &[], "checkout 42"),
        (client, "SELECT 1/2", mysql, "SELECT ?/?"),
        (internal, "SELECT a.b", mysql, "SELECT a.b"),
        (producer, "SELECT 1", mysql, "SELECT 1"),
        (client, "SET", redis, "SET"),
        (client, "redis.command", redis, "redis.command"),
        (client, "SET secret", redis, "SET ?"),
        (client, "find orders", mongo, "find orders"),
        (client, r#"{"find":"x"}"#, mongo, r#"{"find":"?"}"#),
        (client, "find orders 42", mongo, "?"),
    ] {
        assert_eq!(
            span_name_after(&all, kind, name, attributes),
            left,
            "{name}"
        );
    }
    let off = config(
        r#"{"allow_all_keys": true, "url_sanitizer": {"enabled": true, "sanitize_span_name": false}, "db_sanitizer": {"sanitize_span_name": false, "sql": {"enabled": true}}}"#,
    );
    assert_eq!(span_name_after(&off, client, "/users/42", &[]), "/users/42");
    assert_eq!(span_name_after(&off, client, "SELECT 1", mysql), "SELECT 1");
}

#[test]
fn an_allowed_value_is_exempt_and_an_ignored_key_is_not_looked_at() {
    let mut config = config(ALL);
    config.allowed_values = strings(&["^SELECT 1$"]);
    assert_eq!(statement_after(&config, "mysql", "SELECT 1"), "SELECT 1");
    assert_eq!(statement_after(&config, "mysql", "SELECT 12"), "SELECT ?");
    config.ignored_keys = strings(&["db.statement"]);
    assert_eq!(statement_after(&config, "mysql", "SELECT 12"), "SELECT 12");
}

#[test]
fn attributes_of_a_sanitizer_that_is_off_are_warned_of() {
    let off = config(
        r#"{"allow_all_keys": true, "url_sanitizer": {"attributes": ["a"]}, "db_sanitizer": {"es": {"attributes": ["a"]}}}"#,
    );
    let problems = problems_of(&off);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems
            .iter()
            .all(|(s, m)| *s == Severity::Warning && m.contains("the sanitizer is off"))
    );
}

const SYSTEMS: &[&str] = &[
    "mysql",
    "postgresql",
    "mssql",
    "other_sql",
    "redis",
    "memcached",
    "mongodb",
    "elasticsearch",
];

#[test]
fn a_megabyte_of_anything_takes_bounded_time() {
    let all = config(ALL);
    for piece in [
        "[", "(", "'", "''", "\"", "`", "$", "$a", "$$", "/*", "/**/", "--", "--a'\n", "#", "\\",
        "a.", "{\"a\":", "[1,", "GET k\n", "x\n", "/", "/a1", "://", "\\/", "a:", "1e-", "é",
        "[a]", "\u{0}",
    ] {
        let hostile = piece.repeat(1_000_000 / piece.len());
        let started = Instant::now();
        for system in ["other_sql", "postgresql", "memcached", "mongodb"] {
            statement_after(&all, system, &hostile);
        }
        attribute_after(&all, &[("http.url", &hostile)], "http.url");
        body_after(
            &all,
            &serde_json::json!({ "stringValue": hostile }).to_string(),
        );
        // Linear work takes seconds unoptimised; what is quadratic would take hours.
        assert!(started.elapsed() < Duration::from_secs(60), "{piece:?}");
    }
}

/// What statements are made of, so that random ones come near the edges of the grammars.
fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            3 => prop::sample::select(vec!["SELECT ", "'", "''", "\"", "`", "\\", "$", "$$", "$t$", "[", "]", "/*", "*/", "--", "#", "\n", "{", "}", ":", ",", "q'", "e'", "1e", "-", "SET ", "k ", "://", "/", "@", "?", "\\/", "=", " "]).prop_map(str::to_owned),
            1 => "[ -~]{0,6}",
            1 => any::<String>(),
        ],
        0..12,
    )
    .prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_makes_a_sanitizer_panic_and_twice_is_once(statement in pieces(), system in prop::sample::select(SYSTEMS)) {
        let all = config(ALL);
        let once = statement_after(&all, system, &statement);
        prop_assert_eq!(&statement_after(&all, system, &once), &once);
        let url = attribute_after(&all, &[("http.url", &statement)], "http.url");
        prop_assert_eq!(&attribute_after(&all, &[("http.url", &url)], "http.url"), &url);
    }

    /// A literal that its dialect's server would take as one, among others and cut anywhere.
    #[test]
    fn no_planted_literal_survives(before in "[ -~]{0,8}", inner in "[ -~]{0,8}", cut in 0..200usize, at in 0..5usize) {
        let all = config(ALL);
        let json = |text: &str| serde_json::json!(text).to_string();
        let mysql = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
        let standard = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let secret = format!("{inner}canary{inner}");
        let (system, statement) = match at {
            0 => ("mysql", format!("SELECT a FROM b WHERE c = {} AND d = {}", mysql(&before), mysql(&secret))),
            1 => ("postgresql", format!("SELECT a FROM b WHERE c = {} AND d = {}", standard(&before), standard(&secret))),
            2 => ("other_sql", format!("SELECT a FROM b WHERE c = {} AND d = {}", standard(&before), standard(&secret))),
            3 => ("redis", format!("SET {} {}", json(&before), json(&secret))),
            _ => ("mongodb", format!(r#"{{"find":{},"filter":{{"a":{}}}}}"#, json(&before), json(&secret))),
        };
        let mut end = cut.min(statement.len());
        while !statement.is_char_boundary(end) { end -= 1; }
        for statement in [&statement, &statement[..end]] {
            let left = statement_after(&all, system, statement);
            prop_assert!(!left.contains("canary"), "{} -> {}", statement, left);
        }
    }
}
