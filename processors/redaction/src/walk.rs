//! The look at every key and value of one record, resource, scope or metric.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use processor_detect::{Detector, Finding, Match, is_placeholder};
use sluice_batch::{Edit, Editor, Place, Value, ValueBuf};

use crate::redactor::Redactor;
use crate::rules::KeyRule;
use crate::sanitize::{Context, Spot};
use crate::surroundings::Surroundings;

/// A replacement may bring context closer to what was too far from it: look again, but not for ever.
const ROUNDS: usize = 3;

/// What was done, for the Collector's summary attributes.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) redacted: BTreeSet<String>,
    pub(crate) masked: BTreeSet<String>,
    pub(crate) allowed: BTreeSet<String>,
    pub(crate) ignored: usize,
}

/// Redacts what it is shown.
pub(crate) struct Walk<'r> {
    redactor: &'r Redactor,
    /// The oracle: no nomination inside values.
    plainly: bool,
    /// Addresses of the request's bytes, and the positions in them that the search nominated: a text in there without a
    /// position near is not looked at again. Empty without a search.
    wire: Range<usize>,
    candidates: &'r [usize],
    /// Addresses of what the current record was sent as. A text elsewhere is always looked at: neighbours share the bytes
    /// of their keys, and what the search says of one's place says nothing of another's.
    own: Range<usize>,
    /// Whether the next value is an attribute or a map entry (its key was just shown), and not an array's item or a text
    /// field.
    is_entry: bool,
    /// Whether something was found in that key.
    key_is_found: bool,
    surroundings: Surroundings,
    /// The name of the secret that the current value belongs to, if its own key does not say so.
    secret: Option<String>,
    /// Where the current value stands, and what the attributes beside it say, for the sanitizers.
    spot: Spot,
    beside: Context,
    /// What was found since the last [`Self::take_bits`].
    bits: u64,
    found: Vec<Match>,
    pub(crate) done: Done,
    pub(crate) done_in_body: Done,
}

/// What becomes of a text.
enum Outcome {
    Same,
    Text(String),
    Gone,
}

impl<'r> Walk<'r> {
    pub(crate) fn new(redactor: &'r Redactor, plainly: bool) -> Self {
        Self {
            redactor,
            plainly,
            wire: 0..0,
            candidates: &[],
            own: 0..0,
            is_entry: false,
            key_is_found: false,
            surroundings: Surroundings::default(),
            secret: None,
            spot: Spot::default(),
            beside: Context::default(),
            bits: 0,
            found: Vec::new(),
            done: Done::default(),
            done_in_body: Done::default(),
        }
    }

    /// Texts in `wire` are looked at only if one of `candidates` (ascending offsets into it) is in or just before them.
    pub(crate) fn only_near(mut self, wire: &[u8], candidates: &'r [usize]) -> Self {
        let start = wire.as_ptr() as usize;
        (self.wire, self.candidates) = (start..start + wire.len(), candidates);
        self.own = self.wire.clone();
        self
    }

    /// What follows was sent as this stretch of the request. `None`: it was built or changed since.
    pub(crate) fn within(&mut self, span: Option<Range<usize>>) {
        let addresses =
            |span: Range<usize>| self.wire.start + span.start..self.wire.start + span.end;
        self.own = span
            .filter(|_| !self.wire.is_empty())
            .map_or(0..0, addresses);
    }

    /// What follows may stand anywhere in the request.
    pub(crate) fn within_all(&mut self) {
        self.own = self.wire.clone();
    }

    /// What follows stands beside these attributes.
    pub(crate) fn beside(&mut self, context: Context) {
        self.beside = context;
    }

    fn spot(&self, place: Place, key: &str, is_entry: bool, depth: usize) -> Spot {
        match place {
            // What an event is known by is no statement, and `?` for all ids would make all events one.
            Place::Attribute | Place::Body
                if is_entry && matches!(key, "event_id" | "log.record.uid") =>
            {
                Spot::Elsewhere
            }
            Place::Field if key == "name" && self.beside.is_span() => Spot::SpanName,
            Place::Field => Spot::Elsewhere,
            Place::Body if !is_entry && key == "body" => Spot::Body,
            Place::Body => Spot::Entry,
            // A text of the resource, scope, event or link itself is no attribute; an attribute's items are.
            _ if !is_entry && depth == 0 => Spot::Elsewhere,
            _ => Spot::Attribute,
        }
    }

    fn is_nominated(&self, place: Place, text: &str) -> bool {
        let start = text.as_ptr() as usize;
        // A record's own texts stand behind tags that are letters: a run may begin in what is before them.
        if place == Place::Field || !self.own.contains(&start) {
            return true;
        }
        let start = start - self.wire.start;
        // A run may begin with the length that stands before a text, of at most five bytes.
        let next = self.candidates.partition_point(|c| *c + 5 < start);
        self.candidates
            .get(next)
            .is_some_and(|c| *c < start + text.len())
    }

    /// The bits of what was found, for a record's marks.
    pub(crate) fn take_bits(&mut self) -> u64 {
        std::mem::take(&mut self.bits)
    }

    fn note(
        &mut self,
        place: Place,
        key: &str,
        kind: impl FnOnce(&mut Done) -> &mut BTreeSet<String>,
    ) {
        if self.redactor.summarises() {
            let key = match self.detect("", key) {
                Outcome::Same => key.to_owned(),
                Outcome::Text(masked) => masked,
                Outcome::Gone => return,
            };
            let done = if place == Place::Body {
                &mut self.done_in_body
            } else {
                &mut self.done
            };
            kind(done).insert(key);
        }
    }

    /// Detectors on one text.
    fn detect(&mut self, key: &str, text: &str) -> Outcome {
        let mut current = Cow::Borrowed(text);
        for _ in 0..ROUNDS {
            self.found.clear();
            let scanner = self.redactor.scanner();
            let bits = if self.plainly {
                scanner.find_plainly(key, &current, &mut self.found)
            } else {
                scanner.find(key, &current, &mut self.found)
            };
            let rules = self.redactor.rules();
            let before = self.found.len();
            self.found.retain(|m| {
                m.finding == Finding::Unscanned || !rules.allow_value(&current[m.range.clone()])
            });
            if self.found.is_empty() {
                break;
            }
            // What a longer find covers counts too, unless something was exempt and it is unclear what.
            self.bits |= if before == self.found.len() {
                bits
            } else {
                self.found.iter().fold(0, |all, m| all | m.finding.bit())
            };
            self.redactor.count(&self.found);
            if self.redactor.replacement().drops() {
                return Outcome::Gone;
            }
            let mut new = String::with_capacity(current.len());
            let mut at = 0;
            for m in &self.found {
                new.push_str(&current[at..m.range.start]);
                new.push_str(
                    &self
                        .redactor
                        .replacement()
                        .of_find(m.finding, &current[m.range.clone()]),
                );
                at = m.range.end;
            }
            new.push_str(&current[at..]);
            current = Cow::Owned(new);
        }
        match current {
            Cow::Borrowed(_) => Outcome::Same,
            Cow::Owned(new) => Outcome::Text(new),
        }
    }

    /// All rules on a scalar as text. `is_text`: it is a text and not a number or a truth.
    fn scalar(
        &mut self,
        place: Place,
        key: &str,
        text: &str,
        is_text: bool,
        blocked: bool,
    ) -> Outcome {
        let redactor = self.redactor;
        let by_patterns = is_text || redactor.rules().all_types();
        let allowed = by_patterns && redactor.rules().allow_value(text);
        if allowed {
            self.note(place, key, |d| &mut d.allowed);
        }
        if blocked && !allowed {
            return Outcome::Text(redactor.replacement().of_blocked(text));
        }
        let mut patterned = if by_patterns && !allowed {
            redactor.rules().block_values(text, redactor.replacement())
        } else {
            None
        };
        if !allowed {
            let current = patterned.as_deref().unwrap_or(text);
            let sanitizers = redactor.sanitizers();
            if let Some(new) = sanitizers.text(self.spot, key, &self.beside, current) {
                patterned = Some(new);
            }
        }
        let secret = self.secret.take();
        if patterned.is_none()
            && secret.is_none()
            && !self.is_nominated(place, text)
            && !self.is_nominated(place, key)
        {
            return Outcome::Same;
        }
        let key = secret.as_deref().unwrap_or(key);
        match self.detect(key, patterned.as_deref().unwrap_or(text)) {
            Outcome::Same => patterned.map_or(Outcome::Same, Outcome::Text),
            other => other,
        }
    }

    /// A line of a private key, whole.
    fn key_line(&mut self, text: &str) -> Outcome {
        let redactor = self.redactor;
        if !redactor.scanner().set().contains(Detector::PrivateKey)
            || text.is_empty()
            || is_placeholder(text)
        {
            return Outcome::Same;
        }
        let finding = Finding::Detected(Detector::PrivateKey);
        self.bits |= finding.bit();
        redactor.count(&[Match {
            range: 0..text.len(),
            finding,
        }]);
        if redactor.replacement().drops() {
            return Outcome::Gone;
        }
        Outcome::Text(redactor.replacement().of_find(finding, text))
    }

    fn edit(&mut self, place: Place, key: &str, outcome: Outcome) -> Edit {
        match outcome {
            Outcome::Same => Edit::Keep,
            Outcome::Text(new) => {
                self.note(place, key, |d| &mut d.masked);
                Edit::Replace(ValueBuf::new(Value::Str(&new)))
            }
            Outcome::Gone => self.remove(place, key),
        }
    }

    fn remove(&mut self, place: Place, key: &str) -> Edit {
        self.note(place, key, |d| &mut d.redacted);
        Edit::Remove
    }

    /// Bytes are looked at as the text they hold; a byte that is no ASCII stands for a character that nothing looks for
    /// unless all of it is UTF-8.
    fn bytes(&mut self, place: Place, key: &str, bytes: &[u8], blocked: bool) -> Edit {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return match self.scalar(place, key, text, false, blocked) {
                Outcome::Text(new) => {
                    self.note(place, key, |d| &mut d.masked);
                    Edit::Replace(ValueBuf::new(Value::Bytes(new.as_bytes())))
                }
                other => self.edit(place, key, other),
            };
        }
        // One character a byte, those outside ASCII as ones that mean nothing, so that what is kept can be written back.
        const PRIVATE: u32 = 0xe000;
        let text: String = bytes
            .iter()
            .map(|b| {
                if b.is_ascii() {
                    char::from(*b)
                } else {
                    char::from_u32(PRIVATE + u32::from(*b)).unwrap_or('?')
                }
            })
            .collect();
        match self.scalar(place, key, &text, false, blocked) {
            Outcome::Text(new) => {
                self.note(place, key, |d| &mut d.masked);
                let back: Vec<u8> = new
                    .chars()
                    .map(|c| {
                        u8::try_from(u32::from(c))
                            .or_else(|_| u8::try_from(u32::from(c).wrapping_sub(PRIVATE)))
                            .unwrap_or(b'?')
                    })
                    .collect();
                Edit::Replace(ValueBuf::new(Value::Bytes(&back)))
            }
            other => self.edit(place, key, other),
        }
    }
}

impl Editor for Walk<'_> {
    fn value(&mut self, place: Place, key: &str, depth: usize, value: Value<'_>) -> Edit {
        let is_entry = std::mem::take(&mut self.is_entry);
        self.secret = self.surroundings.enter(key, depth, value);
        let is_key_line = self.surroundings.is_key_line(is_entry, depth, value);
        if std::mem::take(&mut self.key_is_found) && self.redactor.replacement().drops() {
            return self.remove(place, key);
        }
        let rule = if is_entry {
            self.redactor.rules().key(key)
        } else {
            KeyRule::Scanned
        };
        match rule {
            KeyRule::Ignored => {
                let done = if place == Place::Body {
                    &mut self.done_in_body
                } else {
                    &mut self.done
                };
                done.ignored += 1;
                return Edit::Skip;
            }
            // The allow list is about attributes and the keys of a body, not about what lies inside an attribute.
            KeyRule::Deleted if depth == 0 || place == Place::Body => {
                return self.remove(place, key);
            }
            _ => {}
        }
        let blocked = rule == KeyRule::Blocked;
        self.spot = self.spot(place, key, is_entry, depth);
        let sanitizers = self.redactor.sanitizers();
        if !blocked && let Some(shape) = sanitizers.structured(self.spot, key, &self.beside, value)
        {
            let outcome = match self.detect(key, &shape) {
                Outcome::Same => Outcome::Text(shape),
                found => found,
            };
            return self.edit(place, key, outcome);
        }
        match value {
            Value::Str(text) if is_key_line && !blocked => match self.key_line(text) {
                Outcome::Same => {
                    let outcome = self.scalar(place, key, text, true, blocked);
                    self.edit(place, key, outcome)
                }
                outcome => self.edit(place, key, outcome),
            },
            Value::Str(text) => {
                let outcome = self.scalar(place, key, text, true, blocked);
                self.edit(place, key, outcome)
            }
            Value::Int(number) => {
                let outcome = self.scalar(place, key, &number.to_string(), false, blocked);
                self.edit(place, key, outcome)
            }
            Value::Double(number) => {
                let outcome = self.scalar(place, key, &number.to_string(), false, blocked);
                self.edit(place, key, outcome)
            }
            Value::Bytes(bytes) => self.bytes(place, key, bytes, blocked),
            // One bit tells nothing that a detector knows; the patterns may want it.
            Value::Bool(truth) if blocked || self.redactor.rules().all_types() => {
                let text = truth.to_string();
                let new = if blocked {
                    Some(self.redactor.replacement().of_blocked(&text))
                } else {
                    self.redactor
                        .rules()
                        .block_values(&text, self.redactor.replacement())
                };
                self.edit(place, key, new.map_or(Outcome::Same, Outcome::Text))
            }
            Value::Array(_) | Value::Map(_) if blocked => {
                let outcome =
                    Outcome::Text(self.redactor.replacement().of_blocked(&value.to_text()));
                self.edit(place, key, outcome)
            }
            Value::Bool(_) | Value::Empty | Value::Array(_) | Value::Map(_) => Edit::Keep,
        }
    }

    fn key(&mut self, _: Place, key: &str, _: usize) -> Option<String> {
        self.is_entry = true;
        self.key_is_found = false;
        if self.redactor.rules().key(key) == KeyRule::Ignored {
            return None;
        }
        // Whatever the search says: a run that it tells by its beginning may begin in the value before a key.
        match self.detect("", key) {
            Outcome::Same => None,
            Outcome::Text(new) => {
                self.key_is_found = true;
                Some(new)
            }
            Outcome::Gone => {
                self.key_is_found = true;
                None
            }
        }
    }
}
