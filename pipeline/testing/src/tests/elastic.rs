use serde_json::{Value, json};

use super::{Got, gzip, send};
use crate::elastic::{Auth, Double, Flavour, ItemError, Options};

const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

async fn bulk(double: &Double, target: &str, body: impl Into<bytes::Bytes>) -> Got {
    send(double.address(), "POST", target, &[NDJSON], body)
        .await
        .unwrap()
}

/// The statuses of the items of a request for `documents`, `(action, document)` each.
async fn statuses(double: &Double, documents: &[(Value, &str)]) -> Vec<u64> {
    let body: String = documents
        .iter()
        .map(|(action, document)| format!("{action}\n{document}\n"))
        .collect();
    let got = bulk(double, "/_bulk", body).await;
    assert_eq!(got.status, 200);
    let items = got.json()["items"].as_array().unwrap().clone();
    items
        .iter()
        .map(|item| {
            item.as_object().unwrap().values().next().unwrap()["status"]
                .as_u64()
                .unwrap()
        })
        .collect()
}

fn create(index: &str, id: &str) -> Value {
    json!({"create": {"_index": index, "_id": id}})
}

#[tokio::test]
async fn a_document_is_created_once_and_then_conflicts() {
    let double = Double::start().await;
    assert_eq!(
        statuses(
            &double,
            &[
                (create("audit", "a"), r#"{"x":1}"#),
                (create("audit", "a"), r#"{"x":1}"#)
            ]
        )
        .await,
        [201, 409]
    );
    assert_eq!(
        statuses(
            &double,
            &[
                (create("audit", "a"), r#"{"x":1}"#),
                (create("other", "a"), r#"{"x":1}"#)
            ]
        )
        .await,
        [409, 201]
    );
    double.read(|state| {
        assert_eq!((state.documents.len(), state.conflicts), (2, 2));
        assert_eq!(
            (
                state.documents[0].id.as_str(),
                &state.documents[0].source["x"]
            ),
            ("a", &json!(1))
        );
    });
}

#[tokio::test]
async fn index_overwrites() {
    let double = Double::start().await;
    let index = json!({"index": {"_index": "audit", "_id": "a"}});
    assert_eq!(
        statuses(
            &double,
            &[(index.clone(), r#"{"x":1}"#), (index, r#"{"x":2}"#)]
        )
        .await,
        [201, 200]
    );
    assert_eq!(
        double.read(|state| state
            .documents
            .iter()
            .map(|document| document.source["x"].clone())
            .collect::<Vec<_>>()),
        [json!(2)]
    );
}

#[tokio::test]
async fn the_target_in_the_path_is_the_default_index() {
    let double = Double::start().await;
    assert_eq!(
        bulk(&double, "/audit/_bulk", "{\"create\":{}}\n{}\n")
            .await
            .json()["items"][0]["create"]["_index"],
        "audit"
    );
    assert_eq!(
        bulk(&double, "/_bulk", "{\"create\":{}}\n{}\n")
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_data_stream_takes_only_create_with_a_timestamp() {
    let double = Double::start().await;
    let stream = "logs-policy_gateway.audit-prod";
    let documents = [
        (
            create(stream, "a"),
            r#"{"@timestamp":"2026-04-20T18:30:00Z"}"#,
        ),
        (create(stream, "b"), r#"{"x":1}"#),
        (
            json!({"index": {"_index": stream, "_id": "c"}}),
            r#"{"@timestamp":"2026-04-20T18:30:00Z"}"#,
        ),
    ];
    assert_eq!(statuses(&double, &documents).await, [201, 400, 400]);
    assert_eq!(statuses(&double, &documents[..1]).await, [409]);
    double.roll_over(stream);
    assert_eq!(
        statuses(&double, &documents[..1]).await,
        [201],
        "an id is unique in one backing index only"
    );
}

#[tokio::test]
async fn documents_that_do_not_fit_are_400_items() {
    let double = Double::start().await;
    assert_eq!(
        statuses(
            &double,
            &[(create("audit", "0"), r#"{"user":{"id":"x"},"n":1,"t":"a"}"#)]
        )
        .await,
        [201]
    );
    for document in [
        r#"{"x":1,"x":2}"#,
        r#"{"":1}"#,
        r#"{"user":"x"}"#,
        r#"{"n":"word"}"#,
        r#"{"n":{"a":1}}"#,
        "{broken",
        "[1]",
    ] {
        assert_eq!(
            statuses(&double, &[(create("audit", document), document)]).await,
            [400],
            "{document}"
        );
    }
    for document in [
        r#"{"user.id":"y"}"#,
        r#"{"n":"12"}"#,
        r#"{"t":12}"#,
        r#"{"n":null}"#,
    ] {
        assert_eq!(
            statuses(&double, &[(create("audit", document), document)]).await,
            [201],
            "{document}"
        );
    }
    assert_eq!(
        statuses(&double, &[(create("Upper", "a"), "{}")]).await,
        [400]
    );
}

#[tokio::test]
async fn more_than_a_thousand_fields_are_too_many() {
    let double = Double::start().await;
    let wide = |fields: usize| {
        Value::Object(
            (0..fields)
                .map(|field| (format!("f{field}"), json!(1)))
                .collect(),
        )
        .to_string()
    };
    assert_eq!(
        statuses(
            &double,
            &[
                (create("audit", "a"), &wide(1_000)),
                (create("audit", "b"), &wide(1_001))
            ]
        )
        .await,
        [201, 400]
    );
}

#[tokio::test]
async fn malformed_requests_are_refused_whole() {
    let double = Double::start().await;
    for (body, kind) in [
        ("", "parse_exception"),
        (
            "{\"create\":{\"_index\":\"a\"}}\n{}",
            "illegal_argument_exception",
        ),
        (
            "{\"create\":{\"_index\":\"a\"}}\n",
            "illegal_argument_exception",
        ),
        (
            "{\"create\":{\"_index\":\"a\",\"_type\":\"_doc\"}}\n{}\n",
            "illegal_argument_exception",
        ),
        (
            "{\n\"create\":{\"_index\":\"a\"}}\n{}\n",
            "illegal_argument_exception",
        ),
        ("\n", "action_request_validation_exception"),
    ] {
        let got = bulk(&double, "/_bulk", body).await;
        assert_eq!(
            (
                got.status.as_u16(),
                got.json()["error"]["type"].as_str().unwrap()
            ),
            (400, kind),
            "{body}"
        );
    }
    let id = |bytes: usize| format!("{}\n{{}}\n", create("a", &"x".repeat(bytes)));
    assert_eq!(bulk(&double, "/_bulk", id(512)).await.status, 200);
    assert_eq!(bulk(&double, "/_bulk", id(513)).await.status, 400);
    assert_eq!(double.read(|state| state.documents.len()), 1);
}

#[tokio::test]
async fn media_types_and_parameters_differ_by_product() {
    let elastic = Double::start().await;
    let opensearch = Double::start_with(Options {
        flavour: Flavour::OpenSearch,
        ..Options::default()
    })
    .await;
    let body = "{\"create\":{\"_index\":\"a\"}}\n{\"@timestamp\":1}\n";
    let vendor = (
        "content-type",
        "application/vnd.elasticsearch+x-ndjson; compatible-with=8",
    );
    for (double, content_type, expected) in [
        (&elastic, NDJSON, 200),
        (&elastic, vendor, 200),
        (&elastic, ("content-type", "text/plain"), 406),
        (&opensearch, NDJSON, 200),
        (&opensearch, vendor, 406),
    ] {
        assert_eq!(
            send(double.address(), "POST", "/_bulk", &[content_type], body)
                .await
                .unwrap()
                .status,
            expected
        );
    }
    for (double, query, expected) in [
        (&elastic, "include_source_on_error=false", 200),
        (&opensearch, "include_source_on_error=false", 400),
        (&opensearch, "require_data_stream=true", 400),
        (&elastic, "no_such=1", 400),
    ] {
        assert_eq!(
            bulk(double, &format!("/_bulk?{query}"), body).await.status,
            expected,
            "{query}"
        );
    }
}

#[tokio::test]
async fn the_product_says_who_it_is() {
    for (flavour, number, distribution, header) in [
        (Flavour::Elasticsearch8, "8.19.21", Value::Null, true),
        (Flavour::Elasticsearch9, "9.1.4", Value::Null, true),
        (Flavour::OpenSearch, "2.19.1", json!("opensearch"), false),
    ] {
        let double = Double::start_with(Options {
            flavour,
            ..Options::default()
        })
        .await;
        let got = send(double.address(), "GET", "/", &[], "").await.unwrap();
        assert_eq!(got.json()["version"]["number"], number);
        assert_eq!(got.json()["version"]["distribution"], distribution);
        assert_eq!(got.headers.contains_key("x-elastic-product"), header);
    }
}

#[tokio::test]
async fn credentials_are_asked_for() {
    let api_key = Double::start_with(Options {
        auth: Auth::ApiKey("aWQ6a2V5".into()),
        ..Options::default()
    })
    .await;
    let basic = Double::start_with(Options {
        auth: Auth::Basic("elastic".into(), "pw".into()),
        ..Options::default()
    })
    .await;
    let body = "{\"create\":{\"_index\":\"a\"}}\n{}\n";
    for (double, authorization, expected) in [
        (&api_key, "ApiKey aWQ6a2V5", 200),
        (&api_key, "ApiKey d3Jvbmc=", 401),
        (&basic, "Basic ZWxhc3RpYzpwdw==", 200),
        (&basic, "ApiKey aWQ6a2V5", 401),
    ] {
        assert_eq!(
            send(
                double.address(),
                "POST",
                "/_bulk",
                &[NDJSON, ("authorization", authorization)],
                body
            )
            .await
            .unwrap()
            .status,
            expected
        );
    }
    assert_eq!(bulk(&api_key, "/_bulk", body).await.status, 401);
}

#[tokio::test]
async fn items_fail_on_order_next_to_items_that_do_not() {
    let double = Double::start().await;
    let errors = [
        ItemError::rejected(),
        ItemError::mapping(),
        ItemError::forbidden(),
        ItemError::missing_index(),
        ItemError::unavailable(),
    ];
    let expected = [429, 400, 403, 404, 503];
    for (number, error) in errors.into_iter().enumerate() {
        double.fail_item(&format!("bad{number}"), 1, error);
    }
    let documents: Vec<_> = (0..5)
        .flat_map(|number| {
            [
                (create("a", &format!("good{number}")), "{}"),
                (create("a", &format!("bad{number}")), "{}"),
            ]
        })
        .collect();
    let got = statuses(&double, &documents).await;
    for (number, status) in expected.into_iter().enumerate() {
        assert_eq!(got[2 * number..2 * number + 2], [201, status]);
    }
    assert_eq!(
        statuses(&double, &[(create("a", "bad0"), "{}")]).await,
        [201],
        "the order was for one time"
    );
    double.fail_next_items(2, ItemError::rejected());
    assert_eq!(
        statuses(
            &double,
            &[
                (create("a", "x"), "{}"),
                (create("a", "y"), "{}"),
                (create("a", "z"), "{}")
            ]
        )
        .await,
        [429, 429, 201]
    );
}

#[tokio::test]
async fn the_failure_store_takes_a_misfit_with_a_201() {
    let double = Double::start_with(Options {
        failure_store: true,
        ..Options::default()
    })
    .await;
    let stream = "logs-audit-prod";
    let body = format!("{}\n{{\"x\":1}}\n", create(stream, "a"));
    let got = bulk(&double, "/_bulk", body).await.json();
    assert_eq!(got["errors"], false);
    let item = &got["items"][0]["create"];
    assert_eq!(
        (&item["status"], &item["failure_store"]),
        (&json!(201), &json!("used"))
    );
    assert!(item["_index"].as_str().unwrap().starts_with(".fs-"));
    assert_ne!(item["_id"], "a", "it gets a new id");
    assert_eq!(
        double.read(|state| (state.documents.len(), state.failures.len())),
        (0, 1)
    );
}

#[tokio::test]
async fn filter_path_cuts_the_answer_and_can_take_the_positions_away() {
    let double = Double::start().await;
    double.fail_item("bad", 9, ItemError::mapping());
    let body = |id: &str| format!("{}\n{{}}\n{}\n{{}}\n", create("a", id), create("a", "bad"));
    let with_status = bulk(
        &double,
        "/_bulk?filter_path=errors,items.*.status,items.*.error.type",
        body("x"),
    )
    .await
    .json();
    let error_type = "document_parsing_exception";
    assert_eq!(
        with_status,
        json!({"errors": true, "items": [{"create": {"status": 201}}, {"create": {"status": 400, "error": {"type": error_type}}}]})
    );
    let trap = bulk(&double, "/_bulk?filter_path=items.*.error.type", body("y"))
        .await
        .json();
    assert_eq!(
        trap,
        json!({"items": [{"create": {"error": {"type": error_type}}}]})
    );
    let deep = bulk(&double, "/_bulk?filter_path=**.type", body("z"))
        .await
        .json();
    assert_eq!(deep, trap);
    assert_eq!(
        bulk(&double, "/_bulk?filter_path=nothing", body("w"))
            .await
            .json(),
        json!({})
    );
}

#[tokio::test]
async fn the_size_limit_counts_decompressed_bytes() {
    let double = Double::start_with(Options {
        max_content_length: 100,
        ..Options::default()
    })
    .await;
    let body = |bytes: usize| {
        let action = format!("{}\n", create("a", "x"));
        let document = format!("{{\"x\":\"{}\"}}\n", "x".repeat(bytes - action.len() - 9));
        gzip(format!("{action}{document}"))
    };
    let headers = [NDJSON, ("content-encoding", "gzip")];
    assert_eq!(
        send(double.address(), "POST", "/_bulk", &headers, body(100))
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        send(double.address(), "POST", "/_bulk", &headers, body(101))
            .await
            .unwrap()
            .status,
        413
    );
}

#[tokio::test]
async fn without_automatic_creation_a_missing_index_is_404() {
    let double = Double::start_with(Options {
        auto_create: false,
        ..Options::default()
    })
    .await;
    assert_eq!(
        statuses(&double, &[(create("audit", "a"), "{}")]).await,
        [404]
    );
}

#[tokio::test]
async fn templates_and_policies_are_kept_where_the_product_keeps_them() {
    let elastic = Double::start().await;
    let opensearch = Double::start_with(Options {
        flavour: Flavour::OpenSearch,
        ..Options::default()
    })
    .await;
    let put = async |double: &Double, path: &str, body: &Value| {
        send(
            double.address(),
            "PUT",
            path,
            &[("content-type", "application/json")],
            body.to_string(),
        )
        .await
        .unwrap()
        .status
        .as_u16()
    };
    let template = json!({"index_patterns": ["audit-*"], "data_stream": {}});
    assert_eq!(
        put(&elastic, "/_index_template/audit", &template).await,
        200
    );
    assert_eq!(
        put(&elastic, "/_index_template/audit", &json!({})).await,
        400
    );
    assert_eq!(
        put(&elastic, "/_ilm/policy/audit-7y", &json!({"policy": {}})).await,
        200
    );
    assert_eq!(
        put(&elastic, "/_plugins/_ism/policies/audit", &json!({})).await,
        400
    );
    assert_eq!(
        put(&opensearch, "/_ilm/policy/audit-7y", &json!({})).await,
        400
    );
    assert_eq!(
        put(&opensearch, "/_plugins/_ism/policies/audit", &json!({})).await,
        200
    );
    assert_eq!(
        put(&opensearch, "/_plugins/_ism/policies/audit", &json!({})).await,
        409
    );
    assert_eq!(
        send(elastic.address(), "GET", "/_index_template/audit", &[], "")
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        send(elastic.address(), "GET", "/_index_template/none", &[], "")
            .await
            .unwrap()
            .status,
        404
    );
    // The template makes a data stream of every index that it matches.
    assert_eq!(
        statuses(
            &elastic,
            &[(
                json!({"index": {"_index": "audit-1"}}),
                r#"{"@timestamp":1}"#
            )]
        )
        .await,
        [400]
    );
}
