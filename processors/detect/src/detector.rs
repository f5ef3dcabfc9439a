//! The detectors by name, and sets of them. The bit numbers are what redaction leaves on a record for classification.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer};

macro_rules! detectors {
    ($($(#[doc = $doc:literal])+ $variant:ident $name:literal $group:ident,)+) => {
        /// One kind of personal data or secret. `as u8` is its bit in a [`DetectorSet`] and in a record's marks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Detector { $($(#[doc = $doc])+ $variant,)+ }

        impl Detector {
            /// Every detector that can be named, in the order of their bits.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in configurations, placeholders and metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// What it finds, for the reference page.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+)),+ }
            }

            /// The group it belongs to.
            #[must_use]
            pub const fn group(self) -> Group {
                match self { $(Self::$variant => Group::$group),+ }
            }
        }
    };
}

/// What a detector is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Personal data: in `pii` and `all`.
    Personal,
    /// Secrets: in `secrets` and `all`.
    Secret,
    /// In no group: must be named.
    Named,
}

detectors! {
    /// E-mail addresses.
    Email "email" Personal,
    /// Payment card numbers of 13 to 19 digits: brand range and Luhn; groups may be parted by one or two of space, `.`, `-` and line end, and letters may follow. Lengths other than 14 to 16 without separators need a word such as `card` near.
    CreditCard "credit_card" Personal,
    /// International bank account numbers: the country's length and mod 97.
    Iban "iban" Personal,
    /// US social security numbers as 3-2-4 digits; nine bare digits need a word such as `ssn` near.
    UsSsn "us_ssn" Personal,
    /// Telephone numbers with `+` and 8 to 15 digits; national forms need a word such as `phone` near.
    Phone "phone" Personal,
    /// IPv4 and IPv6 addresses. In no group: an audit trail needs them, so it must be named.
    IpAddress "ip_address" Named,
    /// JSON web tokens whose header decodes to JSON with `alg`.
    Jwt "jwt" Secret,
    /// PEM private keys, to the END line or else to the end of the value.
    PrivateKey "private_key" Secret,
    /// AWS access key ids, and a secret access key next to one or under its name.
    AwsAccessKey "aws_access_key" Secret,
    /// GitHub tokens (`ghp_`, `gho_`, `ghu_`, `ghs_`, `ghr_`, `github_pat_`).
    GithubToken "github_token" Secret,
    /// Every prefixed vendor key: OpenAI, Anthropic, OpenRouter, Google, Hugging Face, Groq, xAI, Perplexity, NVIDIA, Replicate, Pinecone, LangSmith, Langfuse, AWS Bedrock, Stripe, Slack, Discord, Teams, GitLab, npm, PyPI, RubyGems, SendGrid, Twilio, Mailgun, Databricks, DigitalOcean, Grafana, Vault, Azure keys and signatures, `whsec_`; and unprefixed keys of 32 to 64 characters after `api key`.
    ApiKey "api_key" Secret,
    /// The password in a URL (`scheme://user:password@host`).
    UrlPassword "url_password" Secret,
    /// The token of a `Bearer` or `Splunk` authorization header.
    BearerToken "bearer_token" Secret,
    /// The credentials of a `Basic` authorization header.
    BasicAuth "basic_auth" Secret,
    /// Any value whose key, as whole words at its end, says password, passwd, secret, token, credential, authorization, cookie, or the key of a kind or vendor that makes it one (`api_key`, `signing_key`, `openai_key`), also in the plural; `input_tokens` and `primary_key` do not.
    NamedSecret "named_secret" Secret,
    /// US individual taxpayer numbers.
    UsItin "us_itin" Personal,
    /// US bank routing numbers; needs a word such as `routing` near.
    AbaRouting "aba_routing" Personal,
    /// US national provider identifiers; needs a word such as `npi` near.
    UsNpi "us_npi" Personal,
    /// US DEA registration numbers; needs the word `dea` near.
    UsDea "us_dea" Personal,
    /// US Medicare beneficiary identifiers.
    UsMbi "us_mbi" Personal,
    /// Canadian social insurance numbers; needs a word such as `sin` near.
    CaSin "ca_sin" Personal,
    /// UK NHS numbers; needs the word `nhs` near.
    UkNhs "uk_nhs" Personal,
    /// UK national insurance numbers.
    UkNino "uk_nino" Personal,
    /// Indian Aadhaar numbers as 4-4-4 digits; bare digits need the word `aadhaar` near.
    InAadhaar "in_aadhaar" Personal,
    /// Indian permanent account numbers.
    InPan "in_pan" Personal,
    /// Brazilian CPF numbers as 3.3.3-2 digits; bare digits need the word `cpf` near.
    BrCpf "br_cpf" Personal,
    /// Spanish NIF and NIE numbers.
    EsNif "es_nif" Personal,
    /// French social security numbers, Corsica included; bare digits need a word such as `nir` near.
    FrNir "fr_nir" Personal,
    /// German tax identification numbers; needs a word such as `steuer` near.
    DeTaxId "de_tax_id" Personal,
    /// Polish PESEL numbers; needs the word `pesel` near.
    PlPesel "pl_pesel" Personal,
    /// Dutch BSN numbers; needs a word such as `bsn` near.
    NlBsn "nl_bsn" Personal,
    /// Turkish identity numbers; needs a word such as `tckn` near.
    TrTckn "tr_tckn" Personal,
    /// Australian tax file numbers; needs a word such as `tfn` near.
    AuTfn "au_tfn" Personal,
    /// Australian business numbers as 2 3 3 3 digits; bare digits need the word `abn` near.
    AuAbn "au_abn" Personal,
    /// Australian Medicare numbers; needs the word `medicare` near.
    AuMedicare "au_medicare" Personal,
    /// MAC addresses as six pairs with one kind of separator.
    MacAddress "mac_address" Personal,
    /// Bitcoin addresses: base58check or bech32.
    BtcAddress "btc_address" Personal,
    /// Ethereum addresses (`0x` and 40 hexadecimal digits).
    EthAddress "eth_address" Personal,
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no detector and no group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownDetector {
    /// What was written.
    pub written: String,
    /// The nearest name, if one is near.
    pub nearest: Option<&'static str>,
}

impl fmt::Display for UnknownDetector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown detector `{}`", self.written)?;
        if let Some(nearest) = self.nearest {
            write!(f, ", did you mean `{nearest}`?")?;
        }
        f.write_str(" The names are ")?;
        for detector in Detector::ALL {
            write!(f, "{detector}, ")?;
        }
        f.write_str("and the groups pii, secrets, all")
    }
}

impl std::error::Error for UnknownDetector {}

impl Detector {
    /// The detector called `name`.
    ///
    /// # Errors
    /// [`UnknownDetector`] lists the names and the nearest one.
    pub fn from_name(name: &str) -> Result<Self, UnknownDetector> {
        Self::ALL
            .iter()
            .copied()
            .find(|d| d.name() == name)
            .ok_or_else(|| UnknownDetector {
                written: name.to_owned(),
                nearest: nearest(name),
            })
    }

    /// Whether what it finds gives access (and not just identity).
    #[must_use]
    pub fn is_secret(self) -> bool {
        self.group() == Group::Secret
    }
}

/// Several detectors, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DetectorSet(u64);

impl DetectorSet {
    /// Set beside the detectors' bits on a record of which a part was masked unscanned: too long, or packed too deep.
    pub const UNSCANNED: u64 = 1 << 63;

    /// The set without detectors.
    pub const EMPTY: Self = Self(0);

    /// All detectors of a group.
    fn of(wanted: impl Fn(Group) -> bool) -> Self {
        Detector::ALL
            .iter()
            .filter(|d| wanted(d.group()))
            .copied()
            .collect()
    }

    /// The set that a name stands for: `pii`, `secrets`, `all` (both, so without `ip_address`), or one detector.
    ///
    /// # Errors
    /// [`UnknownDetector`].
    pub fn from_name(name: &str) -> Result<Self, UnknownDetector> {
        match name {
            "pii" => Ok(Self::of(|g| g == Group::Personal)),
            "secrets" => Ok(Self::of(|g| g == Group::Secret)),
            "all" => Ok(Self::of(|g| g != Group::Named)),
            _ => Detector::from_name(name).map(|d| Self(1 << d as u8)),
        }
    }

    /// From a record's marks.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(bits & ((1 << Detector::ALL.len()) - 1))
    }

    /// For a record's marks.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Whether `detector` is in it.
    #[must_use]
    pub fn contains(self, detector: Detector) -> bool {
        self.0 & (1 << detector as u8) != 0
    }

    /// Whether any of `detectors` is in it.
    #[must_use]
    pub fn has_any(self, detectors: &[Detector]) -> bool {
        detectors.iter().any(|d| self.contains(*d))
    }

    /// Adds one.
    pub fn insert(&mut self, detector: Detector) {
        self.0 |= 1 << detector as u8;
    }

    /// Both sets together.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it has no detector.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The detectors in it, by bit.
    pub fn iter(self) -> impl Iterator<Item = Detector> {
        Detector::ALL
            .iter()
            .copied()
            .filter(move |d| self.contains(*d))
    }
}

impl FromIterator<Detector> for DetectorSet {
    fn from_iter<I: IntoIterator<Item = Detector>>(detectors: I) -> Self {
        let mut set = Self::EMPTY;
        detectors.into_iter().for_each(|d| set.insert(d));
        set
    }
}

impl<'de> Deserialize<'de> for DetectorSet {
    /// One name: a detector or a group.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).map_err(de::Error::custom)
    }
}

/// The known name with the fewest changed letters, if that is at most a third of it.
fn nearest(written: &str) -> Option<&'static str> {
    let names = Detector::ALL
        .iter()
        .map(|d| d.name())
        .chain(["pii", "secrets", "all"]);
    let (name, distance) = names
        .map(|n| (n, distance(written, n)))
        .min_by_key(|(_, d)| *d)?;
    (distance <= (name.len() / 3).max(1)).then_some(name)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let changed = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
