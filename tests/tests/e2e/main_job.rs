//! The main job: events from every door, with repetitions, personal data and secrets, reach three SIEMs exactly once,
//! redacted and tagged.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use sluice_testing::{datadog, splunk};
use sluice_tests::events::{self, PLANTS};
use sluice_tests::{Encoding, Event, Sluice, senders, signature};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::settings::WEBHOOK_SECRET;
use crate::siems::Siems;

const EVENTS: usize = 10_000;
const REQUEST: usize = 200;
const SENDERS: usize = 8;

/// The ways in.
#[derive(Clone, Copy, Debug)]
enum Route {
    Grpc(Encoding),
    Protobuf(Encoding),
    Json(Encoding),
    Webhook(Encoding),
}

const ROUTES: [Route; 11] = [
    Route::Grpc(Encoding::Plain),
    Route::Grpc(Encoding::Gzip),
    Route::Grpc(Encoding::Zstd),
    Route::Protobuf(Encoding::Plain),
    Route::Protobuf(Encoding::Gzip),
    Route::Protobuf(Encoding::Zstd),
    Route::Json(Encoding::Plain),
    Route::Json(Encoding::Gzip),
    Route::Json(Encoding::Zstd),
    Route::Webhook(Encoding::Plain),
    Route::Webhook(Encoding::Gzip),
];

/// Where the doors are.
#[derive(Clone)]
struct Doors {
    grpc: Channel,
    http: SocketAddr,
    webhook: SocketAddr,
}

impl Doors {
    async fn of(sluice: &Sluice) -> Self {
        Self {
            grpc: senders::grpc_channel(sluice.address("otlp", "grpc").await).await,
            http: sluice.address("otlp", "http").await,
            webhook: sluice.address("webhook/policy", "http").await,
        }
    }

    /// Sends events one way; the answer must be an unconditional yes.
    async fn send(&self, route: Route, events: Vec<Event>, number: usize) {
        let (status, body) = match route {
            Route::Grpc(encoding) => {
                let answer =
                    senders::otlp_grpc(self.grpc.clone(), events::otlp_request(&events), encoding)
                        .await;
                assert_eq!(answer.expect("an OK").partial_success, None);
                return;
            }
            Route::Protobuf(encoding) => {
                let answer =
                    senders::otlp_protobuf(self.http, &events::otlp_request(&events), encoding)
                        .await
                        .unwrap();
                (answer.status, answer.body)
            }
            Route::Json(encoding) => {
                let answer =
                    senders::otlp_json(self.http, &events::otlp_request(&events), encoding)
                        .await
                        .unwrap();
                assert_eq!(answer.headers["content-type"], "application/json");
                (answer.status, answer.body)
            }
            Route::Webhook(encoding) => {
                let objects: Vec<_> = events.iter().map(|event| &event.object).collect();
                let body = encoding.encode(serde_json::to_vec(&objects).unwrap());
                let mut headers = senders::headers("application/json", encoding);
                // The schemes sign the bytes on the wire.
                headers.extend(signature::standard_webhooks(
                    WEBHOOK_SECRET,
                    &format!("msg_{number}"),
                    signature::now(),
                    &body,
                ));
                let answer =
                    senders::post(&format!("http://{}/policy", self.webhook), &headers, body)
                        .await
                        .unwrap();
                (answer.status, answer.body)
            }
        };
        let body = String::from_utf8_lossy(&body);
        assert!((200..300).contains(&status), "{route:?}: {status} {body}");
        assert!(!body.contains("rejected"), "{route:?}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_events_from_every_door_reach_three_siems_once_each_redacted_and_tagged() {
    let siems = Siems::start().await;
    let sluice = Sluice::start(&siems.file(&["redaction", "classification", "dedupe"]));
    let doors = Doors::of(&sluice).await;
    let events = events::generate(EVENTS, 1, 20);
    let sequence = events::with_duplicates(&events, 2);
    assert!(sequence.len() > EVENTS + EVENTS / 11);

    let under_way = Arc::new(Semaphore::new(SENDERS));
    let mut requests = JoinSet::new();
    for (number, chunk) in sequence.chunks(REQUEST).enumerate() {
        let permit = Arc::clone(&under_way).acquire_owned().await.unwrap();
        let (doors, chunk) = (
            doors.clone(),
            chunk.iter().map(|event| (*event).clone()).collect(),
        );
        requests.spawn(async move {
            doors
                .send(ROUTES[number % ROUTES.len()], chunk, number)
                .await;
            drop(permit);
        });
    }
    requests.join_all().await;

    // No waiting here: an OK means that everything is there.
    siems.assert_exactly_once(&events);
    assert_nothing_leaked(&siems, &sluice, &events);
    assert_tagged(&siems, &events);
    assert_untouched(&siems, &events);
    assert_well_formed(&siems, &events);
    assert!(
        sluice.peak_memory() < 400 << 20,
        "{} MiB",
        sluice.peak_memory() >> 20
    );
    let ended = sluice.stop().await;
    assert_eq!(ended.code, Some(0), "{}", ended.log);
}

fn assert_nothing_leaked(siems: &Siems, sluice: &Sluice, events: &[Event]) {
    let (arrived, log) = (siems.everything(), sluice.log_text());
    for plant in PLANTS {
        assert!(!arrived.contains(plant), "{plant} arrived");
        assert!(!log.contains(plant), "{plant} is in the log");
    }
    for secret in [splunk::TOKEN, datadog::API_KEY, WEBHOOK_SECRET] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    assert!(
        !events.iter().any(|event| log.contains(event.id())),
        "an event's id is in the log"
    );
}

/// The tag that an event must have.
fn tag(event: &Event) -> &'static str {
    match (event.plant, event.text("decision")) {
        (Some(_), _) => "restricted",
        (None, "refuse") => "confidential",
        (None, _) => "internal",
    }
}

fn assert_tagged(siems: &Siems, events: &[Event]) {
    let expected: BTreeMap<&str, &str> = events
        .iter()
        .map(|event| (event.id(), tag(event)))
        .collect();
    siems.splunk.read(|state| {
        for event in &state.events {
            let id = event.event()["event_id"].as_str().unwrap();
            assert_eq!(
                event.field("data.classification").and_then(Value::as_str),
                Some(expected[id]),
                "{}",
                event.text
            );
        }
    });
    siems.datadog.read(|state| {
        for log in &state.logs {
            let expected = expected[log.get("event_id").as_str().unwrap()];
            let tag = log
                .get("attributes")
                .get("data.classification")
                .and_then(Value::as_str);
            assert_eq!(tag, Some(expected), "{:?}", log.object);
        }
    });
    siems.elastic.read(|state| {
        for document in &state.documents {
            let attributes = &document.source["otel"]["attributes"];
            assert_eq!(
                attributes["data.classification"],
                expected[document.id.as_str()],
                "{}",
                document.text
            );
        }
    });
}

/// Events without a plant are the source's own object to the letter; the others have a mark where the plant was.
fn assert_untouched(siems: &Siems, events: &[Event]) {
    let by_id: BTreeMap<&str, &Event> = events.iter().map(|event| (event.id(), event)).collect();
    let check = |id: &Value, object: &Value| {
        let event = by_id[id.as_str().unwrap()];
        let arrived = object.to_string();
        if event.plant.is_none() {
            assert_eq!(arrived, serde_json::to_string(&event.object).unwrap());
        } else {
            assert!(arrived.contains("[REDACTED:"), "{arrived}");
            let keys = |object: &Value| {
                object
                    .as_object()
                    .unwrap()
                    .keys()
                    .cloned()
                    .collect::<Vec<_>>()
            };
            assert_eq!(
                keys(object),
                event.object.keys().cloned().collect::<Vec<_>>()
            );
        }
    };
    siems.splunk.read(|state| {
        state
            .events
            .iter()
            .for_each(|event| check(&event.event()["event_id"], event.event()))
    });
    siems.datadog.read(|state| {
        state
            .logs
            .iter()
            .for_each(|log| check(log.get("event_id"), log.get("policy")))
    });
}

/// Names, times and routing of every envelope.
fn assert_well_formed(siems: &Siems, events: &[Event]) {
    let by_id: BTreeMap<&str, &Event> = events.iter().map(|event| (event.id(), event)).collect();
    siems.splunk.read(|state| {
        for event in &state.events {
            let source = by_id[event.event()["event_id"].as_str().unwrap()];
            assert_eq!(event.time(), Some(source.seconds() as f64));
            for (name, value) in [
                ("host", "policy-gateway"),
                ("source", "policy-gateway"),
                ("sourcetype", "policy_gateway_audit"),
                ("index", "ai_audit"),
            ] {
                assert_eq!(event.envelope[name], value);
            }
        }
        assert_eq!(state.lost, 0);
    });
    siems.datadog.read(|state| {
        for log in &state.logs {
            let source = by_id[log.get("event_id").as_str().unwrap()];
            assert_eq!(
                log.get("message").as_str(),
                Some(&*format!("policy decision: {}", source.text("decision")))
            );
            assert_eq!(
                log.get("timestamp").as_i64(),
                Some(source.seconds() * 1_000)
            );
            assert_eq!(
                log.tags(),
                ["env:prod", "team:platform", "project:proj_support_bot"]
            );
            assert_eq!(
                (log.get("service").as_str(), log.get("ddsource").as_str()),
                (Some("policy-gateway"), Some("policy-gateway"))
            );
            assert!(!log.truncated);
        }
        assert_eq!(state.stale.len(), 0);
    });
    siems.elastic.read(|state| {
        for document in &state.documents {
            let source = by_id[document.id.as_str()];
            assert_eq!(document.index, "logs-policy_gateway.audit-prod");
            let at: jiff::Timestamp = document.source["@timestamp"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap();
            assert_eq!(at.as_second(), source.seconds());
        }
        assert_eq!(state.conflicts, 0, "nothing was sent twice");
    });
}
