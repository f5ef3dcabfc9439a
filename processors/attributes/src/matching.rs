//! `include` and `exclude`: which records are changed.

use processor_ottl::Pattern;
use processor_ottl::severity::Level;
use schemars::JsonSchema;
use serde::Deserialize;
use sluice_batch::{Attributes, Record, Signal, Value, ValueBuf};
use sluice_component::Problems;

use crate::AnyValue;

/// Properties of records. A record matches when all the properties given here do; at least one is required. Properties
/// of one signal (`span_names`, `log_…`, `metric_names`) match no record of another.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchConfig {
    /// `strict`: texts are equal; `regexp`: they match the expression somewhere. Required.
    pub match_type: MatchType,
    /// The Collector's cache of results. Accepted without effect.
    #[serde(default)]
    pub regexp: Option<RegexpConfig>,
    /// One of these is the resource's `service.name`.
    #[serde(default)]
    pub services: Vec<String>,
    /// The resource has all of these attributes.
    #[serde(default)]
    pub resources: Vec<AttributeMatch>,
    /// The scope is all of these (so usually one is given).
    #[serde(default)]
    pub libraries: Vec<LibraryMatch>,
    /// The record has all of these attributes.
    #[serde(default)]
    pub attributes: Vec<AttributeMatch>,
    /// Spans: one of these is the name.
    #[serde(default)]
    pub span_names: Vec<String>,
    /// Spans: one of these is the kind: `SPAN_KIND_UNSPECIFIED` (also of a span without one), `SPAN_KIND_INTERNAL`,
    /// `SPAN_KIND_SERVER`, `SPAN_KIND_CLIENT`, `SPAN_KIND_PRODUCER` or `SPAN_KIND_CONSUMER`. `strict`: any other text
    /// is an error, it could match nothing.
    #[serde(default)]
    pub span_kinds: Vec<String>,
    /// Data points: one of these is the metric's name.
    #[serde(default)]
    pub metric_names: Vec<String>,
    /// Log records: one of these is the body; a body that is no text is compared as JSON or decimal.
    #[serde(default)]
    pub log_bodies: Vec<String>,
    /// Log records: one of these is the severity's text.
    #[serde(default)]
    pub log_severity_texts: Vec<String>,
    /// Log records: the severity's number is at least this.
    #[serde(default)]
    pub log_severity_number: Option<SeverityMatch>,
}

/// How texts are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MatchType {
    /// Equal.
    Strict,
    /// The regular expression matches somewhere.
    Regexp,
}

/// The Collector's settings of its regexp cache; they have no effect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RegexpConfig {
    /// No effect.
    pub cacheenabled: bool,
    /// No effect.
    pub cachemaxnumentries: u64,
}

/// An attribute that must be there.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttributeMatch {
    /// Its key.
    pub key: String,
    /// Its value; `regexp`: an expression that a text, number or boolean matches. Default: any value.
    #[serde(default)]
    pub value: Option<AnyValue>,
}

/// An instrumentation scope.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LibraryMatch {
    /// Its name.
    pub name: String,
    /// Its version; empty: only a scope without one. Default: any version.
    #[serde(default)]
    pub version: Option<String>,
}

/// A lowest severity.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeverityMatch {
    /// The lowest that matches, a name such as `WARN` or a number from 1 to 24.
    pub min: Level,
    /// Whether records without a severity match. Default false.
    #[serde(default)]
    pub match_undefined: bool,
}

/// The names of OTLP's `SpanKind`, each at its number. Another number has the empty name, as in the Collector.
const SPAN_KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

/// Texts to compare with.
#[derive(Debug)]
enum Texts {
    Strict(Vec<String>),
    Regexp(Vec<Pattern>),
}

impl Texts {
    fn match_any(&self, text: &str) -> bool {
        match self {
            Self::Strict(texts) => texts.iter().any(|wanted| wanted == text),
            Self::Regexp(patterns) => patterns.iter().any(|pattern| pattern.is_match(text)),
        }
    }
}

#[derive(Debug)]
enum Wanted {
    Anything,
    Equal(ValueBuf),
    Like(Pattern),
}

/// A checked [`MatchConfig`]. `None` and empty lists stand for properties that were not given.
#[derive(Debug)]
pub(crate) struct Matcher {
    services: Option<Texts>,
    resources: Vec<(String, Wanted)>,
    libraries: Vec<(Texts, Option<Texts>)>,
    attributes: Vec<(String, Wanted)>,
    span_names: Option<Texts>,
    span_kinds: Option<Texts>,
    metric_names: Option<Texts>,
    log_bodies: Option<Texts>,
    log_severity_texts: Option<Texts>,
    log_severity_number: Option<SeverityMatch>,
}

impl MatchConfig {
    /// The matcher; everything wrong is in `problems`, and then it is not to be used.
    pub(crate) fn matcher(&self, problems: &mut Problems) -> Matcher {
        if self.match_type == MatchType::Strict {
            problems.at("span_kinds", |p| {
                for (i, kind) in self.span_kinds.iter().enumerate() {
                    if !SPAN_KINDS.contains(&kind.as_str()) {
                        p.at(i, |p| {
                            p.error("is no kind of span")
                                .help(format!("write one of {}", SPAN_KINDS.join(", ")));
                        });
                    }
                }
            });
        }
        let matcher = Matcher {
            services: self.texts("services", &self.services, problems),
            resources: self.wanted("resources", &self.resources, problems),
            libraries: problems.at("libraries", |p| {
                let library = |(i, library): (usize, &LibraryMatch)| {
                    p.at(i, |p| {
                        let name = self.texts("name", std::slice::from_ref(&library.name), p)?;
                        let version = library.version.as_ref().and_then(|version| {
                            self.texts("version", std::slice::from_ref(version), p)
                        });
                        Some((name, version))
                    })
                };
                self.libraries
                    .iter()
                    .enumerate()
                    .filter_map(library)
                    .collect()
            }),
            attributes: self.wanted("attributes", &self.attributes, problems),
            span_names: self.texts("span_names", &self.span_names, problems),
            span_kinds: self.texts("span_kinds", &self.span_kinds, problems),
            metric_names: self.texts("metric_names", &self.metric_names, problems),
            log_bodies: self.texts("log_bodies", &self.log_bodies, problems),
            log_severity_texts: self.texts(
                "log_severity_texts",
                &self.log_severity_texts,
                problems,
            ),
            log_severity_number: self.log_severity_number.clone(),
        };
        if self.is_empty() {
            problems
                .error("there is nothing to match by")
                .help("give attributes, resources, services, log_bodies or another property");
        }
        matcher
    }

    fn is_empty(&self) -> bool {
        let texts = [
            &self.services,
            &self.span_names,
            &self.span_kinds,
            &self.metric_names,
            &self.log_bodies,
            &self.log_severity_texts,
        ];
        texts.into_iter().all(Vec::is_empty)
            && self.resources.is_empty()
            && self.libraries.is_empty()
            && self.attributes.is_empty()
            && self.log_severity_number.is_none()
    }

    fn texts(&self, name: &str, texts: &[String], problems: &mut Problems) -> Option<Texts> {
        if texts.is_empty() {
            return None;
        }
        Some(match self.match_type {
            MatchType::Strict => Texts::Strict(texts.to_vec()),
            MatchType::Regexp => Texts::Regexp(problems.at(name, |p| {
                texts
                    .iter()
                    .enumerate()
                    .filter_map(|(i, text)| p.at(i, |p| compile(text, p)))
                    .collect()
            })),
        })
    }

    fn wanted(
        &self,
        name: &str,
        attributes: &[AttributeMatch],
        problems: &mut Problems,
    ) -> Vec<(String, Wanted)> {
        let mut wanted = |(i, attribute): (usize, &AttributeMatch)| {
            problems.at(name, |p| {
                p.at(i, |p| {
                    if attribute.key.is_empty() {
                        p.at("key", |p| {
                            p.error("the key is empty");
                        });
                    }
                    let wanted = match (&attribute.value, self.match_type) {
                        (None, _) => Wanted::Anything,
                        (Some(AnyValue(value)), MatchType::Strict) => Wanted::Equal(value.clone()),
                        (Some(AnyValue(value)), MatchType::Regexp) => {
                            p.at("value", |p| match value.as_value() {
                                Value::Str(text) => compile(text, p).map(Wanted::Like),
                                _ => {
                                    p.error("`match_type: regexp` needs a text here")
                                        .help("write the value in quotes");
                                    None
                                }
                            })?
                        }
                    };
                    Some((attribute.key.clone(), wanted))
                })
            })
        };
        attributes
            .iter()
            .enumerate()
            .filter_map(&mut wanted)
            .collect()
    }
}

fn compile(text: &str, problems: &mut Problems) -> Option<Pattern> {
    Pattern::new(text)
        .map_err(|bad| {
            problems.error(bad.to_string()).offset(bad.offset);
        })
        .ok()
}

impl Matcher {
    /// Whether all the properties match.
    pub(crate) fn matches(&self, signal: Signal, record: Record<'_>) -> bool {
        let of = |wanted: Signal, texts: &Option<Texts>, text: &dyn Fn(&Texts) -> bool| {
            texts
                .as_ref()
                .is_none_or(|texts| signal == wanted && text(texts))
        };
        let by_name = |texts: &Texts| texts.match_any(record.name());
        let severity = |severity: &SeverityMatch| {
            signal == Signal::Logs
                && match record.severity_number() {
                    0 => severity.match_undefined,
                    number => number >= severity.min.number(),
                }
        };
        let by_kind = |texts: &Texts| {
            let kind = usize::try_from(record.span_kind())
                .ok()
                .and_then(|kind| SPAN_KINDS.get(kind));
            texts.match_any(kind.copied().unwrap_or_default())
        };
        of(Signal::Traces, &self.span_names, &by_name)
            && of(Signal::Traces, &self.span_kinds, &by_kind)
            && of(Signal::Metrics, &self.metric_names, &by_name)
            && of(Signal::Logs, &self.log_bodies, &|texts| {
                texts.match_any(&record.body().to_text())
            })
            && of(Signal::Logs, &self.log_severity_texts, &|texts| {
                texts.match_any(record.severity_text())
            })
            && self.log_severity_number.as_ref().is_none_or(severity)
            && self.services.as_ref().is_none_or(|services| {
                record
                    .resource()
                    .get("service.name")
                    .and_then(Value::as_str)
                    .is_some_and(|name| services.match_any(name))
            })
            && self.libraries.iter().all(|(name, version)| {
                let scope = record.scope();
                name.match_any(scope.name())
                    && version
                        .as_ref()
                        .is_none_or(|version| version.match_any(scope.version()))
            })
            && has_all(record.resource().attributes(), &self.resources)
            && has_all(record.attributes(), &self.attributes)
    }
}

fn has_all(attributes: Attributes<'_>, wanted: &[(String, Wanted)]) -> bool {
    wanted
        .iter()
        .all(|(key, wanted)| match (attributes.get(key), wanted) {
            (None, _) => false,
            (Some(_), Wanted::Anything) => true,
            (Some(value), Wanted::Equal(wanted)) => value == wanted.as_value(),
            (
                Some(Value::Array(_) | Value::Map(_) | Value::Bytes(_) | Value::Empty),
                Wanted::Like(_),
            ) => false,
            (Some(value), Wanted::Like(pattern)) => pattern.is_match(&value.to_text()),
        })
}
