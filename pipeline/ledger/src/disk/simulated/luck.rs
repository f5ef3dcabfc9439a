//! How much of what was not synced a power loss leaves.

use super::random::Random;

/// One draw for one file or directory, so that the plain outcomes come up as often as the mixed ones.
#[derive(Clone, Copy, Debug)]
pub(super) enum Luck {
    Nothing,
    Everything,
    /// The oldest part, in the order of writing.
    Prefix,
    /// Each piece by itself, with this probability.
    Pieces(f64),
}

impl Luck {
    pub(super) fn draw(random: &mut Random) -> Self {
        match random.below(5) {
            0 => Self::Nothing,
            1 => Self::Everything,
            2 => Self::Prefix,
            _ => Self::Pieces(random.below(101) as f64 / 100.0),
        }
    }
}
