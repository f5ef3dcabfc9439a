use crate::{Condition, MAX_DEPTH, MAX_LENGTH};

/// Asserts that `text` is refused at the `‸` (taken out first), with this message and a help that contains `help`.
#[track_caller]
fn refused(marked: &str, message: &str, help: &str) {
    let offset = marked.find('‸').expect("mark the place");
    let text = marked.replace('‸', "");
    let error = Condition::parse(&text).expect_err(&text);
    assert_eq!(
        (error.offset, error.message.as_str()),
        (offset, message),
        "{text}"
    );
    assert!(
        error.help.as_deref().unwrap_or_default().contains(help),
        "{text}: {:?}",
        error.help
    );
}

#[test]
fn a_mistake_is_named_at_its_column_with_what_to_write() {
    refused(
        r#"attributes["a"] ‸= 1"#,
        "`=` is no comparison",
        "write `==`",
    );
    refused(
        r#"‸atributes["a"] == 1"#,
        "unknown path `atributes`",
        "did you mean `attributes`?",
    );
    refused(
        r#"‸attributes.a.b == 1"#,
        "unknown path `attributes.a.b`",
        r#"write `attributes["a.b"]`"#,
    );
    refused(
        r#"‸attributes == 1"#,
        "`attributes` needs a key",
        r#"attributes["key"]"#,
    );
    refused(
        r#"true and ‸severity > 3"#,
        "unknown path `severity`",
        "severity_number",
    );
    refused(r#"‸time < 3"#, "unknown path `time`", "time_unix_nano");
    refused(
        r#"‸isMatch(body, "x")"#,
        "unknown function `isMatch`",
        "did you mean `IsMatch`?",
    );
    refused(
        r#"‸IsMatch(body)"#,
        "`IsMatch` takes 2 arguments, found 1",
        "",
    );
    refused(
        r#"‸attributes["a"]"#,
        "this is a value, not a condition",
        r#"attributes["a"] != nil"#,
    );
    refused(
        r#"‸Len(body) and true"#,
        "this is a value, not a condition",
        "Len(body) != nil",
    );
    refused(
        r#"true and ‸5"#,
        "this is a value, not a condition",
        "compare it",
    );
    refused(r#"1 < 2 ‸< 3"#, "comparisons cannot be chained", "`and`");
    refused(
        r#"‸(1 == 1) == true"#.replace("‸(", "(‸").as_str(),
        "this is a condition, a value is needed here",
        "",
    );
    refused(
        r#"body == "‸open"#.replace("\"‸", "‸\"").as_str(),
        "this string has no end",
        "close it",
    );
    refused(
        r#"body == ‸'x'"#,
        "unexpected character `'`",
        "double quotes",
    );
    refused(
        r#"true ‸&& false"#,
        "unexpected character `&`",
        "write `and`",
    );
    refused(
        r#"true ‸AND false"#,
        "expected the end, found `AND`",
        "write `and`",
    );
    refused(r#"body == ‸null"#, "unknown path `null`", "write `nil`");
    refused(
        r#"severity_number > ‸SEVERITY_NUMBER_WARNING"#,
        "unknown constant `SEVERITY_NUMBER_WARNING`",
        "SEVERITY_NUMBER_",
    );
    refused(
        r#"body == ‸99999999999999999999"#,
        "`99999999999999999999` does not fit into 64 bits",
        "",
    );
    refused(r#"body == ‸1e999"#, "`1e999` is out of range", "");
    refused(
        r#"body == ‸0x123"#,
        "a bytes literal is `0x` and an even number of hex digits",
        "",
    );
    refused(r#"body == ‸{"a": 1}"#, "map literals are not supported", "");
    refused("(true‸", "expected `)`, found the end", "");
    refused("‸", "expected a value or a condition, found the end", "");
}

#[test]
fn a_bad_regular_expression_is_named_at_its_column() {
    refused(
        r#"true or IsMatch(body, "a‸(b")"#,
        "invalid regular expression: unclosed group",
        "",
    );
    refused(
        r#"IsMatch(body, "\\d+‸[")"#,
        "invalid regular expression: unclosed character class",
        "",
    );
    refused(
        r#"IsMatch(body, "‸\d")"#,
        "unknown escape in a string",
        "backslash",
    );
    refused(
        r#"‸IsMatch(body, body)"#,
        "the second argument of `IsMatch` must be a regular expression in double quotes",
        "",
    );
    refused(
        r#"IsMatch(body, "‸(a{1000}){1000}")"#,
        "invalid regular expression: it is too large once compiled (more than 1 MiB)",
        "",
    );
}

#[test]
fn strings_know_gos_escapes() {
    let condition = Condition::parse(r#"body == "\"\\\n\t\x41\u00e4\U0001F600""#).unwrap();
    assert_eq!(condition.to_string(), r#"body == "\"\\\n\tAä😀""#);
    refused(r#"body == "‸\xff""#, "unknown escape in a string", "");
    refused(r#"body == "‸\ud800""#, "unknown escape in a string", "");
}

#[test]
fn nesting_is_limited_to_64_levels() {
    let brackets = |n: usize| format!("{}true{}", "(".repeat(n), ")".repeat(n));
    assert!(Condition::parse(&brackets(MAX_DEPTH)).is_ok());
    assert_eq!(
        Condition::parse(&brackets(MAX_DEPTH + 1))
            .unwrap_err()
            .message,
        "nested more than 64 levels deep"
    );
    let sum = |n: usize| format!("{}1 == 1", "1 + ".repeat(n));
    // One level for the comparison, one for the last operand.
    assert!(Condition::parse(&sum(MAX_DEPTH - 2)).is_ok());
    assert_eq!(
        Condition::parse(&sum(MAX_DEPTH - 1)).unwrap_err().message,
        "nested more than 64 levels deep"
    );
    assert!(Condition::parse(&"not ".repeat(5_000)).is_err());
    assert!(Condition::parse(&format!("body{} == 1", "[0]".repeat(MAX_DEPTH + 1))).is_err());
    // A long list of alternatives is flat, not deep.
    assert!(Condition::parse(&vec!["true"; 1_000].join(" or ")).is_ok());
}

#[test]
fn a_condition_is_limited_to_16_kib() {
    let padded = |n: usize| format!("{:>n$}", "true");
    assert!(Condition::parse(&padded(MAX_LENGTH)).is_ok());
    assert!(
        Condition::parse(&padded(MAX_LENGTH + 1))
            .unwrap_err()
            .message
            .contains("at most 16384")
    );
}
