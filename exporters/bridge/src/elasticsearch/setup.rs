//! `setup`: index template and retention, looked for or created before the first record.
//!
//! Elasticsearch keeps time by index lifecycle management, OpenSearch by index state management; `GET /` tells which of
//! the two answers. What is there already is never changed.

use std::sync::atomic::{AtomicBool, Ordering};

use http::Method;
use serde_json::{Value, json};
use sluice_component::After;

use super::config::{Config, Setup, Template};
use super::endpoints::Endpoints;
use super::index::IndexPattern;
use crate::delivery::Outcome;

/// Done once; several attempts at the same time may each do it, which is harmless.
#[derive(Debug)]
pub(super) struct SetUp {
    mode: Setup,
    template: Template,
    /// What the template matches.
    pattern: String,
    /// Whether it makes data streams; otherwise indices with a date in their name.
    is_data_stream: bool,
    is_done: AtomicBool,
}

impl SetUp {
    /// For the index of `config`.
    pub(super) fn new(config: &Config) -> Self {
        let index = config
            .index_text()
            .and_then(|text| IndexPattern::parse(&text).ok());
        let (pattern, is_data_stream) = match &index {
            Some(index) => match (index.before_date(), index.fixed()) {
                (Some(before), _) => (format!("{before}*"), false),
                (None, fixed) => (fixed.unwrap_or_default().to_owned(), true),
            },
            None if config.logstash_format.enabled => ("logs-*.audit-*".to_owned(), false),
            None => ("logs-*.audit-*".to_owned(), true),
        };
        let mut template = config.template.clone();
        if template.name.is_empty() {
            let name: String = pattern.chars().filter(|c| *c != '*').collect();
            template.name = format!("sluice-{}", name.trim_matches(['-', '.']));
        }
        Self {
            mode: config.setup,
            template,
            pattern,
            is_data_stream,
            is_done: AtomicBool::new(config.setup == Setup::Off),
        }
    }

    /// Sees to it that records may be sent.
    pub(super) async fn done(&self, endpoints: &Endpoints) -> Result<(), Outcome> {
        if self.is_done.load(Ordering::Relaxed) {
            return Ok(());
        }
        let path = format!("_index_template/{}", self.template.name);
        if !exists(endpoints, &path).await? {
            if self.mode == Setup::Check {
                return Err(Outcome::Hold(format!(
                    "setup: the index template `{}` is missing",
                    self.template.name
                )));
            }
            let is_opensearch = is_opensearch(endpoints).await?;
            if self.template.retention.is_some() {
                let path = self.policy_path(is_opensearch);
                if !exists(endpoints, &path).await? {
                    put(endpoints, &path, &self.policy(is_opensearch)).await?;
                }
            }
            put(endpoints, &path, &self.index_template(is_opensearch)).await?;
        }
        self.is_done.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn policy_path(&self, is_opensearch: bool) -> String {
        let root = if is_opensearch {
            "_plugins/_ism/policies"
        } else {
            "_ilm/policy"
        };
        format!("{root}/{}", self.template.name)
    }

    /// Retention. Only data streams roll over: dated indices end by themselves, and a rollover would stop their policy
    /// in an error.
    fn policy(&self, is_opensearch: bool) -> Value {
        let keep = self
            .template
            .retention
            .map_or(0, |keep| keep.0.as_secs() / 3600);
        let age = format!("{keep}h");
        if is_opensearch {
            let mut actions = Vec::new();
            if self.is_data_stream {
                actions.push(
                    json!({"rollover": {"min_primary_shard_size": "50gb", "min_index_age": "30d"}}),
                );
            }
            return json!({"policy": {
                "description": "retention of AI audit events",
                "default_state": "hot",
                "states": [
                    {"name": "hot", "actions": actions, "transitions": [{"state_name": "delete", "conditions": {"min_index_age": age}}]},
                    {"name": "delete", "actions": [{"delete": {}}], "transitions": []},
                ],
                "ism_template": [{"index_patterns": [self.pattern], "priority": 100}],
            }});
        }
        let hot = if self.is_data_stream {
            json!({"rollover": {"max_primary_shard_size": "50gb", "max_age": "30d"}})
        } else {
            json!({})
        };
        json!({"policy": {"phases": {
            "hot": {"actions": hot},
            "delete": {"min_age": age, "actions": {"delete": {}}},
        }}})
    }

    fn index_template(&self, is_opensearch: bool) -> Value {
        let flat = if is_opensearch {
            "flat_object"
        } else {
            "flattened"
        };
        let mut settings = json!({});
        if self.template.retention.is_some() && !is_opensearch {
            settings["index.lifecycle.name"] = json!(self.template.name);
        }
        let mut template = json!({
            "index_patterns": [self.pattern],
            "priority": self.template.priority,
            "template": {
                "settings": settings,
                "mappings": {
                    "dynamic_templates": [{"text": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 8191}}}],
                    "properties": {
                        "@timestamp": {"type": "date"},
                        "created_at": {"type": "date"},
                        "timestamp": {"type": "date"},
                        // Whole policies and changed objects: their members must not become fields of the index.
                        "config_snapshot": {"type": flat},
                        "before": {"type": flat},
                        "after": {"type": flat},
                        "otel": {"properties": {"attributes": {"type": flat}, "resource": {"type": flat}}},
                    },
                },
            },
        });
        if self.is_data_stream {
            template["data_stream"] = json!({});
        }
        template
    }
}

async fn is_opensearch(endpoints: &Endpoints) -> Result<bool, Outcome> {
    let answer = endpoints.ask(Method::GET, "", None).await?;
    if !answer.status.is_success() {
        return Err(failed("GET /", answer.status.as_u16()));
    }
    let about: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    Ok(about["version"]["distribution"] == "opensearch")
}

async fn exists(endpoints: &Endpoints, path: &str) -> Result<bool, Outcome> {
    let answer = endpoints.ask(Method::GET, path, None).await?;
    match answer.status.as_u16() {
        200 => Ok(true),
        404 => Ok(false),
        status => Err(failed(&format!("GET {path}"), status)),
    }
}

async fn put(endpoints: &Endpoints, path: &str, body: &Value) -> Result<(), Outcome> {
    let answer = endpoints
        .ask(Method::PUT, path, Some(body.to_string()))
        .await?;
    match answer.status.as_u16() {
        // 409: another attempt was first.
        200 | 201 | 409 => Ok(()),
        status => Err(failed(&format!("PUT {path}"), status)),
    }
}

fn failed(request: &str, status: u16) -> Outcome {
    let why = format!("setup: {request}: HTTP {status}");
    match status {
        408 | 429 | 500..=599 => Outcome::Retry(After::Backoff, why),
        _ => Outcome::Hold(why),
    }
}
