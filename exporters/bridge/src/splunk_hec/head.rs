//! The members of an envelope that say where an event comes from and goes to, written once for neighbours.

use crate::json::Object;
use crate::view::Shape;

/// In the order of the vendors' sample payload.
const NAMES: [&str; 4] = ["host", "source", "sourcetype", "index"];

/// Which attributes of a record or its resource stand in the head already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// The one that names the host.
    pub(super) host: bool,
    /// The resource's `service.name`.
    pub(super) service: bool,
}

/// The last envelope's head.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// For which records it is the same: those of this shape that are audit events, or are none.
    of: Option<(Shape, bool)>,
    shown: Shown,
    values: [String; 4],
    members: Vec<u8>,
}

impl Head {
    /// What is shown in it, if it is the head of all these records.
    pub(super) fn of(&self, records: (Shape, bool)) -> Option<Shown> {
        (self.of == Some(records)).then_some(self.shown)
    }

    /// Makes it [`NAMES`] with these values. An empty one is left out, the host never is.
    pub(super) fn set(&mut self, values: [&str; 4], shown: Shown, of: Option<(Shape, bool)>) {
        (self.shown, self.of) = (shown, of);
        if self.members.is_empty() || self.values != values {
            self.members.clear();
            let mut members = Object::bare(&mut self.members);
            for ((name, value), at) in NAMES.into_iter().zip(values).zip(0..) {
                if at == 0 || !value.is_empty() {
                    members.text(name, value);
                }
            }
            self.values = values.map(str::to_owned);
        }
    }

    /// Its members.
    pub(super) fn members(&self) -> &[u8] {
        &self.members
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_envelope_has_its_own_head_and_an_empty_value_none() {
        let mut head = Head::default();
        let mut headed = |values| {
            let mut out = Vec::new();
            let mut envelope = Object::open(&mut out);
            head.set(values, Shown::default(), None);
            envelope.written(head.members());
            envelope.close();
            String::from_utf8(out).expect("UTF-8")
        };
        let full = r#"{"host":"h","source":"s","sourcetype":"t","index":"i"}"#;
        for (values, expected) in [
            (["", "", "", ""], r#"{"host":""}"#),
            (["h", "s", "t", "i"], full),
            (["h", "s", "t", "i"], full),
            (
                ["h", "", "t", "i"],
                r#"{"host":"h","sourcetype":"t","index":"i"}"#,
            ),
            (["h", "s", "t", "i"], full),
            (
                ["h", "s", "ti", ""],
                r#"{"host":"h","source":"s","sourcetype":"ti"}"#,
            ),
        ] {
            assert_eq!(headed(values), expected);
        }
    }
}
