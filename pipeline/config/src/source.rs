//! The file's text, and places in it.

use std::sync::Arc;

/// A range of bytes in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// From a first byte to one past the last.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The same range so many bytes further on.
    pub(crate) const fn shifted(self, by: usize) -> Self {
        Self::new(self.start + by, self.end + by)
    }
}

/// A configuration: one file, or several of which the later ones win. Its names are for messages. Cheap to clone.
#[derive(Clone)]
pub struct Source {
    name: Arc<str>,
    /// Of all files, one behind the other.
    text: Arc<str>,
    /// The name of each file and where its text begins, in their order.
    files: Arc<[(Arc<str>, usize)]>,
}

impl Source {
    /// A file's text under the name that messages quote.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        Self {
            files: Arc::new([(name.clone(), 0)]),
            name,
            text: text.into(),
        }
    }

    /// Several files as one configuration.
    #[must_use]
    pub fn merged(files: &[Self]) -> Self {
        let (mut text, mut places) = (String::new(), Vec::new());
        for file in files {
            places.push((file.name.clone(), text.len()));
            text.push_str(&file.text);
        }
        let names: Vec<&str> = files.iter().map(|file| &*file.name).collect();
        Self {
            name: names.join(", ").into(),
            text: text.into(),
            files: places.into(),
        }
    }

    /// The files, each with where its text lies.
    pub(crate) fn files(&self) -> impl DoubleEndedIterator<Item = (&str, Span)> {
        let ends = self.files.iter().skip(1).map(|(_, start)| *start);
        let ends = ends.chain(std::iter::once(self.text.len()));
        let ends: Vec<usize> = ends.collect();
        let files = self.files.iter().zip(ends);
        files
            .map(|((name, start), end)| (&**name, Span::new(*start, end)))
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The file in which a byte is.
    pub(crate) fn file_of(&self, offset: usize) -> (&str, Span) {
        let mut files = self.files();
        let last = files.next_back();
        files
            .find(|(_, span)| (span.start..span.end).contains(&offset))
            .or(last)
            .unwrap_or_default()
    }

    /// The name that messages quote.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text as it stands in the file.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// `file:line:column` of a range's first byte.
    #[must_use]
    pub fn place(&self, span: Span) -> String {
        let (line, column) = self.line_column(span.start);
        format!("{}:{line}:{column}", self.file_of(span.start).0)
    }

    /// Line and column of a byte, both from 1; columns count characters.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let file = self.file_of(offset).1;
        let before = self.text.get(file.start..offset);
        let before = before.unwrap_or(&self.text[file.start..file.end]);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }

    /// The part of `span` on its first line, without trailing blanks: what a caret can point at.
    pub(crate) fn first_line(&self, span: Span) -> Span {
        let Some(slice) = self.text.get(span.start..span.end.min(self.text.len())) else {
            return Span::new(self.text.len(), self.text.len());
        };
        let line = slice
            .split(['\n', '\r'])
            .next()
            .unwrap_or_default()
            .trim_end();
        Span::new(span.start, span.start + line.len())
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the text: it may hold secrets.
        f.debug_struct("Source")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
