//! What a reader sees: whole messages, as snapshots.

use insta::assert_snapshot;

use super::fake::{errors, plan, with_exporter};
use crate::Style;

#[test]
fn a_syntax_error_names_its_place() {
    assert_snapshot!(errors("receivers:\n  otlp: {endpoint: [\nservice:\n", &[]), @r###"
    error: not valid YAML: unclosed bracket '['
     --> pipeline.yaml:2:20
      |
    2 |   otlp: {endpoint: [
      |                    ^
    "###);
}

#[test]
fn a_tab_is_called_a_tab() {
    assert_snapshot!(errors("receivers:\n\totlp:\n", &[]), @r###"
    error: not valid YAML: tabs disallowed within this context (block indentation)
     --> pipeline.yaml:2:2
      |
    2 |     otlp:
      |     ^
      |
      = help: YAML is indented with spaces: replace the tab
    "###);
}

#[test]
fn a_reference_that_must_be_quoted_says_so() {
    assert_snapshot!(errors("receivers: {otlp: {endpoint: ${env:HOST}}}\n", &[]), @r###"
    error: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'
     --> pipeline.yaml:1:31
      |
    1 | receivers: {otlp: {endpoint: ${env:HOST}}}
      |                               ^
      |
      = help: between `{…}` or `[…]`, write references in quotes: `"${env:NAME}"`
    "###);
}

#[test]
fn an_unknown_key_gets_a_suggestion() {
    assert_snapshot!(errors(&with_exporter("    endpoint: http://h\n    tokn: abcdef"), &[]), @r###"
    error: unknown key `tokn` in `exporters.splunk_hec`
     --> pipeline.yaml:5:5
      |
    5 |     tokn: abcdef
      |     ^^^^
      |
      = help: did you mean `token`?
    "###);
}

#[test]
fn an_unknown_key_like_no_other_gets_the_list() {
    assert_snapshot!(errors(&with_exporter("    endpoint: http://h\n    token: t\n    colour: blue"), &[]), @r###"
    error: unknown key `colour` in `exporters.splunk_hec`
     --> pipeline.yaml:6:5
      |
    6 |     colour: blue
      |     ^^^^^^
      |
      = help: known keys: `endpoint`, `token`, `key`, `timeout`, `port`, `verify`, `index`, `headers`, `paths`
    "###);
}

#[test]
fn a_missing_key_points_at_the_component() {
    assert_snapshot!(errors(&with_exporter("    endpoint: http://h"), &[]), @r###"
    error: `exporters.splunk_hec` needs the key `token`
     --> pipeline.yaml:3:3
      |
    3 |   splunk_hec:
      |   ^^^^^^^^^^
    "###);
}

#[test]
fn a_wrong_type_shows_what_stands_there() {
    assert_snapshot!(errors(&with_exporter("    endpoint: http://h\n    token: t\n    port: many\n"), &[]), @r###"
    error: `exporters.splunk_hec.port`: expected a whole number from 0 to 65535, found the text `many`
     --> pipeline.yaml:6:11
      |
    6 |     port: many
      |           ^^^^
    "###);
    assert_snapshot!(errors(&with_exporter("    endpoint: http://h\n    token: t\n    port: 70000\n"), &[]), @r###"
    error: `exporters.splunk_hec.port`: expected a whole number from 0 to 65535, found the number `70000`
     --> pipeline.yaml:6:11
      |
    6 |     port: 70000
      |           ^^^^^
    "###);
    assert_snapshot!(errors(&with_exporter("    endpoint: http://h\n    token: t\n    paths: /a\n"), &[]), @r###"
    error: `exporters.splunk_hec.paths`: expected a list, found the text `/a`
     --> pipeline.yaml:6:12
      |
    6 |     paths: /a
      |            ^^
      |
      = help: write a list: `[a, b]`, or one `- item` a line
    "###);
    assert_snapshot!(errors(&with_exporter("    endpoint: http://h\n    token: t\n    headers: {a: [b]}\n"), &[]), @r###"
    error: `exporters.splunk_hec.headers.a`: expected text, found a list
     --> pipeline.yaml:6:15
      |
    6 |     headers: *** ****
      |               ^
    "###);
    assert_snapshot!(errors(&with_exporter("    endpoint: http://h\n    token: t\n    timeout: 5 parsecs\n"), &[]), @r###"
    error: `exporters.splunk_hec.timeout`: invalid duration `5 parsecs`: write a number with a unit, such as `200ms`, `5s` or `1h30m`
     --> pipeline.yaml:6:14
      |
    6 |     timeout: 5 parsecs
      |              ^^^^^^^^^
    "###);
    assert_snapshot!(errors(&with_exporter("    endpoint: http://h\n    token: t\n    verify: yes\n"), &[]), @r###"
    error: `exporters.splunk_hec.verify`: expected `true` or `false`, found the text `yes`
     --> pipeline.yaml:6:13
      |
    6 |     verify: yes
      |             ^^^
    "###);
}

#[test]
fn an_unknown_name_gets_a_suggestion() {
    let text = with_exporter("    endpoint: http://h\n    token: t")
        .replace("{otlp: }", "{otlp: {mode: shrot}}");
    assert_snapshot!(errors(&text, &[]), @r###"
    error: `receivers.otlp.mode`: `shrot` is not known
     --> pipeline.yaml:1:26
      |
    1 | receivers: {otlp: {mode: shrot}}
      |                          ^^^^^
      |
      = help: did you mean `short`?
    "###);
}

#[test]
fn an_unknown_type_gets_a_suggestion() {
    let text = with_exporter("    endpoint: http://h\n    token: t")
        .replace("  splunk_hec:", "  splunkhec:");
    assert_snapshot!(errors(&text, &[]), @r###"
    error: unknown exporter type `splunkhec`
     --> pipeline.yaml:3:3
      |
    3 |   splunkhec:
      |   ^^^^^^^^^
      |
      = help: did you mean `splunk_hec`?

    error: exporter `splunk_hec` is not defined in `exporters`
     --> pipeline.yaml:9:43
      |
    9 |     logs: {receivers: [otlp], exporters: [splunk_hec]}
      |                                           ^^^^^^^^^^
    "###);
}

#[test]
fn an_unknown_id_in_a_pipeline_gets_a_suggestion() {
    let text = with_exporter("    endpoint: http://h\n    token: t")
        .replace("exporters: [splunk_hec]", "exporters: [splunk_hec/main]");
    assert_snapshot!(errors(&text, &[]), @r###"
    warning: exporter `splunk_hec` is not in a pipeline, so it does not run
     --> pipeline.yaml:3:3
      |
    3 |   splunk_hec:
      |   ^^^^^^^^^^
      |
      = help: name it in one, or remove it

    error: exporter `splunk_hec/main` is not defined in `exporters`
     --> pipeline.yaml:9:43
      |
    9 |     logs: {receivers: [otlp], exporters: [splunk_hec/main]}
      |                                           ^^^^^^^^^^^^^^^
      |
      = help: defined are: `splunk_hec`
    "###);
}

#[test]
fn a_duplicate_key_shows_both() {
    let text =
        with_exporter("    endpoint: http://h\n    token: t\n  splunk_hec:\n    token: hunter2");
    assert_snapshot!(errors(&text, &[]), @r###"
    error: the key `splunk_hec` stands twice in one mapping
     --> pipeline.yaml:6:3
      |
    3 |   splunk_hec:
      |   ---------- first here
    ...
    6 |   splunk_hec:
      |   ^^^^^^^^^^
      |
      = help: remove one, or give components of one type a name: `type/name`
    "###);
}

#[test]
fn a_port_claimed_twice_shows_both() {
    let text = with_exporter("    endpoint: http://h\n    token: t")
        .replace(
            "receivers: {otlp: }",
            "receivers:\n  otlp:\n  webhook:\n    endpoint: 127.0.0.1:4317",
        )
        .replace("[otlp]", "[otlp, webhook]");
    assert_snapshot!(errors(&text, &[]), @r###"
    error: the address `127.0.0.1:4317` is claimed by receiver `otlp` and by receiver `webhook`
     --> pipeline.yaml:4:15
      |
    2 |   otlp:
      |   ---- first here
    3 |   webhook:
    4 |     endpoint: 127.0.0.1:4317
      |               ^^^^^^^^^^^^^^
    "###);
}

#[test]
fn an_unset_variable_is_an_error_where_a_value_is_needed() {
    assert_snapshot!(errors(&with_exporter("    endpoint: http://h\n    token: ${env:HEC_TOKEN}"), &[]), @r###"
    error: the environment variable `HEC_TOKEN` is not set, and `exporters.splunk_hec.token` needs a value
     --> pipeline.yaml:5:12
      |
    5 |     token: ${env:HEC_TOKEN}
      |            ^^^^^^^^^^^^^^^^
      |
      = help: set it, or give a default: `${env:HEC_TOKEN:-…}`
    "###);
}

#[test]
fn an_unset_variable_inside_text_is_an_error() {
    assert_snapshot!(errors(&with_exporter("    endpoint: http://${HOST}:8088\n    token: t"), &[]), @r###"
    error: the environment variable `HOST` is not set, and the text around it needs it
     --> pipeline.yaml:4:15
      |
    4 |     endpoint: http://${HOST}:8088
      |               ^^^^^^^^^^^^^^^^^^^
      |
      = help: set it, or give it a default: `${env:HOST:-}` for none
    "###);
}

#[test]
fn an_unset_variable_for_an_optional_key_is_a_warning() {
    let plan = plan(
        &with_exporter("    endpoint: http://h\n    token: t\n    port: ${env:PORT}"),
        &[],
    );
    assert_snapshot!(plan.warnings.render(Style::Plain), @r###"
    warning: the environment variable `PORT` is not set; this is left out
     --> pipeline.yaml:6:11
      |
    6 |     port: ${env:PORT}
      |           ^^^^^^^^^^^
      |
      = help: set it, or give a default: `${env:PORT:-…}`
    "###);
}

#[test]
fn a_problem_inside_a_scalar_has_its_column() {
    let text = with_exporter("    endpoint: http://h\n    token: t").replace(
        "exporters:\n  splunk_hec:",
        r#"processors:
  classification:
    rules:
      - {tag: a, when: body === 1}
      - {tag: b, when: 'it''s === 1'}
      - {tag: c, when: "attributes[\"é\"] === 1"}
      - tag: d
        when: |
          a and
            b === 1
exporters:
  splunk_hec:"#,
    );
    assert_snapshot!(errors(&text.replace("receivers: [otlp]", "receivers: [otlp], processors: [classification]"), &[]), @r###"
    error: `processors.classification.rules[0].when`: `===` is no operator
     --> pipeline.yaml:5:29
      |
    5 |       - {tag: a, when: body === 1}
      |                             ^
      |
      = help: write `==`

    error: `processors.classification.rules[1].when`: `===` is no operator
     --> pipeline.yaml:6:31
      |
    6 |       - {tag: b, when: 'it''s === 1'}
      |                               ^
      |
      = help: write `==`

    error: `processors.classification.rules[2].when`: `===` is no operator
     --> pipeline.yaml:7:43
      |
    7 |       - {tag: c, when: "attributes[\"é\"] === 1"}
      |                                           ^
      |
      = help: write `==`

    error: `processors.classification.rules[3].when`: `===` is no operator
      --> pipeline.yaml:11:15
       |
    11 |             b === 1
       |               ^
       |
       = help: write `==`
    "###);
}

#[test]
fn everything_wrong_is_said_at_once_in_the_order_of_the_file() {
    let text = r"
receivers:
  otlp:
    max_body: lots
  webhook:
    auth: {authenticator: bearertokenauth}
  9lives:
exporters:
  splunk_hec:
    endpoint: ftp.example
    tokens: x
  otlphttp: {endpoint: gopher, token: $TOKEN}
connectors:
  count:
servce:
service:
  ledger: {directory: /var/lib/sluice}
  pipelines:
    logs: {receivers: [otlp, otlp], exporters: [otlp_http, nowhere]}
    logs/empty: {receivers: [], exporters: }
    traces: {receivers: [webhook], exporters: [otlphttp]}
    sounds: {receivers: [otlp], exporters: [otlphttp], procesors: []}
";
    let found = crate::Plan::read(
        &super::fake::source(text),
        &super::fake::registry(),
        &super::fake::fixed(&[]),
    )
    .unwrap_err();
    assert_snapshot!(found.to_string(), @r###"
    pipeline.yaml:4:15: error: `receivers.otlp.max_body`: expected a whole number, 0 or more, found the text `lots`
    pipeline.yaml:6:27: error: extension `bearertokenauth` is not in `service.extensions` (define it under `extensions` and add it to `service.extensions`)
    pipeline.yaml:7:3: error: `9lives` is not a component id: a type starts with a letter and has at most 63 letters, digits and `_`
    pipeline.yaml:9:3: warning: exporter `splunk_hec` is not in a pipeline, so it does not run (name it in one, or remove it)
    pipeline.yaml:11:5: error: unknown key `tokens` in `exporters.splunk_hec` (did you mean `token`?)
    pipeline.yaml:12:24: error: `exporters.otlphttp.endpoint`: `gopher` is no URL
    pipeline.yaml:13:1: error: connectors are not supported yet (give each pipeline its receivers and exporters, and remove this section)
    pipeline.yaml:15:1: error: unknown section `servce` (did you mean `service`?)
    pipeline.yaml:17:3: error: the durable log is not in this version: only `ledger: none` works (write `ledger: none`: a sender then gets its OK when every exporter has delivered)
    pipeline.yaml:19:30: error: receiver `otlp` stands twice in pipeline `logs`
    pipeline.yaml:19:60: error: exporter `nowhere` is not defined in `exporters` (defined are: `otlphttp`, `splunk_hec`)
    pipeline.yaml:20:18: error: pipeline `logs/empty` has no receiver (name at least one: `receivers: [id]`)
    pipeline.yaml:20:33: error: pipeline `logs/empty` has no exporter (name at least one: `exporters: [id]`)
    pipeline.yaml:21:26: error: receiver `webhook` does not handle traces (it handles logs)
    pipeline.yaml:22:5: error: `sounds` is not a pipeline id: it starts with a signal (signals: `logs`, `traces`, `metrics`)
    pipeline.yaml:22:56: error: unknown key `procesors` in `service.pipelines.sounds` (did you mean `processors`?)
    "###);
}

#[test]
fn an_empty_file_says_what_belongs_in_it() {
    assert_snapshot!(errors("", &[]), @r###"
    error: the file is empty
     --> pipeline.yaml:1:1
      |
    1 |
      | ^
      |
      = help: write `receivers`, `exporters` and `service.pipelines`
    "###);
    assert_snapshot!(errors("- a\n", &[]), @r###"
    error: the file must be a mapping of sections
     --> pipeline.yaml:1:1
      |
    1 | - a
      | ^^^
      |
      = help: sections: receivers, processors, exporters, extensions, service, connectors
    "###);
}
