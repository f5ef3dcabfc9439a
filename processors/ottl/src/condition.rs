//! A condition, ready to be asked about records.

use std::fmt;

use sluice_batch::Record;

use crate::{Expr, ParseError, evaluate, parser};

/// A parsed OTTL condition. Cheap to ask: nothing is allocated for comparisons of paths with literals.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    root: Expr,
}

impl Condition {
    /// Parses a condition and compiles its regular expressions.
    ///
    /// # Errors
    /// The first thing wrong, with its byte offset and, where possible, what to write instead.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        parser::condition(text).map(|root| Self { root })
    }

    /// Whether it holds for `record`. Never fails: what is missing or of a wrong type is `nil`.
    #[must_use]
    pub fn matches(&self, record: Record<'_>) -> bool {
        evaluate::holds(&self.root, record)
    }

    /// The tree.
    #[must_use]
    pub fn expr(&self) -> &Expr {
        &self.root
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.root)
    }
}
