//! `${env:NAME}`, `${NAME}`, `${env:NAME:-default}`, `${file:PATH}` and `$$`, with the rules of the Collector
//! (<https://opentelemetry.io/docs/collector/configuration/#environment-variables>).
//!
//! A reference that is the whole scalar is read as YAML, so it can be a number, a boolean, a list or a mapping; a text
//! field still gets the original text. `$$` is one `$`, in the file and in what a reference gives. A bare `$NAME` is
//! text, but for components whose vendors write it so: there it is a reference, also inside a longer text. References
//! inside a value are resolved too.

use crate::node::{Entry, Node, Origin, Value};
use crate::parse::{MAX_NODES, parse};
use crate::{Diagnostic, Span};

/// Most references that one scalar may resolve, nested ones included.
pub const MAX_REFERENCES: usize = 100;

/// Where references are looked up. This crate reads neither the environment nor files.
pub trait Lookup {
    /// The value of an environment variable; `None` when it is not set.
    fn variable(&self, name: &str) -> Option<String>;

    /// The text of a file.
    ///
    /// # Errors
    /// Why it cannot be read, for the message.
    fn file(&self, path: &str) -> Result<String, String>;
}

/// Resolves every reference of a document.
pub(crate) struct Resolver<'a> {
    pub(crate) lookup: &'a dyn Lookup,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Whether a bare `$NAME` in a text of the file is a reference too.
    pub(crate) bare_names: bool,
    nodes: usize,
    /// Whether what is resolved came out of a variable or file: then no message quotes it.
    is_in_value: bool,
}

/// What a scalar's text became.
struct Resolved {
    text: String,
    /// Set when the text is one reference and nothing else.
    alone: Option<Alone>,
    has_reference: bool,
}

enum Alone {
    Unset(String),
    Set,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(lookup: &'a dyn Lookup) -> Self {
        Self {
            lookup,
            diagnostics: Vec::new(),
            bare_names: false,
            nodes: 0,
            is_in_value: false,
        }
    }

    /// Resolves every reference at and below `node`.
    pub(crate) fn replace(&mut self, node: &mut Node) {
        let empty = Node::scalar(String::new(), true, node.span);
        *node = self.node(std::mem::replace(node, empty));
    }

    /// The document with every reference resolved. What cannot be is reported and becomes an unset null.
    fn node(&mut self, node: Node) -> Node {
        let span = node.span;
        let value = match node.value {
            Value::List(items) => {
                Value::List(items.into_iter().map(|item| self.node(item)).collect())
            }
            Value::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(
                        |Entry {
                             key,
                             key_span,
                             value,
                         }| Entry {
                            key,
                            key_span,
                            value: self.node(value),
                        },
                    )
                    .collect(),
            ),
            Value::Scalar(scalar) => return self.scalar(&scalar.text, scalar.plain, span),
        };
        Node {
            span,
            value,
            origin: node.origin,
        }
    }

    fn scalar(&mut self, written: &str, plain: bool, span: Span) -> Node {
        if !written.contains('$') {
            return Node::scalar(written.to_owned(), plain, span);
        }
        let reference = if self.bare_names {
            brace_bare_names(written)
        } else {
            written.to_owned()
        };
        let mut budget = MAX_REFERENCES;
        let resolved = match self.text(&reference, &mut budget, span) {
            Ok(resolved) => resolved,
            Err(diagnostic) => {
                self.diagnostics.push(diagnostic);
                // Filled in so that the field is not reported as missing on top of this.
                let origin = Origin {
                    written: written.to_owned(),
                    text: String::new(),
                    unset: None,
                };
                return Node {
                    origin: Some(Box::new(origin)),
                    ..Node::scalar(String::new(), true, span)
                };
            }
        };
        let origin = |text: &str, unset| {
            Some(Box::new(Origin {
                written: written.to_owned(),
                text: text.to_owned(),
                unset,
            }))
        };
        match resolved {
            Resolved {
                text,
                has_reference: false,
                ..
            } => Node::scalar(text, plain, span),
            Resolved {
                text, alone: None, ..
            } => Node {
                origin: origin(&text, None),
                ..Node::scalar(text, false, span)
            },
            Resolved {
                alone: Some(Alone::Unset(name)),
                ..
            } => Node {
                origin: origin("", Some(name)),
                ..Node::scalar(String::new(), true, span)
            },
            Resolved {
                text,
                alone: Some(Alone::Set),
                ..
            } => {
                let value = self.typed(&text, written, span);
                Node {
                    span,
                    value,
                    origin: origin(&text, None),
                }
            }
        }
    }

    /// A value that stands alone, read as YAML. Text that is no YAML, or is text in YAML, is taken as it is.
    fn typed(&mut self, text: &str, written: &str, span: Span) -> Value {
        let verbatim = || {
            Value::Scalar(crate::node::Scalar {
                text: text.to_owned(),
                plain: false,
            })
        };
        let Ok((mut node, duplicates)) = parse(text) else {
            return verbatim();
        };
        if !duplicates.is_empty() {
            return verbatim();
        }
        let mut count = 0;
        node.walk(&mut |_| count += 1);
        self.nodes += count;
        if self.nodes > MAX_NODES {
            self.diagnostics.push(Diagnostic::error(
                span,
                format!("references give more than {MAX_NODES} values"),
            ));
            return verbatim();
        }
        if let Value::Scalar(scalar) = &node.value {
            return match node.atom() {
                Some(crate::node::Atom::Text(_)) | None => verbatim(),
                Some(_) => Value::Scalar(scalar.clone()),
            };
        }
        adopt(&mut node, written, span);
        node.value
    }

    /// Resolves the references in a text, from left to right.
    fn text(
        &mut self,
        written: &str,
        budget: &mut usize,
        span: Span,
    ) -> Result<Resolved, Diagnostic> {
        let mut out = Resolved {
            text: String::with_capacity(written.len()),
            alone: None,
            has_reference: false,
        };
        let mut rest = written;
        while let Some(dollar) = rest.find('$') {
            out.text.push_str(&rest[..dollar]);
            rest = &rest[dollar..];
            if rest.starts_with("$$") {
                out.text.push('$');
                rest = &rest[2..];
                continue;
            }
            let Some(inner) = rest.strip_prefix("${").and_then(reference_body) else {
                if rest.starts_with("${") {
                    self.diagnostics.push(
                        Diagnostic::warning(span, "`${` without its `}` is taken as text")
                            .with_help("close it, or write `$${` for a literal `${`"),
                    );
                }
                out.text.push('$');
                rest = &rest[1..];
                continue;
            };
            let is_alone = inner.len() + 3 == written.len();
            rest = &rest[inner.len() + 3..];
            out.has_reference = true;
            match self.reference(inner, budget, span)? {
                Ok(value) => {
                    out.text.push_str(&value);
                    out.alone = is_alone.then_some(Alone::Set);
                }
                Err(name) if is_alone => out.alone = Some(Alone::Unset(name)),
                // Half a URL or half a credential is worse than none, so this is not left to the Collector's "".
                Err(_) if self.is_in_value => {
                    return Err(Diagnostic::error(
                        span,
                        "what this reference gives refers to a variable that is not set, and the text around it needs it",
                    )
                    .with_help("a `$` in the value of a variable or file is written `$$`"));
                }
                Err(name) => {
                    return Err(Diagnostic::error(span, format!("the environment variable `{name}` is not set, and the text around it needs it"))
                        .with_help(if self.bare_names {
                            format!("set it, or give it a default: `${{env:{name}:-}}` for none; `$$` is a literal `$`")
                        } else {
                            format!("set it, or give it a default: `${{env:{name}:-}}` for none")
                        }));
                }
            }
        }
        out.text.push_str(rest);
        Ok(out)
    }

    /// What stands between `${` and `}`: its value, or the name of the variable that is not set.
    fn reference(
        &mut self,
        inner: &str,
        budget: &mut usize,
        span: Span,
    ) -> Result<Result<String, String>, Diagnostic> {
        *budget = budget.checked_sub(1).ok_or_else(|| {
            Diagnostic::error(
                span,
                format!("more than {MAX_REFERENCES} references in one value"),
            )
            .with_help("a variable whose value refers to itself does this")
        })?;
        let (head, default) = if inner.starts_with("file:") {
            (inner, None)
        } else {
            split_default(inner)
        };
        // Messages quote what the file says: the value of a reference, or of one nested in it, must not show.
        let shown = if self.is_in_value {
            "a reference in what this one gives".to_owned()
        } else {
            format!("`${{{inner}}}`")
        };
        let is_nested = head.contains("${");
        let head = if is_nested {
            self.text(head, budget, span)?.text
        } else {
            head.to_owned()
        };
        let value = match head.split_once(':') {
            Some(("file", path)) => self
                .lookup
                .file(path)
                .map(|text| text.trim_end_matches(['\n', '\r']).to_owned())
                .map_err(|reason| {
                    Diagnostic::error(
                        span,
                        format!("the file of {shown} cannot be read: {reason}"),
                    )
                })?,
            None | Some(("env", _)) => {
                let name = head.strip_prefix("env:").unwrap_or(&head);
                if !is_name(name) {
                    return Err(Diagnostic::error(
                        span,
                        format!("{shown} does not name an environment variable"),
                    )
                    .with_help(
                        "names are letters, digits and `_`; write `$${` for a literal `${`",
                    ));
                }
                match (self.lookup.variable(name), default) {
                    (Some(value), _) => value,
                    // It stands in the file, and so may be quoted.
                    (None, Some(default)) => return self.value(default, budget, span),
                    (None, None) => {
                        return Ok(Err(if is_nested { inner } else { name }.to_owned()));
                    }
                }
            }
            Some(_) => {
                return Err(Diagnostic::error(span, format!("references such as {shown} are not supported"))
                    .with_help("`${env:NAME}`, `${env:NAME:-default}` and `${file:PATH}` are; write `$${` for a literal `${`"));
            }
        };
        let was_in_value = std::mem::replace(&mut self.is_in_value, true);
        let value = self.value(&value, budget, span);
        self.is_in_value = was_in_value;
        value
    }

    /// What a reference gives, with the references in it resolved.
    fn value(
        &mut self,
        value: &str,
        budget: &mut usize,
        span: Span,
    ) -> Result<Result<String, String>, Diagnostic> {
        if !value.contains('$') {
            return Ok(Ok(value.to_owned()));
        }
        let nested = self.text(value, budget, span)?;
        Ok(match nested.alone {
            Some(Alone::Unset(name)) => Err(name),
            _ => Ok(nested.text),
        })
    }
}

/// Gives everything that a reference brought in the reference's place.
fn adopt(node: &mut Node, written: &str, span: Span) {
    node.span = span;
    let text = node.text().unwrap_or_default().to_owned();
    node.origin = Some(Box::new(Origin {
        written: written.to_owned(),
        text,
        unset: None,
    }));
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::List(items) => items.iter_mut().for_each(|item| adopt(item, written, span)),
        Value::Map(entries) => {
            for entry in entries {
                entry.key_span = span;
                adopt(&mut entry.value, written, span);
            }
        }
    }
}

/// `${env:NAME}` for every `$NAME`; `$$` and what is in braces stay.
fn brace_bare_names(written: &str) -> String {
    let mut braced = String::with_capacity(written.len() + 8);
    let mut rest = written;
    while let Some(dollar) = rest.find('$') {
        let (before, after) = rest.split_at(dollar);
        braced.push_str(before);
        let length = if after.starts_with("$$") {
            2
        } else if let Some(inner) = after.strip_prefix("${").and_then(reference_body) {
            inner.len() + 3
        } else {
            let name = after[1..]
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .map_or(&after[1..], |end| &after[1..=end]);
            if is_name(name) {
                braced.push_str(&format!("${{env:{name}}}"));
                rest = &after[1 + name.len()..];
                continue;
            }
            1
        };
        braced.push_str(&after[..length]);
        rest = &after[length..];
    }
    braced.push_str(rest);
    braced
}

/// Up to the `}` that closes the `${` before `text`.
fn reference_body(text: &str) -> Option<&str> {
    let mut depth = 0;
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'$' if bytes.get(at + 1) == Some(&b'{') => {
                depth += 1;
                at += 1;
            }
            b'}' if depth == 0 => return Some(&text[..at]),
            b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    None
}

/// Splits at the first `:-` outside nested references.
fn split_default(inner: &str) -> (&str, Option<&str>) {
    let mut depth = 0;
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b':' if depth == 0 && inner[at..].starts_with(":-") => {
                return (&inner[..at], Some(&inner[at + 2..]));
            }
            _ => {}
        }
    }
    (inner, None)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
