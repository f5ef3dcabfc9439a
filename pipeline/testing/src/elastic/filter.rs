//! `filter_path`: the answer cut down to what was asked for.

use serde_json::{Map, Value};

/// What of `answer` the comma-separated `paths` name; array items with nothing left vanish, positions and all.
pub(super) fn keep(answer: Value, paths: &str) -> Value {
    let paths: Vec<Vec<&str>> = paths
        .split(',')
        .map(|path| path.trim().split('.').collect())
        .collect();
    let paths: Vec<&[&str]> = paths.iter().map(Vec::as_slice).collect();
    filter(answer, &paths).unwrap_or_else(|| Value::Object(Map::new()))
}

fn filter(value: Value, paths: &[&[&str]]) -> Option<Value> {
    match value {
        Value::Object(members) => {
            let kept: Map<_, _> = members
                .into_iter()
                .filter_map(|(key, value)| {
                    let rests: Vec<&[&str]> =
                        paths.iter().flat_map(|path| rests(path, &key)).collect();
                    if rests.iter().any(|rest| rest.is_empty()) {
                        Some((key, value))
                    } else {
                        filter(value, &rests).map(|value| (key, value))
                    }
                })
                .collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(items) => {
            let kept: Vec<_> = items
                .into_iter()
                .filter_map(|item| filter(item, paths))
                .collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        _ => None,
    }
}

/// What is left of `path` below the member `key`; nothing if it does not lead there.
fn rests<'a>(path: &'a [&'a str], key: &str) -> Vec<&'a [&'a str]> {
    match path {
        ["**", rest @ ..] => {
            let mut below = rests(rest, key);
            below.push(path);
            below
        }
        [first, rest @ ..] if glob(first, key) => vec![rest],
        _ => Vec::new(),
    }
}

/// Whether `text` matches `pattern`, in which `*` stands for any characters.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len())
                .filter(|at| rest.is_char_boundary(*at))
                .any(|at| glob(after, &rest[at..]))
        }),
    }
}
