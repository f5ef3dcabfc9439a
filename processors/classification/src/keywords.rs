//! Whole words anywhere in a record's body and attributes, all in one pass.

use aho_corasick::{AhoCorasick, BuildError};
use sluice_batch::{Batch, Value};

use crate::processor::{Effect, Outcome};
use crate::walk::{Seen, walk};

/// All keywords of all rules.
#[derive(Debug)]
pub(crate) struct Keywords {
    automaton: AhoCorasick,
    /// The effect of each keyword.
    effects: Vec<Effect>,
    /// Attributes that hold tags: their values are no evidence.
    skip: Vec<String>,
}

impl Keywords {
    /// A search for `words`, upper and lower case aside (ASCII). Attributes named in `skip` are not looked at.
    pub(crate) fn new(words: &[(&str, Effect)], skip: Vec<String>) -> Result<Self, BuildError> {
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(words.iter().map(|(word, _)| word))?;
        Ok(Self {
            automaton,
            effects: words.iter().map(|(_, effect)| *effect).collect(),
            skip,
        })
    }

    /// Adds the effects of every keyword in record `i`.
    pub(crate) fn apply(&self, batch: &Batch, i: usize, outcome: &mut Outcome) {
        // Text stands in the record's protobuf as it is: one search of the whole clears most records at once.
        if let Some(span) = batch.span_in_wire(i)
            && !self.automaton.is_match(&batch.wire()[span])
        {
            return;
        }
        walk(batch.record(i), &self.skip, &mut |seen| {
            if let Seen::Value(_, Value::Str(text)) = seen {
                self.search(text, outcome);
            }
        });
    }

    fn search(&self, text: &str, outcome: &mut Outcome) {
        for found in self.automaton.find_overlapping_iter(text) {
            if is_whole_word(text, found.start(), found.end()) {
                outcome.add(self.effects[found.pattern().as_usize()]);
            }
        }
    }
}

/// Whether no letter, digit or underscore continues the word on either side. An end of the keyword that is itself none
/// of these needs no boundary.
fn is_whole_word(text: &str, start: usize, end: usize) -> bool {
    let (before, word, after) = (&text[..start], &text[start..end], &text[end..]);
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let goes_on_before = is_part(before.chars().next_back()) && is_part(word.chars().next());
    let goes_on_after = is_part(word.chars().next_back()) && is_part(after.chars().next());
    !goes_on_before && !goes_on_after
}

#[cfg(test)]
mod tests {
    use super::is_whole_word;

    #[test]
    fn a_word_ends_where_letters_digits_and_underscores_end() {
        let whole = |text: &str, word: &str| {
            let start = text.find(word).unwrap();
            is_whole_word(text, start, start + word.len())
        };
        assert!(
            whole("the merger.", "merger")
                && whole("merger", "merger")
                && whole("pre-merger", "merger")
        );
        assert!(
            !whole("mergers", "merger")
                && !whole("submerger", "merger")
                && !whole("merger_1", "merger")
        );
        assert!(!whole("émerger", "merger") && !whole("mergerß", "merger"));
        assert!(whole("a#tag", "#tag") && !whole("a#tags", "#tag"));
    }
}
