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
    5 |     tokn: ******
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
    6 |     colour: ****
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
      |
      = help: each needs a port of its own
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
  otlphttp: {endpoint: gopher, token: t}
connectors:
  count:
servce:
service:
  ledger: {directory: /var/lib/sluice, fsnyc: always}
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
    pipeline.yaml:17:40: error: unknown key `fsnyc` in `service.ledger` (did you mean `fsync`?)
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

#[test]
fn a_bare_name_as_a_secret_is_an_error_that_says_what_to_write() {
    assert_snapshot!(errors(&with_exporter("    endpoint: http://h\n    token: \"$KT_SECRET\"\n    key: $KEY\n    headers: {X-Any: $H}"), &[]), @r###"
    error: `exporters.splunk_hec.token`: the text `$KT_SECRET` itself would be the secret: it is no reference
     --> pipeline.yaml:5:12
      |
    5 |     token: "$KT_SECRET"
      |            ^^^^^^^^^^^^
      |
      = help: write `${env:KT_SECRET}`

    error: `exporters.splunk_hec.key`: the text `$KEY` itself would be the secret: it is no reference
     --> pipeline.yaml:6:10
      |
    6 |     key: $KEY
      |          ^^^^
      |
      = help: write `${env:KEY}`

    error: `exporters.splunk_hec.headers.X-Any`: the text `$H` itself would be the secret: it is no reference
     --> pipeline.yaml:7:22
      |
    7 |     headers: ******* ***
      |                      ^^
      |
      = help: write `${env:H}`
    "###);
}

#[test]
fn a_bare_name_elsewhere_is_a_warning_and_an_escaped_one_is_text() {
    let with = |index: &str| {
        plan(
            &with_exporter(&format!(
                "    endpoint: http://h\n    token: t\n    index: {index}"
            )),
            &[("INDEX", "x")],
        )
        .warnings
        .to_string()
    };
    assert_snapshot!(with("$INDEX"), @"pipeline.yaml:6:12: warning: `exporters.splunk_hec.index`: `$INDEX` is taken as text: it is no reference (write `${env:INDEX}`, or `$$INDEX` for the text)");
    for text in ["$$INDEX", "${INDEX}", "$index", "a$INDEX", "$1", "$"] {
        assert_eq!(with(text), "", "{text}");
    }
}

#[test]
fn an_unset_variable_is_one_error_however_its_lack_shows() {
    let one_line = |text: &str| {
        crate::Plan::read(
            &super::fake::source(text),
            &super::fake::registry(),
            &super::fake::fixed(&[]),
        )
        .unwrap_err()
        .to_string()
    };
    // The component would say that the empty text is no URL.
    assert_snapshot!(one_line(&with_exporter("    endpoint: \"${env:NOPE}\"\n    token: t")), @"pipeline.yaml:4:15: error: the environment variable `NOPE` is not set, and `exporters.splunk_hec.endpoint` needs a value (set it, or give a default: `${env:NOPE:-…}`)");
    // The component says so of the field itself, and of the mapping that lacks it.
    let judge = |rule: &str| {
        with_exporter("    endpoint: http://h\n    token: t")
            .replace(
                "exporters:\n",
                &format!("processors: {{classification: {{{rule}}}}}\nexporters:\n"),
            )
            .replacen(
                "receivers: [otlp]",
                "receivers: [otlp], processors: [classification]",
                1,
            )
    };
    assert_snapshot!(one_line(&judge("deep: {within: \"${env:NOPE}\", beside: b}")), @"pipeline.yaml:2:46: error: the environment variable `NOPE` is not set, and `processors.classification.deep.within` needs a value (set it, or give a default: `${env:NOPE:-…}`)");
    assert_snapshot!(one_line(&judge("deep: {within: w, beside: \"${env:NOPE}\"}")), @"pipeline.yaml:2:57: error: the environment variable `NOPE` is not set, and `processors.classification.deep.beside` needs a value (set it, or give a default: `${env:NOPE:-…}`)");
    // Inside a longer text it is one error too, and so is a file that is not there.
    for text in ["a${env:NOPE}", "${file:NOPE}"] {
        for rule in ["within: w, beside", "beside: b, within"] {
            let found = one_line(&judge(&format!("deep: {{{rule}: \"{text}\"}}")));
            assert!(
                found.lines().count() == 1 && found.contains("NOPE"),
                "{found}"
            );
        }
    }
    // A list of ids, and one id.
    let text = with_exporter("    endpoint: http://h\n    token: t");
    assert_snapshot!(one_line(&text.replace("receivers: [otlp]", "receivers: \"${env:NOPE}\"")), @r#"
    pipeline.yaml:1:13: warning: receiver `otlp` is not in a pipeline, so it does not run (name it in one, or remove it)
    pipeline.yaml:9:23: error: the environment variable `NOPE` is not set, and `service.pipelines.logs.receivers` needs a value (set it, or give a default: `${env:NOPE:-…}`)
    "#);
    assert_snapshot!(one_line(&text.replace("receivers: [otlp]", "receivers: [otlp, \"${env:NOPE}\"]")), @"pipeline.yaml:9:30: error: the environment variable `NOPE` is not set, and `service.pipelines.logs.receivers[1]` needs a value (set it, or give a default: `${env:NOPE:-…}`)");
    // A mistyped key stays one.
    assert_snapshot!(one_line(&with_exporter("    endpoint: http://h\n    token: t\n    tokn: ${env:NOPE}")), @r#"
    pipeline.yaml:6:5: error: unknown key `tokn` in `exporters.splunk_hec` (did you mean `token`?)
    pipeline.yaml:6:11: warning: the environment variable `NOPE` is not set; this is left out (set it, or give a default: `${env:NOPE:-…}`)
    "#);
}

#[test]
fn an_unset_bare_name_inside_text_is_one_error() {
    let text = with_exporter("    endpoint: http://h\n    token: t").replace(
        "service:",
        "  siem_bridge: {destinations: [{endpoint: $HEC_URL/services/collector, token: t}]}\nservice:",
    );
    assert_snapshot!(errors(&text.replace("[splunk_hec]", "[splunk_hec, siem_bridge]"), &[]), @r###"
    error: the environment variable `HEC_URL` is not set, and the text around it needs it
     --> pipeline.yaml:6:43
      |
    6 |   siem_bridge: {destinations: [{endpoint: $HEC_URL/services/collector, token: *}]}
      |                                           ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: set it, or give it a default: `${env:HEC_URL:-}` for none; `$$` is a literal `$`
    "###);
}

#[test]
fn an_old_name_of_the_collectors_gets_the_new_one() {
    let mut registry = super::fake::registry();
    registry
        .exporters
        .push(crate::exporter::<super::fake::Hec>("debug"));
    let text =
        with_exporter("    endpoint: http://h\n    token: t").replace("splunk_hec", "logging");
    let found = crate::Plan::read(
        &super::fake::source(&text),
        &registry,
        &super::fake::fixed(&[]),
    )
    .unwrap_err();
    assert_snapshot!(found.to_string(), @"pipeline.yaml:3:3: error: unknown exporter type `logging` (use `debug`: that is its name today)");
}

#[test]
fn names_that_are_taken_in_both_cases_are_said_once_and_in_lower_case() {
    let text = with_exporter("    endpoint: http://h\n    token: t");
    let with = |level: &str| {
        errors(
            &text.replace(
                "  ledger: none",
                &format!("  telemetry: {{logs: {{level: {level}}}}}"),
            ),
            &[],
        )
    };
    assert!(with("debgu").contains("did you mean `debug`?"));
    assert!(with("WRAN").contains("did you mean `warn`?"));
    assert!(with("loudest").contains("help: one of: `debug`, `info`, `warn`, `error`\n"));
}
