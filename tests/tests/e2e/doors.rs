//! What senders are told at the doors.

use sluice_testing::otlp;
use sluice_tests::{Encoding, SOON, Sluice, events, senders, signature};

use crate::settings::{self, WEBHOOK_SECRET};

async fn running() -> (otlp::Double, Sluice) {
    let double = otlp::Double::start().await;
    let sluice = Sluice::start(&settings::file(
        &[],
        &[settings::otlp_http(&double.url(""))],
    ));
    (double, sluice)
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn otlp_over_http_refuses_what_the_protocol_refuses() {
    let (double, sluice) = running().await;
    let protobuf = || senders::headers("application/x-protobuf", Encoding::Plain);
    let json = || senders::headers("application/json", Encoding::Plain);
    for (path, headers, body, status) in [
        ("/v1/logs", protobuf(), vec![], 200),
        ("/v1/logs", json(), b"{}".to_vec(), 200),
        ("/v1/logs", protobuf(), vec![0xff, 0xff], 400),
        ("/v1/logs", json(), b"{".to_vec(), 400),
        ("/v1/logs", json(), b"[]".to_vec(), 400),
        ("/v1/nothing", protobuf(), vec![], 404),
        (
            "/v1/logs",
            senders::headers("text/plain", Encoding::Plain),
            b"x".to_vec(),
            415,
        ),
        ("/v1/logs", vec![], b"x".to_vec(), 415),
        ("/v1/logs", protobuf(), vec![0; (64 << 20) + 1], 413),
    ] {
        let url = sluice.url("otlp", "http", path).await;
        let length = body.len();
        let answer = senders::post(&url, &headers, body).await.unwrap();
        assert_eq!(answer.status, status, "{path} {headers:?} {length} bytes");
    }
    let got = senders::client()
        .get(sluice.url("otlp", "http", "/v1/logs").await)
        .send()
        .await
        .unwrap();
    assert_eq!(got.status().as_u16(), 405);
    assert_eq!(double.read(|state| state.log_records().count()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_comes_in_the_requests_own_content_type() {
    let (_double, sluice) = running().await;
    let url = sluice.url("otlp", "http", "/v1/logs").await;
    for content_type in ["application/x-protobuf", "application/json"] {
        let answer = senders::post(
            &url,
            &senders::headers(content_type, Encoding::Plain),
            vec![0xff],
        )
        .await
        .unwrap();
        assert_eq!(
            (
                answer.status,
                answer.headers["content-type"].to_str().unwrap()
            ),
            (400, content_type)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_taken_only_with_a_fresh_signature_by_a_key_that_we_know() {
    let (double, sluice) = running().await;
    let url = sluice.url("webhook/policy", "http", "/policy").await;
    let body = serde_json::to_vec(&events::generate(1, 40, 100)[0].object).unwrap();
    let now = signature::now();
    let signed =
        |id: &str, timestamp| signature::standard_webhooks(WEBHOOK_SECRET, id, timestamp, &body);
    let mut forged = signed("msg_3", now);
    forged[2].1 = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned();
    let mut rotated = signed("msg_4", now);
    rotated[2].1 = format!("v1,AAAA v1a,ignored {}", rotated[2].1);
    for (what, headers, status) in [
        ("unsigned", vec![], 401),
        ("forged", forged, 401),
        ("ten minutes old", signed("msg_1", now - 600), 401),
        ("ten minutes ahead", signed("msg_2", now + 600), 401),
        ("one good signature of several", rotated, 200),
    ] {
        let answer = senders::post(&url, &headers, body.clone()).await.unwrap();
        assert_eq!(answer.status, status, "{what}");
        assert!(
            status == 200 || answer.body.is_empty(),
            "{what}: a refusal says nothing"
        );
    }
    // The last one again, as a sender does that has not seen the answer.
    let mut again = signed("msg_4", now);
    again.push(header("content-type", "application/json"));
    assert_eq!(
        senders::post(&url, &again, body.clone())
            .await
            .unwrap()
            .status,
        200
    );
    double
        .wait_for(|state| state.log_records().count() == 1, SOON)
        .await
        .unwrap();
    assert_eq!(
        double.read(|state| state.log_records().count()),
        1,
        "a repeated webhook-id is delivered once"
    );
}
