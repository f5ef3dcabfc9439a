//! The configuration changes while senders send: no connection ends, no record is lost, none comes twice.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use prost::Message as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;
use sluice_tests::senders::Connection;
use sluice_tests::{Encoding, Event, SOON, Sluice, events, senders};
use tokio::sync::watch;

use crate::settings;
use crate::siems::Siems;

/// Reloads unless `SLUICE_RELOADS` says otherwise: ten thousand on request.
const RELOADS: usize = 250;
/// Events in a request.
const EVENTS: usize = 2;
/// Requests of one sender for each reload.
const REQUESTS: usize = 2;

/// Addresses that were free a moment ago.
fn free<const N: usize>() -> [SocketAddr; N] {
    let held =
        std::array::from_fn::<_, N, _>(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|socket| socket.local_addr().unwrap())
}

/// Where the process of a test listens.
#[derive(Clone, Copy)]
struct Addresses {
    admin: SocketAddr,
    grpc: SocketAddr,
    http: SocketAddr,
    webhook: SocketAddr,
    /// Of receivers that come and go.
    others: [SocketAddr; 3],
    /// Somebody else is there.
    taken: SocketAddr,
}

/// A file that may say anything but what the test relies on: three addresses and three destinations.
fn arbitrary(siems: &Siems, at: &Addresses, random: &mut StdRng) -> String {
    let some = |random: &mut StdRng, of: &[&str]| (*of.choose(random).unwrap()).to_owned();
    let mut file = String::from("receivers:\n");
    let sizes = ["8MiB", "16MiB", "64MiB"];
    let _ = writeln!(
        file,
        "  otlp: {{protocols: {{grpc: {{endpoint: '{}', max_recv_msg_size_mib: {}}}, http: {{endpoint: '{}', max_request_body_size: {}, response_headers: {{x-generation: '{}'}}}}}}}}",
        at.grpc,
        some(random, &["8", "16", "32"]),
        at.http,
        some(random, &sizes),
        random.random_range(0..4),
    );
    let _ = writeln!(
        file,
        "  webhook: {{endpoint: '{}', format: policy_gateway, max_request_body_size: {}}}",
        at.webhook,
        some(random, &sizes),
    );
    let other = at.others.choose(random).unwrap();
    let _ = writeln!(
        file,
        "  webhook/other: {{endpoint: '{other}', format: json}}"
    );
    let _ = writeln!(
        file,
        "processors:\n  redaction: {{detectors: [{}]}}\n  classification: {{default: {}}}\n  dedupe: {{window: {}}}\n  attributes: {{actions: [{{key: site, value: {}, action: upsert}}]}}",
        some(random, &["all", "pii", "secrets"]),
        some(random, &["internal", "confidential"]),
        some(random, &["10m", "1h"]),
        some(random, &["one", "two", "three"]),
    );
    let consumers = |random: &mut StdRng| {
        let consumers = random.random_range(1..=4);
        format!(", sending_queue: {{num_consumers: {consumers}}}")
    };
    let splunk = settings::splunk(&siems.splunk.url("/services/collector"), &consumers(random));
    let datadog = settings::datadog(&siems.datadog.url(""));
    let elastic = settings::elastic(&siems.elastic.url(""));
    let with = |block: String, more: &str| format!("{}{more}}}", &block[..block.len() - 1]);
    let datadog = with(datadog, &consumers(random));
    let elastic = with(elastic, &consumers(random));
    let _ = writeln!(
        file,
        "exporters:\n{splunk}\n{datadog}\n{elastic}\n  file: {{path: '{}.jsonl'}}",
        some(random, &["one", "two"]),
    );
    let processors = some(
        random,
        &[
            "redaction, dedupe",
            "redaction, classification, dedupe",
            "attributes, dedupe, redaction",
            "dedupe",
            "",
        ],
    );
    let exporters = some(random, &["", ", file"]);
    let _ = writeln!(
        file,
        "service:\n  admin: {{endpoint: '{}'}}\n  ledger: {{directory: ledger, segment_bytes: 4MiB, retention: {{time: 1s, bytes: 8MiB}}}}\n  pipelines:\n    logs: {{receivers: [otlp, webhook], processors: [{processors}], exporters: [splunk_hec, datadog, elasticsearch{exporters}]}}",
        at.admin,
    );
    if random.random_bool(0.5) {
        let _ = writeln!(
            file,
            "    logs/other: {{receivers: [webhook/other], exporters: [file]}}"
        );
    }
    file
}

/// The file with something wrong in it.
fn broken(file: &str, at: &Addresses, random: &mut StdRng) -> String {
    match random.random_range(0..5) {
        0 => file.replace("dedupe: {window", "dedupe: {windov"),
        1 => file.replace("exporters: [splunk_hec", "exporters: [splunk_hecs"),
        2 => file.replace("processors:\n", "processors:\n  - ]\n"),
        // What only the machine knows.
        3 => format!("{file}    logs/taken: {{receivers: [webhook/taken], exporters: [file]}}\n")
            .replace(
                "receivers:\n",
                &format!(
                    "receivers:\n  webhook/taken: {{endpoint: '{}'}}\n",
                    at.taken
                ),
            ),
        _ => file.replace(
            "format: policy_gateway,",
            "format: policy_gateway, tls: {cert_file: missing.pem, key_file: missing.pem},",
        ),
    }
}

/// What the senders share.
struct Load {
    sent: Mutex<Vec<Event>>,
    requests: AtomicUsize,
    /// How many reloads there were.
    reloads: watch::Receiver<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Grpc,
    Http,
    Webhook,
}

impl Kind {
    async fn connect(self, at: &Addresses) -> Connection {
        match self {
            Self::Grpc => Connection::http2(at.grpc).await,
            Self::Http => Connection::http1(at.http).await,
            Self::Webhook => Connection::http1(at.webhook).await,
        }
        .unwrap_or_else(|error| panic!("a {self:?} connection was refused: {error}"))
    }

    async fn send(self, connection: &mut Connection, events: &[Event]) {
        let request = events::otlp_request(events);
        let answer = match self {
            Self::Grpc => connection
                .grpc(&request.encode_to_vec(), Encoding::Plain)
                .await
                .map(|status| status == 0),
            Self::Http => connection
                .post(
                    "/v1/logs",
                    "application/x-protobuf",
                    request.encode_to_vec(),
                )
                .await
                .map(|status| status == 200),
            Self::Webhook => {
                let objects: Vec<&serde_json::Map<String, Value>> =
                    events.iter().map(|event| &event.object).collect();
                connection
                    .post(
                        "/",
                        "application/json",
                        serde_json::to_vec(&objects).unwrap(),
                    )
                    .await
                    .map(|status| status == 200)
            }
        };
        match answer {
            Ok(is_ok) => assert!(is_ok, "{self:?}: a request was not taken"),
            Err(error) => panic!("{self:?}: a connection ended: {error}"),
        }
    }
}

/// Sends on one connection for the whole run, and now and then on one of its own.
async fn send(kind: Kind, at: Addresses, seed: u64, load: Arc<Load>) {
    let mut steady = kind.connect(&at).await;
    let mut reloads = load.reloads.clone();
    for request in 0.. {
        let enough = |done: &usize| *done * REQUESTS >= request;
        if reloads.wait_for(enough).await.is_err() {
            return;
        }
        let events = events::generate(EVENTS, seed * 1_000_003 + request as u64, 100);
        if request % 10 == 9 {
            kind.send(&mut kind.connect(&at).await, &events).await;
        } else {
            kind.send(&mut steady, &events).await;
        }
        load.requests.fetch_add(1, Ordering::Relaxed);
        load.sent.lock().extend(events);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_at_random_under_load_end_no_connection_and_lose_or_double_no_record() {
    let reloads = std::env::var("SLUICE_RELOADS").map_or(RELOADS, |n| n.parse().unwrap());
    let siems = Siems::start().await;
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let [admin, grpc, http, webhook, a, b, c] = free();
    let at = Addresses {
        admin,
        grpc,
        http,
        webhook,
        others: [a, b, c],
        taken: stranger.local_addr().unwrap(),
    };
    let mut random = StdRng::seed_from_u64(8);
    let sluice = Sluice::start(&arbitrary(&siems, &at, &mut random));
    sluice.address("webhook", "http").await;
    let path = sluice.directory().join("pipeline.yaml");

    let (done, told) = watch::channel(1);
    let load = Arc::new(Load {
        sent: Mutex::default(),
        requests: AtomicUsize::new(0),
        reloads: told,
    });
    let kinds = [Kind::Grpc, Kind::Http, Kind::Webhook];
    let senders: Vec<_> = (0..6)
        .map(|i| tokio::spawn(send(kinds[i % 3], at, i as u64 + 1, load.clone())))
        .collect();
    let client = senders::client();
    let url = format!("http://{admin}/-/reload");
    let (mut failures, mut warm) = (0, (0, 0));
    for round in 1..=reloads {
        let file = arbitrary(&siems, &at, &mut random);
        let is_broken = round % 10 == 0;
        let file = if is_broken {
            broken(&file, &at, &mut random)
        } else {
            file
        };
        // As an editor does it: the file is never half there.
        std::fs::write(path.with_extension("new"), file).unwrap();
        std::fs::rename(path.with_extension("new"), &path).unwrap();
        let answer = senders::post_with(&client, &url, &[], Vec::new())
            .await
            .unwrap();
        let outcome: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(outcome["success"], !is_broken, "{outcome}");
        failures += usize::from(is_broken);
        done.send(round + 1).unwrap();
        assert!(
            senders.iter().all(|sender| !sender.is_finished()),
            "a sender failed in round {round}; see above"
        );
        if round == reloads / 4 {
            warm = sluice.footprint();
        }
        // The load keeps step.
        while load.requests.load(Ordering::Relaxed) + 60 < round * REQUESTS * senders.len() {
            tokio::task::yield_now().await;
        }
    }
    drop(done);
    for sender in senders {
        sender.await.unwrap();
    }
    let sent = std::mem::take(&mut *load.sent.lock());
    assert!(sent.len() >= reloads * REQUESTS * EVENTS, "{}", sent.len());
    let all = sent.len();
    siems
        .splunk
        .wait_for(|state| state.events.len() >= all, SOON)
        .await
        .unwrap();
    siems
        .datadog
        .wait_for(|state| state.logs.len() >= all, SOON)
        .await
        .unwrap();
    siems
        .elastic
        .wait_for(|state| state.documents.len() >= all, SOON)
        .await
        .unwrap();
    siems.assert_exactly_once(&sent);

    let state = reqwest::get(format!("http://{admin}/api/v1/config"))
        .await
        .unwrap();
    let state: Value = serde_json::from_slice(&state.bytes().await.unwrap()).unwrap();
    assert!(
        state["reloads"]["failed"].as_u64().unwrap() >= failures as u64,
        "{state}"
    );
    assert!(
        state["generation"].as_u64().unwrap() > (reloads / 2) as u64,
        "{state}"
    );
    let cold = sluice.footprint();
    println!("{reloads} reloads, {all} records; after a quarter {warm:?}, at the end {cold:?}");
    assert!(cold.1 <= warm.1 + 10, "open files: {warm:?}, {cold:?}");
    assert!(cold.0 <= warm.0 + (40 << 20), "memory: {warm:?}, {cold:?}");
    assert_eq!(sluice.stop().await.code, Some(0));
}

/// A file with a door that needs a token, and nothing behind it that matters.
fn guarded(at: SocketAddr, token: &str, tag: &str) -> String {
    format!(
        "extensions:
  bearertokenauth: {{token: {token}}}
receivers:
  otlp: {{protocols: {{http: {{endpoint: '{at}', auth: {{authenticator: bearertokenauth}}}}}}}}
processors:
  attributes: {{actions: [{{key: tag, value: {tag}, action: upsert}}]}}
exporters:
  file: {{path: out.jsonl, format: plain_json}}
service:
  admin: none
  ledger: {{directory: ledger}}
  extensions: [bearertokenauth]
  pipelines:
    logs: {{receivers: [otlp], processors: [attributes], exporters: [file]}}
"
    )
}

async fn reloaded(sluice: &Sluice, times: usize) {
    let has = |log: &sluice_tests::Log| log.text().matches("\"reloaded\"").count() >= times;
    sluice.log().wait_for(has, SOON).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_revoked_ends_at_once_on_a_connection_that_is_open() {
    let [at] = free();
    let sluice = Sluice::start(&guarded(at, "old-token", "one"));
    sluice.address("otlp", "http").await;
    let mut connection = Connection::http1(at).await.unwrap();
    let body = events::otlp_request(&events::generate(1, 1, 100)).encode_to_vec();
    let kind = "application/x-protobuf";
    connection.authorization = Some("Bearer old-token".to_owned());
    let status = connection
        .post("/v1/logs", kind, body.clone())
        .await
        .unwrap();
    assert_eq!(status, 200);
    // The file is written as an editor does it, and nobody is told.
    let path = sluice.directory().join("pipeline.yaml");
    std::fs::write(path.with_extension("new"), guarded(at, "new-token", "one")).unwrap();
    std::fs::rename(path.with_extension("new"), &path).unwrap();
    reloaded(&sluice, 1).await;
    let status = connection
        .post("/v1/logs", kind, body.clone())
        .await
        .unwrap();
    assert_eq!(status, 401, "the old token, on the same connection");
    connection.authorization = Some("Bearer new-token".to_owned());
    let status = connection.post("/v1/logs", kind, body).await.unwrap();
    assert_eq!(status, 200);
    assert!(!sluice.log_text().contains("new-token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_comes_later_is_waited_for_and_one_that_nobody_uses_is_not() {
    let [at, more] = free();
    let plain = guarded(at, "t", "one").replace(
        "receivers:\n",
        &format!(
            "receivers:\n  webhook/unused: {{endpoint: '{more}', tls: {{cert_file: never.pem, key_file: never.pem}}}}\n"
        ),
    );
    let sluice = Sluice::start(&plain);
    sluice.address("otlp", "http").await;
    let path = sluice.directory().join("pipeline.yaml");
    // A secret of a mounted volume that is there a moment after the file that names it.
    let secret = sluice.directory().join("token.txt");
    let named = plain.replace(
        "token: t}",
        &format!("token: '${{file:{}}}'}}", secret.display()),
    );
    std::fs::write(&path, named).unwrap();
    let told = |log: &sluice_tests::Log| log.text().contains("not reloaded");
    sluice.log().wait_for(told, SOON).await.unwrap();
    std::fs::write(&secret, "later").unwrap();
    reloaded(&sluice, 1).await;
    let mut connection = Connection::http1(at).await.unwrap();
    connection.authorization = Some("Bearer later".to_owned());
    let body = events::otlp_request(&events::generate(1, 1, 100)).encode_to_vec();
    let status = connection
        .post("/v1/logs", "application/x-protobuf", body)
        .await
        .unwrap();
    assert_eq!(status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_symlink_that_kubernetes_flips_is_a_new_file_and_sighup_and_a_broken_file_are_told() {
    let [at] = free();
    // As a ConfigMap is mounted: pipeline.yaml -> ..data/pipeline.yaml, ..data -> ..2026_1.
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let home = directory.path();
    let version = |number: usize, file: &str| {
        let name = format!("..2026_{number}");
        std::fs::create_dir(home.join(&name)).unwrap();
        std::fs::write(home.join(&name).join("pipeline.yaml"), file).unwrap();
        std::os::unix::fs::symlink(&name, home.join("..data_tmp")).unwrap();
        std::fs::rename(home.join("..data_tmp"), home.join("..data")).unwrap();
    };
    version(1, &guarded(at, "t", "one"));
    std::os::unix::fs::symlink("..data/pipeline.yaml", home.join("pipeline.yaml")).unwrap();
    let sluice = Sluice::start_in_place(directory.clone());
    sluice.address("otlp", "http").await;
    version(2, &guarded(at, "t", "two"));
    reloaded(&sluice, 1).await;
    version(
        3,
        &guarded(at, "t", "three").replace("exporters: [file]", "exporters: [fils]"),
    );
    let told = |log: &sluice_tests::Log| {
        let text = log.text();
        text.contains("not reloaded") && text.contains("exporter `fils` is not defined")
    };
    sluice.log().wait_for(told, SOON).await.unwrap();
    version(4, &guarded(at, "t", "four"));
    reloaded(&sluice, 2).await;
    sluice.signal(rustix::process::Signal::HUP);
    let told = |log: &sluice_tests::Log| log.text().contains("nothing has changed");
    sluice.log().wait_for(told, SOON).await.unwrap();
    assert_eq!(sluice.stop().await.code, Some(0));
}
