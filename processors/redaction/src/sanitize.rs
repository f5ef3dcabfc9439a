//! `url_sanitizer` and `db_sanitizer`: what varies in URLs and statements goes, their shape stays.
//!
//! Each language is one function from a text to what may stay of it. They fail closed: where a reading is not certain
//! (an open quote, text that is no JSON, a command nobody knows), the rest or the whole becomes `?`. Which function looks
//! at a text is the Collector's choice, by the attribute's key and the record's `db.system.name` or `db.system`.

mod commands;
mod json;
mod sql;
mod url;

use std::collections::HashSet;

use sluice_batch::{Attributes, Record, Value};

use crate::Config;

/// In place of what cannot be shown.
const HIDDEN: &str = "?";

/// Which sanitizers are on, and for which keys.
pub(crate) struct Sanitizers {
    urls: Option<HashSet<String>>,
    in_url_names: bool,
    statements: Vec<Statements>,
    in_statement_names: bool,
    without_system: bool,
}

/// One sanitizer of `db_sanitizer`.
struct Statements {
    language: Language,
    keys: HashSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Sql,
    Redis,
    Valkey,
    Memcached,
    Mongo,
    OpenSearch,
    Elasticsearch,
}

/// Where a text stands, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Spot {
    /// Nowhere that a sanitizer looks.
    #[default]
    Elsewhere,
    /// In an attribute.
    Attribute,
    /// A body that is a text, or a list of them.
    Body,
    /// An entry of a body.
    Entry,
    /// A span's name.
    SpanName,
}

/// What the attributes beside a text say of it.
#[derive(Default)]
pub(crate) struct Context {
    system: Option<String>,
    span_kind: i32,
}

impl Context {
    pub(crate) fn of_record(record: Record<'_>) -> Self {
        Self {
            span_kind: record.span_kind(),
            ..Self::of(record.attributes())
        }
    }

    pub(crate) fn of(attributes: Attributes<'_>) -> Self {
        let named = |key| {
            attributes
                .get(key)
                .and_then(Value::as_str)
                .filter(|name| !name.is_empty())
        };
        let system = named("db.system.name").or_else(|| named("db.system"));
        Self {
            system: system.map(str::to_lowercase),
            span_kind: 0,
        }
    }

    pub(crate) fn is_span(&self) -> bool {
        self.span_kind != 0
    }
}

impl Sanitizers {
    pub(crate) fn new(config: &Config) -> Self {
        let keys = |list: &[String]| list.iter().cloned().collect::<HashSet<String>>();
        let (url, db) = (&config.url_sanitizer, &config.db_sanitizer);
        let languages = [
            (Language::Sql, &db.sql),
            (Language::Redis, &db.redis),
            (Language::Valkey, &db.valkey),
            (Language::Memcached, &db.memcached),
            (Language::Mongo, &db.mongo),
            (Language::OpenSearch, &db.opensearch),
            (Language::Elasticsearch, &db.es),
        ];
        let enabled = languages.into_iter().filter(|(_, s)| s.enabled);
        Self {
            urls: url.enabled.then(|| keys(&url.attributes)),
            in_url_names: url.sanitize_span_name.unwrap_or(true),
            statements: enabled
                .map(|(language, sanitizer)| Statements {
                    language,
                    keys: keys(&sanitizer.attributes),
                })
                .collect(),
            in_statement_names: db.sanitize_span_name.unwrap_or(true),
            without_system: db.allow_fallback_without_system,
        }
    }

    pub(crate) fn are_on(&self) -> bool {
        self.urls.is_some() || !self.statements.is_empty()
    }

    /// What may stay of a text; `None`: all of it.
    pub(crate) fn text(
        &self,
        spot: Spot,
        key: &str,
        beside: &Context,
        text: &str,
    ) -> Option<String> {
        if text.is_empty() || !self.are_on() {
            return None;
        }
        let new = match spot {
            Spot::Elsewhere => return None,
            Spot::SpanName => self.span_name(beside, text)?,
            Spot::Attribute | Spot::Body | Spot::Entry => {
                let mut new = self.url(spot, key, text);
                for language in self.languages(spot, key, beside) {
                    let current = new.as_deref().unwrap_or(text);
                    new = Some(language.sanitised(current, beside.system.as_deref()));
                }
                new?
            }
        };
        (new != text).then_some(new)
    }

    /// What may stay of a statement that is no text: of a map its shape, as JSON; of a number nothing.
    pub(crate) fn structured(
        &self,
        spot: Spot,
        key: &str,
        beside: &Context,
        value: Value<'_>,
    ) -> Option<String> {
        if !matches!(spot, Spot::Attribute | Spot::Entry)
            || !self.statements.iter().any(|s| s.keys.contains(key))
        {
            return None;
        }
        let shape = match value {
            Value::Map(_) => json::sanitised(&value.to_text()),
            Value::Int(_) | Value::Double(_) | Value::Bool(_) => HIDDEN.to_owned(),
            Value::Str(_) | Value::Bytes(_) | Value::Array(_) | Value::Empty => return None,
        };
        let mut languages = self.languages(spot, key, beside).peekable();
        languages.peek()?;
        let system = beside.system.as_deref();
        Some(languages.fold(shape, |shape, language| language.sanitised(&shape, system)))
    }

    fn url(&self, spot: Spot, key: &str, text: &str) -> Option<String> {
        let keys = self.urls.as_ref()?;
        match spot {
            _ if keys.contains(key) => Some(url::sanitised(text)),
            // The Collector takes the whole text for a URL, which would leave nothing of a sentence.
            Spot::Body | Spot::Entry => Some(url::sanitised_within(text)),
            _ => None,
        }
    }

    /// What looks at a text, in the Collector's order. An attribute without a known system is left, unless the fallback
    /// is on; in a body the system only narrows the choice.
    fn languages<'s>(
        &'s self,
        spot: Spot,
        key: &'s str,
        beside: &'s Context,
    ) -> impl Iterator<Item = Language> {
        let concerned = move |s: &&Statements| match spot {
            Spot::Attribute => s.keys.contains(key),
            Spot::Entry => s.keys.is_empty() || s.keys.contains(key),
            _ => true,
        };
        let system = beside.system.as_deref();
        let is_of_system = move |s: &Statements| system.is_some_and(|name| s.language.is_of(name));
        let only_of_system = match (spot, system) {
            (Spot::Attribute, None) => !self.without_system,
            (Spot::Attribute, Some(_)) => true,
            _ => self.statements.iter().filter(concerned).any(is_of_system),
        };
        self.statements
            .iter()
            .filter(concerned)
            .filter(move |s| !only_of_system || is_of_system(s))
            .map(|s| s.language)
    }

    /// Statements are names of client, server and internal spans with a system; URLs, of client and server spans.
    fn span_name(&self, beside: &Context, name: &str) -> Option<String> {
        let system = beside.system.as_deref();
        let of_system = self
            .statements
            .iter()
            .find(|s| system.is_some_and(|system| s.language.is_of(system)));
        if let Some(statements) = of_system
            && self.in_statement_names
            && (1..=3).contains(&beside.span_kind)
        {
            return Some(statements.language.sanitised_name(name, system));
        }
        let may_be_url = self.urls.is_some() && self.in_url_names;
        (may_be_url && (2..=3).contains(&beside.span_kind) && name.contains('/'))
            .then(|| url::sanitised(name))
    }
}

impl Language {
    /// Whether statements of the database `system` (a value of `db.system.name` or `db.system`) are written in it.
    fn is_of(self, system: &str) -> bool {
        match self {
            Self::Sql => sql::SYSTEMS.contains(&system),
            Self::Redis => system == "redis",
            Self::Valkey => system == "valkey",
            Self::Memcached => system == "memcached",
            Self::Mongo => system == "mongodb",
            Self::OpenSearch => system == "opensearch",
            Self::Elasticsearch => system == "elasticsearch",
        }
    }

    fn sanitised(self, text: &str, system: Option<&str>) -> String {
        match self {
            Self::Sql => sql::sanitised(text, system),
            Self::Redis | Self::Valkey => commands::sanitised(text, commands::REDIS),
            Self::Memcached => commands::sanitised(text, commands::MEMCACHED),
            Self::Mongo | Self::OpenSearch | Self::Elasticsearch => json::sanitised(text),
        }
    }

    /// A span is often named by an operation alone, `GET` or `find orders`, which is no statement and stays.
    fn sanitised_name(self, name: &str, system: Option<&str>) -> String {
        let most = match self {
            Self::Sql => 0,
            Self::Redis | Self::Valkey | Self::Memcached => 1,
            Self::Mongo | Self::OpenSearch | Self::Elasticsearch => 2,
        };
        let is_plain = |word: &str| {
            word.bytes()
                .all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'.' | b'-'))
        };
        if name.split(' ').count() <= most && name.split(' ').all(is_plain) {
            name.to_owned()
        } else {
            self.sanitised(name, system)
        }
    }
}
