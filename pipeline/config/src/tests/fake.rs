//! Components that only have configurations.

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::Deserialize;
use sluice_component::{
    BuildContext, BuildError, BuiltExporter, Checked, Claim, ExporterConfig, Extension,
    ExtensionConfig, HumanDuration, Problems, ProcessorConfig, Receiver, ReceiverConfig, Secret,
    Stage,
};

use crate::{
    Lookup, Plan, Registry, Signal, Source, Style, exporter, extension, processor, receiver,
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Inlet {
    pub(super) endpoint: String,
    pub(super) max_body: u64,
    pub(super) auth: Option<Auth>,
    pub(super) mode: Mode,
}

impl Default for Inlet {
    fn default() -> Self {
        Self {
            endpoint: "localhost:4317".into(),
            max_body: 1,
            auth: None,
            mode: Mode::Full,
        }
    }
}

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    #[default]
    Full,
    Short,
    Off,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Auth {
    pub(super) authenticator: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Judge {
    #[serde(default)]
    pub(super) rules: Vec<Rule>,
    #[serde(default)]
    pub(super) old: Option<bool>,
    #[serde(default)]
    pub(super) deep: Option<Deep>,
}

/// Both are needed, and only the check says so: of one where it stands, of the other where it is not.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Deep {
    pub(super) within: String,
    pub(super) beside: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    #[expect(dead_code, reason = "only its presence matters")]
    tag: String,
    pub(super) when: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Hec {
    pub(super) endpoint: String,
    pub(super) token: Secret,
    /// A secret whose name does not say so.
    #[expect(dead_code, reason = "only its schema matters")]
    key: Option<Secret>,
    #[serde(default)]
    pub(super) timeout: HumanDuration,
    #[serde(default)]
    pub(super) port: Option<u16>,
    #[serde(default)]
    pub(super) verify: Option<bool>,
    #[serde(default)]
    pub(super) index: String,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) paths: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Bridge {
    pub(super) destinations: Vec<Hec>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Bearer {
    #[expect(dead_code, reason = "only its presence matters")]
    token: Secret,
}

impl Checked for Inlet {
    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Listen(self.endpoint.clone())]
    }
    fn extensions(&self) -> Vec<String> {
        self.auth
            .iter()
            .map(|auth| auth.authenticator.clone())
            .collect()
    }
}
impl Checked for Judge {
    fn check(&self, problems: &mut Problems) {
        if self.old.is_some() {
            problems.at("old", |problems| {
                problems
                    .warning("is no longer needed")
                    .help("remove it")
                    .path
                    .len()
            });
        }
        if let Some(deep) = &self.deep {
            problems.at("deep", |problems| {
                if deep.beside.is_empty() {
                    problems.error("`beside` is missing");
                }
                if deep.within.is_empty() {
                    problems.at("within", |p| p.error("`` is nothing").path.len());
                }
            });
        }
        for (index, rule) in self.rules.iter().enumerate() {
            if let Some(at) = rule.when.find("===") {
                problems.at("rules", |p| {
                    p.at(index, |p| {
                        p.at("when", |p| {
                            p.error("`===` is no operator")
                                .offset(at)
                                .help("write `==`")
                                .path
                                .len()
                        })
                    })
                });
            }
        }
    }
}
impl Checked for Hec {
    fn check(&self, problems: &mut Problems) {
        if !self.endpoint.starts_with("http") {
            problems.at("endpoint", |problems| {
                problems
                    .error(format!("`{}` is no URL", self.endpoint))
                    .path
                    .len()
            });
        }
    }
    fn claims(&self) -> Vec<Claim> {
        self.paths
            .iter()
            .map(|path| Claim::Path(path.into()))
            .collect()
    }
}
impl Checked for Bridge {}
impl Checked for Bearer {}

fn never<T>() -> Result<T, BuildError> {
    Err(BuildError::new("only a configuration"))
}
impl ReceiverConfig for Inlet {
    fn build(&self, _: &BuildContext) -> Result<Box<dyn Receiver>, BuildError> {
        never()
    }
}
impl ProcessorConfig for Judge {
    fn build(&self, _: &BuildContext) -> Result<Stage, BuildError> {
        never()
    }
}
impl ExporterConfig for Hec {
    fn build(&self, _: &BuildContext) -> Result<Vec<BuiltExporter>, BuildError> {
        never()
    }
}
impl ExporterConfig for Bridge {
    fn build(&self, _: &BuildContext) -> Result<Vec<BuiltExporter>, BuildError> {
        never()
    }
}
impl ExtensionConfig for Bearer {
    fn build(&self, _: &BuildContext) -> Result<Extension, BuildError> {
        never()
    }
}

pub(super) fn registry() -> Registry {
    Registry {
        receivers: vec![
            receiver::<Inlet>("otlp"),
            receiver::<Inlet>("webhook").only(&[Signal::Logs]),
        ],
        processors: vec![processor::<Judge>("classification")],
        exporters: vec![
            exporter::<Hec>("splunk_hec"),
            exporter::<Hec>("otlp_http").also(&["otlphttp"]),
            exporter::<Bridge>("siem_bridge").with_bare_names(),
        ],
        extensions: vec![extension::<Bearer>("bearertokenauth")],
    }
}

/// Variables and files by name.
#[derive(Default)]
pub(super) struct Fixed(pub(super) HashMap<&'static str, &'static str>);

impl Lookup for Fixed {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| (*value).to_owned())
    }
    fn file(&self, path: &str) -> Result<String, String> {
        self.variable(path).ok_or_else(|| "no such file".to_owned())
    }
}

pub(super) fn fixed(values: &[(&'static str, &'static str)]) -> Fixed {
    Fixed(values.iter().copied().collect())
}

pub(super) fn source(text: &str) -> Source {
    Source::new("pipeline.yaml", text)
}

pub(super) fn plan(text: &str, values: &[(&'static str, &'static str)]) -> Plan {
    Plan::read(&source(text), &registry(), &fixed(values))
        .unwrap_or_else(|errors| panic!("{}", errors.render(Style::Plain)))
}

/// What a bad file is answered with.
pub(super) fn errors(text: &str, values: &[(&'static str, &'static str)]) -> String {
    match Plan::read(&source(text), &registry(), &fixed(values)) {
        Ok(plan) => panic!("no error; warnings: {}", plan.warnings),
        Err(errors) => errors.render(Style::Plain),
    }
}

/// A good file around one exporter block.
pub(super) fn with_exporter(block: &str) -> String {
    format!(
        "receivers: {{otlp: }}\nexporters:\n  splunk_hec:\n{block}\nservice:\n  ledger: none\n  pipelines:\n    logs: {{receivers: [otlp], exporters: [splunk_hec]}}\n"
    )
}
