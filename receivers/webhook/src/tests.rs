//! The receivers over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sluice_batch::Batch;
use sluice_component::{
    After, BoxFuture, BuildContext, ByteSize, Checked as _, Consume, HumanDuration, Outlet,
    Problems, ReceiverConfig, Secret, Severity, Undelivered, Verdict,
};
use sluice_net::Admission;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::formats::Format;
use crate::verify::{Rejection, Scheme, VerifyConfig};
use crate::{Config, Webhook, webhookevent};

type Answer = Result<(), Undelivered>;

/// A pipeline whose answers the test gives, one a batch.
struct Pipeline(mpsc::UnboundedSender<(Batch, oneshot::Sender<Answer>)>);

impl Consume for Pipeline {
    fn consume(&self, batch: Batch) -> BoxFuture<'static, Answer> {
        let (tell, told) = oneshot::channel();
        let records = batch.len();
        let sent = self.0.send((batch, tell));
        Box::pin(async move {
            sent.map_err(|_| Undelivered::retry(records, "no pipeline"))?;
            told.await
                .unwrap_or_else(|gone| Err(Undelivered::retry(records, gone)))
        })
    }
}

struct Server {
    address: SocketAddr,
    batches: mpsc::UnboundedReceiver<(Batch, oneshot::Sender<Answer>)>,
    _stop: tokio_util::sync::DropGuard,
}

impl Server {
    fn webhook(config: &Config) -> (Self, Arc<crate::receiver::Rejections>) {
        let receiver = Webhook::bind(config, &BuildContext::alone("webhook")).unwrap();
        let rejections = receiver.rejections();
        (
            Self::run(receiver.address(), Box::new(receiver)),
            rejections,
        )
    }

    fn webhookevent(config: &webhookevent::Config) -> Self {
        let receiver =
            webhookevent::WebhookEvent::bind(config, &BuildContext::alone("webhookevent")).unwrap();
        Self::run(receiver.address(), Box::new(receiver))
    }

    fn run(address: SocketAddr, receiver: Box<dyn sluice_component::Receiver>) -> Self {
        let (sender, batches) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        tokio::spawn(receiver.run(Outlet::new(Box::new(Pipeline(sender))), stop.clone()));
        Self {
            address,
            batches,
            _stop: stop.drop_guard(),
        }
    }

    async fn send(&self, request: String, body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "{request}\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream
            .write_all(&[head.as_bytes(), body].concat())
            .await
            .unwrap();
        stream
    }

    async fn request(&self, request: &str, body: &[u8]) -> Reply {
        reply(self.send(request.to_owned(), body).await).await
    }

    /// Posts, and answers the batch that comes of it.
    async fn post(&mut self, request: &str, body: &[u8], answer: Answer) -> (Reply, Batch) {
        let stream = self.send(request.to_owned(), body).await;
        let (batch, tell) = tokio::time::timeout(Duration::from_secs(10), self.batches.recv())
            .await
            .expect("a batch")
            .unwrap();
        tell.send(answer).unwrap();
        (reply(stream).await, batch)
    }
}

#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

async fn reply(mut stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes))
        .await
        .expect("an answer")
        .unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Reply {
        status: head[9..12].parse().unwrap(),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

fn config(format: Format) -> Config {
    Config {
        endpoint: "127.0.0.1:0".into(),
        format,
        ..Config::default()
    }
}

fn verified(scheme: Scheme, secret: &str) -> Config {
    let verify = VerifyConfig {
        scheme,
        secret: Secret::new(secret),
        secrets: vec![],
        tolerance: HumanDuration(Duration::from_secs(300)),
        header: None,
    };
    Config {
        verify: Some(verify),
        ..config(Format::PolicyGateway)
    }
}

/// The headers of a Standard Webhooks request.
fn signed(id: &str, age: i64, body: &[u8]) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64
        - age;
    let key = hmac::Key::new(
        hmac::HMAC_SHA256,
        &BASE64_STANDARD
            .decode("c2VjcmV0LXNlY3JldC1zZWNyZXQ=")
            .unwrap(),
    );
    let tag = hmac::sign(&key, &[format!("{id}.{now}.").as_bytes(), body].concat());
    format!(
        "POST / HTTP/1.1\r\nwebhook-id: {id}\r\nwebhook-timestamp: {now}\r\nwebhook-signature: v1,{}",
        BASE64_STANDARD.encode(tag)
    )
}

const SECRET: &str = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ=";
const EVENT: &[u8] = br#"{"event_id":"e1","decision":"allow"}"#;

#[tokio::test]
async fn a_post_is_answered_200_only_after_its_delivery() {
    let (mut server, _) = Server::webhook(&config(Format::PolicyGateway));
    let mut stream = server.send("POST / HTTP/1.1".into(), EVENT).await;
    let (batch, tell) = server.batches.recv().await.unwrap();
    assert_eq!(batch.record(0).name(), "ai.policy.decision");
    let sender = batch.sender().expect("a sender");
    assert_eq!(sender.address(), Some(server.address.ip()));
    assert_eq!(
        sender.metadata("host").next(),
        None,
        "headers are handed on only if that is wanted"
    );
    let early = tokio::time::timeout(Duration::from_millis(50), stream.read_u8()).await;
    assert!(early.is_err(), "answered before the delivery");
    tell.send(Ok(())).unwrap();
    let reply = reply(stream).await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (200, r#"{"accepted":1}"#)
    );
}

#[tokio::test]
async fn what_was_not_taken_is_answered_503_or_422_and_never_200() {
    let (mut server, _) = Server::webhook(&config(Format::Json));
    let later = Undelivered::all(
        1,
        Verdict::Retry(After::Delay(Duration::from_millis(6_500))),
    )
    .because("queue of e1 is full");
    let (reply, _) = server.post("POST / HTTP/1.1", EVENT, Err(later)).await;
    assert_eq!(reply.status, 503);
    assert!(reply.head.contains("retry-after: 7"), "{reply:?}");
    assert!(!reply.body.contains("e1"), "{reply:?}");
    let (reply, _) = server
        .post(
            "POST / HTTP/1.1",
            EVENT,
            Err(Undelivered::all(1, Verdict::Hold("401".into()))),
        )
        .await;
    assert_eq!(reply.status, 503);
    let two = [EVENT, b"\n".as_slice(), EVENT].concat();
    let refused = Undelivered {
        verdicts: vec![(1..2, Verdict::Refused("too large".into()))],
        source: None,
    };
    let (reply, batch) = server.post("POST / HTTP/1.1", &two, Err(refused)).await;
    assert_eq!((reply.status, batch.len()), (422, 2));
    assert_eq!(
        reply.body,
        r#"{"error":"1 of 2 events were refused for good: too large"}"#
    );
}

#[tokio::test]
async fn other_paths_are_404_and_other_methods_405() {
    let (server, _) = Server::webhook(&Config {
        path: "/hook".into(),
        ..config(Format::Json)
    });
    assert_eq!(server.request("POST / HTTP/1.1", EVENT).await.status, 404);
    assert_eq!(
        server.request("POST /hook/ HTTP/1.1", EVENT).await.status,
        404
    );
    let reply = server.request("GET /hook HTTP/1.1", b"").await;
    assert_eq!(reply.status, 405);
    assert!(reply.head.contains("allow: post"), "{reply:?}");
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_400_without_its_content() {
    let (server, _) = Server::webhook(&config(Format::PolicyGateway));
    assert_eq!(server.request("POST / HTTP/1.1", b"").await.status, 400);
    let reply = server
        .request("POST / HTTP/1.1", br#"{"decision": secret}"#)
        .await;
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (400, r#"{"error":"malformed JSON at byte 13"}"#)
    );
    assert_eq!(
        server
            .request("POST / HTTP/1.1\r\nContent-Encoding: gzip", EVENT)
            .await
            .status,
        400
    );
    let reply = server
        .request("POST / HTTP/1.1\r\nContent-Encoding: br", EVENT)
        .await;
    assert_eq!(reply.status, 415);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_as_sent_and_unpacked() {
    let (mut server, _) = Server::webhook(&Config {
        max_request_body_size: ByteSize(1_000),
        ..config(Format::Raw)
    });
    let (reply, _) = server.post("POST / HTTP/1.1", &[b'x'; 1_000], Ok(())).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        server
            .request("POST / HTTP/1.1", &[b'x'; 1_001])
            .await
            .status,
        413
    );
    let (reply, batch) = server
        .post(
            "POST / HTTP/1.1\r\nContent-Encoding: gzip",
            &gzip(&[b'x'; 1_000]),
            Ok(()),
        )
        .await;
    assert_eq!(
        (reply.status, batch.record(0).body().as_str().unwrap().len()),
        (200, 1_000)
    );
    assert_eq!(
        server
            .request(
                "POST / HTTP/1.1\r\nContent-Encoding: gzip",
                &gzip(&[b'x'; 1_001])
            )
            .await
            .status,
        413
    );
    assert_eq!(Config::default().max_request_body_size, ByteSize(20 << 20));
}

#[tokio::test]
async fn a_short_body_that_makes_many_records_is_charged_for_them() {
    let mut receiver =
        Webhook::bind(&config(Format::Json), &BuildContext::alone("webhook")).unwrap();
    receiver.desk.intake.admission = Admission::new(256 << 10);
    let admission = receiver.desk.intake.admission.clone();
    let mut server = Server::run(receiver.address(), Box::new(receiver));
    let reply = server
        .request("POST / HTTP/1.1", "{}".repeat(10_000).as_bytes())
        .await;
    assert_eq!(reply.status, 503);
    assert!(reply.head.contains("retry-after: "), "{reply:?}");
    let (reply, _) = server.post("POST / HTTP/1.1", EVENT, Ok(())).await;
    assert_eq!((reply.status, admission.used()), (200, 0));
}

#[tokio::test]
async fn an_unsigned_a_forged_and_a_late_request_is_401_with_nothing_in_it_and_counted() {
    let (mut server, rejections) = Server::webhook(&verified(Scheme::StandardWebhooks, SECRET));
    for (request, body, reason) in [
        ("POST / HTTP/1.1".to_owned(), EVENT, Rejection::Missing),
        (signed("m1", 0, b"{}"), EVENT, Rejection::Mismatch),
        (signed("m1", 400, EVENT), EVENT, Rejection::Stale),
        (signed("m1", -400, EVENT), EVENT, Rejection::Stale),
        (
            signed("m1", 0, EVENT).replace("v1,", "v1a,"),
            EVENT,
            Rejection::UnknownKey,
        ),
        // Not even whether the body is JSON is said to somebody unknown.
        ("POST / HTTP/1.1".to_owned(), b"{", Rejection::Missing),
    ] {
        let before = rejections.of(reason);
        let reply = server.request(&request, body).await;
        assert_eq!(
            (
                reply.status,
                reply.body.as_str(),
                rejections.of(reason) - before
            ),
            (401, "", 1),
            "{reason}"
        );
    }
    let (reply, _) = server.post(&signed("m1", 200, EVENT), EVENT, Ok(())).await;
    assert_eq!(
        reply.status, 200,
        "a refused request leaves no trace of its id"
    );
}

#[tokio::test]
async fn a_signature_over_the_packed_or_the_plain_body_is_good() {
    let (mut server, _) = Server::webhook(&verified(Scheme::StandardWebhooks, SECRET));
    let packed = gzip(EVENT);
    for (id, over) in [("a", EVENT), ("b", &packed)] {
        let request = format!("{}\r\nContent-Encoding: gzip", signed(id, 0, over));
        assert_eq!(server.post(&request, &packed, Ok(())).await.0.status, 200);
    }
}

#[tokio::test]
async fn a_repeated_delivery_is_200_and_dropped_once_the_first_was_delivered() {
    let (mut server, _) = Server::webhook(&verified(Scheme::StandardWebhooks, SECRET));
    assert_eq!(
        server
            .post(&signed("m1", 0, EVENT), EVENT, Ok(()))
            .await
            .0
            .status,
        200
    );
    // Its sender signs again at each attempt.
    let repeated = server.request(&signed("m1", 1, EVENT), EVENT).await;
    assert_eq!(
        (repeated.status, repeated.body.as_str()),
        (200, r#"{"accepted":0,"repeated":true}"#)
    );
    let other = br#"{"event_id":"e2","decision":"deny"}"#;
    assert_eq!(
        server
            .post(&signed("m1", 0, other), other, Ok(()))
            .await
            .0
            .status,
        200,
        "another body is another delivery"
    );
}

#[tokio::test]
async fn a_senders_retry_gives_events_without_an_id_the_uids_they_had() {
    let (mut server, _) = Server::webhook(&verified(Scheme::StandardWebhooks, SECRET));
    let body = br#"[{"decision":"deny"},{"decision":"deny"}]"#;
    let mut seen = Vec::new();
    for (id, age, answer) in [
        ("m1", 1, Err(Undelivered::retry(2, "full"))),
        ("m1", 0, Ok(())),
        ("m2", 0, Ok(())),
    ] {
        let (_, batch) = server.post(&signed(id, age, body), body, answer).await;
        let uids: Vec<_> = batch
            .records()
            .map(|record| record.get("log.record.uid").unwrap().to_text().into_owned())
            .collect();
        seen.push(uids);
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0][0], seen[0][1], "one event each");
    assert!(!seen[2].contains(&seen[0][0]), "another delivery");
}

#[tokio::test]
async fn a_refused_first_delivery_leaves_no_trace() {
    let (mut server, _) = Server::webhook(&verified(Scheme::StandardWebhooks, SECRET));
    assert_eq!(
        server
            .post(
                &signed("m1", 0, EVENT),
                EVENT,
                Err(Undelivered::retry(1, "full"))
            )
            .await
            .0
            .status,
        503
    );
    assert_eq!(
        server
            .post(&signed("m1", 0, EVENT), EVENT, Ok(()))
            .await
            .0
            .status,
        200
    );
    assert_eq!(
        server.request(&signed("m2", 0, b"{"), b"{").await.status,
        400
    );
    assert_eq!(
        server.request(&signed("m2", 0, b"{"), b"{").await.status,
        400,
        "a malformed body is never a repetition"
    );
}

#[tokio::test]
async fn a_repetition_waits_while_the_first_is_under_way_and_shares_its_fate() {
    for (answer, status) in [(Ok(()), 200), (Err(Undelivered::retry(1, "full")), 503)] {
        let (mut server, _) = Server::webhook(&verified(Scheme::StandardWebhooks, SECRET));
        let first = server.send(signed("m1", 0, EVENT), EVENT).await;
        let (_, tell) = server.batches.recv().await.unwrap();
        let mut second = server.send(signed("m1", 0, EVENT), EVENT).await;
        assert!(
            tokio::time::timeout(Duration::from_millis(50), second.read_u8())
                .await
                .is_err(),
            "answered too early"
        );
        tell.send(answer).unwrap();
        assert_eq!(
            (reply(first).await.status, reply(second).await.status),
            (status, status)
        );
        assert!(server.batches.try_recv().is_err(), "delivered twice");
    }
}

#[tokio::test]
async fn a_sender_that_hangs_up_does_not_undo_its_delivery() {
    let (mut server, _) = Server::webhook(&verified(Scheme::StandardWebhooks, SECRET));
    let first = server.send(signed("m1", 0, EVENT), EVENT).await;
    let (_, tell) = server.batches.recv().await.unwrap();
    drop(first);
    let again = server.send(signed("m1", 0, EVENT), EVENT).await;
    tokio::task::yield_now().await;
    tell.send(Ok(())).unwrap();
    assert_eq!(reply(again).await.body, r#"{"accepted":0,"repeated":true}"#);
}

#[tokio::test]
async fn a_keeptrusts_webhook_with_a_splunk_header_is_let_in() {
    let mut config = verified(Scheme::Header, "");
    config.format = Format::Keeptrusts;
    config.verify.as_mut().unwrap().header = Some(crate::verify::HeaderConfig {
        name: "Authorization".into(),
        value: Secret::new("Splunk t0ken"),
    });
    let (mut server, _) = Server::webhook(&config);
    let body = br#"{"event_id":"k1","event_type":"blocked","action":"block"}"#;
    assert_eq!(
        server
            .request("POST / HTTP/1.1\r\nAuthorization: Splunk other", body)
            .await
            .status,
        401
    );
    let (reply, batch) = server
        .post(
            "POST / HTTP/1.1\r\nAuthorization: Splunk t0ken",
            body,
            Ok(()),
        )
        .await;
    assert_eq!((reply.status, batch.record(0).severity_number()), (200, 13));
}

#[test]
fn an_open_door_is_warned_of_and_mistakes_are_errors() {
    let found = |config: &Config| {
        let mut problems = Problems::new();
        config.check(&mut problems);
        problems
            .found
            .iter()
            .map(|p| p.severity)
            .collect::<Vec<_>>()
    };
    for endpoint in ["127.0.0.1:8088", "localhost:8088", "[::1]:8088"] {
        assert_eq!(
            found(&Config {
                endpoint: endpoint.into(),
                ..Config::default()
            }),
            [],
            "{endpoint}"
        );
    }
    assert_eq!(
        found(&Config {
            endpoint: "0.0.0.0:8088".into(),
            ..Config::default()
        }),
        [Severity::Warning]
    );
    assert_eq!(
        found(&Config {
            endpoint: "0.0.0.0:8088".into(),
            ..verified(Scheme::Github, "s")
        }),
        []
    );
    let wrong = Config {
        path: "hook".into(),
        subject_field: Some(String::new()),
        ..verified(Scheme::Github, "")
    };
    assert_eq!(found(&wrong), [Severity::Error; 3]);
}

#[test]
fn a_configuration_is_read_as_it_is_documented() {
    let config: Config = serde_json::from_str(r#"{"endpoint": "localhost:8088", "path": "/hook", "format": "policy_gateway", "normalise": "full", "subject_field": "user_id", "read_timeout": "5s",
        "verify": {"scheme": "standard_webhooks", "secret": "whsec_AAAA", "secrets": ["whsec_BBBB"], "tolerance": "1m"}}"#).unwrap();
    assert_eq!(
        (config.format, config.verify.unwrap().tolerance),
        (
            Format::PolicyGateway,
            HumanDuration(Duration::from_secs(60))
        )
    );
    assert!(serde_json::from_str::<Config>(r#"{"formatt": "json"}"#).is_err());
    for scheme in [
        "standard_webhooks",
        "github",
        "stripe",
        "hmac_sha256",
        "bearer",
        "basic",
        "header",
    ] {
        assert!(
            serde_json::from_str::<VerifyConfig>(&format!(r#"{{"scheme": "{scheme}"}}"#)).is_ok(),
            "{scheme}"
        );
    }
    let built: Box<dyn sluice_component::Receiver>;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _guard = runtime.enter();
    built = ReceiverConfig::build(&self::config(Format::Json), &BuildContext::alone("webhook"))
        .unwrap();
    drop(built);
}

fn event_config() -> webhookevent::Config {
    webhookevent::Config {
        endpoint: "127.0.0.1:0".into(),
        ..webhookevent::Config::default()
    }
}

#[tokio::test]
async fn webhookevent_answers_with_the_collectors_codes() {
    let required = webhookevent::RequiredHeader {
        key: "X-Token".into(),
        value: Secret::new("t"),
    };
    let mut server = Server::webhookevent(&webhookevent::Config {
        required_header: Some(required),
        ..event_config()
    });
    let health = server.request("GET /health_check HTTP/1.1", b"").await;
    assert_eq!(
        (health.status, health.body.as_str()),
        (200, r#"{"text": "Webhookevent receiver is healthy"}"#)
    );
    assert_eq!(
        server
            .request("GET /events HTTP/1.1\r\nX-Token: t", b"")
            .await
            .status,
        400
    );
    assert_eq!(
        server
            .request("POST /events HTTP/1.1\r\nX-Token: t", b"")
            .await
            .status,
        400
    );
    assert_eq!(
        server.request("POST /events HTTP/1.1", b"x").await.status,
        401
    );
    assert_eq!(
        server
            .request("POST /events HTTP/1.1\r\nX-Token: u", b"x")
            .await
            .status,
        401
    );
    assert_eq!(
        server
            .request(
                "POST /events HTTP/1.1\r\nX-Token: t\r\nContent-Encoding: zstd",
                b"x"
            )
            .await
            .status,
        415
    );
    assert_eq!(
        server
            .request(
                "POST /events HTTP/1.1\r\nX-Token: t\r\nContent-Encoding: gzip",
                b"x"
            )
            .await
            .status,
        400
    );
    assert_eq!(
        server
            .request("POST /other HTTP/1.1\r\nX-Token: t", b"x")
            .await
            .status,
        404
    );
    let (reply, _) = server
        .post(
            "POST /events HTTP/1.1\r\nX-Token: t",
            b"x",
            Err(Undelivered::retry(1, "full")),
        )
        .await;
    assert_eq!(reply.status, 503);
    let (reply, batch) = server
        .post(
            "POST /events HTTP/1.1\r\nX-Token: t\r\nContent-Encoding: gzip",
            &gzip(b"a\nb"),
            Ok(()),
        )
        .await;
    assert_eq!(
        (reply.status, batch.len(), batch.record(0).body().as_str()),
        (200, 1, Some("a\nb"))
    );
}

#[tokio::test]
async fn webhookevent_splits_and_takes_metadata_along() {
    let bodies = |batch: &Batch| {
        batch
            .records()
            .map(|r| r.body().as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let lines = webhookevent::Config {
        split_logs_at_newline: true,
        convert_headers_to_attributes: true,
        header_attribute_regex: Some("^X-".into()),
        ..event_config()
    };
    let mut server = Server::webhookevent(&lines);
    let request = "POST /events?env=prod&env=dev&empty=&q=a%20b HTTP/1.1\r\nX-Request-Id: 7\r\nAuthorization: Bearer secret\r\nCookie: secret";
    let long = "x".repeat(100_000);
    let (_, batch) = server
        .post(request, format!("one\r\n\n{long}\n").as_bytes(), Ok(()))
        .await;
    assert_eq!(bodies(&batch), ["one", &long]);
    let record = batch.record(0);
    let resource: Vec<_> = record
        .resource()
        .attributes()
        .iter()
        .map(|(name, value)| (name, value.to_text().into_owned()))
        .collect();
    assert_eq!(
        resource,
        [("env", "prod".to_owned()), ("q", "a b".to_owned())]
    );
    let scope: Vec<_> = record
        .scope()
        .attributes()
        .iter()
        .map(|(name, value)| (name, value.to_text().into_owned()))
        .collect();
    assert_eq!(
        scope,
        [
            ("source", "webhookevent".to_owned()),
            ("receiver", "webhookevent".to_owned())
        ]
    );
    let attributes: Vec<_> = record
        .attributes()
        .iter()
        .map(|(name, value)| (name, value.to_text().into_owned()))
        .collect();
    assert_eq!(attributes, [("header.X-Request-Id", r#"["7"]"#.to_owned())]);

    let documents = webhookevent::Config {
        split_logs_at_json_boundary: true,
        convert_headers_to_attributes: true,
        ..event_config()
    };
    let mut server = Server::webhookevent(&documents);
    let (_, batch) = server
        .post(request, b"{\"a\": 1}\n\n[2] {\"b\":\n3}", Ok(()))
        .await;
    assert_eq!(bodies(&batch), ["{\"a\": 1}", "[2]", "{\"b\":\n3}"]);
    assert!(
        !batch
            .record(0)
            .attributes()
            .iter()
            .any(|(_, value)| value.to_text().contains("secret")),
        "credentials are no attributes"
    );
    assert_eq!(
        server
            .request("POST /events HTTP/1.1", b"{\"a\": 1} {")
            .await
            .status,
        400
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}
