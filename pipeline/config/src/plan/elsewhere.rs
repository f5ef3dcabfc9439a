//! The Collector's component types that a file may bring along and that are not here.

use crate::Class;

/// Extensions that Sluice has not and whose absence loses no record, with the reason: so that a Collector's file
/// starts as it is.
const DO_NOTHING: &[(&str, &str)] = &[
    (
        "health_check",
        "no health endpoint is served: watch the process, or the receivers' ports; it can stay",
    ),
    (
        "file_storage",
        "the ledger is the storage; it lies below this directory unless `service.ledger.directory` says another; it can stay",
    ),
    (
        "pprof",
        "it profiles Go programs, and this is none; it can stay",
    ),
    (
        "zpages",
        "no debug pages are served: `service.telemetry.logs.level: debug` says more; it can stay",
    ),
];

/// Old names of the Collector's components.
const RENAMED: &[(Class, &str, &str)] = &[(Class::Exporter, "logging", "debug")];

/// Why a component of this type is taken without effect. `None` for all that are not.
pub(crate) fn does_nothing(class: Class, id: &str) -> Option<&'static str> {
    let kind = id.split('/').next().unwrap_or_default();
    DO_NOTHING
        .iter()
        .find(|(name, _)| class == Class::Extension && *name == kind)
        .map(|(_, reason)| *reason)
}

/// What a type that went under `kind` is called today.
pub(super) fn renamed(class: Class, kind: &str) -> Option<&'static str> {
    RENAMED
        .iter()
        .find(|(of, old, _)| *of == class && *old == kind)
        .map(|(_, _, today)| *today)
}
