//! What a file means.

use sluice_component::{ComponentId, HumanDuration};

use super::fake::{Bridge, Hec, Inlet, errors, plan, with_exporter};
use crate::{Ledger, Plan, Signal};

fn id(kind: &str) -> ComponentId {
    ComponentId {
        kind: kind.into(),
        name: String::new(),
    }
}

fn hec<'p>(plan: &'p Plan, kind: &str) -> &'p Hec {
    let config: &dyn std::any::Any = &*plan.exporters[&id(kind)].config;
    config.downcast_ref().expect("a Hec")
}

fn inlet(plan: &Plan) -> &Inlet {
    let config: &dyn std::any::Any = &*plan.receivers[&id("otlp")].config;
    config.downcast_ref().expect("an Inlet")
}

#[test]
fn a_text_field_keeps_what_is_written() {
    for written in ["0123", "1.50", "true", "~x", "0x1F", "null1"] {
        let plan = plan(
            &with_exporter(&format!("    endpoint: http://h\n    token: {written}")),
            &[],
        );
        assert_eq!(hec(&plan, "splunk_hec").token.expose(), written);
    }
}

#[test]
fn a_reference_is_typed_for_numbers_and_text_for_text() {
    let plan = plan(
        &with_exporter(
            "    endpoint: \"${env:SCHEME:-http}://${HOST}\"\n    token: ${env:T}\n    port: \"${env:PORT}\"\n    verify: ${env:V}\n    paths: ${env:LIST}\n    index: a$$b$c",
        ),
        &[
            ("HOST", "h"),
            ("T", "0123"),
            ("PORT", "8088"),
            ("V", "false"),
            ("LIST", "[a, 01]"),
        ],
    );
    let hec = hec(&plan, "splunk_hec");
    assert_eq!(
        (
            hec.endpoint.as_str(),
            hec.token.expose(),
            hec.port,
            hec.verify
        ),
        ("http://h", "0123", Some(8088), Some(false))
    );
    assert_eq!(
        (hec.paths.as_slice(), hec.index.as_str()),
        (["a".to_owned(), "01".to_owned()].as_slice(), "a$b$c")
    );
}

#[test]
fn references_follow_the_collectors_rules() {
    let values = [
        ("X", "v"),
        ("EMPTY", ""),
        ("NEST", "<${env:X}>"),
        ("NAME", "X"),
        ("F", "line\n"),
        ("DOLLARS", "a$$b"),
        ("QUOTED", "\"q\" # c"),
    ];
    for (written, expected) in [
        ("${X}", "v"),
        ("${env:X}", "v"),
        ("$${X}", "${X}"),
        ("$$${X}", "$v"),
        ("$X", "$X"),
        ("a${X}b${X}", "avbv"),
        ("${env:NO:-d}", "d"),
        ("${NO:-d}", "d"),
        ("${env:NO:-}", ""),
        ("${env:EMPTY:-d}", ""),
        ("${env:NO:-${env:X}}", "v"),
        ("${env:NO:-a:-b}", "a:-b"),
        ("${env:${env:NAME}}", "v"),
        ("${NEST}", "<v>"),
        ("${file:F}", "line"),
        ("${DOLLARS}", "a$b"),
        ("${QUOTED}", "\"q\" # c"),
        ("${X", "${X"),
        ("100$", "100$"),
    ] {
        let plan = plan(
            &with_exporter(&format!(
                "    endpoint: http://h\n    token: t\n    index: '{written}'"
            )),
            &values,
        );
        assert_eq!(hec(&plan, "splunk_hec").index, expected, "{written}");
    }
}

#[test]
fn references_that_cannot_be_are_errors() {
    for (written, message) in [
        ("${env:9X}", "does not name an environment variable"),
        ("${}", "does not name"),
        ("${http://x}", "not supported"),
        ("${file:none}", "cannot be read"),
        ("${SELF}", "more than 100 references"),
    ] {
        let shown = errors(
            &with_exporter(&format!(
                "    endpoint: http://h\n    token: t\n    index: {written}"
            )),
            &[("SELF", "a${SELF}")],
        );
        assert!(
            shown.contains(message) && shown.contains("pipeline.yaml:6:12"),
            "{written}: {shown}"
        );
    }
}

#[test]
fn a_bare_name_is_a_reference_only_where_the_component_asks_for_it() {
    let text = with_exporter("    endpoint: http://h\n    token: t\n    index: a$T").replace(
        "service:",
        "  siem_bridge:\n    destinations:\n      - {endpoint: $E/x, token: \"$T\", index: \"$$T ${T}-$T.$5 $NEST\"}\nservice:",
    );
    let plan = plan(
        &text.replace("[splunk_hec]", "[splunk_hec, siem_bridge]"),
        &[("T", "secret"), ("E", "http://e"), ("NEST", "pa$T")],
    );
    assert_eq!(hec(&plan, "splunk_hec").index, "a$T");
    let config: &dyn std::any::Any = &*plan.exporters[&id("siem_bridge")].config;
    let bridge: &Bridge = config.downcast_ref().unwrap();
    assert_eq!(
        (
            bridge.destinations[0].token.expose(),
            bridge.destinations[0].endpoint.as_str()
        ),
        ("secret", "http://e/x")
    );
    // What a variable holds is not the file's text: a `$` in it may be part of a password.
    assert_eq!(bridge.destinations[0].index, "$T secret-secret.$5 pa$T");
}

#[test]
fn aliases_and_merge_keys_work_and_what_is_written_wins() {
    let text = with_exporter("    &base\n    endpoint: http://h\n    token: t\n    timeout: 5s")
        .replace(
            "service:",
            "  otlphttp:\n    <<: *base\n    timeout: 7s\nservice:",
        );
    let plan = plan(
        &text.replace("[splunk_hec]", "[splunk_hec, otlp_http]"),
        &[],
    );
    let hec = hec(&plan, "otlp_http");
    assert_eq!(
        (hec.endpoint.as_str(), hec.timeout),
        ("http://h", HumanDuration(std::time::Duration::from_secs(7)))
    );
}

#[test]
fn both_spellings_are_one_component() {
    let text = with_exporter("    endpoint: http://h\n    token: t")
        .replace("service:", "  otlphttp: {endpoint: http://a, token: a}\n  otlp_http: {endpoint: http://a, token: b}\nservice:");
    assert!(
        errors(&text, &[]).contains("`otlphttp` and `otlp_http` are two spellings of one exporter")
    );
}

#[test]
fn an_alias_bomb_is_stopped_early() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let below = format!("*a{}, ", level - 1).repeat(9);
        text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    assert!(errors(&text, &[]).contains("more than 50000 values"));
}

#[test]
fn depth_is_bounded_also_through_aliases() {
    let deep = format!("a: {}1{}\n", "[".repeat(60), "]".repeat(60));
    assert!(!errors(&deep, &[]).contains("nested"), "60 levels are fine");
    let deeper = format!(
        "a: &a {}1{}\nb: {}*a{}\n",
        "[".repeat(60),
        "]".repeat(60),
        "[".repeat(10),
        "]".repeat(10)
    );
    assert!(errors(&deeper, &[]).contains("nested more than 64 deep"));
    assert!(!errors(&format!("a: {}", "[".repeat(100_000)), &[]).is_empty());
}

#[test]
fn a_block_without_anything_below_is_all_defaults() {
    let plan = plan(
        &with_exporter("    endpoint: http://h\n    token: t\n    headers:\n    paths:"),
        &[],
    );
    assert_eq!(inlet(&plan).endpoint, "localhost:4317");
    assert!(hec(&plan, "splunk_hec").headers.is_empty());
}

#[test]
fn an_unset_optional_takes_its_default() {
    let text = with_exporter("    endpoint: http://h\n    token: t")
        .replace("{otlp: }", "{otlp: {endpoint: \"${env:NO}\"}}");
    assert_eq!(inlet(&plan(&text, &[])).endpoint, "localhost:4317");
}

#[test]
fn the_plan_says_what_runs() {
    let plan = plan(&with_exporter("    endpoint: http://h\n    token: t"), &[]);
    assert_eq!(plan.ledger, Ledger::None);
    assert!(plan.warnings.is_empty());
    let pipeline = &plan.pipelines[0];
    assert_eq!(
        (pipeline.id.signal, pipeline.id.to_string().as_str()),
        (Signal::Logs, "logs")
    );
    assert_eq!(
        (pipeline.receivers.as_slice(), pipeline.exporters.as_slice()),
        ([id("otlp")].as_slice(), [id("splunk_hec")].as_slice())
    );
}

#[test]
fn components_are_equal_when_their_meaning_is() {
    let block = "    endpoint: http://h\n    token: ${env:T}";
    let one = plan(&with_exporter(block), &[("T", "a")]);
    let moved = plan(
        &format!("# moved\n\n{}", with_exporter(block)),
        &[("T", "a")],
    );
    let other = plan(&with_exporter(block), &[("T", "b")]);
    assert!(one.exporters == moved.exporters);
    assert!(one.exporters != other.exporters);
}

#[test]
fn an_extension_must_be_started_to_be_used() {
    let text = with_exporter("    endpoint: http://h\n    token: t")
        .replace("receivers: {otlp: }", "receivers: {otlp: {auth: {authenticator: bearertokenauth}}}\nextensions: {bearertokenauth: {token: t}}");
    assert!(
        errors(&text, &[]).contains("extension `bearertokenauth` is not in `service.extensions`")
    );
    let plan = plan(
        &text.replace("  ledger: none", "  extensions: [bearertokenauth]"),
        &[],
    );
    assert_eq!(plan.service_extensions, [id("bearertokenauth")]);
}

#[test]
fn what_is_defined_and_not_used_is_a_warning() {
    let text = with_exporter("    endpoint: http://h\n    token: t").replace(
        "{otlp: }",
        "{otlp: , webhook: {endpoint: \"localhost:4317\"}}",
    );
    let plan = plan(&text, &[]);
    assert_eq!(
        plan.warnings.to_string(),
        "pipeline.yaml:1:21: warning: receiver `webhook` is not in a pipeline, so it does not run (name it in one, or remove it)"
    );
}

#[test]
fn a_path_claimed_twice_is_an_error() {
    let text = with_exporter("    endpoint: http://h\n    token: t\n    paths: [out/a, ./out/a]");
    assert!(errors(&text, &[]).contains(
        "the path `./out/a` is claimed by exporter `splunk_hec` and by exporter `splunk_hec`"
    ));
}

#[test]
fn telemetry_keys_of_the_collector_are_taken_and_unknown_ones_are_not() {
    let text = with_exporter("    endpoint: http://h\n    token: t");
    let with =
        |telemetry: &str| text.replace("  ledger: none", &format!("  telemetry: {telemetry}"));
    let plan = plan(
        &with(
            "{logs: {level: WARN, encoding: json, sampling: {enabled: true}}, metrics: {level: none}}",
        ),
        &[],
    );
    assert_eq!(
        (plan.telemetry.level, plan.telemetry.encoding),
        (crate::LogLevel::Warn, crate::Encoding::Json)
    );
    assert_eq!(plan.warnings.warnings(), 2);
    assert!(errors(&with("{logs: {levle: info}}"), &[]).contains("did you mean `level`?"));
}

#[test]
fn ids_follow_the_collectors_rules() {
    use crate::plan::parse_id;
    for good in ["otlp", "otlp/2", "a_b/ü-x.y/z", "A1"] {
        assert!(parse_id(good).is_ok(), "{good}");
    }
    let long_type = "a".repeat(64);
    let long_name = format!("a/{}", "b".repeat(1025));
    for bad in [
        "", "/x", "a/", "1a", "a-b", "a/b c", "a/$x", &long_type, &long_name,
    ] {
        assert!(parse_id(bad).is_err(), "{bad}");
    }
    assert!(
        parse_id(&"a".repeat(63)).is_ok() && parse_id(&format!("a/{}", "b".repeat(1024))).is_ok()
    );
}

#[test]
fn a_collectors_file_starts_with_the_extensions_that_are_not_here() {
    let text = with_exporter("    endpoint: http://h\n    token: t").replace(
        "  ledger: none",
        "  extensions: [health_check, pprof/a, zpages]",
    ) + "extensions:\n  health_check: {endpoint: \"${env:POD_IP}:13133\"}\n  pprof/a:\n  zpages: {endpoint: x}\n";
    let plan = plan(&text, &[]);
    assert!(plan.extensions.is_empty() && plan.service_extensions.is_empty());
    let warnings = plan.warnings.to_string();
    assert_eq!(plan.warnings.warnings(), 3, "{warnings}");
    for name in ["health_check", "pprof", "zpages"] {
        assert!(
            warnings.contains(&format!("extension `{name}` is taken and does nothing yet")),
            "{warnings}"
        );
    }
    assert!(
        errors(&text.replace("zpages", "zpage"), &[]).contains("unknown extension type `zpage`")
    );
}
