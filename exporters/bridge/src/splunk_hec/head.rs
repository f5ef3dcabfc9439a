//! The members of an envelope that say where an event comes from and goes to, written once for neighbours.

use crate::json::Object;

/// In the order of the vendors' sample payload.
const NAMES: [&str; 4] = ["host", "source", "sourcetype", "index"];

/// What the last envelope was headed.
#[derive(Debug, Default)]
pub(super) struct Head {
    values: [String; 4],
    members: Vec<u8>,
}

impl Head {
    /// Adds [`NAMES`] with these values. An empty one is left out, the host never is.
    pub(super) fn write(&mut self, values: [&str; 4], envelope: &mut Object<'_>) {
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
        envelope.written(&self.members);
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
            head.write(values, &mut envelope);
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
