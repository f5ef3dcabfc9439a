//! The `classification` processor's configuration.

use std::sync::Arc;

use processor_detect::{Detector, DetectorSet};
use processor_ottl::Condition;
use processor_ottl::severity::Level;
use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{
    BuildContext, BuildError, Checked, Problems, ProcessorConfig, Severity, Stage, nearest,
};

use crate::detectors::Detectors;
use crate::keywords::Keywords;
use crate::processor::{Classifier, Effect};
use crate::tags::{MAX_TAGS, Tags};

/// Most keywords of all rules together.
const MAX_KEYWORDS: usize = 10_000;

/// Tags records with how sensitive they are; the highest tag wins.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The attribute that gets the highest tag. Default `data.classification`. A value that is there already takes
    /// part in the ranking, and so does `data_classification` of a body that is a map (a text or a list of texts).
    pub attribute: String,
    /// The tag of records that have no other. Must be on the scale. Default: none, they stay untagged.
    pub default: Option<String>,
    /// The tags from low to high, at most 64. Default `[public, internal, confidential, restricted]`.
    pub scale: Vec<String>,
    /// An attribute that gets all tags as a list of texts: those it has, then those of the scale from low to high, then
    /// the others in the order of the rules. Default: none. With it rules may use tags that are not on the scale: they go
    /// to the list only.
    pub list_attribute: Option<String>,
    /// The rules. All that match count; their order is that of the tags in `list_attribute`.
    pub rules: Vec<Rule>,
}

/// One rule: a tag and exactly one of `when`, `detectors` and `keywords`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The tag. Must be on the scale, unless there is a `list_attribute`; even then a tag that is nearly one of the scale
    /// is an error, because it is a slip of the pen.
    pub tag: String,
    /// Raises a log record's severity number and text to this, such as `WARN` or 13; it is never lowered.
    #[serde(default)]
    pub severity: Option<Level>,
    /// An OTTL condition, such as `attributes["ai.policy.outcome"] == "deny"`.
    #[serde(default)]
    pub when: Option<String>,
    /// Detectors by name (`email`, `credit_card`, …) or group (`pii`, `secrets`, `all`): one of them found something, here
    /// or in the redaction before.
    #[serde(default)]
    pub detectors: Option<Vec<String>>,
    /// Words, whole and upper and lower case aside (ASCII), in texts of the body and the record's attributes, however
    /// deep. At most 10 000 in all rules.
    #[serde(default)]
    pub keywords: Option<Vec<String>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            attribute: "data.classification".into(),
            default: None,
            scale: ["public", "internal", "confidential", "restricted"]
                .map(str::to_owned)
                .into(),
            list_attribute: None,
            rules: Vec::new(),
        }
    }
}

impl Config {
    /// The processor; not to be used when there are errors in `problems`.
    pub(crate) fn classifier(&self, problems: &mut Problems) -> Classifier {
        self.check_names(problems);
        let mut tags = Tags::new(&self.scale);
        let (mut conditions, mut detectors, mut words) = (Vec::new(), Vec::new(), Vec::new());
        problems.at("rules", |p| {
            for (i, rule) in self.rules.iter().enumerate() {
                p.at(i, |p| {
                    let effect = self.effect(rule, &mut tags, p);
                    match (&rule.when, &rule.detectors, &rule.keywords) {
                        (Some(when), None, None) => conditions
                            .extend(condition(when, p).map(|condition| (condition, effect))),
                        (None, Some(names), None) => {
                            detectors.push((detector_set(names, p), effect))
                        }
                        (None, None, Some(found)) => {
                            check_keywords(found, p);
                            words.extend(found.iter().map(|word| (word.as_str(), effect)));
                        }
                        _ => {
                            p.error("a rule needs exactly one of when, detectors and keywords")
                                .help("write one rule for each");
                        }
                    }
                });
            }
        });
        let skip: Vec<String> = [Some(&self.attribute), self.list_attribute.as_ref()]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        if words.len() > MAX_KEYWORDS {
            problems.at("rules", |p| {
                p.error(format!(
                    "there are {} keywords, at most {MAX_KEYWORDS} are allowed",
                    words.len()
                ));
            });
            words.clear();
        }
        let keywords = if words.is_empty() {
            None
        } else {
            Keywords::new(&words, skip.clone())
                .map_err(|error| {
                    problems.at("rules", |p| {
                        p.error(format!("the keywords cannot be searched for: {error}"))
                            .help("use fewer or shorter ones");
                    });
                })
                .ok()
        };
        Classifier {
            attribute: self.attribute.clone(),
            list_attribute: self.list_attribute.clone(),
            default: self.default.as_ref().and_then(|tag| tags.existing(tag)),
            tags,
            conditions,
            detectors: (!detectors.is_empty()).then(|| Detectors::new(detectors, skip)),
            keywords,
        }
    }

    fn check_names(&self, problems: &mut Problems) {
        if self.attribute.is_empty() {
            problems.at("attribute", |p| {
                p.error("the attribute needs a name");
            });
        }
        if self
            .list_attribute
            .as_ref()
            .is_some_and(|list| list.is_empty() || *list == self.attribute)
        {
            problems.at("list_attribute", |p| {
                p.error("the list needs a name of its own, other than `attribute`");
            });
        }
        if self.rules.is_empty() && self.default.is_none() {
            problems
                .error("there are no rules and no default: nothing would be tagged")
                .help("add `rules:` or `default: internal`");
        }
        problems.at("scale", |p| {
            if self.scale.is_empty() || self.scale.len() > MAX_TAGS {
                p.error(format!(
                    "the scale needs 1 to {MAX_TAGS} tags, from low to high"
                ));
            }
            for (i, tag) in self.scale.iter().enumerate() {
                if tag.is_empty()
                    || self.scale[..i]
                        .iter()
                        .any(|other| other.eq_ignore_ascii_case(tag))
                {
                    p.at(i, |p| {
                        p.error(if tag.is_empty() {
                            "a tag needs a name".into()
                        } else {
                            format!("`{tag}` is on the scale twice")
                        });
                    });
                }
            }
        });
        if let Some(default) = &self.default
            && !self.scale.contains(default)
        {
            problems.at("default", |p| self.not_on_scale(default, p));
        }
    }

    fn effect(&self, rule: &Rule, tags: &mut Tags, problems: &mut Problems) -> Effect {
        let is_on_scale = self.scale.contains(&rule.tag);
        let may_be_elsewhere = self.list_attribute.is_some()
            && nearest(&rule.tag, self.scale.iter().map(String::as_str)).is_none();
        if rule.tag.is_empty() {
            problems.at("tag", |p| {
                p.error("a tag needs a name");
            });
        } else if !is_on_scale && !may_be_elsewhere {
            problems.at("tag", |p| self.not_on_scale(&rule.tag, p));
        }
        let tag = tags.intern(&rule.tag).unwrap_or_else(|| {
            problems.at("tag", |p| {
                p.error(format!("there are more than {MAX_TAGS} different tags"));
            });
            0
        });
        Effect {
            tag,
            severity: rule.severity,
        }
    }

    fn not_on_scale(&self, tag: &str, problems: &mut Problems) {
        let help = match nearest(tag, self.scale.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!(
                "the scale is {}; a tag outside it needs a list_attribute to go to",
                self.scale.join(", ")
            ),
        };
        problems
            .error(format!("tag `{tag}` is not on the scale"))
            .help(help);
    }
}

fn condition(text: &str, problems: &mut Problems) -> Option<Condition> {
    Condition::parse(text)
        .map_err(|error| {
            problems.at("when", |p| {
                let problem = p.error(error.message).offset(error.offset);
                if let Some(help) = error.help {
                    problem.help(help);
                }
            });
        })
        .ok()
}

fn detector_set(names: &[String], problems: &mut Problems) -> DetectorSet {
    problems.at("detectors", |p| {
        if names.is_empty() {
            p.error("the list is empty: the rule can never match")
                .help("write `[pii]`, `[secrets]` or names of detectors");
        }
        names
            .iter()
            .enumerate()
            .fold(
                DetectorSet::EMPTY,
                |set, (i, name)| match DetectorSet::from_name(name) {
                    Ok(found) => set.union(found),
                    Err(_) => {
                        let known = || {
                            Detector::ALL
                                .iter()
                                .map(|detector| detector.name())
                                .chain(["pii", "secrets", "all"])
                        };
                        p.at(i, |p| {
                            p.error(format!("unknown detector `{name}`")).help(
                                match nearest(name, known()) {
                                    Some(meant) => format!("did you mean `{meant}`?"),
                                    None => {
                                        format!("known: {}", known().collect::<Vec<_>>().join(", "))
                                    }
                                },
                            );
                        });
                        set
                    }
                },
            )
    })
}

fn check_keywords(words: &[String], problems: &mut Problems) {
    problems.at("keywords", |p| {
        if words.is_empty() {
            p.error("the list is empty: the rule can never match");
        }
        for (i, word) in words.iter().enumerate() {
            if word.trim() != word || word.is_empty() {
                p.at(i, |p| {
                    p.error("a keyword must not be empty or begin or end with white space")
                        .help("only whole words match anyway");
                });
            }
        }
    });
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        self.classifier(problems);
    }
}

impl ProcessorConfig for Config {
    fn build(&self, _: &BuildContext) -> Result<Stage, BuildError> {
        let mut problems = Problems::new();
        let classifier = self.classifier(&mut problems);
        match problems
            .found
            .iter()
            .find(|p| p.severity == Severity::Error)
        {
            Some(problem) => Err(BuildError::new(&problem.message)),
            None => Ok(Stage::Transform(Arc::new(classifier))),
        }
    }
}
