//! Every component of the program. The only place that names them all.

use sluice_config::{Registry, Signal, exporter, extension, processor, receiver};

const LOGS: &[Signal] = &[Signal::Logs];

/// What a file can use. A new component is one line here.
pub(crate) fn registry() -> Registry {
    Registry {
        receivers: vec![
            receiver::<receiver_otlp::Config>("otlp"),
            receiver::<receiver_webhook::Config>("webhook").only(LOGS),
            receiver::<receiver_webhook::webhookevent::Config>("webhookevent").only(LOGS),
        ],
        processors: vec![
            processor::<processor_attributes::Config>("attributes"),
            processor::<processor_batch::Config>("batch"),
            processor::<processor_classification::Config>("classification"),
            processor::<processor_dedupe::Config>("dedupe"),
            processor::<processor_memory_limiter::Config>("memory_limiter"),
            processor::<processor_redaction::Config>("redaction"),
            processor::<processor_attributes::resource::Config>("resource"),
        ],
        exporters: vec![
            exporter::<exporter_bridge::datadog::Config>("datadog").only(LOGS),
            exporter::<exporter_debug::Config>("debug"),
            exporter::<exporter_bridge::elasticsearch::Config>("elasticsearch").only(LOGS),
            exporter::<exporter_file::Config>("file"),
            exporter::<exporter_otlp::grpc::Config>("otlp_grpc").also(&["otlp"]),
            exporter::<exporter_otlp::http::Config>("otlp_http").also(&["otlphttp"]),
            exporter::<exporter_bridge::siem_bridge::Config>("siem_bridge")
                .only(LOGS)
                .with_bare_names(),
            exporter::<exporter_bridge::splunk_hec::Config>("splunk_hec").only(LOGS),
        ],
        extensions: vec![
            extension::<sluice_net::BasicConfig>("basicauth"),
            extension::<sluice_net::BearerConfig>("bearertokenauth"),
        ],
    }
}
