use serde_json::json;

use super::{Got, deflate, gzip, send, zstd};
use crate::Fault;
use crate::splunk::{self, Acks, CLOUD_BODY_BYTES, CODES, Double, Options, TOKEN};

const CHANNEL: &str = "4a6b0d2e-0a1b-4c3d-8e5f-7a8b9c0d1e2f";

async fn post(
    double: &Double,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<bytes::Bytes>,
) -> Got {
    send(double.address(), "POST", path, headers, body)
        .await
        .unwrap()
}

async fn event(double: &Double, body: impl Into<bytes::Bytes>) -> Got {
    post(
        double,
        "/services/collector/event",
        &[
            ("authorization", &format!("Splunk {TOKEN}")),
            ("x-splunk-request-channel", CHANNEL),
        ],
        body,
    )
    .await
}

async fn acks(double: &Double, ids: &[u64]) -> serde_json::Value {
    let headers = [
        ("authorization", &*format!("Splunk {TOKEN}")),
        ("x-splunk-request-channel", CHANNEL),
    ];
    post(
        double,
        "/services/collector/ack",
        &headers,
        json!({"acks": ids}).to_string(),
    )
    .await
    .json()["acks"]
        .clone()
}

fn with_ack(acks: Acks) -> Options {
    Options {
        use_ack: true,
        acks,
        ..Options::default()
    }
}

#[tokio::test]
async fn every_spelling_of_the_event_route_takes_an_event() {
    let double = Double::start().await;
    let token = format!("Splunk {TOKEN}");
    for path in [
        "/services/collector",
        "/services/collector/event",
        "/services/collector/event/1.0",
    ] {
        let got = post(
            &double,
            path,
            &[("authorization", &token)],
            r#"{"event":"x"}"#,
        )
        .await;
        assert_eq!(got.code(), (200, 0), "{path}");
        assert_eq!(got.json(), json!({"text": "Success", "code": 0}));
    }
    assert_eq!(double.read(|state| state.events.len()), 3);
}

#[tokio::test]
async fn the_token_is_judged_before_anything_else() {
    let double = Double::start().await;
    let basic = "Basic eDowYzVmMmExZS02ZDViLTRhNTMtOWUwZS02YTJmM2Y2ZjliMTE="; // x:TOKEN
    for (authorization, expected) in [
        (None, (401, 2)),
        (Some("Bearer abc"), (401, 3)),
        (Some("Splunk"), (401, 3)),
        (
            Some("Splunk 00000000-0000-0000-0000-000000000000"),
            (403, 4),
        ),
        (Some(basic), (200, 0)),
    ] {
        let headers: Vec<_> = authorization
            .map(|value| ("authorization", value))
            .into_iter()
            .collect();
        assert_eq!(
            post(&double, "/services/collector", &headers, r#"{"event":"x"}"#)
                .await
                .code(),
            expected,
            "{authorization:?}"
        );
    }
    assert_eq!(
        post(
            &double,
            &format!("/services/collector?token={TOKEN}"),
            &[],
            r#"{"event":"x"}"#
        )
        .await
        .code(),
        (400, 16)
    );

    let disabled = Double::start_with(Options {
        disabled: true,
        ..Options::default()
    })
    .await;
    assert_eq!(event(&disabled, r#"{"event":"x"}"#).await.code(), (403, 1));
}

#[tokio::test]
async fn concatenated_spaced_and_listed_envelopes_are_all_indexed_in_order() {
    for body in [
        r#"{"event":1}{"event":2}{"event":3}"#,
        "{\"event\":1}\n {\"event\":2}\r\n{\"event\":3}\n",
        r#"[{"event":1},{"event":2},{"event":3}]"#,
    ] {
        let double = Double::start().await;
        assert_eq!(event(&double, body).await.code(), (200, 0));
        assert_eq!(
            double.read(|state| state
                .events
                .iter()
                .map(|event| event.event().clone())
                .collect::<Vec<_>>()),
            [json!(1), json!(2), json!(3)]
        );
    }
}

#[tokio::test]
async fn a_flawed_object_stops_the_request_and_leaves_what_came_before_it_indexed() {
    let options = || Options {
        indexes: vec!["ai_audit".into()],
        max_event_size: 100,
        ..Options::default()
    };
    let long = format!(r#"{{"event":"{}"}}"#, "x".repeat(100));
    for (flawed, code, number) in [
        (r#"{"event":"#, 6, 2),
        (r#"{"event":"x","time":"noon"}"#, 6, 2),
        (r#"{"event":"x","host":7}"#, 6, 2),
        (&long, 6, 2),
        (r#"{"host":"x"}"#, 12, 2),
        (r#"{"event":null}"#, 12, 2),
        (r#"{"event":""}"#, 13, 2),
        (r#"{"event":"x","fields":{"a":{"b":1}}}"#, 15, 2),
        (r#"{"event":"x","fields":{"a":[1]}}"#, 15, 2),
        // The one error that counts from 1.
        (r#"{"event":"x","index":"other"}"#, 7, 3),
    ] {
        let double = Double::start_with(options()).await;
        let got = event(
            &double,
            format!(r#"{{"event":0}}{{"event":1}}{flawed}{{"event":3}}"#),
        )
        .await;
        assert_eq!(got.code(), (400, code), "{flawed}");
        assert_eq!(got.json()["invalid-event-number"], number, "{flawed}");
        assert_eq!(double.read(|state| state.events.len()), 2, "{flawed}");
    }
}

#[tokio::test]
async fn an_empty_body_is_no_data() {
    let double = Double::start().await;
    for body in ["", " \n"] {
        let got = event(&double, body).await;
        assert_eq!(got.code(), (400, 5));
        assert!(got.json().get("invalid-event-number").is_none());
    }
}

#[tokio::test]
async fn an_unknown_envelope_key_loses_the_rest_without_a_word() {
    let double = Double::start().await;
    assert_eq!(
        event(&double, r#"{"event":1}{"event":2,"level":"x"}{"event":3}"#)
            .await
            .code(),
        (200, 0)
    );
    assert_eq!(
        double.read(|state| (state.events.len(), state.lost)),
        (1, 2)
    );
    assert_eq!(
        event(&double, r#"{"event":2,"level":"x"}"#).await.code(),
        (400, 5),
        "alone it is an error"
    );
}

#[tokio::test]
async fn fields_without_an_event_are_skipped_with_a_200() {
    let double = Double::start().await;
    assert_eq!(
        event(&double, r#"{"fields":{"a":"b"}}{"event":1}"#)
            .await
            .code(),
        (200, 0)
    );
    assert_eq!(
        double.read(|state| (state.events.len(), state.lost)),
        (1, 1)
    );
}

#[tokio::test]
async fn an_envelope_is_kept_to_the_byte() {
    let double = Double::start().await;
    let text = r#"{"time":1768587731.000,"event":{"b":1,"a":[]},"fields":{"event_id":"e"}}"#;
    event(&double, format!(" {text}\n")).await;
    double.read(|state| {
        let event = &state.events[0];
        assert_eq!(event.text, text);
        assert_eq!(
            (
                event.time(),
                event.field("event_id"),
                event.channel.as_deref()
            ),
            (Some(1_768_587_731.0), Some(&json!("e")), Some(CHANNEL))
        );
    });
}

#[tokio::test]
async fn gzip_is_taken_and_other_encodings_get_a_415_page() {
    let double = Double::start().await;
    let token = format!("Splunk {TOKEN}");
    let body = r#"{"event":"x"}"#;
    for (encoding, body, status) in [
        ("gzip", gzip(body), 200),
        ("deflate", deflate(body), 415),
        ("zstd", zstd(body), 415),
    ] {
        let got = post(
            &double,
            "/services/collector",
            &[("authorization", &token), ("content-encoding", encoding)],
            body,
        )
        .await;
        assert_eq!(got.status, status, "{encoding}");
        assert_eq!(got.headers["content-type"] == "text/html", status == 415);
    }
}

#[tokio::test]
async fn the_size_limit_holds_to_the_byte_and_counts_uncompressed_bytes() {
    let double = Double::start_with(Options {
        max_content_length: 40,
        ..Options::default()
    })
    .await;
    let fits = format!(r#"{{"event":"{}"}}"#, "x".repeat(40 - 12));
    assert_eq!(fits.len(), 40);
    assert_eq!(event(&double, fits).await.code(), (200, 0));
    assert_eq!(
        event(&double, format!(r#"{{"event":"{}"}}"#, "x".repeat(41 - 12)))
            .await
            .code(),
        (413, 413)
    );
    let token = format!("Splunk {TOKEN}");
    let packed = gzip(format!(r#"{{"event":"{}"}}"#, "x".repeat(1_000)));
    assert_eq!(
        post(
            &double,
            "/services/collector",
            &[("authorization", &token), ("content-encoding", "gzip")],
            packed
        )
        .await
        .code(),
        (413, 413)
    );
}

#[tokio::test]
async fn the_cloud_blames_object_0_for_a_body_that_is_too_large() {
    let double = Double::start_with(Options {
        cloud: true,
        ..Options::default()
    })
    .await;
    let envelope = |bytes: usize| format!(r#"{{"event":"{}"}}"#, "x".repeat(bytes - 12));
    let (one, rest) = (envelope(4 << 20), CLOUD_BODY_BYTES - (4 << 20));
    assert_eq!(
        event(&double, format!("{one}{}", envelope(rest)))
            .await
            .code(),
        (200, 0)
    );
    let got = event(&double, format!("{one}{}", envelope(rest + 1))).await;
    assert_eq!(got.code(), (400, 6));
    assert_eq!(got.json()["invalid-event-number"], 0);
}

#[tokio::test]
async fn a_token_with_acknowledgement_needs_a_channel() {
    let token = format!("Splunk {TOKEN}");
    for (cloud, missing) in [(false, 10), (true, 28)] {
        let double = Double::start_with(Options {
            cloud,
            ..with_ack(Acks::AtOnce)
        })
        .await;
        let authorization = ("authorization", token.as_str());
        assert_eq!(
            post(
                &double,
                "/services/collector",
                &[authorization],
                r#"{"event":1}"#
            )
            .await
            .code(),
            (400, missing)
        );
        let no_guid = [authorization, ("x-splunk-request-channel", "mine")];
        assert_eq!(
            post(&double, "/services/collector", &no_guid, r#"{"event":1}"#)
                .await
                .code(),
            (400, 11)
        );
        assert_eq!(
            post(
                &double,
                &format!("/services/collector?channel={CHANNEL}"),
                &[authorization],
                r#"{"event":1}"#
            )
            .await
            .code(),
            (200, 0)
        );
    }
}

#[tokio::test]
async fn acknowledgements_are_numbered_by_channel_and_said_once() {
    let double = Double::start_with(with_ack(Acks::AtOnce)).await;
    assert_eq!(event(&double, r#"{"event":1}"#).await.json()["ackId"], 0);
    assert_eq!(event(&double, r#"{"event":2}"#).await.json()["ackId"], 1);
    let other = [
        ("authorization", &*format!("Splunk {TOKEN}")),
        (
            "x-splunk-request-channel",
            "00000000-0000-0000-0000-000000000001",
        ),
    ];
    assert_eq!(
        post(&double, "/services/collector", &other, r#"{"event":3}"#)
            .await
            .json()["ackId"],
        0
    );
    assert_eq!(
        acks(&double, &[0, 1, 7]).await,
        json!({"0": true, "1": true, "7": false})
    );
    assert_eq!(
        acks(&double, &[0, 1]).await,
        json!({"0": false, "1": false})
    );
}

#[tokio::test]
async fn acknowledgements_can_come_late_never_or_vanish_with_the_data() {
    let double = Double::start_with(with_ack(Acks::AfterPolls(2))).await;
    event(&double, r#"{"event":1}"#).await;
    for expected in [false, false, true] {
        assert_eq!(acks(&double, &[0]).await, json!({"0": expected}));
    }
    double.set_acks(Acks::Never);
    event(&double, r#"{"event":2}"#).await;
    double.set_acks(Acks::Vanish);
    event(&double, r#"{"event":3}"#).await;
    assert_eq!(
        acks(&double, &[1, 2]).await,
        json!({"1": false, "2": false})
    );
    assert_eq!(
        double.read(|state| (state.events.len(), state.lost)),
        (2, 1)
    );
}

#[tokio::test]
async fn an_acknowledgement_whose_answer_is_lost_is_lost() {
    let double = Double::start_with(with_ack(Acks::AtOnce)).await;
    event(&double, r#"{"event":1}"#).await;
    double.faults().on("/ack").next(1, Fault::AcceptThenCut);
    let headers = [
        ("authorization", &*format!("Splunk {TOKEN}")),
        ("x-splunk-request-channel", CHANNEL),
    ];
    assert!(
        send(
            double.address(),
            "POST",
            "/services/collector/ack",
            &headers,
            r#"{"acks":[0]}"#
        )
        .await
        .is_err()
    );
    assert_eq!(acks(&double, &[0]).await, json!({"0": false}));
}

#[tokio::test]
async fn asking_for_acks_without_acknowledgement_is_14() {
    let double = Double::start().await;
    let headers = [("authorization", &*format!("Splunk {TOKEN}"))];
    assert_eq!(
        post(
            &double,
            "/services/collector/ack",
            &headers,
            r#"{"acks":[0]}"#
        )
        .await
        .code(),
        (400, 14)
    );
}

#[tokio::test]
async fn raw_lines_take_their_metadata_from_the_query() {
    let double = Double::start().await;
    let headers = [("authorization", &*format!("Splunk {TOKEN}"))];
    assert_eq!(
        post(
            &double,
            "/services/collector/raw?host=h&index=i",
            &headers,
            "one\ntwo\n"
        )
        .await
        .code(),
        (200, 0)
    );
    double.read(|state| {
        assert_eq!(
            state
                .events
                .iter()
                .map(|event| event.event().as_str().unwrap())
                .collect::<Vec<_>>(),
            ["one", "two"]
        );
        assert_eq!(state.events[1].envelope["host"], "h");
    });
}

#[tokio::test]
async fn health_needs_no_token_and_checks_one_that_is_given() {
    let double = Double::start().await;
    let get = async |path: &str| {
        send(double.address(), "GET", path, &[], "")
            .await
            .unwrap()
            .code()
    };
    assert_eq!(get("/services/collector/health").await, (200, 17));
    assert_eq!(
        get("/services/collector/health?token=wrong").await,
        (400, 21)
    );
    double.set_health_code(18);
    assert_eq!(get("/services/collector/health/1.0").await, (503, 18));
    let disabled = Double::start_with(Options {
        disabled: true,
        ..Options::default()
    })
    .await;
    assert_eq!(
        send(
            disabled.address(),
            "GET",
            &format!("/services/collector/health?token={TOKEN}"),
            &[],
            ""
        )
        .await
        .unwrap()
        .code(),
        (400, 22)
    );
}

#[tokio::test]
async fn options_names_the_methods_and_unknown_paths_and_methods_repeat_their_status_as_code() {
    let double = Double::start().await;
    for (path, allow) in [
        ("/services/collector/event", "POST,OPTIONS"),
        ("/services/collector/health", "GET,HEAD,OPTIONS"),
    ] {
        let got = send(double.address(), "OPTIONS", path, &[], "")
            .await
            .unwrap();
        assert_eq!(
            (
                got.status.as_u16(),
                got.headers["allow"].to_str().unwrap(),
                got.body.len()
            ),
            (200, allow, 0)
        );
    }
    assert_eq!(
        post(&double, "/services/nothing", &[], "x").await.code(),
        (404, 404)
    );
    assert_eq!(
        send(
            double.address(),
            "GET",
            "/services/collector/event",
            &[],
            ""
        )
        .await
        .unwrap()
        .code(),
        (405, 405)
    );
}

#[tokio::test]
async fn codes_24_and_25_come_with_taken_data() {
    let double = Double::start().await;
    for code in [24, 25] {
        double.set_success_code(code);
        assert_eq!(
            event(&double, r#"{"event":1}"#).await.code(),
            (200, u64::from(code))
        );
    }
    assert_eq!(double.read(|state| state.events.len()), 2);
}

#[tokio::test]
async fn every_code_can_be_scripted_with_its_status_and_text() {
    let double = Double::start().await;
    for (code, status, text) in CODES {
        double.faults().next(1, splunk::answer(code));
        let got = event(&double, r#"{"event":1}"#).await;
        assert_eq!(got.status, status);
        assert_eq!(got.json(), json!({"text": text, "code": code}));
    }
    assert_eq!(double.read(|state| state.events.len()), 0);
}

#[tokio::test]
async fn a_poisoned_envelope_is_flawed_as_ordered() {
    for (code, number) in [(6, 1), (12, 1), (13, 1), (15, 1), (7, 2)] {
        let double = Double::start().await;
        double.poison("bad", code);
        let got = event(
            &double,
            r#"{"event":"good"}{"event":"bad"}{"event":"good"}"#,
        )
        .await;
        assert_eq!(got.code(), (400, u64::from(code)));
        assert_eq!(got.json()["invalid-event-number"], number);
        assert_eq!(double.read(|state| state.events.len()), 1);
    }
}
