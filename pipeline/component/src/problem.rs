//! What is wrong with a configuration, as a path into it; `sluice-config` turns the path into file, line and column.

/// One step of a path into a component's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The value under a mapping key.
    Name(String),
    /// The item of a list, from 0.
    Index(usize),
}

impl From<&str> for Key {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<usize> for Key {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, but not as the writer may believe (a removed key, an empty optional secret).
    Warning,
    /// Sluice does not start, or keeps the running configuration, until this is mended.
    Error,
}

/// One thing wrong with a component's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// Where: from the component's block down. Empty: the block itself.
    pub path: Vec<Key>,
    /// Byte offset inside the scalar at `path` (a column in an OTTL condition or a regular expression).
    pub offset: Option<usize>,
    /// What is wrong: lower case, no full stop, never a secret's value.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Collects problems while a configuration is checked, so that all are shown at once.
#[derive(Debug, Default)]
pub struct Problems {
    path: Vec<Key>,
    /// Everything found so far.
    pub found: Vec<Problem>,
}

impl Problems {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `check` with `key` appended to the path of everything that it reports.
    pub fn at<R>(&mut self, key: impl Into<Key>, check: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(key.into());
        let result = check(self);
        self.path.pop();
        result
    }

    /// Reports an error at the current path. Returns it for `offset` or `help` to be added.
    pub fn error(&mut self, message: impl Into<String>) -> &mut Problem {
        self.push(Severity::Error, message.into())
    }

    /// Reports a warning at the current path.
    pub fn warning(&mut self, message: impl Into<String>) -> &mut Problem {
        self.push(Severity::Warning, message.into())
    }

    /// Whether anything found so far is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|p| p.severity == Severity::Error)
    }

    fn push(&mut self, severity: Severity, message: String) -> &mut Problem {
        let index = self.found.len();
        self.found.push(Problem {
            severity,
            path: self.path.clone(),
            offset: None,
            message,
            help: None,
        });
        &mut self.found[index]
    }
}

impl Problem {
    /// Points at a byte inside the scalar.
    pub fn offset(&mut self, offset: usize) -> &mut Self {
        self.offset = Some(offset);
        self
    }

    /// Adds what to do about it.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }
}
