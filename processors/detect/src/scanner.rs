//! The exact check of one value, through every layer that may hide something.
//!
//! ```text
//!  text ─▶ view 0: as it stands ─▶ view 1: one layer of escapes off ─▶ view 2 …   (the original's ranges kept)
//!            └─ base64 that hides text ─▶ the same from the start, one level deeper
//! ```

use std::ops::Range;

use crate::prefilter::{Families, Prefilter};
use crate::view::View;
use crate::words::{floor_char, is_placeholder, is_proven_identifier, names_a_secret};
use crate::{Detector, DetectorSet, base64_text, number, personal, secret};

/// Longest text that is looked at, in bytes. The rest is reported as unscanned, from a space shortly before here.
pub const MAX_SCANNED_BYTES: usize = 1 << 20;
/// Most layers of escapes, and most levels of base64, that are taken off. What has more is reported as unscanned whole.
pub const MAX_LAYERS: usize = 8;

/// What stands in a range of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finding {
    /// Something that a detector knows.
    Detected(Detector),
    /// Nobody looked: the text is too long or packed too deep. It must not be passed on.
    Unscanned,
}

impl Finding {
    /// The name for a placeholder: the detector's, or `unscanned`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Detected(detector) => detector.name(),
            Self::Unscanned => "unscanned",
        }
    }

    /// Its bit in a record's marks.
    #[must_use]
    pub fn bit(self) -> u64 {
        match self {
            Self::Detected(detector) => 1 << detector as u8,
            Self::Unscanned => DetectorSet::UNSCANNED,
        }
    }

    /// Among finds that overlap the longest names them all; of equally long ones a secret.
    fn rank(self) -> u8 {
        match self {
            Self::Unscanned => 2,
            Self::Detected(d) => u8::from(d.is_secret()),
        }
    }
}

/// A part of a text that must not be passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Bytes of the text, on character boundaries.
    pub range: Range<usize>,
    /// What it is.
    pub finding: Finding,
}

/// Finds what a set of detectors knows.
///
/// ```
/// use processor_detect::{DetectorSet, Scanner};
/// let scanner = Scanner::new(DetectorSet::from_name("all").unwrap());
/// let mut found = Vec::new();
/// scanner.find("message", "write to jane@example.com", &mut found);
/// assert_eq!(found[0].range, 9..25);
/// ```
pub struct Scanner {
    set: DetectorSet,
    prefilter: Prefilter,
}

impl std::fmt::Debug for Scanner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Scanner").field(&self.set).finish()
    }
}

impl Scanner {
    /// A scanner for these detectors.
    #[must_use]
    pub fn new(set: DetectorSet) -> Self {
        Self {
            set,
            prefilter: Prefilter::new(set),
        }
    }

    /// The detectors that it was made for.
    #[must_use]
    pub fn set(&self) -> DetectorSet {
        self.set
    }

    /// Positions in protobuf messages (any number of them) near which one of the detectors may find something, in no
    /// order. Whatever [`Self::find`] finds in a text, key or number of these messages has a position in the smallest
    /// message around it. Finding values whose key names a secret needs a look at keys: those are nominated as well.
    pub fn candidates(&self, protobuf: &[u8], out: &mut Vec<usize>) {
        self.prefilter
            .scan(protobuf, true, &mut |at, _| out.push(at));
    }

    /// What there is in `text`, the value (or part of a value) under `key`: disjoint ranges in ascending order are
    /// appended to `out`. Returns the bits of everything found, also of what a longer find covers.
    pub fn find(&self, key: &str, text: &str, out: &mut Vec<Match>) -> u64 {
        self.look(key, text, out, |p, text| p.nominate(text.as_bytes()))
    }

    /// The same without nomination, every check on every value: the oracle that [`Self::find`] is tested against.
    pub fn find_plainly(&self, key: &str, text: &str, out: &mut Vec<Match>) -> u64 {
        self.look(key, text, out, |_, _| Families::ALL)
    }

    fn look(
        &self,
        key: &str,
        text: &str,
        out: &mut Vec<Match>,
        nominate: impl Fn(&Prefilter, &str) -> Families + Copy,
    ) -> u64 {
        if self.set.is_empty() || text.is_empty() {
            return 0;
        }
        let from = out.len();
        let mut search = Search {
            scanner: self,
            key,
            nominate,
            families_of_key: key_families(key),
            out,
            bits: 0,
        };
        search.value(text);
        let bits = search.bits;
        join_overlaps(out, from);
        bits
    }
}

struct Search<'s, N> {
    scanner: &'s Scanner,
    key: &'s str,
    nominate: N,
    families_of_key: Families,
    out: &'s mut Vec<Match>,
    bits: u64,
}

impl<N: Fn(&Prefilter, &str) -> Families + Copy> Search<'_, N> {
    fn push(&mut self, range: Range<usize>, finding: Finding) {
        if !range.is_empty() {
            self.bits |= finding.bit();
            self.out.push(Match { range, finding });
        }
    }

    fn value(&mut self, text: &str) {
        let scanned = scanned_part(text);
        if scanned.len() < text.len() {
            self.push(scanned.len()..text.len(), Finding::Unscanned);
        }
        if self.scanner.set.contains(Detector::NamedSecret)
            && names_a_secret(self.key)
            && !text.trim().is_empty()
            && !is_placeholder(text)
        {
            self.push(0..text.len(), Finding::Detected(Detector::NamedSecret));
        }
        if !is_proven_identifier(self.key, scanned) {
            self.layers(scanned, 0);
        }
    }

    /// Looks at `text` and at what it says with its escapes taken off, layer by layer.
    fn layers(&mut self, text: &str, depth: usize) {
        let mut view = View::original(text);
        for layer in 0.. {
            let mut families = (self.nominate)(&self.scanner.prefilter, &view.text);
            families.add(self.families_of_key);
            self.view(&view, families, depth);
            let under = if families.has(Families::ESCAPE) {
                view.unescaped()
            } else {
                None
            };
            match under {
                None => return,
                Some(_) if layer == MAX_LAYERS => {
                    return self.push(0..text.len(), Finding::Unscanned);
                }
                Some(under) => view = under,
            }
        }
    }

    fn view(&mut self, view: &View<'_>, families: Families, depth: usize) {
        let (set, key, text) = (self.scanner.set, self.key, &*view.text);
        let mut found: Vec<(Range<usize>, Detector)> = Vec::new();
        let mut take = |range: Range<usize>, detector: Detector| found.push((range, detector));
        if families.has(Families::EMAIL) && set.contains(Detector::Email) {
            personal::emails(text, &mut take);
        }
        if families.has(Families::URL) && set.contains(Detector::UrlPassword) {
            secret::url_passwords(text, &mut take);
        }
        if families.has(Families::PHONE) && set.contains(Detector::Phone) {
            personal::international_phones(text, &mut take);
        }
        if families.has(Families::NUMBER) {
            number::find(set, key, text, &mut take);
        }
        if families.has(Families::IBAN) && set.contains(Detector::Iban) {
            personal::ibans(text, &mut take);
        }
        if families.has(Families::ADDRESS) && set.contains(Detector::IpAddress) {
            personal::ip_addresses(key, text, &mut take);
        }
        if families.has(Families::MAC) && set.contains(Detector::MacAddress) {
            personal::mac_addresses(text, &mut take);
        }
        if families.has(Families::SHAPE) || families.has(Families::TOKEN) {
            personal::shapes(set, key, text, &mut take);
        }
        if families.has(Families::TOKEN) {
            secret::tokens(set, key, text, &mut take);
        }
        found.retain(|(range, _)| !touches_placeholder(text, range));
        let passwords: Vec<Range<usize>> = found
            .iter()
            .filter(|(_, detector)| *detector == Detector::UrlPassword)
            .map(|(range, _)| range.clone())
            .collect();
        for (range, detector) in found {
            // A password and the host behind it look like an address.
            let is_url = |p: &Range<usize>| p.start < range.end && range.start < p.end;
            if detector != Detector::Email || !passwords.iter().any(is_url) {
                self.push(view.original_range(&range), Finding::Detected(detector));
            }
        }
        if families.has(Families::BASE64) {
            self.base64(view, depth);
        }
    }

    /// A run of base64 in which something hides is a find as a whole.
    fn base64(&mut self, view: &View<'_>, depth: usize) {
        let mut hidden: Vec<(Range<usize>, String)> = Vec::new();
        base64_text::hidden_texts(&view.text, &mut |range, text| {
            hidden.push((range, text.to_owned()))
        });
        for (range, text) in hidden {
            let range = view.original_range(&range);
            if depth == MAX_LAYERS {
                self.push(range, Finding::Unscanned);
                continue;
            }
            let mut inside = Vec::new();
            let mut search = Search {
                scanner: self.scanner,
                key: self.key,
                nominate: self.nominate,
                families_of_key: self.families_of_key,
                out: &mut inside,
                bits: 0,
            };
            search.layers(&text, depth + 1);
            self.bits |= search.bits;
            join_overlaps(&mut inside, 0);
            if let Some(first) = inside.first() {
                self.push(range, first.finding);
            }
        }
    }
}

/// What the words of a key make worth a look: unprefixed keys, AWS secrets.
fn key_families(key: &str) -> Families {
    let has_stem = key.as_bytes().windows(3).any(|w| {
        matches!(
            &[w[0] | 0x20, w[1] | 0x20, w[2] | 0x20],
            b"key" | b"ecr" | b"ndb" | b"ohe" | b"tad"
        )
    });
    if has_stem {
        Families::TOKEN
    } else {
        Families::NONE
    }
}

/// The text up to the cap, less a last word that the cap may have cut.
fn scanned_part(text: &str) -> &str {
    if text.len() <= MAX_SCANNED_BYTES {
        return text;
    }
    let head = &text[..floor_char(text, MAX_SCANNED_BYTES)];
    let last = floor_char(head, head.len() - 4096);
    head[last..]
        .rfind(char::is_whitespace)
        .map_or(&head[..last], |space| &head[..last + space])
}

/// Whether a find is a placeholder or has one at its start: a second pass must change nothing.
fn touches_placeholder(text: &str, range: &Range<usize>) -> bool {
    is_placeholder(&text[range.clone()])
        || is_placeholder(text[range.clone()].trim_end_matches(|c: char| c != ']'))
            && text[range.clone()].matches('[').count() == 1
}

/// Joins finds that overlap under the name of the longest, so that no part of any stays.
fn join_overlaps(out: &mut Vec<Match>, from: usize) {
    out[from..].sort_by_key(|m| (m.range.start, std::cmp::Reverse(m.range.end)));
    let mut kept = from;
    let mut longest = 0;
    for i in from..out.len() {
        let m = out[i].clone();
        if kept > from && m.range.start < out[kept - 1].range.end {
            let last = &mut out[kept - 1];
            if (m.range.len(), m.finding.rank()) > (longest, last.finding.rank()) {
                longest = m.range.len();
                last.finding = m.finding;
            }
            last.range.end = last.range.end.max(m.range.end);
        } else {
            longest = m.range.len();
            out[kept] = m;
            kept += 1;
        }
    }
    out.truncate(kept);
}
