//! The kinds of exact checks.

use crate::{Detector, DetectorSet, number, personal, secret};

/// The kinds of exact checks, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Families(u16);

impl Families {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(u16::MAX);
    pub(crate) const EMAIL: Self = Self(1);
    pub(crate) const URL: Self = Self(2);
    pub(crate) const PHONE: Self = Self(4);
    pub(crate) const NUMBER: Self = Self(8);
    pub(crate) const IBAN: Self = Self(16);
    pub(crate) const ADDRESS: Self = Self(32);
    pub(crate) const MAC: Self = Self(64);
    pub(crate) const SHAPE: Self = Self(128);
    pub(crate) const TOKEN: Self = Self(256);
    /// Something to decode first.
    pub(crate) const ESCAPE: Self = Self(512);
    pub(crate) const BASE64: Self = Self(1024);

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// What `set` needs.
    pub(super) fn needed(set: DetectorSet) -> Self {
        let mut needed = if set.is_empty() {
            Self::NONE
        } else {
            Self(Self::ESCAPE.0 | Self::BASE64.0)
        };
        let mut add = |family, detectors: &[Detector]| {
            if set.has_any(detectors) {
                needed.add(family);
            }
        };
        add(Self::EMAIL, &[Detector::Email]);
        add(Self::URL, &[Detector::UrlPassword]);
        add(Self::PHONE, &[Detector::Phone]);
        add(Self::IBAN, &[Detector::Iban]);
        add(Self::ADDRESS, &[Detector::IpAddress]);
        add(Self::MAC, &[Detector::MacAddress]);
        add(Self::SHAPE, personal::SHAPED);
        add(Self::TOKEN, secret::TOKENS);
        if number::fewest_digits(set).is_some() {
            needed.add(Self::NUMBER);
        }
        needed
    }
}
