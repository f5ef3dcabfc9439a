//! YAML text to [`Node`]s.
//!
//! Built from the parser's events and not through a serde deserializer, because the quoting of a scalar, the place of
//! every key and item, and the anchors are needed, and serde's data model carries none of them.

use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, Tag, options};

use crate::node::{Entry, Node, Value};
use crate::{Diagnostic, Span};

/// Longest text that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;
/// Most values in a document, counted after aliases are put in: stops alias bombs.
pub const MAX_NODES: usize = 50_000;
/// Deepest nesting of mappings and lists.
pub const MAX_DEPTH: usize = 64;

/// Reads one YAML document; an empty one is null. Duplicate keys come back beside the tree, without their second
/// value, so that the rest can be checked too.
pub(crate) fn parse(text: &str) -> Result<(Node, Vec<Diagnostic>), Diagnostic> {
    if text.len() > MAX_BYTES {
        return Err(Diagnostic::error(
            Span::default(),
            format!("the file is longer than {MAX_BYTES} bytes"),
        ));
    }
    let mut parser = Parser::new_from_str_with_options(text, limits());
    let mut builder = Builder {
        text,
        anchors: HashMap::new(),
        nodes: 0,
        duplicates: Vec::new(),
    };
    let mut root = None;
    while let Some((event, span)) = builder.next(&mut parser)? {
        match event {
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            event if root.is_some() => {
                let _ = event;
                return Err(Diagnostic::error(span, "a second document in the file")
                    .with_help("a configuration is one YAML document: remove the `---`"));
            }
            event => root = Some(builder.node(&mut parser, event, span, 0)?.0),
        }
    }
    Ok((
        root.unwrap_or_else(|| Node::scalar(String::new(), true, Span::default())),
        builder.duplicates,
    ))
}

fn limits() -> Options {
    options! {
        disallow_directives: true,
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    }
}

/// How much of the budgets a finished value took.
#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    height: usize,
}

struct Builder<'t> {
    text: &'t str,
    anchors: HashMap<usize, (Node, Size)>,
    nodes: usize,
    duplicates: Vec<Diagnostic>,
}

type Events<'t> = Parser<'t, granit_parser::StrInput<'t>>;

impl<'t> Builder<'t> {
    fn next(&self, parser: &mut Events<'t>) -> Result<Option<(Event<'t>, Span)>, Diagnostic> {
        match parser.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, self.span(&span)))),
            Some(Err(error)) => Err(self.syntax_error(&error)),
        }
    }

    fn expect(&self, parser: &mut Events<'t>) -> Result<(Event<'t>, Span), Diagnostic> {
        let end = Span::new(self.text.len(), self.text.len());
        self.next(parser)?
            .ok_or_else(|| Diagnostic::error(end, "the document ends too early"))
    }

    fn span(&self, span: &granit_parser::Span) -> Span {
        span.byte_range()
            .map_or(Span::new(self.text.len(), self.text.len()), |range| {
                Span::new(range.start, range.end)
            })
    }

    fn syntax_error(&self, error: &granit_parser::ScanError) -> Diagnostic {
        let at = error
            .marker()
            .byte_offset()
            .unwrap_or(self.text.len())
            .min(self.text.len());
        let end = self.text[at..]
            .chars()
            .next()
            .map_or(at, |c| at + c.len_utf8());
        let info = error.info();
        let line_start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let indent = &self.text[line_start
            ..self.text[line_start..]
                .find(|c: char| !c.is_whitespace() || c == '\n')
                .map_or(at, |n| line_start + n)];
        let diagnostic = Diagnostic::error(Span::new(at, end), format!("not valid YAML: {info}"));
        if indent.contains('\t') || info.contains("tab") {
            return diagnostic.with_help("YAML is indented with spaces: replace the tab");
        }
        if self.text[..at].ends_with('$') && self.text[at..].starts_with('{') {
            return diagnostic.with_help(
                "between `{…}` or `[…]`, write references in quotes: `\"${env:NAME}\"`",
            );
        }
        diagnostic
    }

    fn charge(&mut self, nodes: usize, span: Span) -> Result<(), Diagnostic> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(Diagnostic::error(
                span,
                format!("the document has more than {MAX_NODES} values"),
            )
            .with_help("aliases count as often as they are used"));
        }
        Ok(())
    }

    fn node(
        &mut self,
        parser: &mut Events<'t>,
        event: Event<'t>,
        span: Span,
        depth: usize,
    ) -> Result<(Node, Size), Diagnostic> {
        if depth > MAX_DEPTH {
            return Err(too_deep(span));
        }
        let anchor = event.anchor_id();
        let (node, size) = match event {
            Event::Alias(id) => {
                let Some((node, size)) = self.anchors.get(&id) else {
                    return Err(Diagnostic::error(
                        span,
                        "an alias inside the value that it names",
                    ));
                };
                let (node, size) = (node.clone(), *size);
                if depth + size.height > MAX_DEPTH {
                    return Err(too_deep(span));
                }
                self.charge(size.nodes, span)?;
                return Ok((node, size));
            }
            Event::Scalar(text, style, _, tag) => {
                let quoted = is_text(tag.as_deref(), span)?;
                self.charge(1, span)?;
                // An empty value has no text of its own, and the parser stands in a `~` for it.
                let text = if span.start == span.end && style == ScalarStyle::Plain {
                    String::new()
                } else {
                    text.into_owned()
                };
                (
                    Node::scalar(text, style == ScalarStyle::Plain && !quoted, span),
                    Size {
                        nodes: 1,
                        height: 0,
                    },
                )
            }
            Event::SequenceStart(_, _, tag) => {
                is_text(tag.as_deref(), span)?;
                self.list(parser, span, depth)?
            }
            Event::MappingStart(_, _, tag) => {
                is_text(tag.as_deref(), span)?;
                self.map(parser, span, depth)?
            }
            _ => {
                return Err(Diagnostic::error(
                    span,
                    "not valid YAML: a value was expected",
                ));
            }
        };
        if let Some(id) = anchor {
            self.anchors.insert(id, (node.clone(), size));
        }
        Ok((node, size))
    }

    fn list(
        &mut self,
        parser: &mut Events<'t>,
        start: Span,
        depth: usize,
    ) -> Result<(Node, Size), Diagnostic> {
        self.charge(1, start)?;
        let mut size = Size {
            nodes: 1,
            height: 1,
        };
        let mut items = Vec::new();
        loop {
            let (event, span) = self.expect(parser)?;
            if event == Event::SequenceEnd {
                let node = Node {
                    span: Span::new(start.start, span.end),
                    value: Value::List(items),
                    origin: None,
                };
                return Ok((node, size));
            }
            let (item, below) = self.node(parser, event, span, depth + 1)?;
            size = size.with(below);
            items.push(item);
        }
    }

    fn map(
        &mut self,
        parser: &mut Events<'t>,
        start: Span,
        depth: usize,
    ) -> Result<(Node, Size), Diagnostic> {
        self.charge(1, start)?;
        let mut size = Size {
            nodes: 1,
            height: 1,
        };
        let mut entries: Vec<Entry> = Vec::new();
        let mut positions: HashMap<String, usize> = HashMap::new();
        let mut merges = Vec::new();
        loop {
            let (event, key_span) = self.expect(parser)?;
            if event == Event::MappingEnd {
                self.merge(&mut entries, &mut positions, merges)?;
                let node = Node {
                    span: Span::new(start.start, key_span.end),
                    value: Value::Map(entries),
                    origin: None,
                };
                return Ok((node, size));
            }
            let is_plain = matches!(&event, Event::Scalar(_, ScalarStyle::Plain, ..));
            let (key, below) = self.node(parser, event, key_span, depth + 1)?;
            size = size.with(below);
            let (event, span) = self.expect(parser)?;
            let (value, below) = self.node(parser, event, span, depth + 1)?;
            size = size.with(below);
            let Value::Scalar(key) = key.value else {
                return Err(Diagnostic::error(key_span, "a key must be text"));
            };
            if is_plain && key.text == "<<" {
                merges.push((value, span));
                continue;
            }
            if let Some(&first) = positions.get(&key.text) {
                self.duplicates.push(
                    Diagnostic::error(
                        key_span,
                        format!("the key `{}` stands twice in one mapping", key.text),
                    )
                    .with_related(entries[first].key_span, "first here")
                    .with_help("remove one, or give components of one type a name: `type/name`"),
                );
                continue;
            }
            positions.insert(key.text.clone(), entries.len());
            entries.push(Entry {
                key: key.text,
                key_span,
                value,
            });
        }
    }

    /// `<<: *anchor` or `<<: [*a, *b]`: keys that are not there yet; what is written in the mapping itself wins, then
    /// the earlier anchor.
    fn merge(
        &self,
        entries: &mut Vec<Entry>,
        positions: &mut HashMap<String, usize>,
        merges: Vec<(Node, Span)>,
    ) -> Result<(), Diagnostic> {
        for (node, span) in merges {
            let sources = match node.value {
                Value::List(items) => items,
                _ => vec![node],
            };
            for source in sources {
                let Value::Map(merged) = source.value else {
                    return Err(Diagnostic::error(
                        span,
                        "`<<` takes a mapping or a list of mappings",
                    ));
                };
                for entry in merged {
                    if !positions.contains_key(&entry.key) {
                        positions.insert(entry.key.clone(), entries.len());
                        entries.push(entry);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Size {
    const fn with(self, child: Self) -> Self {
        let height = if child.height + 1 > self.height {
            child.height + 1
        } else {
            self.height
        };
        Self {
            nodes: self.nodes + child.nodes,
            height,
        }
    }
}

fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error(span, format!("nested more than {MAX_DEPTH} deep"))
}

/// Whether a tag makes a scalar text (`!!str`). Only YAML's own tags are known.
fn is_text(tag: Option<&Tag>, span: Span) -> Result<bool, Diagnostic> {
    match tag {
        None => Ok(false),
        Some(tag) if tag.is_yaml_core_schema() => Ok(tag.is_yaml_core_schema_tag("str")),
        Some(_) => Err(Diagnostic::error(span, "tags (`!name`) are not supported")
            .with_help("remove the tag, or quote the text")),
    }
}
