//! Events inside `{"data": …}` or `{"event": …}`.

use sluice_batch::{Map, Value};

use super::table::Source;

const WRAPS: [&str; 2] = ["data", "event"];

/// What `map` wraps, an object or a list, and its envelope. `None` when `map` is an event itself: it has a field that
/// only an event of the format has, or it wraps nothing.
pub(super) fn unwrap<'v>(source: &Source, map: Map<'v>) -> Option<(Value<'v>, Map<'v>)> {
    if source.marks.is_empty()
        || map
            .iter()
            .any(|(key, value)| source.marks.contains(&key) && !value.is_empty())
    {
        return None;
    }
    let inner = WRAPS
        .iter()
        .filter_map(|name| map.get(name))
        .find(|inner| matches!(inner, Value::Map(_) | Value::Array(_)))?;
    Some((inner, map))
}

/// The envelope's own fields.
pub(super) fn rest<'v>(envelope: Map<'v>) -> impl Iterator<Item = (&'v str, Value<'v>)> {
    let mut taken = false;
    envelope.iter().filter(move |(key, value)| {
        let is_inner =
            !taken && WRAPS.contains(key) && matches!(value, Value::Map(_) | Value::Array(_));
        taken |= is_inner;
        !is_inner
    })
}

/// About how many bytes the envelope's own fields take.
pub(super) fn size(envelope: Map<'_>) -> usize {
    let mut json = Vec::new();
    rest(envelope).for_each(|(key, value)| {
        json.extend_from_slice(key.as_bytes());
        value.write_json(&mut json);
    });
    json.len()
}
