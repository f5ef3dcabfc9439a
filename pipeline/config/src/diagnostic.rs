//! What is wrong with a file, where, and what to do about it.

use std::fmt;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use sluice_component::Severity;

use crate::mask::{cover, hide_credentials};
use crate::{Source, Span};

/// One finding. Its texts never hold a value that came from the environment or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error: the file cannot be used. Warning: it can, but not as its writer may believe.
    pub severity: Severity,
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// A second place that belongs to it, with what it is.
    pub related: Option<(Span, &'static str)>,
}

impl Diagnostic {
    pub(crate) fn error(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            span,
            message: message.into(),
            help: None,
            related: None,
        }
    }

    pub(crate) fn warning(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(span, message)
        }
    }

    /// `path` needs the value of a variable that has none.
    pub(crate) fn unset(span: Span, variable: &str, path: &str) -> Self {
        Self::error(
            span,
            format!("the environment variable `{variable}` is not set, and `{path}` needs a value"),
        )
        .with_help(format!(
            "set it, or give a default: `${{env:{variable}:-…}}`"
        ))
    }

    /// The same so many bytes further on.
    pub(crate) fn moved(mut self, by: usize) -> Self {
        self.span = self.span.shifted(by);
        self.related = self.related.map(|(span, what)| (span.shifted(by), what));
        self
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn with_related(mut self, span: Span, what: &'static str) -> Self {
        self.related = Some((span, what));
        self
    }
}

/// How to show findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// With the lines of the file and carets under the place.
    Plain,
    /// As `Plain`, in colour.
    Colour,
    /// One line each: `file:line:column: error: message (help)`. `Display` gives the same.
    OneLine,
}

/// Everything found in one file, in the order of the file.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    source: Source,
    found: Vec<Diagnostic>,
    /// Values that are not shown where the file's lines are.
    covered: Vec<Span>,
}

impl Diagnostics {
    pub(crate) fn new(source: Source, mut found: Vec<Diagnostic>) -> Self {
        // A component may quote an address.
        for diagnostic in &mut found {
            diagnostic.message = hide_credentials(&diagnostic.message);
            diagnostic.help = diagnostic.help.as_deref().map(hide_credentials);
        }
        found.sort_by(|a, b| {
            (a.span.start, b.severity, a.span.end, &a.message).cmp(&(
                b.span.start,
                a.severity,
                b.span.end,
                &b.message,
            ))
        });
        found.dedup();
        Self {
            source,
            found,
            covered: Vec::new(),
        }
    }

    pub(crate) fn covering(mut self, spans: Vec<Span>) -> Self {
        self.covered = spans;
        self
    }

    /// The findings.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.found.iter()
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.found
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .count()
    }

    /// How many warnings there are.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.found.len() - self.errors()
    }

    /// `file:line:column` of a finding.
    #[must_use]
    pub fn place(&self, diagnostic: &Diagnostic) -> String {
        self.source.place(diagnostic.span)
    }

    /// All findings as text. Literal secrets in the shown lines, and values of unknown keys, are
    /// covered with `*`.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        if style == Style::OneLine {
            return self.to_string();
        }
        let masked = cover(self.source.text(), &self.covered);
        self.found
            .iter()
            .map(|diagnostic| self.snippet(diagnostic, &masked, style == Style::Colour) + "\n\n")
            .collect()
    }

    fn snippet(&self, diagnostic: &Diagnostic, text: &str, colour: bool) -> String {
        let (name, file) = self.source.file_of(diagnostic.span.start);
        let within = |span: Span| {
            let span = self.source.first_line(span);
            span.start - file.start..span.end - file.start
        };
        let mut snippet = Snippet::source(&text[file.start..file.end])
            .path(name)
            .annotation(AnnotationKind::Primary.span(within(diagnostic.span)));
        if let Some((span, what)) = diagnostic.related
            && (file.start..file.end).contains(&span.start)
        {
            let span = within(span);
            snippet = snippet.annotation(
                AnnotationKind::Context
                    .span(span.start..span.end)
                    .label(what),
            );
        }
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = level
            .primary_title(diagnostic.message.as_str())
            .element(snippet);
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.decor_style(DecorStyle::Ascii).render(&[group])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.found.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            let severity = match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            write!(
                f,
                "{}: {severity}: {}",
                self.place(diagnostic),
                diagnostic.message
            )?;
            if let Some(help) = &diagnostic.help {
                write!(f, " ({help})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// "did you mean", or the whole list when nothing is near.
pub(crate) fn suggestion<'a>(
    what: &str,
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let mut known: Vec<&str> = known.into_iter().filter(|name| !name.is_empty()).collect();
    // Names that are taken in both cases are said once.
    let all = known.clone();
    known.retain(|name| {
        let lower = name.to_ascii_lowercase();
        *name == lower || !all.contains(&lower.as_str())
    });
    let near = known
        .iter()
        .map(|name| {
            (
                strsim::osa_distance(&written.to_ascii_lowercase(), &name.to_ascii_lowercase()),
                *name,
            )
        })
        .filter(|(distance, name)| *distance <= 1 + name.len().min(written.len()) / 4)
        .min();
    if let Some((_, name)) = near {
        return Some(format!("did you mean `{name}`?"));
    }
    if known.is_empty() {
        return None;
    }
    let list = known
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    Some(format!("{what}: {list}"))
}
