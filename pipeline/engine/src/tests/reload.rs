//! From one plan to the next, with components that a test can watch.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Deserialize;
use sluice_batch::{Batch, Value};
use sluice_component::{
    BoxError, BoxFuture, BuildContext, BuildError, BuiltExporter, Checked, Delivery,
    DeliveryConfig, Exporter, ExporterConfig, Outlet, ProcessorConfig, QueueConfig, Receiver,
    ReceiverConfig, RetryConfig, Stage, Transform, Undelivered,
};
use sluice_config::{Changes, Class, Fate, Lookup, Plan, Reason, Registry, Source};
use tokio_util::sync::CancellationToken;

use super::{batch, ids};
use crate::{Options, Running, StartError, start};

/// What the components of one test did, by their tags.
#[derive(Default)]
struct World {
    outlets: Mutex<HashMap<String, Outlet>>,
    /// Record ids with the mark that a processor left, in the order of delivery.
    delivered: Mutex<HashMap<String, Vec<(i64, i64)>>>,
    closed: Mutex<Vec<String>>,
    built: AtomicUsize,
    /// While true, exporters that are told to hang do.
    is_stuck: AtomicBool,
}

static WORLDS: LazyLock<Mutex<HashMap<String, Arc<World>>>> = LazyLock::new(Mutex::default);

fn world(name: &str) -> Arc<World> {
    WORLDS.lock().entry(name.to_owned()).or_default().clone()
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    world: String,
    tag: String,
    mark: i64,
    hangs: bool,
    is_broken: bool,
    reads: Option<PathBuf>,
    sending_queue: QueueConfig,
}

impl Checked for Config {
    fn files(&self) -> Vec<PathBuf> {
        self.reads.iter().cloned().collect()
    }
}

impl Config {
    fn build(&self) -> Result<Arc<World>, BuildError> {
        if self.is_broken {
            return Err(BuildError::new("the door is stuck"));
        }
        let world = world(&self.world);
        world.built.fetch_add(1, Ordering::Relaxed);
        Ok(world)
    }
}

struct Door(Arc<World>, String);

impl Receiver for Door {
    fn run(
        self: Box<Self>,
        outlet: Outlet,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<(), BoxError>> {
        self.0.outlets.lock().insert(self.1, outlet);
        Box::pin(async move {
            stop.cancelled().await;
            Ok(())
        })
    }
}

impl ReceiverConfig for Config {
    fn build(&self, _: &BuildContext) -> Result<Box<dyn Receiver>, BuildError> {
        Ok(Box::new(Door(self.build()?, self.tag.clone())))
    }
}

/// Writes its number on every record.
struct Mark(i64);

impl Transform for Mark {
    fn apply(&self, batch: &mut Batch) -> Result<(), Undelivered> {
        for i in 0..batch.len() {
            batch.record_mut(i).set("mark", Value::Int(self.0));
        }
        Ok(())
    }
}

impl ProcessorConfig for Config {
    fn build(&self, _: &BuildContext) -> Result<Stage, BuildError> {
        self.build()?;
        Ok(Stage::Transform(Arc::new(Mark(self.mark))))
    }
}

struct Sink {
    world: Arc<World>,
    tag: String,
    hangs: bool,
}

impl Exporter for Sink {
    async fn export(&self, batch: &Batch) -> Result<(), Undelivered> {
        if self.hangs && self.world.is_stuck.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        // Long enough for a reload to come in between.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let marks = batch.records().map(|r| match r.get("mark") {
            Some(Value::Int(mark)) => mark,
            _ => 0,
        });
        let taken: Vec<_> = ids(batch).into_iter().zip(marks).collect();
        let mut delivered = self.world.delivered.lock();
        delivered.entry(self.tag.clone()).or_default().extend(taken);
        Ok(())
    }

    async fn shutdown(&self) {
        self.world.closed.lock().push(self.tag.clone());
    }
}

impl ExporterConfig for Config {
    fn build(&self, _: &BuildContext) -> Result<Vec<BuiltExporter>, BuildError> {
        let sink = Sink {
            world: self.build()?,
            tag: self.tag.clone(),
            hangs: self.hangs,
        };
        let keys = DeliveryConfig {
            retry: &RetryConfig::default(),
            queue: &self.sending_queue,
            timeout: None,
        };
        Ok(vec![BuiltExporter {
            key: String::new(),
            exporter: Arc::new(sink),
            delivery: keys.delivery(Delivery::default()),
        }])
    }
}

struct Nothing;

impl Lookup for Nothing {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn file(&self, path: &str) -> Result<String, String> {
        Err(path.to_owned())
    }
}

/// A graph of one receiver `door` and the components that a test writes.
struct Rig {
    name: String,
    world: Arc<World>,
    ledger: String,
    running: Option<Running>,
    _directory: tempfile::TempDir,
}

impl Rig {
    /// `file` is everything but the world's name and `service`'s head; `W` stands for `world: …`.
    fn on_disk(name: &str, file: &str) -> Self {
        Self::new(name, file, true)
    }

    fn in_memory(name: &str, file: &str) -> Self {
        Self::new(name, file, false)
    }

    fn new(name: &str, file: &str, has_ledger: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ledger = if has_ledger {
            format!(
                "{{directory: {}, integrity: off}}",
                directory.path().display()
            )
        } else {
            "none".to_owned()
        };
        let mut rig = Self {
            name: name.to_owned(),
            world: world(name),
            ledger,
            running: None,
            _directory: directory,
        };
        let plan = rig.plan(file);
        rig.running = Some(start(plan, Options::default()).unwrap());
        rig
    }

    fn plan(&self, file: &str) -> Plan {
        let file = file.replace("{W,", &format!("{{world: {},", self.name));
        let text = format!(
            "{file}\n  drain_timeout: 200ms\n  ledger: {}\n",
            self.ledger
        );
        let registry = Registry {
            receivers: vec![sluice_config::receiver::<Config>("door")],
            processors: vec![sluice_config::processor::<Config>("mark")],
            exporters: vec![sluice_config::exporter::<Config>("sink")],
            extensions: vec![],
        };
        Plan::read(&Source::new("p.yaml", text), &registry, &Nothing)
            .unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn reload(&mut self, file: &str) -> Result<Changes, StartError> {
        let plan = self.plan(file);
        self.running.as_mut().unwrap().reload(plan)
    }

    fn outlet(&self) -> Outlet {
        self.world.outlets.lock()["door"].clone()
    }

    async fn send(&self, id: i64) {
        self.outlet().deliver(batch([id])).await.unwrap();
    }

    fn delivered(&self, tag: &str) -> Vec<i64> {
        let delivered = self.world.delivered.lock();
        let mut ids: Vec<i64> = delivered
            .get(tag)
            .into_iter()
            .flatten()
            .map(|(id, _)| *id)
            .collect();
        ids.sort_unstable();
        ids
    }

    /// Waits until an exporter was given exactly these.
    async fn has(&self, tag: &str, ids: impl IntoIterator<Item = i64>) {
        let wanted: Vec<i64> = ids.into_iter().collect();
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while self.delivered(tag).len() < wanted.len() {
            assert!(
                std::time::Instant::now() < deadline,
                "{tag} has {:?} and not {wanted:?}",
                self.delivered(tag)
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(self.delivered(tag), wanted, "{tag}");
    }

    async fn stop(mut self) {
        assert!(
            self.running
                .take()
                .unwrap()
                .drain(Duration::from_secs(5))
                .await
        );
    }
}

/// A sender that goes on until it is told to end, and fails if a request is not taken.
struct Load {
    is_over: Arc<AtomicBool>,
    sender: tokio::task::JoinHandle<i64>,
}

impl Load {
    /// Sends so many requests of one record at a time, the records numbered from 0.
    fn on(outlet: Outlet, at_once: i64) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = is_over.clone();
        let sender = tokio::spawn(async move {
            let mut id = 0;
            while !told.load(Ordering::Relaxed) {
                let requests = (0..at_once).map(|i| outlet.deliver(batch([id + i])));
                for answer in futures_util::future::join_all(requests).await {
                    answer.unwrap();
                }
                id += at_once;
            }
            id
        });
        Self { is_over, sender }
    }

    /// Ends it; says how many records it sent.
    async fn end(self) -> i64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.sender.await.unwrap()
    }
}

/// One pipeline with a processor of this mark and these exporters.
fn file(mark: i64, exporters: &[(&str, &str)]) -> String {
    let blocks: Vec<String> = exporters
        .iter()
        .map(|(name, keys)| format!("  sink/{name}: {{W, {keys}}}"))
        .collect();
    let names: Vec<String> = exporters
        .iter()
        .map(|(name, _)| format!("sink/{name}"))
        .collect();
    format!(
        "receivers:\n  door: {{W, tag: door}}\nprocessors:\n  mark: {{W, mark: {mark}}}\nexporters:\n{}\nservice:\n  pipelines:\n    logs: {{receivers: [door], processors: [mark], exporters: [{}]}}",
        blocks.join("\n"),
        names.join(", ")
    )
}

const A: (&str, &str) = ("a", "tag: a");
const B: (&str, &str) = ("b", "tag: b");

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_without_a_change_builds_nothing() {
    let mut rig = Rig::on_disk("unchanged", &file(1, &[A, B]));
    let built = rig.world.built.load(Ordering::Relaxed);
    let changes = rig.reload(&file(1, &[A, B])).unwrap();
    assert!(changes.is_empty(), "{changes:?}");
    assert_eq!(rig.world.built.load(Ordering::Relaxed), built);
    rig.send(1).await;
    rig.has("a", [1]).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_differs_is_built_anew() {
    let mut rig = Rig::on_disk("differs", &file(1, &[A, B]));
    let built = rig.world.built.load(Ordering::Relaxed);
    let changes = rig.reload(&file(2, &[A, B])).unwrap();
    assert_eq!(rig.world.built.load(Ordering::Relaxed), built + 1);
    let fates: Vec<_> = changes
        .components
        .iter()
        .map(|((class, id), fate)| (*class, id.to_string(), fate.clone()))
        .collect();
    assert_eq!(
        fates,
        [
            (Class::Receiver, "door".into(), Fate::Kept),
            (
                Class::Processor,
                "mark".into(),
                Fate::Changed(Reason::Settings)
            ),
            (Class::Exporter, "sink/a".into(), Fate::Kept),
            (Class::Exporter, "sink/b".into(), Fate::Kept),
        ]
    );
    assert_eq!(
        changes.pipelines["logs"],
        Fate::Changed(Reason::Processor("mark".into()))
    );
    rig.send(1).await;
    rig.has("b", [1]).await;
    assert_eq!(
        rig.world.delivered.lock()["b"],
        [(1, 2)],
        "by the new processor"
    );
    assert!(rig.world.closed.lock().is_empty());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_cannot_be_built_changes_nothing_and_says_where_it_fails() {
    let mut rig = Rig::on_disk("broken", &file(1, &[A]));
    let error = rig
        .reload(&file(2, &[A, ("b", "tag: b, is_broken: true")]))
        .unwrap_err();
    assert_eq!(error.to_string(), "p.yaml:7:3: sink/b: the door is stuck");
    rig.send(1).await;
    rig.has("a", [1]).await;
    assert_eq!(
        rig.world.delivered.lock()["a"],
        [(1, 1)],
        "by the old processor"
    );
    // And the next good one is taken.
    rig.reload(&file(3, &[A, B])).unwrap();
    rig.send(2).await;
    rig.has("b", [2]).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_no_reload_loses_or_doubles_a_record() {
    let mut rig = Rig::on_disk("load", &file(0, &[A, ("b", "tag: b, mark: 0")]));
    let load = Load::on(rig.outlet(), 8);
    for round in 1..=60 {
        // The processor each time, one exporter each time, the other never.
        let b = format!("tag: b, mark: {round}");
        rig.reload(&file(round, &[A, ("b", &b)])).unwrap();
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    let sent = load.end().await;
    assert!(sent > 40, "{sent}");
    rig.has("a", 0..sent).await;
    rig.has("b", 0..sent).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_ledger_an_ok_means_delivered_also_across_reloads() {
    let mut rig = Rig::in_memory("memory", &file(0, &[A]));
    let load = Load::on(rig.outlet(), 1);
    for round in 1..=40 {
        let exporters: &[_] = if round % 2 == 0 { &[A] } else { &[A, B] };
        rig.reload(&file(round, exporters)).unwrap();
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    let sent = load.end().await;
    rig.has("a", 0..sent).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exporter_that_is_removed_takes_what_was_accepted_and_goes_on_there_when_it_comes_back()
{
    let mut rig = Rig::on_disk("removed", &file(1, &[A, B]));
    for id in 0..50 {
        rig.send(id).await;
    }
    rig.reload(&file(1, &[A])).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while rig.delivered("b").len() < 50 {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for id in 50..60 {
        rig.send(id).await;
    }
    rig.has("a", 0..60).await;
    rig.reload(&file(1, &[A, B])).unwrap();
    rig.has("b", 0..60).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exporter_that_is_added_begins_now_or_with_the_oldest_record() {
    let mut rig = Rig::on_disk("added", &file(1, &[A]));
    for id in 0..5 {
        rig.send(id).await;
    }
    let all = ("all", "tag: all, sending_queue: {start_at: beginning}");
    rig.reload(&file(1, &[A, B, all])).unwrap();
    for id in 5..8 {
        rig.send(id).await;
    }
    rig.has("all", 0..8).await;
    rig.has("b", 5..8).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exporter_that_hangs_is_replaced_when_its_time_is_over() {
    let hung = ("b", "tag: b, hangs: true");
    let mut rig = Rig::on_disk("hung", &file(1, &[A, hung]));
    rig.world.is_stuck.store(true, Ordering::Relaxed);
    for id in 0..3 {
        rig.send(id).await;
    }
    rig.reload(&file(1, &[A, B])).unwrap();
    rig.send(3).await;
    rig.has("b", 0..4).await;
    rig.has("a", 0..4).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exporter_that_was_replaced_is_closed_once_nobody_uses_it() {
    let mut rig = Rig::on_disk("closed", &file(1, &[("b", "tag: old")]));
    rig.send(1).await;
    rig.has("old", [1]).await;
    rig.reload(&file(1, &[("b", "tag: new")])).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while rig.world.closed.lock().is_empty() {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(*rig.world.closed.lock(), ["old"]);
    rig.send(2).await;
    rig.has("new", [2]).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_a_component_reads_makes_it_another_one_when_it_changes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("certificate.pem");
    std::fs::write(&path, "old").unwrap();
    let reads = format!("tag: b, reads: {}", path.display());
    let exporters = [A, ("b", reads.as_str())];
    let mut rig = Rig::on_disk("files", &file(1, &exporters));
    assert!(rig.reload(&file(1, &exporters)).unwrap().is_empty());
    std::fs::write(&path, "new").unwrap();
    let changes = rig.reload(&file(1, &exporters)).unwrap();
    let changed: Vec<_> = changes
        .components
        .values()
        .filter(|fate| **fate != Fate::Kept)
        .collect();
    assert_eq!(changed, [&Fate::Changed(Reason::File(path))]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_ledger_is_refused_and_nothing_changes() {
    let mut rig = Rig::on_disk("ledger", &file(1, &[A]));
    // How much may be kept is another matter.
    let before = rig.ledger.clone();
    rig.ledger = before.replace('{', "{max_bytes: 1GiB, ");
    assert!(rig.reload(&file(1, &[A])).unwrap().ledger);
    let ledger = rig.running.as_ref().unwrap().control();
    assert_eq!(ledger.ledger().unwrap().max_bytes(), 1 << 30);
    rig.ledger = "none".into();
    let error = rig.reload(&file(2, &[A])).unwrap_err();
    assert!(error.to_string().contains("restart"), "{error}");
    rig.ledger = before;
    rig.send(1).await;
    rig.has("a", [1]).await;
    assert_eq!(rig.world.delivered.lock()["a"], [(1, 1)]);
    rig.stop().await;
}
