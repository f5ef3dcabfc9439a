use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Got, deflate, gzip, send, zstd};
use crate::datadog::{API_KEY, Double, MAX_BODY_BYTES, MAX_LOG_BYTES, MAX_LOGS};

async fn post(double: &Double, headers: &[(&str, &str)], body: impl Into<bytes::Bytes>) -> Got {
    send(double.address(), "POST", "/api/v2/logs", headers, body)
        .await
        .unwrap()
}

async fn logs(double: &Double, logs: &Value) -> u16 {
    post(
        double,
        &[
            ("dd-api-key", API_KEY),
            ("content-type", "application/json"),
        ],
        logs.to_string(),
    )
    .await
    .status
    .as_u16()
}

#[tokio::test]
async fn an_array_and_a_lone_object_are_taken_with_a_202() {
    let double = Double::start().await;
    let got = post(
        &double,
        &[
            ("dd-api-key", API_KEY),
            ("content-type", "application/json"),
        ],
        r#"[{"message":"a"},{"message":"b"}]"#,
    )
    .await;
    assert_eq!((got.status.as_u16(), got.json()), (202, json!({})));
    assert_eq!(logs(&double, &json!({"message": "c"})).await, 202);
    assert_eq!(
        double.read(|state| state
            .logs
            .iter()
            .map(|log| log.get("message").clone())
            .collect::<Vec<_>>()),
        ["a", "b", "c"]
    );
}

#[tokio::test]
async fn the_key_is_401_when_missing_and_403_when_wrong() {
    let double = Double::start().await;
    let json = ("content-type", "application/json");
    assert_eq!(post(&double, &[json], "[]").await.status, 401);
    let got = post(&double, &[json, ("dd-api-key", "wrong")], "[]").await;
    assert_eq!(got.status, 403);
    assert_eq!(got.json()["errors"][0]["status"], "403");
    assert_eq!(
        send(
            double.address(),
            "POST",
            &format!("/api/v2/logs?dd-api-key={API_KEY}"),
            &[json],
            "[]"
        )
        .await
        .unwrap()
        .status,
        202
    );
}

#[tokio::test]
async fn validate_tells_a_good_key_from_a_bad_one() {
    let double = Double::start().await;
    let get = async |key: &str| {
        send(
            double.address(),
            "GET",
            "/api/v1/validate",
            &[("dd-api-key", key)],
            "",
        )
        .await
        .unwrap()
    };
    assert_eq!(get(API_KEY).await.json(), json!({"valid": true}));
    assert_eq!(get("wrong").await.status, 403);
}

#[tokio::test]
async fn all_four_encodings_are_taken() {
    let double = Double::start().await;
    let body = r#"[{"message":"x"}]"#;
    for (encoding, body) in [
        ("identity", body.into()),
        ("gzip", gzip(body)),
        ("deflate", deflate(body)),
        ("zstd", zstd(body)),
    ] {
        let headers = [
            ("dd-api-key", API_KEY),
            ("content-type", "application/json"),
            ("content-encoding", encoding),
        ];
        assert_eq!(
            post(&double, &headers, body).await.status,
            202,
            "{encoding}"
        );
    }
    assert_eq!(double.read(|state| state.logs.len()), 4);
}

#[tokio::test]
async fn a_thousand_logs_are_taken_and_one_more_is_413() {
    let double = Double::start().await;
    let many = |count: usize| Value::Array(vec![json!({"message": "x"}); count]);
    assert_eq!(logs(&double, &many(MAX_LOGS)).await, 202);
    assert_eq!(logs(&double, &many(MAX_LOGS + 1)).await, 413);
    assert_eq!(double.read(|state| state.logs.len()), MAX_LOGS);
}

#[tokio::test]
async fn five_megabytes_uncompressed_are_taken_and_one_byte_more_is_413() {
    let double = Double::start().await;
    // `[{"message":"…"},…]`: nine full logs and one that fills up.
    let body = |bytes: usize| {
        let mut body = "[".to_owned();
        for _ in 0..9 {
            body.push_str(&format!(r#"{{"message":"{}"}},"#, "x".repeat(500_000)));
        }
        let left = bytes - body.len() - r#"{"message":""}]"#.len();
        body.push_str(&format!(r#"{{"message":"{}"}}]"#, "x".repeat(left)));
        assert_eq!(body.len(), bytes);
        gzip(body)
    };
    let headers = [
        ("dd-api-key", API_KEY),
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
    ];
    assert_eq!(
        post(&double, &headers, body(MAX_BODY_BYTES)).await.status,
        202
    );
    assert_eq!(
        post(&double, &headers, body(MAX_BODY_BYTES + 1))
            .await
            .status,
        413
    );
}

#[tokio::test]
async fn a_log_over_a_megabyte_is_taken_and_cut() {
    let double = Double::start().await;
    let log = |bytes: usize| json!({"message": "x".repeat(bytes - r#"{"message":""}"#.len())});
    assert_eq!(
        logs(
            &double,
            &json!([log(MAX_LOG_BYTES), log(MAX_LOG_BYTES + 1)])
        )
        .await,
        202
    );
    assert_eq!(
        double.read(|state| state
            .logs
            .iter()
            .map(|log| log.truncated)
            .collect::<Vec<_>>()),
        [false, true]
    );
}

#[tokio::test]
async fn a_log_older_than_18_hours_is_taken_and_thrown_away() {
    let double = Double::start().await;
    let ago = |hours: i64| Timestamp::now() - SignedDuration::from_hours(hours);
    let body = json!([
        {"message": "old millis", "timestamp": ago(19).as_millisecond()},
        {"message": "old text", "@timestamp": ago(19).to_string()},
        {"message": "fresh", "timestamp": ago(17).as_millisecond()},
        {"message": "undated", "created_at": "2020-01-01T00:00:00Z"},
    ]);
    assert_eq!(logs(&double, &body).await, 202);
    assert_eq!(
        double.read(|state| (state.stale.len(), state.logs.len())),
        (2, 2)
    );
}

#[tokio::test]
async fn what_is_no_array_of_objects_is_400() {
    let double = Double::start().await;
    for body in [json!("x"), json!([1]), json!([{"message": "x"}, "y"])] {
        assert_eq!(logs(&double, &body).await, 400, "{body}");
    }
    let json = [
        ("dd-api-key", API_KEY),
        ("content-type", "application/json"),
    ];
    assert_eq!(post(&double, &json, "[{").await.status, 400);
    assert_eq!(
        post(
            &double,
            &[json[0], json[1], ("dd-protocol", "agent-json")],
            "[]"
        )
        .await
        .status,
        400
    );
    assert_eq!(double.read(|state| state.logs.len()), 0);
}

#[tokio::test]
async fn a_poisoned_log_takes_its_whole_request_with_it() {
    let double = Double::start().await;
    double.poison("bad");
    assert_eq!(
        logs(&double, &json!([{"message": "good"}, {"message": "bad"}])).await,
        400
    );
    assert_eq!(logs(&double, &json!([{"message": "good"}])).await, 202);
    assert_eq!(double.read(|state| state.logs.len()), 1);
}
