//! Index names, from the event's time and never from the clock: a record that is sent again after midnight must meet
//! itself in the index of its day.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Longest part of a data stream's name, in bytes.
const MAX_PART: usize = 100;

/// A name with strftime conversions (`%Y.%m.%d`) or Logstash's (`%{+YYYY.MM.dd}`), in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IndexPattern {
    text: String,
    is_dated: bool,
}

impl IndexPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = from_logstash(text)?;
        if text.starts_with('<') || text.contains("{now") {
            return Err("date math uses the server's clock, so that a repeated record may land elsewhere: write %Y.%m.%d".to_owned());
        }
        let pattern = Self {
            is_dated: text.contains('%'),
            text,
        };
        let sample = pattern
            .try_name(0)
            .ok_or_else(|| "is not a strftime pattern".to_owned())?;
        if sample.is_empty()
            || sample != sanitised(&sample)
            || sample.starts_with(['-', '_', '+', '.'])
            || sample.len() > 255
        {
            return Err(format!(
                "`{sample}` cannot be an index: lower case, no `\\ / * ? \" < > | , #` or spaces, not starting with `- _ + .`"
            ));
        }
        Ok(pattern)
    }

    /// The name for an event at this time, in UTC nanoseconds since 1970.
    pub(super) fn name(&self, nanos: u64) -> Cow<'_, str> {
        if self.is_dated {
            Cow::Owned(self.try_name(nanos).unwrap_or_default())
        } else {
            Cow::Borrowed(&self.text)
        }
    }

    /// What stands before the date; `None` without a date.
    pub(super) fn before_date(&self) -> Option<&str> {
        self.is_dated
            .then(|| self.text.split('%').next().unwrap_or_default())
    }

    /// The whole name, if it holds no date.
    pub(super) fn fixed(&self) -> Option<&str> {
        (!self.is_dated).then_some(self.text.as_str())
    }

    fn try_name(&self, nanos: u64) -> Option<String> {
        let time = Timestamp::from_nanosecond(i128::from(nanos))
            .ok()?
            .to_zoned(TimeZone::UTC);
        jiff::fmt::strtime::format(&self.text, &time).ok()
    }
}

/// `%{+YYYY.MM.dd}` as strftime.
fn from_logstash(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("%{") {
        out.push_str(before);
        let (inside, behind) = after.split_once('}').ok_or("`%{` is not closed")?;
        let date = inside.strip_prefix('+').ok_or_else(|| {
            format!("`%{{{inside}}}` is no date: only `%{{+YYYY.MM.dd}}` is known")
        })?;
        let mut letters = date.chars().peekable();
        while let Some(letter) = letters.next() {
            let mut width = 1;
            while letters.next_if_eq(&letter).is_some() {
                width += 1;
            }
            out.push_str(match (letter, width) {
                ('Y' | 'y' | 'u', 4) => "%Y",
                ('Y' | 'y', 2) => "%y",
                ('x', 4) => "%G",
                ('M', 2) => "%m",
                ('d', 2) => "%d",
                ('D', 3) => "%j",
                ('H', 2) => "%H",
                ('m', 2) => "%M",
                ('w', 2) => "%V",
                (c, n) if !c.is_ascii_alphabetic() => {
                    out.extend(std::iter::repeat_n(c, n));
                    continue;
                }
                (c, n) => {
                    return Err(format!(
                        "`{}` is not a date letter that is known here",
                        c.to_string().repeat(n)
                    ));
                }
            });
        }
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

/// A name with everything that no index name may hold replaced.
pub(super) fn sanitised(name: &str) -> String {
    name.chars()
        .flat_map(char::to_lowercase)
        .map(|c| {
            if "\\/*?\"<>|,#: ".contains(c) || c.is_control() {
                '_'
            } else {
                c
            }
        })
        .collect()
}

/// `logs-DATASET-NAMESPACE`, with what a part may not hold replaced and each part cut to 100 bytes.
pub(super) fn data_stream(dataset: &str, namespace: &str) -> String {
    let part = |text: &str| {
        let mut part = sanitised(text).replace('-', "_");
        let end = (0..=part.len().min(MAX_PART))
            .rev()
            .find(|&at| part.is_char_boundary(at))
            .unwrap_or(0);
        part.truncate(end);
        part
    };
    format!("logs-{}-{}", part(dataset), part(namespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_date_styles_name_the_events_day_in_utc() {
        // 2026-04-20T23:59:59.999Z and a millisecond later.
        let (before, after) = (1_776_729_599_999_000_000, 1_776_729_600_000_000_000);
        for text in [
            "keeptrusts-events-%Y.%m.%d",
            "keeptrusts-events-%{+YYYY.MM.dd}",
        ] {
            let pattern = IndexPattern::parse(text).expect("a pattern");
            assert_eq!(
                pattern.name(before),
                "keeptrusts-events-2026.04.20",
                "{text}"
            );
            assert_eq!(
                pattern.name(after),
                "keeptrusts-events-2026.04.21",
                "{text}"
            );
            assert_eq!(pattern.before_date(), Some("keeptrusts-events-"));
        }
        assert_eq!(
            IndexPattern::parse("ai-audit")
                .expect("a pattern")
                .name(before),
            "ai-audit"
        );
    }

    #[test]
    fn what_cannot_be_an_index_is_an_error() {
        for text in [
            "",
            "AI-audit",
            "a b",
            "-a",
            "_a",
            "a%{+QQ}",
            "a%{field}",
            "a%{+YYYY",
            "<a-{now/d}>",
            "a*",
            "a%Q",
        ] {
            assert!(IndexPattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_data_streams_parts_hold_no_forbidden_character() {
        assert_eq!(
            data_stream("policy-gateway.audit", "Prod/EU"),
            "logs-policy_gateway.audit-prod_eu"
        );
        assert_eq!(
            data_stream(&"a".repeat(101), "b"),
            format!("logs-{}-b", "a".repeat(100))
        );
    }
}
