//! Tags as bits: those of the scale first, low to high, then the others in the order of the rules.

/// The most tags that one processor can know: one bit each.
pub(crate) const MAX_TAGS: usize = 64;

/// A set of tags.
pub(crate) type TagSet = u64;

/// The names of all tags.
#[derive(Debug)]
pub(crate) struct Tags {
    names: Vec<String>,
    /// How many of them are the scale.
    ranked: usize,
}

impl Tags {
    /// The tags of a scale, at most [`MAX_TAGS`].
    pub(crate) fn new(scale: &[String]) -> Self {
        let names: Vec<_> = scale.iter().take(MAX_TAGS).cloned().collect();
        Self {
            ranked: names.len(),
            names,
        }
    }

    /// The bit of a tag that a rule names, on the scale or not; `None` when there are too many.
    pub(crate) fn intern(&mut self, tag: &str) -> Option<TagSet> {
        let at = match self.names.iter().position(|name| name == tag) {
            Some(at) => at,
            None if self.names.len() == MAX_TAGS => return None,
            None => {
                self.names.push(tag.to_owned());
                self.names.len() - 1
            }
        };
        Some(1 << at)
    }

    /// The bit of a tag that a record carries: any case on the scale, otherwise as written.
    pub(crate) fn existing(&self, tag: &str) -> Option<TagSet> {
        let at = self.names.iter().enumerate().position(|(i, name)| {
            name == tag || (i < self.ranked && name.eq_ignore_ascii_case(tag))
        })?;
        Some(1 << at)
    }

    /// The highest tag of the set that is on the scale.
    pub(crate) fn highest(&self, set: TagSet) -> Option<&str> {
        let on_scale = set
            .checked_shl(64 - self.ranked as u32)
            .unwrap_or(0)
            .checked_shr(64 - self.ranked as u32)
            .unwrap_or(0);
        on_scale
            .checked_ilog2()
            .map(|at| self.names[at as usize].as_str())
    }

    /// The names of a set, in the order of the bits.
    pub(crate) fn names(&self, set: TagSet) -> impl Iterator<Item = &str> {
        self.names
            .iter()
            .enumerate()
            .filter(move |(i, _)| set & (1 << i) != 0)
            .map(|(_, name)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_is_the_last_of_the_scale_and_others_have_no_rank() {
        let mut tags = Tags::new(&["low".into(), "high".into()]);
        let (other, high, low) = (
            tags.intern("other").unwrap(),
            tags.intern("high").unwrap(),
            tags.intern("low").unwrap(),
        );
        assert_eq!(tags.highest(low | other), Some("low"));
        assert_eq!(tags.highest(low | high | other), Some("high"));
        assert_eq!(tags.highest(other), None);
        assert_eq!(
            tags.names(other | low).collect::<Vec<_>>(),
            ["low", "other"]
        );
        assert_eq!(
            (
                tags.existing("HIGH"),
                tags.existing("OTHER"),
                tags.existing("other")
            ),
            (Some(high), None, Some(other))
        );
    }

    #[test]
    fn there_is_room_for_64_tags() {
        let scale: Vec<_> = (0..MAX_TAGS).map(|i| i.to_string()).collect();
        let mut tags = Tags::new(&scale);
        assert_eq!(tags.highest(tags.existing("63").unwrap()), Some("63"));
        assert_eq!(
            (tags.intern("63"), tags.intern("64")),
            (Some(1 << 63), None)
        );
        assert_eq!(Tags::new(&[]).highest(u64::MAX), None);
    }
}
