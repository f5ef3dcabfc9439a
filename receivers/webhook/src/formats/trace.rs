//! Trace context that an event carries.

use super::table::Fields;

/// Trace id, span id and flags from `trace_id` and `span_id`, else from `traceparent`
/// (<https://www.w3.org/TR/trace-context/>). Ids that are not valid are absent.
pub(super) fn context(fields: &Fields<'_>) -> Option<([u8; 16], Option<[u8; 8]>, u32)> {
    if let Some(trace) = fields.text("trace_id").and_then(id) {
        return Some((trace, fields.text("span_id").and_then(id), 0));
    }
    let mut parts = fields.text("traceparent")?.trim().split('-');
    let version = byte(parts.next()?)?;
    let (trace, span, flags) = (id(parts.next()?)?, id(parts.next()?)?, byte(parts.next()?)?);
    let is_valid = version != 0xff && (version > 0 || parts.next().is_none());
    is_valid.then_some((trace, Some(span), flags.into()))
}

/// An id of `N` bytes in hex that is not all zero.
fn id<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(hex, &mut bytes).ok()?;
    (bytes != [0; N]).then_some(bytes)
}

fn byte(hex: &str) -> Option<u8> {
    let mut byte = [0];
    hex::decode_to_slice(hex, &mut byte).ok()?;
    Some(byte[0])
}
