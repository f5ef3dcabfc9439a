//! Nothing that came from the environment or a file, and no literal secret, is ever shown.

use insta::assert_snapshot;

use super::fake::{errors, fixed, registry, source, with_exporter};
use crate::print;

const CANARY: &str = "canary-7f3a";

#[test]
fn no_message_holds_a_value_from_the_environment() {
    for block in [
        "    endpoint: ${env:C}\n    token: t",
        "    endpoint: http://h\n    token: [\"${env:C}\"]\n    port: ${env:C}",
        "    endpoint: http://h\n    token: t\n    port: ${env:C}",
        "    endpoint: http://h\n    token: t\n    timeout: ${env:C}",
        "    endpoint: http://h\n    token: t\n    timeout: \"1${env:C}\"",
        "    endpoint: http://h\n    token: t\n    verify: ${file:C}",
        "    endpoint: http://h\n    token: t\n    paths: ${env:C}",
        "    endpoint: http://h\n    token: t\n    headers: ${env:MAP}\n    port: a",
        "    ${env:C}: 1\n    token: t",
        "    endpoint: http://h\n    token: t\n    port: ${env:MAP}",
        "    endpoint: http://h\n    token: t\n    paths: [\"${env:${env:C}}\"]\n    x: 1",
        "    endpoint: ${file:${env:C}}\n    token: t",
    ] {
        let shown = errors(
            &with_exporter(block),
            &[("C", CANARY), ("MAP", "{canary-7f3a: {x: canary-7f3a}}")],
        );
        assert!(!shown.contains("canary"), "{block}\n{shown}");
    }
}

#[test]
fn a_literal_secret_on_a_shown_line_is_covered() {
    let shown = errors(
        &with_exporter("    {endpoint: http://h, token: canary-7f3a, prot: 1}"),
        &[],
    );
    assert!(!shown.contains("canary"), "{shown}");
    let shown = errors(
        &with_exporter("    endpoint: http://h\n    token: {a: canary-7f3a}"),
        &[],
    );
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn print_hides_by_type_by_name_and_by_origin() {
    let text = with_exporter(
        "    endpoint: https://user:canary-7f3a@h\n    token: canary-7f3a\n    key: canary-7f3a\n    index: ${env:INDEX}\n    port: ${env:PORT}\n    timeout: 5s\n    headers: {Authorization: canary-7f3a, X-Any: canary-7f3a}\n    paths: [a, '0123', \"${file:C}/x\", \"$$y\"]",
    );
    let shown = print(
        &source(&text),
        &registry(),
        &fixed(&[("INDEX", CANARY), ("C", CANARY)]),
    )
    .unwrap();
    assert!(!shown.contains("canary"), "{shown}");
    assert_snapshot!(shown, @r###"
    receivers:
      otlp: null
    exporters:
      splunk_hec:
        endpoint: https://user:***@h
        token: "***"
        key: "***"
        index: ${env:INDEX}
        port: null
        timeout: 5s
        headers:
          Authorization: "***"
          X-Any: "***"
        paths:
        - a
        - "0123"
        - ${file:C}/x
        - $y
    service:
      ledger: none
      pipelines:
        logs:
          receivers:
          - otlp
          exporters:
          - splunk_hec
    "###);
}
