//! `from_context`: what a request says of who sent it.

use sluice_batch::Sender;

/// Between several values of one header, as in the Collector.
const SEPARATOR: &str = ";";

/// A part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// `metadata.NAME`: a header.
    Metadata(String),
    /// `client.address`
    Address,
}

impl Context {
    /// Reads a configuration's text.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, (String, &'static str)> {
        match text.split_once('.') {
            Some(("metadata", name)) if !name.is_empty() => Ok(Self::Metadata(name.to_owned())),
            Some(("client", "address")) => Ok(Self::Address),
            Some(("auth", _)) => Err((
                format!("`{text}` is not available: authenticators hand nothing on"),
                "use `metadata.NAME` with a header that names the sender",
            )),
            _ => Err((
                format!("`{text}` is not a part of a request"),
                "write `metadata.NAME` for a header, or `client.address`",
            )),
        }
    }

    /// Its text, if the request has it.
    pub(crate) fn of(&self, sender: &Sender) -> Option<String> {
        match self {
            Self::Address => sender.address().map(|address| address.to_string()),
            Self::Metadata(name) => {
                let values: Vec<&str> = sender.metadata(name).collect();
                (!values.is_empty()).then(|| values.join(SEPARATOR))
            }
        }
    }
}
