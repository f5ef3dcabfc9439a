//! From a plan to its nodes, built and not started. What the plan leaves as it is, is taken over from the nodes that run:
//! the same objects.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sluice_component::{
    Batching, BuildContext, BuiltExporter, ComponentId, Extension, Kept, Receiver, Reserve, Stage,
};
use sluice_config::{Changes, Class, Component, Pipeline, Plan};
use sluice_ledger::{Ledger, Log};
use tokio_util::task::TaskTracker;

use crate::delivery::Destination;
use crate::graph::{Options, StartError};
use crate::health::Health;
use crate::pace::Pace;
use crate::path::Path;
use crate::sink::Sink;

/// How long an exporter that nobody told otherwise may wait for fuller batches while senders wait for it. Common
/// senders give up after five seconds, and then send duplicates.
const PATIENCE: Duration = Duration::from_secs(1);

/// One exporter at the end of one pipeline, with how that pipeline gathers records for it.
pub(crate) type End = (Arc<Destination>, Batching);

/// A pipeline with its exporters.
#[derive(Clone)]
pub(crate) struct Leg {
    pub(crate) path: Arc<Path>,
    pub(crate) ends: Vec<End>,
}

/// Everything that a plan describes, but for the receivers, which own what they are built from once they run.
#[derive(Default)]
pub(crate) struct Nodes {
    extensions: BTreeMap<ComponentId, Extension>,
    destinations: BTreeMap<ComponentId, Vec<Arc<Destination>>>,
    /// By pipeline, each with its component.
    stages: BTreeMap<String, Vec<(ComponentId, Stage)>>,
    pub(crate) legs: Vec<Leg>,
    /// The pipelines behind each receiver.
    pub(crate) behind: BTreeMap<ComponentId, Vec<Arc<Path>>>,
}

impl Nodes {
    pub(crate) fn destinations(&self) -> impl Iterator<Item = &Arc<Destination>> {
        self.destinations.values().flatten()
    }

    /// Stages that remember what was delivered, are not those of `before`, and know nothing yet.
    pub(crate) fn blank(&self, before: &Self) -> Vec<(Arc<str>, Arc<dyn Reserve>)> {
        let all = self.stages.iter().flat_map(|(pipeline, stages)| {
            let stages = stages.iter();
            stages.map(move |(id, stage)| (pipeline, id, stage))
        });
        all.filter_map(|(pipeline, id, stage)| {
            let Stage::Reserve(step) = stage else {
                return None;
            };
            let is_kept = matches!(
                before.stage(pipeline, id),
                Some(Stage::Reserve(known)) if Arc::ptr_eq(known, step)
            );
            (!is_kept && step.is_blank()).then(|| (pipeline.as_str().into(), step.clone()))
        })
        .collect()
    }

    fn stage(&self, pipeline: &str, id: &ComponentId) -> Option<&Stage> {
        let mut stages = self.stages.get(pipeline)?.iter();
        stages
            .find(|(known, _)| known == id)
            .map(|(_, stage)| stage)
    }

    fn leg(&self, pipeline: &str) -> Option<&Leg> {
        self.legs.iter().find(|leg| &*leg.path.name == pipeline)
    }
}

/// A receiver that is to run.
pub(crate) type Fresh = (ComponentId, Box<dyn Receiver>);

/// Puts a plan's nodes together.
pub(crate) struct Builder<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) changes: &'a Changes,
    pub(crate) before: &'a Nodes,
    pub(crate) ledger: Option<&'a Ledger>,
    pub(crate) options: Options,
    pub(crate) kept: &'a Arc<Kept>,
}

impl Builder<'_> {
    /// The nodes, and the receivers that differ from those that run.
    pub(crate) fn build(self, with_receivers: bool) -> Result<(Nodes, Vec<Fresh>), StartError> {
        let mut nodes = Nodes::default();
        let mut built = HashMap::new();
        let none = Arc::default();
        for id in &self.plan.service_extensions {
            let component = &self.plan.extensions[id];
            let extension = match self.before.extensions.get(id) {
                Some(extension) if self.changes.keeps(Class::Extension, id) => extension.clone(),
                _ => {
                    let context = self.context(id, "", &none);
                    let extension = component.config.build(&context);
                    extension.map_err(|why| failed(component, why))?
                }
            };
            built.insert(component.written.clone(), extension.clone());
            nodes.extensions.insert(id.clone(), extension);
        }
        let extensions = Arc::new(built);
        for pipeline in &self.plan.pipelines {
            for id in &pipeline.exporters {
                if !nodes.destinations.contains_key(id) {
                    let destinations = self.destinations(id, &extensions)?;
                    nodes.destinations.insert(id.clone(), destinations);
                }
            }
            let name = pipeline.id.to_string();
            let stages = self.stages(&name, pipeline, &extensions)?;
            nodes.stages.insert(name.clone(), stages);
            let leg = self.leg(&name, pipeline, &nodes);
            for id in pipeline.receivers.iter().filter(|_| with_receivers) {
                let behind = nodes.behind.entry(id.clone()).or_default();
                behind.push(leg.path.clone());
            }
            nodes.legs.push(leg);
        }
        let mut fresh = Vec::new();
        for id in nodes.behind.keys() {
            if self.changes.keeps(Class::Receiver, id) {
                continue;
            }
            let component = &self.plan.receivers[id];
            let receiver = component.config.build(&self.context(id, "", &extensions));
            fresh.push((id.clone(), receiver.map_err(|why| failed(component, why))?));
        }
        Ok((nodes, fresh))
    }

    fn context(
        &self,
        id: &ComponentId,
        pipeline: &str,
        extensions: &Arc<HashMap<String, Extension>>,
    ) -> BuildContext {
        BuildContext {
            id: id.clone(),
            pipeline: pipeline.to_owned(),
            extensions: extensions.clone(),
            kept: self.kept.clone(),
        }
    }

    fn destinations(
        &self,
        id: &ComponentId,
        extensions: &Arc<HashMap<String, Extension>>,
    ) -> Result<Vec<Arc<Destination>>, StartError> {
        let before = self.before.destinations.get(id);
        if let Some(same) = before.filter(|_| self.changes.keeps(Class::Exporter, id)) {
            return Ok(same.clone());
        }
        let component = &self.plan.exporters[id];
        let built = component.config.build(&self.context(id, "", extensions));
        let built = built.map_err(|why| failed(component, why))?;
        let destination = |exporter: BuiltExporter| {
            let name = if exporter.key.is_empty() {
                component.written.clone()
            } else {
                format!("{}[{}]", component.written, exporter.key)
            };
            let mut predecessors = before.into_iter().flatten();
            let predecessor = predecessors.find(|d| d.name == name);
            Arc::new(Destination {
                // Its counts go on.
                health: predecessor
                    .map_or_else(|| Arc::new(Health::default()), |d| d.health.clone()),
                pace: Arc::new(Pace::new(exporter.delivery.max_concurrency)),
                users: TaskTracker::new(),
                name,
                exporter: exporter.exporter,
                delivery: exporter.delivery,
            })
        };
        Ok(built.into_iter().map(destination).collect())
    }

    fn stages(
        &self,
        name: &str,
        pipeline: &Pipeline,
        extensions: &Arc<HashMap<String, Extension>>,
    ) -> Result<Vec<(ComponentId, Stage)>, StartError> {
        let stage = |id: &ComponentId| match self.before.stage(name, id) {
            Some(stage) if self.changes.keeps(Class::Processor, id) => {
                Ok((id.clone(), stage.clone()))
            }
            _ => {
                let component = &self.plan.processors[id];
                let built = component.config.build(&self.context(id, name, extensions));
                let built = built.map_err(|why| failed(component, why))?;
                Ok((id.clone(), built))
            }
        };
        pipeline.processors.iter().map(stage).collect()
    }

    fn leg(&self, name: &str, pipeline: &Pipeline, nodes: &Nodes) -> Leg {
        let stages = &nodes.stages[name];
        let default = stages.iter().find_map(|(_, stage)| match stage {
            Stage::Batching(batching) => Some(*batching),
            Stage::Transform(_) | Stage::Reserve(_) => None,
        });
        let ends: Vec<End> = pipeline
            .exporters
            .iter()
            .flat_map(|id| &nodes.destinations[id])
            .map(|destination| (destination.clone(), self.batching(destination, default)))
            .collect();
        let before = self.before.leg(name);
        if let Some(before) = before.filter(|b| self.is_same(name, pipeline, &b.ends, &ends)) {
            let path = before.path.clone();
            return Leg { path, ends };
        }
        let sink = match self.ledger {
            Some(ledger) => Sink::Ledger(ledger.clone()),
            None => Sink::Memory(Log::in_memory(self.options.log_bytes)),
        };
        let path = Arc::new(Path {
            name: name.into(),
            signal: pipeline.id.signal,
            stages: stages.iter().map(|(_, stage)| stage.clone()).collect(),
            sink,
        });
        Leg { path, ends }
    }

    /// Whether a pipeline does the same as before. One that ends in memory has a log for just its exporters.
    fn is_same(&self, name: &str, pipeline: &Pipeline, before: &[End], now: &[End]) -> bool {
        let were = self.before.stages.get(name).into_iter().flatten();
        let processors = &pipeline.processors;
        let has_same_stages = were.map(|(id, _)| id).eq(processors)
            && processors
                .iter()
                .all(|id| self.changes.keeps(Class::Processor, id));
        let is_same_end = |((a, x), (b, y)): (&End, &End)| Arc::ptr_eq(a, b) && x == y;
        let has_same_ends = before.len() == now.len() && before.iter().zip(now).all(is_same_end);
        has_same_stages && (self.ledger.is_some() || has_same_ends)
    }

    /// How a pipeline with this default gathers records for an exporter.
    fn batching(&self, destination: &Destination, default: Option<Batching>) -> Batching {
        let own = &destination.delivery;
        match default {
            Some(default) if !own.batching_is_explicit => Batching {
                max_bytes: own.batching.max_bytes,
                ..default
            },
            _ if own.batching_is_explicit || self.ledger.is_some() => own.batching,
            // Senders wait for delivery, so an exporter's own patience must not outlast theirs.
            _ => Batching {
                timeout: own.batching.timeout.map(|t| t.min(PATIENCE)),
                ..own.batching
            },
        }
    }
}

fn failed<C: ?Sized>(component: &Component<C>, why: sluice_component::BuildError) -> StartError {
    StartError {
        at: Some(component.at.clone()),
        component: component.written.clone(),
        why,
    }
}
