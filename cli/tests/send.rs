//! `sluice send` as a user runs it, against a receiver that answers as it is told.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// A request as it arrived, and what it was answered.
struct Request {
    at: Instant,
    headers: HeaderMap,
    body: Bytes,
    status: u16,
}

impl Request {
    fn events(&self) -> Vec<Value> {
        serde_json::from_slice(&self.body).expect("a list of events")
    }
}

/// Answers each request by its number, from 0, and its events.
struct Receiver {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    _runtime: tokio::runtime::Runtime,
}

/// Status, and `Retry-After` or nothing.
type Reply = (u16, &'static str);

impl Receiver {
    fn start(answer: impl Fn(usize, &[Value]) -> Reply + Clone + Send + Sync + 'static) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let take = move |headers: HeaderMap, body: Bytes| async move {
            let mut seen = seen.lock().unwrap();
            let mut request = Request {
                at: Instant::now(),
                headers,
                body,
                status: 0,
            };
            let events = request.events();
            let (status, retry_after) = answer(seen.len(), &events);
            request.status = status;
            seen.push(request);
            let mut response = Response::builder().status(status);
            if !retry_after.is_empty() {
                response = response.header("retry-after", retry_after);
            }
            let text = match status {
                200 => format!(r#"{{"accepted":{}}}"#, events.len()),
                _ => r#"{"error":"as told"}"#.to_owned(),
            };
            response.body(Body::from(text)).unwrap()
        };
        let router = Router::new()
            .route("/hook", axum::routing::post(take))
            .layer(DefaultBodyLimit::disable());
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            requests,
            _runtime: runtime,
        }
    }

    /// Every event that was answered 200, in the order of arrival.
    fn accepted(&self) -> Vec<Value> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .filter(|request| request.status == 200)
            .flat_map(Request::events)
            .collect()
    }

    fn numbers(&self) -> Vec<u64> {
        let accepted = self.accepted();
        accepted
            .iter()
            .map(|event| event["n"].as_u64().unwrap())
            .collect()
    }
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn send(arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    ran(command(arguments, environment).output().unwrap())
}

fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command
        .arg("send")
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied());
    command
}

fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// Events numbered from 1, a line each.
fn ndjson(count: u64) -> String {
    (1..=count).map(|n| format!("{{\"n\":{n}}}\n")).collect()
}

fn entries(directory: &Path) -> usize {
    directory.read_dir().unwrap().count()
}

#[test]
fn after_a_refusal_the_same_command_sends_the_rest_and_nothing_twice() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "export.ndjson", &ndjson(1_200));
    let file = file.to_str().unwrap();
    let receiver = Receiver::start(|request, _| (if request == 1 { 403 } else { 200 }, ""));
    let arguments = [file, "--format", "json", "--to", &receiver.url];

    let first = send(&arguments, &[]);
    assert_eq!((first.code, first.out.as_str()), (1, ""));
    for part in [
        "records 501 to 1000 were not accepted",
        r#"the answer was 403 {"error":"as told"}"#,
        "in this run 500 were accepted",
        "run the same command again to go on from record 501",
    ] {
        assert!(first.err.contains(part), "{part} in\n{}", first.err);
    }
    assert_eq!(entries(directory.path()), 2, "the file and its progress");

    let second = send(&arguments, &[]);
    assert_eq!(second.code, 0, "{}", second.err);
    assert!(second.out.starts_with("700 records of "), "{}", second.out);
    assert!(
        second.err.contains("going on from record 501"),
        "{}",
        second.err
    );
    assert!(receiver.numbers().into_iter().eq(1..=1_200));
    assert_eq!(entries(directory.path()), 1, "no progress is left");

    let third = send(&[&arguments[..], &["--from", "1199"]].concat(), &[]);
    assert!(third.out.contains("from record 1199 on"), "{}", third.out);
    assert_eq!(receiver.numbers().len(), 1_202);
}

#[test]
fn the_one_record_that_is_refused_is_found_and_the_rest_follows_when_it_is_mended() {
    let directory = tempfile::tempdir().unwrap();
    let text = ndjson(1_200);
    let path = write(
        directory.path(),
        "export.ndjson",
        &text.replace("{\"n\":700}", "{\"n\":0}"),
    );
    let file = path.to_str().unwrap();
    let receiver = Receiver::start(|_, events| {
        let is_bad = events.iter().any(|event| event["n"] == 0);
        (if is_bad { 400 } else { 200 }, "")
    });
    let arguments = [file, "--format", "json", "--to", &receiver.url];

    let first = send(&arguments, &[]);
    assert_eq!(first.code, 1);
    for part in [
        "record 700 was not accepted: the answer was 400",
        "in this run 699 were accepted",
        "or leave it out with --from 701",
    ] {
        assert!(first.err.contains(part), "{part} in\n{}", first.err);
    }
    fs::write(&path, text).unwrap();
    assert_eq!(send(&arguments, &[]).code, 0);
    assert!(receiver.numbers().into_iter().eq(1..=1_200));
}

#[test]
fn a_changed_file_or_another_destination_is_not_taken_for_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let path = write(directory.path(), "export.ndjson", &ndjson(600));
    let file = path.to_str().unwrap();
    let receiver = Receiver::start(|request, _| (if request == 1 { 403 } else { 200 }, ""));
    let arguments = [file, "--format", "json", "--to", &receiver.url];
    assert_eq!(send(&arguments, &[]).code, 1);

    let elsewhere = send(
        &[file, "--format", "json", "--to", "http://127.0.0.1:9/"],
        &[],
    );
    assert_eq!(elsewhere.code, 1);
    assert!(
        elsewhere.err.contains("another destination"),
        "{}",
        elsewhere.err
    );
    fs::write(&path, ndjson(600).replacen("\"n\":1}", "\"n\":9}", 1)).unwrap();
    let changed = send(&arguments, &[]);
    assert_eq!(changed.code, 1);
    assert!(
        changed.err.contains("the file has changed"),
        "{}",
        changed.err
    );
    assert_eq!(receiver.numbers().len(), 500);

    // A record behind those that were accepted may be mended.
    fs::write(&path, ndjson(600).replace("\"n\":600}", "\"n\":6000}")).unwrap();
    assert_eq!(send(&arguments, &[]).code, 0);
    assert_eq!(receiver.numbers().last(), Some(&6_000));
}

#[test]
fn retry_after_is_obeyed() {
    for status in [429, 503] {
        let directory = tempfile::tempdir().unwrap();
        let file = write(directory.path(), "export.ndjson", &ndjson(3));
        let receiver = Receiver::start(move |request, _| match request {
            0 => (status, "1"),
            _ => (200, ""),
        });
        let file = file.to_str().unwrap();
        let ran = send(&[file, "--format", "json", "--to", &receiver.url], &[]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.err.contains("trying again in 1s"), "{}", ran.err);
        assert_eq!(receiver.numbers(), [1, 2, 3]);
        let requests = receiver.requests.lock().unwrap();
        assert!(requests[1].at - requests[0].at >= Duration::from_secs(1));
    }
}

#[test]
fn patience_is_bounded_and_nothing_is_sent_earlier_than_asked() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "export.ndjson", &ndjson(3));
    let file = file.to_str().unwrap();
    let receiver = Receiver::start(|_, _| (503, "600"));
    let arguments = [
        file,
        "--format",
        "json",
        "--to",
        &receiver.url,
        "--retry-for",
        "2s",
    ];
    let ran = send(&arguments, &[]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err
            .contains("waiting 600s more would pass --retry-for 2s"),
        "{}",
        ran.err
    );
    assert_eq!(receiver.requests.lock().unwrap().len(), 1);
}

#[test]
fn nobody_listening_is_said_with_what_to_do() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", socket.local_addr().unwrap());
    drop(socket);
    let ran = send(
        &["--sample", "keeptrusts", "--to", &url, "--retry-for", "0"],
        &[],
    );
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("is `sluice run` running?"), "{}", ran.err);
}

#[test]
fn a_request_that_is_too_large_is_halved() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "export.ndjson", &ndjson(450));
    let receiver = Receiver::start(|_, events| (if events.len() > 100 { 413 } else { 200 }, ""));
    let file = file.to_str().unwrap();
    let ran = send(&[file, "--format", "json", "--to", &receiver.url], &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(receiver.numbers().into_iter().eq(1..=450));

    let nothing_fits = Receiver::start(|_, _| (413, ""));
    let ran = send(&[file, "--format", "json", "--to", &nothing_fits.url], &[]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err
            .contains("record 1 was not accepted: the answer was 413"),
        "{}",
        ran.err
    );
}

#[test]
fn a_bad_record_stops_behind_the_good_ones_and_can_be_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let text = ndjson(5).replace("{\"n\":4}", "{\"n\":4");
    let text = text.replace("{\"n\":4\n", "{\"n\":4,}\n");
    let file = write(directory.path(), "export.ndjson", &text);
    let file = file.to_str().unwrap();
    let receiver = Receiver::start(|_, _| (200, ""));
    let arguments = [file, "--format", "json", "--to", &receiver.url];
    let ran = send(&arguments, &[]);
    assert_eq!(ran.code, 1);
    for part in [
        "record 4 (line 4): malformed JSON",
        "in this run 3 were accepted",
        "--from 5",
    ] {
        assert!(ran.err.contains(part), "{part} in\n{}", ran.err);
    }
    assert_eq!(receiver.numbers(), [1, 2, 3]);
    assert_eq!(
        send(&[&arguments[..], &["--from", "5"]].concat(), &[]).code,
        0
    );
    assert_eq!(receiver.numbers(), [1, 2, 3, 5]);
    let beyond = send(&[&arguments[..], &["--from", "99"]].concat(), &[]);
    assert_eq!(beyond.code, 1);
    assert!(
        beyond.err.contains("there are only 5 records"),
        "{}",
        beyond.err
    );
}

#[test]
fn csv_on_standard_input_becomes_events() {
    let receiver = Receiver::start(|_, _| (200, ""));
    let arguments = ["-", "--format", "llm_gateway", "--to", &receiver.url];
    let mut child = command(&arguments, &[])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"id,action,before\r\na1,key.rotate,\"{\"\"v\"\":1}\"\r\na2,key.read,\r\n")
        .unwrap();
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out
            .starts_with("2 records of standard input accepted by http"),
        "{}",
        ran.out
    );
    assert_eq!(
        receiver.accepted(),
        [
            json!({"id": "a1", "action": "key.rotate", "before": {"v": 1}}),
            json!({"id": "a2", "action": "key.read", "before": null}),
        ]
    );
}

#[test]
fn samples_are_sent_with_one_of_them_twice() {
    for sample in ["policy_gateway", "keeptrusts", "llm_gateway"] {
        let receiver = Receiver::start(|_, _| (200, ""));
        let ran = send(
            &["--sample", sample, "--count", "12", "--to", &receiver.url],
            &[],
        );
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(
            ran.out.contains(r#"answer: 200 {"accepted":13}"#),
            "{}",
            ran.out
        );
        let events = receiver.accepted();
        let different: BTreeSet<String> = events.iter().map(Value::to_string).collect();
        assert_eq!((events.len(), different.len()), (13, 12));
    }
}

#[test]
fn requests_are_signed_as_their_senders_would() {
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let receiver = Receiver::start(|_, _| (200, ""));
    for scheme in ["standard_webhooks", "github", "stripe", "hmac_sha256"] {
        let arguments = [
            "--sample",
            "policy_gateway",
            "--to",
            &receiver.url,
            "--scheme",
            scheme,
            "--secret-env",
            "HOOK",
        ];
        assert_eq!(send(&arguments, &[("HOOK", SECRET)]).code, 0);
    }
    let requests = receiver.requests.lock().unwrap();
    let verify = |request: usize, key: &[u8], prefix: &str, tag: &[u8]| {
        let signed = [prefix.as_bytes(), &requests[request].body].concat();
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), &signed, tag).expect("a signature");
    };
    let header =
        |request: usize, name: &str| requests[request].headers[name].to_str().unwrap().to_owned();
    let key = BASE64_STANDARD.decode(&SECRET[6..]).unwrap();
    let prefix = format!(
        "{}.{}.",
        header(0, "webhook-id"),
        header(0, "webhook-timestamp")
    );
    let tag = header(0, "webhook-signature");
    verify(
        0,
        &key,
        &prefix,
        &BASE64_STANDARD.decode(&tag[3..]).unwrap(),
    );

    let tag = header(1, "x-hub-signature-256");
    verify(1, SECRET.as_bytes(), "", &hex::decode(&tag[7..]).unwrap());

    let signature = header(2, "stripe-signature");
    let (time, tag) = signature.split_once(",v1=").unwrap();
    let prefix = format!("{}.", time.trim_start_matches("t="));
    verify(2, SECRET.as_bytes(), &prefix, &hex::decode(tag).unwrap());

    verify(
        3,
        SECRET.as_bytes(),
        "",
        &hex::decode(header(3, "x-signature")).unwrap(),
    );
}

#[test]
fn credentials_come_from_the_environment_and_are_never_shown() {
    let receiver = Receiver::start(|request, _| (if request < 2 { 200 } else { 401 }, ""));
    let sample = ["--sample", "keeptrusts", "--to", &receiver.url];
    let environment = [("HEC", "s3cret-token")];
    for options in [
        &[
            "--header",
            "Authorization: Splunk ${env:HEC}",
            "--header",
            "X-Team: ai",
        ][..],
        &["--bearer-env", "HEC"],
        &["--bearer-env", "HEC"],
    ] {
        let ran = send(&[&sample[..], options].concat(), &environment);
        assert!(!format!("{}{}", ran.out, ran.err).contains("s3cret"));
        if ran.code != 0 {
            assert!(
                ran.err.contains("401") && ran.err.contains("--bearer-env"),
                "{}",
                ran.err
            );
        }
    }
    let requests = receiver.requests.lock().unwrap();
    let authorization: Vec<_> = requests
        .iter()
        .map(|request| &request.headers["authorization"])
        .collect();
    assert_eq!(
        authorization,
        [
            "Splunk s3cret-token",
            "Bearer s3cret-token",
            "Bearer s3cret-token"
        ]
    );
    assert_eq!(requests[0].headers["x-team"], "ai");
}

#[test]
fn wrong_usage_is_64_and_says_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "export.ndjson", "{}");
    let file = file.to_str().unwrap();
    for (arguments, expected) in [
        (&[][..], "--sample"),
        (&[file], "--format"),
        (&[file, "--format", "json"], "--to is missing"),
        (&["--sample", "keeptrusts", "--from", "2"], "--from"),
        (
            &["--sample", "keeptrusts", "--to", "127.0.0.1:1/x"],
            "write it as http://",
        ),
        (
            &["--sample", "keeptrusts", "--to", "http://u:pw@h/x"],
            "--to holds credentials",
        ),
        (
            &["--sample", "keeptrusts", "--bearer-env", "NOPE"],
            "NOPE is not set",
        ),
        (
            &["--sample", "keeptrusts", "--header", "X: ${env:NOPE}"],
            "NOPE is not set",
        ),
        (
            &["--sample", "keeptrusts", "--header", "no colon"],
            "'Name: value'",
        ),
        (
            &["--sample", "keeptrusts", "--scheme", "github"],
            "--secret-env",
        ),
        (
            &["--sample", "keeptrusts", "--retry-for", "5"],
            "invalid duration",
        ),
    ] {
        let ran = send(arguments, &[]);
        assert_eq!(ran.code, 64, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(expected), "{expected} in\n{}", ran.err);
        assert!(!ran.err.contains("u:pw"), "{}", ran.err);
    }
    let missing = send(&["/nowhere/export.csv", "--format", "keeptrusts"], &[]);
    assert_eq!(missing.code, 1);
    assert!(
        missing.err.contains("/nowhere/export.csv"),
        "{}",
        missing.err
    );
}
