//! Nothing that came from the environment or a file, and no literal secret, is ever shown.

use insta::assert_snapshot;

use super::fake::{errors, fixed, registry, source, with_exporter};
use crate::{Plan, Style, print};

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
fn no_finding_about_the_service_holds_what_a_reference_gave() {
    for service in [
        "ledger: ${file:C}none",
        "ledger: ${env:C}",
        "ledger: {fsync: \"${env:C}\"}",
        "admin: {endpoint: \"${env:C}:8687\"}",
        "admin: ${env:MAP}",
        "admin: {endpoint: ${env:MAP}}",
        "extensions: [\"${env:C}\"]",
        "extensions: ${env:C}",
        "drain_timeout: ${env:C}",
        "telemetry: {logs: {level: \"${env:C}\"}}",
    ] {
        let text = with_exporter("    endpoint: http://h\n    token: t").replace(
            "service:\n  ledger: none\n",
            &format!("service:\n  {service}\n"),
        );
        let values = [("C", CANARY), ("MAP", "{endpoint: canary-7f3a:8687}")];
        let shown = match Plan::read(&source(&text), &registry(), &fixed(&values)) {
            Ok(plan) => plan.warnings,
            Err(found) => found,
        }
        .render(Style::Plain);
        assert!(
            shown.contains("pipeline.yaml:"),
            "{service}: no finding\n{text}"
        );
        assert!(!shown.contains("canary"), "{service}\n{shown}");
    }
}

#[test]
fn a_reference_in_a_value_is_not_quoted_when_it_cannot_be_resolved() {
    for value in [
        "pa${canary-7f3a}ss",
        "pa${canary7:f3a}ss",
        "${canary7:f3a}",
        "${file:canary-7f3a}",
        "pa${file:canary-7f3a}ss",
        "pa${canary}ss",
        "pa${env:C}ss",
    ] {
        for block in [
            "token: ${env:C}",
            "token: x${file:C}",
            "token: \"${env:N:-${env:C}}\"",
        ] {
            let text = with_exporter(&format!("    endpoint: http://h\n    {block}"));
            let shown = errors(&text, &[("C", value)]);
            let shown = shown.replace(block, "");
            assert!(!shown.contains("canary"), "{block}, {value}\n{shown}");
        }
    }
}

#[test]
fn what_an_unknown_authenticator_is_called_is_not_shown_when_a_reference_says_it() {
    let text = with_exporter("    endpoint: http://h\n    token: t")
        .replace("{otlp: }", "{otlp: {auth: {authenticator: \"${env:C}\"}}}");
    let shown = errors(&text, &[("C", CANARY)]);
    assert!(shown.contains("is not in `service.extensions`"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn no_key_that_a_reference_brought_is_quoted_when_it_is_not_known() {
    let known = with_exporter("    endpoint: http://h\n    token: t");
    let (before, service) = known.split_once("service:\n").unwrap();
    let section = |name: &str| format!("{name}: ${{env:C}}\n");
    for text in [
        section(""),
        format!("{before}{}", section("service")),
        format!("receivers: ${{env:C}}\nservice:\n{service}"),
        format!("{known}processors: ${{env:C}}\n"),
        format!("{before}service: {{pipelines: \"${{env:C}}\"}}\n"),
        format!("{before}service: {{pipelines: {{logs: \"${{env:C}}\"}}}}\n"),
        "${env:C}\n".to_owned(),
    ] {
        for value in [
            "canary-7f3a: 1",
            "canary 7f3a: {a: b}",
            "canary/: {receivers: 1}",
        ] {
            let shown = errors(&text, &[("C", value)]);
            assert!(!shown.contains("canary"), "{text}\n{shown}");
        }
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

#[test]
fn what_an_unknown_key_holds_is_covered_and_not_printed() {
    for block in [
        "    {endpoint: http://h, tokn: canary-7f3a}",
        "    {endpoint: http://h, token: t, tokn: [canary-7f3a, {a: \"canary-7f3a\"}]}",
        "    {endpoint: http://h, token: t, key: canary-7f3a, prot: 1}",
        "    {endpoint: ftp, token: t, headers: {X-Any: canary-7f3a}}",
        "    {endpoint: \"ftp://h?api_key=canary-7f3a\", token: t}",
        "    {endpoint: \"ftp://u:canary-7f3a@h\", token: t}",
    ] {
        let text = with_exporter(block);
        let shown = errors(&text, &[]);
        assert!(!shown.contains("canary"), "{block}\n{shown}");
        assert!(shown.contains("endpoint:"), "places are shown: {shown}");
        let refused = print(&source(&text), &registry(), &fixed(&[])).unwrap_err();
        assert!(!refused.to_string().contains("canary"), "{refused}");
    }
    // A whole block or section that nobody knows.
    let text = with_exporter("    endpoint: http://h\n    token: t");
    for (from, to) in [
        (
            "receivers: {otlp: }",
            "receivers: {otlp: , otpl: {a: canary-7f3a}}",
        ),
        (
            "service:\n",
            "exportres: {splunk_hec: {x: canary-7f3a}}\nservice:\n",
        ),
    ] {
        let shown = errors(&text.replace(from, to), &[]);
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn print_hides_credentials_in_queries_and_what_no_component_knows() {
    let text = with_exporter(
        "    endpoint: http://h/x?api_key=canary-7f3a&page=2\n    token: t\n    paths: [\"h?sig=canary-7f3a\", \"h?token=${env:C}\"]",
    ) + "extensions: {zpages: {endpoint: canary-7f3a}}\n";
    let shown = print(&source(&text), &registry(), &fixed(&[("C", CANARY)])).unwrap();
    assert!(!shown.contains("canary"), "{shown}");
    for part in [
        "http://h/x?api_key=***&page=2",
        "h?sig=***",
        "h?token=${env:C}",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}
