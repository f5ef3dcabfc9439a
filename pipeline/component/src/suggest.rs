//! "Did you mean": the known name that a misspelt one was probably meant to be.

/// The candidate nearest to `word`, if it is near enough to be what was meant: at most a third of its letters differ
/// (a swap of two neighbours counts as one), upper and lower case aside. For the `help` of a [`crate::Problem`].
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word, &candidate.to_ascii_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_finds_the_name_and_another_word_does_not() {
        let known = ["email", "credit_card", "iban", "us_ssn"];
        assert_eq!(nearest("emial", known), Some("email"));
        assert_eq!(nearest("Credit-Card", known), Some("credit_card"));
        assert_eq!(nearest("ssn", known), None);
        assert_eq!(nearest("", known), None);
    }
}
