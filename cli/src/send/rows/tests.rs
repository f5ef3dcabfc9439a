use std::io::{BufReader, Read};

use super::{MAX_ROW_BYTES, Rows};

/// The rows of a text, read through a buffer so small that everything is cut somewhere.
fn rows(text: impl AsRef<[u8]>) -> Vec<Result<String, String>> {
    let mut rows = match Rows::open(BufReader::with_capacity(3, text.as_ref())) {
        Ok(rows) => rows,
        Err(bad) => return vec![Err(bad.to_string())],
    };
    std::iter::from_fn(|| rows.next())
        .map(|row| {
            row.map(|row| String::from_utf8(row).unwrap())
                .map_err(|bad| bad.to_string())
        })
        .collect()
}

fn all(text: impl AsRef<[u8]>) -> Vec<String> {
    rows(text)
        .into_iter()
        .map(|row| row.expect("a good row"))
        .collect()
}

#[test]
fn a_list_ndjson_and_objects_in_a_row_are_the_same_events() {
    let expected = [r#"{"a":1}"#, r#"{"b":{"c":[1,{"d":"]}"}]}}"#];
    for text in [
        r#"[{"a":1},{"b":{"c":[1,{"d":"]}"}]}}]"#,
        "[\r\n  {\"a\":1} ,\r\n  {\"b\":{\"c\":[1,{\"d\":\"]}\"}]}}\r\n]\r\n",
        "{\"a\":1}\n{\"b\":{\"c\":[1,{\"d\":\"]}\"}]}}\n",
        "{\"a\":1}\r\n\r\n{\"b\":{\"c\":[1,{\"d\":\"]}\"}]}}",
        r#"{"a":1}{"b":{"c":[1,{"d":"]}"}]}}"#,
        "\u{feff}[{\"a\":1}] [] [{\"b\":{\"c\":[1,{\"d\":\"]}\"}]}}]",
    ] {
        assert_eq!(all(text), expected, "{text}");
    }
}

#[test]
fn an_event_keeps_its_bytes() {
    let event =
        "{ \"n\": 123456789012345678901234567890, \"t\": \"a\\\"}\\\\\", \"n\":\n1.0, \"e\": null}";
    assert_eq!(all(event), [event]);
    assert_eq!(all(format!("[{event}]")), [event]);
}

#[test]
fn nothing_is_no_events() {
    for text in [
        "",
        " \n",
        "[]",
        "[ ]\n[]",
        "\u{feff}",
        "event_id,decision\n",
    ] {
        assert!(rows(text).is_empty(), "{text}");
    }
}

#[test]
fn a_malformed_event_is_named_and_those_behind_it_are_read() {
    let found = rows("{\"a\":1}\n{\"a\":}\n{\"a\":3}\n");
    assert_eq!(found.len(), 3);
    assert!(
        found[1]
            .as_ref()
            .is_err_and(|bad| bad.starts_with("record 2 (line 2): malformed JSON: ")),
        "{found:?}"
    );
    assert_eq!(found[2].as_deref(), Ok(r#"{"a":3}"#));
    let found = rows(b"{\"a\":\"\xFF\"}{\"a\":2}");
    assert_eq!(
        found[0],
        Err("record 1 (line 1): byte 7 of it is not UTF-8".into())
    );
    assert_eq!(found[1].as_deref(), Ok(r#"{"a":2}"#));
}

#[test]
fn what_is_between_events_ends_the_reading() {
    for (text, expected) in [
        (
            "[{},\n1]",
            "record 2 (line 2): `1` where an event's `{` should be",
        ),
        (
            "[{},]",
            "record 2 (line 1): `]` where an event's `{` should be",
        ),
        (
            "[{} {}]",
            "record 2 (line 1): `{` where `,` or `]` should be",
        ),
        (
            "{},{}",
            "record 2 (line 1): `,` where an event's `{` should be",
        ),
        (
            "{}\n\0{}",
            "record 2 (line 2): the byte 0x00 where an event's `{` should be",
        ),
        (
            "[[{}]]",
            "record 1 (line 1): `[` where an event's `{` should be",
        ),
        (
            "[{}\n",
            "record 2 (line 2): the file ends inside a list: it is not whole",
        ),
        (
            "{}\n{\"a\":\"",
            "record 2 (line 2): the file ends inside this event: it is not whole",
        ),
    ] {
        let found = rows(text);
        assert_eq!(found.last(), Some(&Err(expected.to_owned())), "{text}");
        assert!(found.len() <= 2, "{found:?}");
    }
}

#[test]
fn csv_is_objects_by_the_header_with_lists_objects_and_nulls() {
    let text = "\u{feff}event_id,org_id,hits,before,note,count\r\n\
        e1,,\"[\"\"refund policy\"\"]\",\"{\"\"k\"\":\"\"v\"\"}\",\"two\nlines, one cell\",007\r\n\
        \r\n\
        e2,,[],{},[draft] policy,true\r\n";
    assert_eq!(
        all(text),
        [
            r#"{"event_id":"e1","org_id":null,"hits":["refund policy"],"before":{"k":"v"},"note":"two\nlines, one cell","count":"007"}"#,
            r#"{"event_id":"e2","org_id":null,"hits":[],"before":{},"note":"[draft] policy","count":"true"}"#,
        ]
    );
}

#[test]
fn csv_is_separated_by_what_the_header_is_separated_by() {
    for text in ["a;b\n1;2,5\n", "a\tb\n1\t2,5\n", "a,b\n1,\"2,5\"\n"] {
        assert_eq!(all(text), [r#"{"a":"1","b":"2,5"}"#], "{text}");
    }
    assert_eq!(all("event_id\ne1\n"), [r#"{"event_id":"e1"}"#]);
}

#[test]
fn a_wrong_csv_row_is_named_and_those_behind_it_are_read() {
    let found = rows("\n\na,b\n1,2\n1,2,3\n4,5\n");
    assert_eq!(
        found[1],
        Err("record 2 (line 5): the row has 3 cells, and the header row names 2".into())
    );
    assert_eq!(found[2].as_deref(), Ok(r#"{"a":"4","b":"5"}"#));
    let found = rows(b"a,b\n1,\xFF\n4,5\n");
    assert_eq!(
        found[0],
        Err("record 1 (line 2): cell 2 is not UTF-8".into())
    );
    assert_eq!(found.len(), 2);
}

#[test]
fn a_header_must_name_every_column_once() {
    assert_eq!(
        rows("a,,c\n1,2,3\n"),
        [Err("the header row (line 1): column 2 has no name".into())]
    );
    assert_eq!(
        rows("a,b,a \n1,2,3\n"),
        [Err(
            "the header row (line 1): two columns are named `a`".into()
        )]
    );
}

#[test]
fn utf_16_and_gzip_are_said_to_be_that() {
    assert_eq!(
        rows(b"\x1F\x8B\x08"),
        [Err(
            "record 1 (line 1): the file is compressed: unpack it first".into()
        )]
    );
    assert_eq!(
        rows(b"\xFF\xFE{\0}\0"),
        [Err(
            "record 1 (line 1): the file is UTF-16 text: save it as UTF-8".into()
        )]
    );
}

#[test]
fn the_largest_event_is_read_and_one_byte_more_is_not() {
    let event = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    let read = |text: &str| {
        let mut rows = Rows::open(BufReader::new(text.as_bytes())).ok().unwrap();
        rows.next()
            .unwrap()
            .map(|row| row.len())
            .map_err(|bad| bad.to_string())
    };
    assert_eq!(read(&event(MAX_ROW_BYTES)), Ok(MAX_ROW_BYTES));
    assert!(read(&event(MAX_ROW_BYTES + 1)).is_err_and(|bad| bad.contains("larger than 16 MiB")));
}

#[test]
fn a_quote_that_is_never_closed_does_not_take_the_whole_file_into_memory() {
    let endless = "a,b\n1,\"".as_bytes().chain(std::io::repeat(b'x'));
    let mut rows = Rows::open(BufReader::new(endless)).ok().unwrap();
    let bad = rows.next().unwrap().unwrap_err();
    assert!(bad.to_string().contains("is a quote not closed?"), "{bad}");
    assert!(!bad.can_be_passed_over);
    assert!(rows.next().is_none());
}

#[test]
fn a_csv_row_is_bounded_by_itself_and_not_by_the_rows_before_it() {
    let cell = "x".repeat(MAX_ROW_BYTES / 2);
    let text = format!("a,b\n1,{cell}\n2,{cell}\n3,{cell}\n");
    let mut rows = Rows::open(BufReader::new(text.as_bytes())).ok().unwrap();
    assert_eq!(
        std::iter::from_fn(|| rows.next())
            .filter(Result::is_ok)
            .count(),
        3
    );
}
