//! The commands as a user runs them: output and exit codes of the built program.

#![allow(
    clippy::unwrap_used,
    reason = "a failure here fails the test, with its place"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

const GOOD: &str = "
receivers:
  otlp:
    protocols:
      http:
        endpoint: 127.0.0.1:0
exporters:
  debug:
service:
  ledger: none
  pipelines:
    logs: {receivers: [otlp], exporters: [debug]}
";

fn sluice(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .expect("the program starts")
}

/// Runs a command on a file with this text.
fn on_file(command: &[&str], text: &str, environment: &[(&str, &str)]) -> (i32, String, String) {
    let mut file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    let output = sluice(&[command, &[path]].concat(), environment);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(path, "FILE");
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_valid_file_is_0_and_says_its_pipelines() {
    assert_eq!(
        on_file(&["validate"], GOOD, &[]),
        (0, "FILE: valid; pipelines: logs\n".into(), String::new())
    );
}

#[test]
fn a_wrong_file_is_78_and_shows_every_error_with_its_place() {
    let wrong = GOOD
        .replace("endpoint:", "endpiont:")
        .replace("exporters: [debug]", "exporters: [debgu]");
    let (code, out, err) = on_file(&["validate"], &wrong, &[]);
    assert_eq!((code, out.as_str()), (78, ""));
    for part in [
        " --> FILE:6:9",
        "did you mean `endpoint`?",
        " --> FILE:12:43",
        "did you mean `debug`?",
        "FILE: 2 errors, 1 warning",
    ] {
        assert!(err.contains(part), "{part} in\n{err}");
    }
    let (code, _, err) = on_file(&["validate", "--one-line"], &wrong, &[]);
    assert_eq!(code, 78);
    assert_eq!(err.lines().count(), 3, "{err}");
    assert!(
        err.starts_with("FILE:6:9: error: unknown key `endpiont`"),
        "{err}"
    );
}

#[test]
fn run_refuses_a_wrong_file_with_78() {
    let wrong = GOOD.replace("ledger: none", "ledger: nowhere");
    let (code, _, err) = on_file(&["run"], &wrong, &[]);
    assert_eq!(code, 78);
    assert!(
        err.contains("a mapping or `none`, not `nowhere`") && err.contains("not started: 1 error"),
        "{err}"
    );
    let (code, _, err) = on_file(&["run", "--log-format", "json"], &wrong, &[]);
    assert_eq!(code, 78);
    let line: serde_json::Value = serde_json::from_str(err.trim()).expect("one JSON line");
    assert_eq!(
        (line["level"].as_str(), line["place"].as_str()),
        (Some("ERROR"), Some("FILE:10:11"))
    );
}

#[test]
fn a_file_that_is_not_there_is_78() {
    let output = sluice(&["validate", "/nowhere/pipeline.yaml"], &[]);
    assert_eq!(output.status.code(), Some(78));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("/nowhere/pipeline.yaml cannot be read")
    );
}

#[test]
fn wrong_usage_is_64_and_help_is_0() {
    for arguments in [
        &["valdiate"][..],
        &[],
        &["run"],
        &["run", "x", "--log-level", "loud"],
    ] {
        assert_eq!(
            sluice(arguments, &[]).status.code(),
            Some(64),
            "{arguments:?}"
        );
    }
    for arguments in [&["--help"][..], &["--version"], &["run", "--help"]] {
        assert_eq!(
            sluice(arguments, &[]).status.code(),
            Some(0),
            "{arguments:?}"
        );
    }
}

#[test]
fn components_lists_every_type_as_yaml() {
    let output = sluice(&["components"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "buildinfo:",
        "  command: sluice",
        "receivers:\n- name: otlp\n  stability:\n    logs: Alpha\n    traces: Alpha\n    metrics: Alpha\n",
        "- name: otlp_http\n  aliases:\n  - otlphttp\n",
        "- name: bearertokenauth\n  stability:\n    extension: Alpha\n",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    for name in [
        "webhook",
        "webhookevent",
        "redaction",
        "classification",
        "dedupe",
        "attributes",
        "batch",
        "memory_limiter",
        "splunk_hec",
        "datadog",
        "elasticsearch",
        "siem_bridge",
        "otlp_grpc",
        "file",
        "debug",
        "basicauth",
    ] {
        assert!(
            text.contains(&format!("- name: {name}\n")),
            "{name} in\n{text}"
        );
    }
}

#[test]
fn print_config_hides_secrets_wherever_they_come_from() {
    let text = GOOD.replace(
        "exporters:\n  debug:\n",
        "exporters:\n  debug:\n  splunk_hec: {endpoint: \"https://h:8088\", token: literal-canary, index: \"${env:INDEX}\"}\n  datadog:\n    api:\n      key: literal-canary\n",
    );
    let (code, out, err) = on_file(&["print-config"], &text, &[("INDEX", "environment-canary")]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(!out.contains("canary"), "{out}");
    assert!(
        out.contains("index: ${env:INDEX}")
            && out.contains("token: \"***\"")
            && out.contains("key: \"***\""),
        "{out}"
    );
}

#[test]
fn a_secret_from_the_environment_is_in_no_message() {
    let text = GOOD.replace(
        "endpoint: 127.0.0.1:0",
        "endpoint: 127.0.0.1:0\n        read_timeout: ${env:WRONG}",
    );
    let (code, out, err) = on_file(&["validate"], &text, &[("WRONG", "environment-canary")]);
    assert_eq!(code, 78);
    assert!(
        !format!("{out}{err}").contains("canary") && err.contains("${env:WRONG}"),
        "{err}"
    );
}

#[test]
fn print_config_of_what_is_not_yaml_is_78() {
    assert_eq!(on_file(&["print-config"], "a: [", &[]).0, 78);
}

#[test]
fn print_config_of_an_invalid_file_is_78_and_prints_nothing_of_it() {
    let text = GOOD.replace(
        "  debug:\n",
        "  debug:\n  splunk_hec: {endpoint: \"https://h:8088\", tokn: misspelled-canary}\n",
    );
    for command in ["print-config", "validate"] {
        let (code, out, err) = on_file(&[command], &text, &[]);
        assert_eq!((code, out.as_str()), (78, ""), "{command}");
        assert!(err.contains("did you mean `token`?"), "{err}");
        assert!(!err.contains("canary"), "{err}");
    }
}

#[test]
fn an_unset_or_unexpanded_variable_is_one_error_that_names_it() {
    let webhook = |settings: &str| {
        GOOD.replace(
            "  otlp:\n    protocols:\n      http:\n        endpoint: 127.0.0.1:0\n",
            &format!("  webhook: {{{settings}}}\n"),
        )
        .replace("[otlp]", "[webhook]")
    };
    for (text, place, message) in [
        (
            webhook("format: keeptrusts, endpoint: \"${env:NOPE}\", verify: {scheme: standard_webhooks, secret: \"${env:S}\"}"),
            "endpoint",
            "`NOPE` is not set",
        ),
        (
            webhook("format: keeptrusts, endpoint: \"127.0.0.1:0\", verify: {scheme: standard_webhooks, secret: \"${env:NOPE}\"}"),
            "secret",
            "`NOPE` is not set",
        ),
        (
            webhook("format: keeptrusts, endpoint: \"127.0.0.1:0\", verify: {scheme: standard_webhooks, secret: \"$KT_SECRET\"}"),
            "secret",
            "(write `${env:KT_SECRET}`)",
        ),
        (
            GOOD.replace(
                "  debug:\n",
                "  siem_bridge: {destinations: [{destination: splunk_hec, endpoint: \"$NOPE/services/collector\", token: t}]}\n",
            )
            .replace("[debug]", "[siem_bridge]"),
            "",
            "`NOPE` is not set",
        ),
    ] {
        let (code, _, err) = on_file(
            &["validate", "--one-line"],
            &text,
            &[("S", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")],
        );
        assert_eq!((code, err.lines().count()), (78, 1), "{err}");
        assert!(err.contains(place) && err.contains(message), "{err}");
    }
}

#[test]
fn names_of_the_collectors_are_understood() {
    let text = GOOD.replace(
        "  ledger: none",
        "  ledger: none\n  extensions: [health_check, pprof, zpages]",
    ) + "extensions:\n  health_check: {endpoint: \"${env:POD_IP}:13133\"}\n  pprof:\n  zpages:\n";
    let (code, _, err) = on_file(&["validate", "--one-line"], &text, &[]);
    assert_eq!((code, err.lines().count()), (0, 3), "{err}");
    assert!(
        err.lines()
            .all(|line| line.contains("warning") && line.contains("does nothing yet")),
        "{err}"
    );
    let (code, _, err) = on_file(&["validate"], &GOOD.replace("debug", "logging"), &[]);
    assert_eq!(code, 78);
    assert!(err.contains("use `debug`"), "{err}");
    let (code, _, err) = on_file(
        &["validate"],
        &GOOD.replace(
            "exporters:\n  debug",
            "processors:\n  attributes: {actions: [{key: a, value: b, action: upsrt}]}\nexporters:\n  debug",
        ),
        &[],
    );
    assert_eq!(code, 78);
    assert!(err.contains("did you mean `upsert`?"), "{err}");
}

#[test]
fn run_answers_requests_until_sigterm_and_then_ends_with_0() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(GOOD.as_bytes()).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["run", "--log-format", "json", file.path().to_str().unwrap()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stderr.take().unwrap())
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(&line.unwrap()).expect("a JSON line")
        });
    let warning = lines.next().unwrap();
    assert_eq!(warning["level"], "WARN");
    assert!(
        warning["message"]
            .as_str()
            .unwrap()
            .contains("OK means delivered to every exporter"),
        "{warning}"
    );
    assert!(lines.any(|line| line["message"] == "running"));
    let terminated = Command::new("kill")
        .args(["-TERM", &program.id().to_string()])
        .status()
        .unwrap();
    assert!(terminated.success());
    assert!(lines.any(|line| line["message"] == "stopped" && line.get("exporter").is_none()));
    assert_eq!(program.wait().unwrap().code(), Some(0));
}

#[test]
fn an_address_in_use_is_1_and_names_the_component() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = GOOD.replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string());
    let (code, _, err) = on_file(&["run"], &text, &[]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("otlp") && err.contains("in use"), "{err}");
}
