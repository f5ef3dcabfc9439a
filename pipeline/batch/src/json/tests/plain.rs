use proptest::prelude::*;
use serde_json::Value as Json;

use crate::json::{any_value_from_json, write_string, write_value};
use crate::wire::Reader;
use crate::{Value, ValueBuf, check, schema};

fn round(json: &str) -> String {
    let raw = any_value_from_json(json.as_bytes()).unwrap();
    assert!(
        check::message(&schema::ANY_VALUE, Reader::new(&raw, 0, raw.len()), 92).unwrap(),
        "canonical, and shallow enough for any place"
    );
    let mut out = Vec::new();
    write_value(Value::from_raw(&raw), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_document_comes_back_as_it_was() {
    for json in [
        "null",
        "true",
        "-5",
        "9223372036854775807",
        "-9223372036854775808",
        "0.1",
        r#""text""#,
        "[]",
        "{}",
        r#"{"b":1,"a":[null,{},[],""],"":false}"#,
        r#"{"twice":1,"twice":2}"#,
        r#""\"\\\b\f\n\r\t\u0001/é😀""#,
    ] {
        assert_eq!(round(json), json);
    }
    assert_eq!(round(" [ 1 , 2 ] \n"), "[1,2]");
    assert_eq!(round(r#""\u00e9\/\ud83d\ude00""#), "\"é/😀\"");
    assert_eq!(round("1.50"), "1.5");
    assert_eq!(round("1e2"), "100.0");
}

#[test]
fn an_integer_beyond_64_bits_signed_becomes_its_exact_digits() {
    for digits in [
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "123456789012345678901234567890",
    ] {
        assert_eq!(round(digits), format!("\"{digits}\""));
    }
    // Each finds its own digits, past strings, keys and other numbers that look alike.
    assert_eq!(
        round(
            r#"{"99999999999999999999\"":[1,-2.5,"88888888888888888888\\",1e30,99999999999999999991],"b":18446744073709551615,"c":99999999999999999992}"#
        ),
        r#"{"99999999999999999999\"":[1,-2.5,"88888888888888888888\\",1e+30,"99999999999999999991"],"b":"18446744073709551615","c":"99999999999999999992"}"#
    );
    assert_eq!(
        round("[9223372036854775807.5,99999999999999999993]"),
        "[9.223372036854776e+18,\"99999999999999999993\"]"
    );
}

#[test]
fn scalars_have_the_types_that_their_text_says() {
    for (json, value) in [
        ("1", Value::Int(1)),
        ("1.0", Value::Double(1.0)),
        ("1e0", Value::Double(1.0)),
        ("null", Value::Empty),
        ("\"1\"", Value::Str("1")),
        ("false", Value::Bool(false)),
    ] {
        let buf = ValueBuf::from_json(json.as_bytes()).unwrap();
        assert_eq!(buf.as_value(), value);
    }
}

#[test]
fn what_is_not_one_document_is_refused_without_quoting_it() {
    let wrong: [&[u8]; 14] = [
        b"",
        b" ",
        b"canary",
        b"{\"canary\"",
        b"[1,]",
        b"{\"a\":1,}",
        b"01",
        b"1 2",
        b"\"canary",
        b"\"\xff\"",
        b"\"\\ud800\"",
        b"1e999",
        b"nul",
        b"\"\n\"",
    ];
    for json in wrong {
        let error = any_value_from_json(json).unwrap_err().to_string();
        assert!(!error.contains("canary"), "{error}");
    }
}

#[test]
fn nesting_is_bounded_where_every_otlp_reader_still_follows() {
    let arrays = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let objects = |n: usize| format!("{}1{}", r#"{"a":"#.repeat(n), "}".repeat(n));
    assert_eq!(round(&arrays(42)), arrays(42));
    assert_eq!(round(&objects(28)), objects(28));
    for too_deep in [
        arrays(43),
        objects(29),
        arrays(1_000_000),
        objects(1_000_000),
    ] {
        let error = any_value_from_json(too_deep.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("nested too deep"), "{error}");
    }
}

#[test]
fn what_json_has_no_number_for_becomes_text() {
    let write = |value: Value<'_>| {
        let mut out = Vec::new();
        write_value(value, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(write(Value::Double(f64::NAN)), "\"NaN\"");
    assert_eq!(write(Value::Double(f64::NEG_INFINITY)), "\"-Infinity\"");
    assert_eq!(write(Value::Bytes(b"\xfb\xff\xbf\x01")), "\"+/+/AQ==\"");
}

fn document() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>()
            .prop_filter("JSON has no others", |n| n.is_finite())
            .prop_map(Json::from),
        ".{0,12}".prop_map(Json::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::vec((".{0,6}", inner), 0..6)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}

#[test]
fn what_must_be_escaped_is_found_at_every_place_of_a_text_of_any_length() {
    for len in 0..70 {
        for at in 0..len {
            for special in ['"', '\\', '\u{0}', '\u{1f}', '\n', '\u{7f}', ' ', 'é'] {
                let text: String = (0..len)
                    .map(|i| if i == at { special } else { 'x' })
                    .collect();
                let mut out = Vec::new();
                write_string(&text, &mut out);
                let expected = serde_json::to_string(&text).expect("JSON");
                assert_eq!(String::from_utf8_lossy(&out), expected);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_document_comes_back_in_the_bytes_that_serde_json_writes(json in document()) {
        prop_assert_eq!(round(&json.to_string()), json.to_string());
    }

    #[test]
    fn a_string_is_escaped_as_serde_json_escapes_it(text in prop_oneof![any::<String>(), "[\\x00-\\x7f]{0,40}"]) {
        let mut out = Vec::new();
        write_string(&text, &mut out);
        prop_assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&text).unwrap());
    }

    #[test]
    fn it_accepts_what_serde_json_accepts(json in r#"[\[\]{}:,"0-9eE.+\-\\un \na]{0,24}"#) {
        let ours = any_value_from_json(json.as_bytes()).is_ok();
        prop_assert_eq!(ours, serde_json::from_str::<Json>(&json).is_ok());
    }

    #[test]
    fn no_bytes_panic(json in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = any_value_from_json(&json);
    }
}
