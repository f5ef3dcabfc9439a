//! From a component's problem (a path into its block, an offset into a scalar) to a place in the file.

use sluice_component::{Problem, Severity};

use crate::node::{Node, Value};
use crate::scrub::scrub;
use crate::{Diagnostic, Source, Span};

/// A problem as a finding. `owner` is the component's key and `path` its name.
pub(super) fn locate(
    problem: Problem,
    block: &Node,
    owner: Span,
    path: &str,
    source: &Source,
) -> Diagnostic {
    let (place, node) = block.at(owner, &problem.path);
    let missing = node.and_then(|node| node.empty_reference_named_in(&problem.message));
    let span = match (node, problem.offset) {
        _ if missing.is_some() => missing.map_or(place, |entry| entry.value.span),
        (Some(node), Some(offset)) => offset_in_file(node, offset, source).unwrap_or(node.span),
        (
            Some(Node {
                value: Value::Scalar(_),
                span,
                ..
            }),
            None,
        ) if span.start < span.end => *span,
        _ => place,
    };
    let keys: String = problem
        .path
        .iter()
        .map(|key| match key {
            sluice_component::Key::Name(name) => format!(".{name}"),
            sluice_component::Key::Index(index) => format!("[{index}]"),
        })
        .collect();
    let message = scrub(&problem.message, block)
        .unwrap_or_else(|| "the value that this reference gives is not valid here".to_owned());
    let help = problem.help.and_then(|help| scrub(&help, block));
    let message = format!("`{path}{keys}`: {message}");
    let diagnostic = match problem.severity {
        Severity::Error => Diagnostic::error(span, message),
        Severity::Warning => Diagnostic::warning(span, message),
    };
    match help {
        Some(help) => diagnostic.with_help(help),
        None => diagnostic,
    }
}

/// Where byte `offset` of a scalar's text stands in the file, through quotes, escapes and the indentation of `|` blocks.
/// `None` when the text is not what stands there (a reference, a folded scalar).
fn offset_in_file(node: &Node, offset: usize, source: &Source) -> Option<Span> {
    let text = node.text().filter(|_| node.origin.is_none())?;
    let offset = (0..=offset.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))?;
    let written = source.text().get(node.span.start..node.span.end)?;
    let at = match written.chars().next()? {
        '"' => 1 + skip_decoded(&written[1..], offset, escape_length)?,
        '\'' => {
            1 + skip_decoded(&written[1..], offset, |rest| {
                if rest.starts_with("''") {
                    Some((2, 1))
                } else {
                    None
                }
            })?
        }
        _ => line_offset(
            written,
            text,
            offset,
            source.line_column(node.span.start).1 - 1,
        )?,
    };
    let start = node.span.start + at;
    let end = source
        .text()
        .get(start..)?
        .chars()
        .next()
        .filter(|c| *c != '\n')
        .map_or(start, |c| start + c.len_utf8());
    Some(Span::new(start, end.max(start)))
}

/// Walks over `decoded` bytes of a scalar as written. `escape` gives an escape's length as written and as text.
fn skip_decoded(
    written: &str,
    decoded: usize,
    escape: impl Fn(&str) -> Option<(usize, usize)>,
) -> Option<usize> {
    let (mut at, mut done) = (0, 0);
    while done < decoded {
        let rest = written.get(at..)?;
        let (long, short) = match escape(rest) {
            Some(lengths) => lengths,
            None => rest
                .chars()
                .next()
                .filter(|c| *c != '\n')
                .map(|c| (c.len_utf8(), c.len_utf8()))?,
        };
        at += long;
        done += short;
    }
    Some(at)
}

fn escape_length(rest: &str) -> Option<(usize, usize)> {
    let kind = rest.strip_prefix('\\')?.chars().next()?;
    let digits = match kind {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        'N' | '_' => return Some((2, 2)),
        'L' | 'P' => return Some((2, 3)),
        _ => return Some((1 + kind.len_utf8(), 1)),
    };
    let code = u32::from_str_radix(rest.get(2..2 + digits)?, 16).ok()?;
    Some((2 + digits, char::from_u32(code)?.len_utf8()))
}

/// In a plain scalar or a `|` block, which both start at their first character: line by line, later lines without
/// their `indent`.
fn line_offset(written: &str, text: &str, offset: usize, indent: usize) -> Option<usize> {
    let line_start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[..offset].matches('\n').count();
    let start: usize = written.split_inclusive('\n').take(line).map(str::len).sum();
    let start = if line == 0 { 0 } else { start + indent };
    written
        .get(start..)?
        .starts_with(&text[line_start..offset])
        .then_some(start + offset - line_start)
}
