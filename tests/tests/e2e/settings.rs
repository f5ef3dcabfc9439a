//! Pipeline files, put together from blocks.

use std::fmt::Write as _;

use sluice_testing::{datadog, elastic, splunk};

/// The secret of `webhook/policy`.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Both doors of OTLP, and a signed and an open webhook.
pub(crate) const RECEIVERS: &str = "\
receivers:
  otlp:
    protocols:
      grpc: {endpoint: '127.0.0.1:0'}
      http: {endpoint: '127.0.0.1:0'}
  webhook/policy:
    endpoint: 127.0.0.1:0
    path: /policy
    format: policy_gateway
    verify: {scheme: standard_webhooks, secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}
  webhook/open:
    endpoint: 127.0.0.1:0
    format: policy_gateway
  webhook/keeptrusts:
    endpoint: 127.0.0.1:0
    format: keeptrusts
    verify: {scheme: header, header: {name: Authorization, value: Splunk kt-secret}}
";

/// Redaction, tags and dedupe as in the main job.
pub(crate) const PROCESSORS: &str = "\
processors:
  redaction:
    detectors: [all]
    action: mask
  classification:
    default: internal
    rules:
      - {tag: confidential, when: 'body[\"decision\"] == \"refuse\"'}
      - {tag: restricted, detectors: [all]}
  dedupe:
    window: 1h
";

/// Shared by all exporters of these tests: destinations that recover are tried again at once.
pub(crate) const IMPATIENT: &str =
    "retry_on_failure: {initial_interval: 20ms, max_interval: 100ms}";

/// A pipeline file: `exporters` is one block an exporter, `  id: {…}` or `  id:` with an indented body.
pub(crate) fn file(processors: &[&str], exporters: &[String]) -> String {
    let mut file = format!("{RECEIVERS}{PROCESSORS}exporters:\n");
    let mut ids = Vec::new();
    for block in exporters {
        let (id, _) = block
            .trim_start()
            .split_once(':')
            .expect("a block begins with its id");
        ids.push(id);
        let _ = writeln!(file, "{block}");
    }
    let _ = writeln!(
        file,
        "service:\n  ledger: none\n  pipelines:\n    logs:\n      receivers: [otlp, webhook/policy, webhook/open, webhook/keeptrusts]\n      processors: [{}]\n      exporters: [{}]",
        processors.join(", "),
        ids.join(", ")
    );
    file
}

/// The same file with the ledger on: `block` is what stands behind `ledger:`.
pub(crate) fn with_ledger(file: &str, block: &str) -> String {
    let with = file.replace("  ledger: none\n", &format!("  ledger: {block}\n"));
    assert_ne!(with, file, "a file of ours says `ledger: none`");
    with
}

/// `splunk_hec` with the names of the vendor's sample, and further keys.
pub(crate) fn splunk(url: &str, more: &str) -> String {
    let token = splunk::TOKEN;
    format!(
        "  splunk_hec: {{endpoint: '{url}', token: {token}, index: ai_audit, sourcetype: policy_gateway_audit, {IMPATIENT}{more}}}"
    )
}

/// `datadog` with the names of the vendor's sample.
pub(crate) fn datadog(url: &str) -> String {
    let key = datadog::API_KEY;
    format!(
        "  datadog: {{api: {{key: '{key}'}}, logs: {{endpoint: '{url}'}}, service: policy-gateway, ddsource: policy-gateway, tags: ['env:prod', 'team:platform'], {IMPATIENT}}}"
    )
}

/// `elasticsearch` into a data stream.
pub(crate) fn elastic(url: &str) -> String {
    format!(
        "  elasticsearch: {{endpoint: '{url}', logs_index: logs-policy_gateway.audit-prod, {IMPATIENT}}}"
    )
}

/// `otlp_http` to a double.
pub(crate) fn otlp_http(url: &str) -> String {
    format!("  otlp_http: {{endpoint: '{url}', {IMPATIENT}}}")
}

/// `siem_bridge` with the destinations in the vendors' own words, tokens as `$NAME`.
pub(crate) fn siem_bridge(
    splunk: &splunk::Double,
    datadog: &datadog::Double,
    elastic: &elastic::Double,
) -> String {
    format!(
        "  siem_bridge:
    {IMPATIENT}
    # The vendors' 5 seconds are too long for a test.
    sending_queue: {{batch: {{flush_timeout: 10ms}}}}
    destinations:
      - destination: splunk_hec
        endpoint: {splunk}
        token: $SPLUNK_HEC_TOKEN
        index: ai_audit
        sourcetype: policy_gateway_audit
      - destination: datadog_logs
        endpoint: {datadog}
        api_key: $DD_API_KEY
        service: policy-gateway
        ddsource: policy-gateway
        tags: ['env:prod', 'team:platform']
      - destination: elastic
        endpoint: {elastic}
        index: logs-policy_gateway.audit-prod",
        splunk = splunk.url("/services/collector"),
        datadog = datadog.url("/api/v2/logs"),
        elastic = elastic.url(""),
    )
}

/// The environment of [`siem_bridge`].
pub(crate) const SIEM_TOKENS: [(&str, &str); 2] = [
    ("SPLUNK_HEC_TOKEN", splunk::TOKEN),
    ("DD_API_KEY", datadog::API_KEY),
];
