//! Sets of attribute keys, made for the answer "not in it": most keys that an encoder asks for are not there.

use sluice_batch::Attributes;

/// A set of keys that may take a stranger for a member, and never a member for a stranger.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Keys([u64; 4]);

impl Keys {
    /// The keys of attributes.
    pub(crate) fn of(attributes: Attributes<'_>) -> Self {
        attributes.keys().collect()
    }

    /// Whether `key` may be a member.
    #[inline]
    pub(crate) fn may_hold(&self, key: &str) -> bool {
        let (word, bit) = Self::place(key);
        self.0[word] & bit != 0
    }

    #[inline]
    fn add(&mut self, key: &str) {
        let (word, bit) = Self::place(key);
        self.0[word] |= bit;
    }

    /// Length, last and middle byte tell attribute names apart; their first words are mostly the same.
    #[inline]
    fn place(key: &str) -> (usize, u64) {
        let bytes = key.as_bytes();
        let byte = |at: usize| bytes.get(at).map_or(0, |byte| u32::from(*byte));
        let mixed = (bytes.len() as u32).wrapping_mul(0x9e37_79b1)
            ^ byte(bytes.len().wrapping_sub(1)).wrapping_mul(0x85eb_ca6b)
            ^ byte(bytes.len() / 2).wrapping_mul(0xc2b2_ae35);
        ((mixed >> 30) as usize, 1 << ((mixed >> 24) & 63))
    }
}

impl<'k> FromIterator<&'k str> for Keys {
    fn from_iter<I: IntoIterator<Item = &'k str>>(keys: I) -> Self {
        let mut set = Self::default();
        keys.into_iter().for_each(|key| set.add(key));
        set
    }
}

/// Tells the first of repeated keys from the others.
#[derive(Debug, Default)]
pub(crate) struct Firsts<'k> {
    keys: Keys,
    seen: Vec<&'k str>,
}

impl<'k> Firsts<'k> {
    /// Whether `key` comes for the first time.
    pub(crate) fn is_first(&mut self, key: &'k str) -> bool {
        if self.keys.may_hold(key) && self.seen.contains(&key) {
            return false;
        }
        if self.seen.is_empty() {
            self.seen.reserve(32);
        }
        self.keys.add(key);
        self.seen.push(key);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_never_taken_for_a_stranger_and_most_strangers_are_known() {
        let members: Vec<String> = (0..24).map(|i| format!("policy.key_{}", i * i)).collect();
        let set: Keys = members.iter().map(String::as_str).chain([""]).collect();
        assert!(members.iter().all(|key| set.may_hold(key)) && set.may_hold(""));
        let strangers: Vec<String> = (0..200)
            .map(|i| format!("other{i}.name{}", i % 7))
            .collect();
        let mistaken = strangers.iter().filter(|key| set.may_hold(key)).count();
        assert!(mistaken < 60, "{mistaken} of 200");
        assert!(!Keys::default().may_hold(""));
    }

    #[test]
    fn only_the_first_of_equal_keys_is_first() {
        let mut firsts = Firsts::default();
        let told: Vec<bool> = ["a", "b", "a", "", ""]
            .into_iter()
            .map(|key| firsts.is_first(key))
            .collect();
        assert_eq!(told, [true, true, false, true, false]);
    }
}
