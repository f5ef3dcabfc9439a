//! A regular expression that remembers its text, so that trees that hold one can be compared and printed.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// Most memory that one compiled expression may take.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// A compiled regular expression (RE2 syntax, as in the Collector), matched anywhere in a text unless anchored. Equal
/// when the texts are equal.
#[derive(Clone)]
pub struct Pattern(Regex);

/// Why a regular expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid regular expression: {message}")]
pub struct BadPattern {
    /// Byte offset into the expression's text.
    pub offset: usize,
    /// What is wrong with it.
    pub message: String,
}

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// A syntax error with its place, or an expression that would take more than 1 MiB compiled.
    pub fn new(text: &str) -> Result<Self, BadPattern> {
        if let Err(error) = regex_syntax::parse(text) {
            let (offset, message) = match &error {
                regex_syntax::Error::Parse(e) => (e.span().start.offset, e.kind().to_string()),
                regex_syntax::Error::Translate(e) => (e.span().start.offset, e.kind().to_string()),
                other => (0, other.to_string()),
            };
            return Err(BadPattern { offset, message });
        }
        RegexBuilder::new(text)
            .size_limit(MAX_COMPILED_BYTES)
            .build()
            .map(Self)
            .map_err(|_| BadPattern {
                offset: 0,
                message: "it is too large once compiled (more than 1 MiB)".into(),
            })
    }

    /// The expression as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it matches somewhere in `text`.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The compiled expression, for captures.
    #[must_use]
    pub fn regex(&self) -> &Regex {
        &self.0
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.as_str())
    }
}
