//! Mode `ecs`: a record in the words of the Elastic Common Schema, with the names that the OpenTelemetry Collector gives.
//!
//! Attributes of resource, scope and record become nested objects, renamed where ECS has another name; of two that want
//! the same place the record's wins. What the Collector drops is kept: a body that is no text goes into `message` as JSON,
//! an audit event's own object under `policy`.

mod tree;

use std::borrow::Cow;

use sluice_batch::{Attributes, Value};

use self::tree::Tree;
use super::document::{is_routing, iso};
use crate::audit::{AuditEvent, event_id};
use crate::json::{HexId, Object};
use crate::view::{View, text};

/// Resource attributes with another name in ECS.
const OF_RESOURCE: &[(&str, &str)] = &[
    ("cloud.platform", "cloud.service.name"),
    ("container.image.tags", "container.image.tag"),
    ("deployment.environment", "service.environment"),
    ("deployment.environment.name", "service.environment"),
    ("host.arch", "host.architecture"),
    ("host.name", "host.hostname"),
    ("k8s.cluster.name", "orchestrator.cluster.name"),
    ("k8s.container.name", "kubernetes.container.name"),
    ("k8s.cronjob.name", "kubernetes.cronjob.name"),
    ("k8s.daemonset.name", "kubernetes.daemonset.name"),
    ("k8s.deployment.name", "kubernetes.deployment.name"),
    ("k8s.job.name", "kubernetes.job.name"),
    ("k8s.namespace.name", "kubernetes.namespace"),
    ("k8s.node.name", "kubernetes.node.name"),
    ("k8s.pod.name", "kubernetes.pod.name"),
    ("k8s.pod.uid", "kubernetes.pod.uid"),
    ("k8s.replicaset.name", "kubernetes.replicaset.name"),
    ("k8s.statefulset.name", "kubernetes.statefulset.name"),
    ("os.description", "host.os.full"),
    ("os.name", "host.os.name"),
    ("os.type", "host.os.platform"),
    ("os.version", "host.os.version"),
    ("process.executable.path", "process.executable"),
    ("process.runtime.name", "service.runtime.name"),
    ("process.runtime.version", "service.runtime.version"),
    ("service.instance.id", "service.node.name"),
];
/// Record attributes with another name in ECS.
const OF_RECORD: &[(&str, &str)] = &[
    ("event.name", "event.action"),
    ("exception.escaped", "event.error.exception.handled"),
    ("exception.message", "error.message"),
    ("exception.stacktrace", "error.stacktrace"),
    ("exception.type", "error.type"),
];

/// Writes a record's members.
pub(super) fn write(record: View<'_>, time: u64, document: &mut Object<'_>) {
    let mut tree = Tree::default();
    let resource = record.resource();
    add(&mut tree, resource.attributes(), OF_RESOURCE);
    add(&mut tree, record.scope().attributes(), &[]);
    add(&mut tree, record.attributes(), OF_RECORD);

    let of_resource = |key| text(resource.get(key));
    if let Some(host) = resource.get("host.name") {
        tree.put("host.name", host);
    }
    tree.put_text("host.os.type", os_type(&of_resource).unwrap_or_default());
    tree.put_text("agent.name", &agent_name(&of_resource));
    let version =
        of_resource("telemetry.distro.version").or_else(|| of_resource("telemetry.sdk.version"));
    tree.put_text("agent.version", &version.unwrap_or_default());

    tree.put_text("@timestamp", &iso(time));
    tree.put_text("trace.id", HexId::of(record.trace_id()).as_str());
    tree.put_text("span.id", HexId::of(record.span_id()).as_str());
    tree.put_text("log.level", record.severity_text());
    if record.severity_number() != 0 {
        tree.put(
            "event.severity",
            Value::Int(record.severity_number().into()),
        );
    }
    tree.put_text("event.action", record.name());
    let audit = AuditEvent::of(record);
    if audit.is_some() {
        tree.put_text("event.id", &event_id(*record).unwrap_or_default());
    }
    match audit.and_then(|audit| Some((audit, audit.object?))) {
        Some((audit, object)) => {
            tree.put_text("message", &audit.message());
            tree.put_whole("policy", Value::Map(object));
        }
        None => tree.put_text("message", &record.body().to_text()),
    }
    tree.write(document);
}

fn add<'a>(tree: &mut Tree<'a>, attributes: Attributes<'a>, names: &[(&str, &'static str)]) {
    for (key, value) in attributes.iter().filter(|(key, _)| !is_routing(key)) {
        // These become `agent`.
        if names == OF_RESOURCE
            && (key.starts_with("telemetry.sdk.") || key.starts_with("telemetry.distro."))
        {
            continue;
        }
        let name = names.iter().find(|(otel, _)| *otel == key);
        tree.put(name.map_or(key, |(_, ecs)| *ecs), value);
    }
}

/// `opentelemetry/java/distribution`, as much of it as is known; `otlp` without a name.
fn agent_name<'a>(of_resource: &impl Fn(&'static str) -> Option<Cow<'a, str>>) -> String {
    let name = of_resource("telemetry.sdk.name").unwrap_or(Cow::Borrowed("otlp"));
    let language = of_resource("telemetry.sdk.language");
    match (language, of_resource("telemetry.distro.name")) {
        (language, Some(distro)) => {
            let language = language.unwrap_or(Cow::Borrowed("unknown"));
            format!("{name}/{language}/{distro}")
        }
        (Some(language), None) => format!("{name}/{language}"),
        (None, None) => name.into_owned(),
    }
}

/// ECS knows few systems by name.
fn os_type<'a>(
    of_resource: &impl Fn(&'static str) -> Option<Cow<'a, str>>,
) -> Option<&'static str> {
    match of_resource("os.name").as_deref() {
        Some("Android") => return Some("android"),
        Some("iOS") => return Some("ios"),
        _ => {}
    }
    match of_resource("os.type")?.as_ref() {
        "windows" => Some("windows"),
        "linux" => Some("linux"),
        "darwin" => Some("macos"),
        "aix" | "hpux" | "solaris" => Some("unix"),
        _ => None,
    }
}
