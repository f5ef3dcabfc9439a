//! The files in `configs/`: each is valid with the variables that its README names, and the quickstart does what its
//! first lines say.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A value for each variable, of the form that it must have.
const VARIABLES: &[(&str, &str)] = &[
    (
        "POLICY_GATEWAY_WEBHOOK_SECRET",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ),
    ("TLS_CERT_FILE", "/etc/sluice/tls.crt"),
    ("TLS_KEY_FILE", "/etc/sluice/tls.key"),
    ("REDACTION_KEY", "0123456789abcdef0123456789abcdef"),
    (
        "SPLUNK_HEC_ENDPOINT",
        "https://hec.example.com:8088/services/collector",
    ),
    ("SPLUNK_HEC_TOKEN", "B5A79AAD-D822-46CC-80D1-819F80D7BFB0"),
    ("DD_API_KEY", "0123456789abcdef0123456789abcdef"),
    ("ELASTIC_ENDPOINT", "https://es.example.com:9200"),
    ("ELASTIC_API_KEY", "id:key"),
    ("ES_PASSWORD", "changeme"),
    ("KEEPTRUSTS_TOKEN", "a long random text"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs")
}

fn files() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = folder()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    assert!(files.len() >= 4);
    files
}

fn sluice(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(arguments)
        .current_dir(folder())
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

/// The variables that a file takes from the environment, and whether it has a default for them.
fn variables(text: &str) -> Vec<(&str, bool)> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let braced = lines
        .clone()
        .flat_map(|line| line.split("${env:").skip(1))
        .map(|rest| {
            let inside = rest.split_once('}').unwrap().0;
            inside
                .split_once(":-")
                .map_or((inside, false), |(name, _)| (name, true))
        });
    let bare = lines
        .flat_map(|line| line.split("\"$").skip(1))
        .map(|rest| (rest.split_once('"').unwrap().0, false))
        .filter(|(name, _)| !name.starts_with('{'));
    braced.chain(bare).collect()
}

#[test]
fn every_file_is_valid_without_a_warning() {
    for (file, _) in files() {
        let output = sluice(&["validate", &file], VARIABLES);
        let complaints = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), complaints.as_str()),
            (Some(0), ""),
            "{file}"
        );
    }
}

#[test]
fn every_variable_is_in_the_readme_and_is_missed_when_it_is_not_set() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    for (file, text) in files() {
        let row = readme
            .lines()
            .find(|line| line.starts_with(&format!("| `{file}`")))
            .unwrap_or_else(|| panic!("{file} is not in the table"));
        for (variable, has_default) in variables(&text) {
            assert!(row.contains(&format!("`{variable}`")), "{file} {variable}");
            let others: Vec<(&str, &str)> = VARIABLES
                .iter()
                .filter(|(name, _)| *name != variable)
                .copied()
                .collect();
            let output = sluice(&["validate", &file], &others);
            let complaints = String::from_utf8(output.stderr).unwrap();
            // Where the exporter can do without it, it is a warning and no error.
            assert_eq!(
                complaints.contains(variable),
                !has_default,
                "{file} {variable}\n{complaints}"
            );
        }
    }
}

/// A running process that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a file has so many lines.
fn lines_of(file: &std::path::Path, lines: usize) -> String {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if text.lines().count() >= lines && text.ends_with('\n') {
            return text;
        }
        assert!(std::time::Instant::now() < deadline, "{text}");
        std::thread::yield_now();
    }
}

#[test]
fn the_quickstart_redacts_tags_and_drops_the_repeated_samples() {
    let directory = tempfile::tempdir().unwrap();
    let (_, text) = files()
        .into_iter()
        .find(|(file, _)| file == "quickstart.yaml")
        .unwrap();
    // Ports that are free on this machine, in place of those that everybody knows.
    let text = ["4317", "4318", "4319", "4320", "4321"]
        .iter()
        .fold(text, |text, port| {
            text.replace(&format!("127.0.0.1:{port}"), "127.0.0.1:0")
        });
    let file = directory.path().join("quickstart.yaml");
    fs::write(&file, text).unwrap();
    let mut running = Running(
        Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["run", "--log-format", "json"])
            .arg(&file)
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut log = BufReader::new(running.0.stderr.take().unwrap()).lines();
    let mut addresses = Vec::new();
    while addresses.len() < 5 {
        let line = log.next().expect("it listens before it ends").unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        if line["message"] == "listening" {
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            addresses.push((text("component"), text("address")));
        }
    }
    let events = directory.path().join("sluice-events.jsonl");
    let mut seen = 0;
    for (sample, path) in [
        ("policy_gateway", "/policy-gateway"),
        ("keeptrusts", "/keeptrusts"),
        ("llm_gateway", "/llm-gateway"),
    ] {
        let component = format!("webhook/{sample}");
        let (_, address) = addresses
            .iter()
            .find(|(name, _)| *name == component)
            .unwrap();
        let url = format!("http://{address}{path}");
        let output = sluice(
            &["send", "--sample", sample, "--count", "30", "--to", &url],
            &[],
        );
        assert_eq!(output.status.code(), Some(0), "{output:?}");

        // The answer came when the ledger had them; the file gets them at once.
        let text = lines_of(&events, seen + 30);
        let new: Vec<Value> = text
            .lines()
            .skip(seen)
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        seen += new.len();
        assert_eq!(new.len(), 30, "the repeated event is dropped");
        for plant in ["jane.doe@", "4111", "sk-proj-"] {
            assert!(!text.contains(plant), "{plant}");
        }
        for (event, (mark, tag)) in new.iter().zip([
            ("[REDACTED:email]", "confidential"),
            ("[REDACTED:credit_card]", "confidential"),
            ("[REDACTED:api_key]", "restricted"),
        ]) {
            assert!(event["body"].to_string().contains(mark), "{event}");
            assert_eq!(event["attributes"]["data.classification"], tag, "{event}");
        }
    }
}
