use sluice_component::{Checked as _, Claim, Problems, ReceiverConfig as _};

use super::harness::{BOTH, context};
use crate::Config;

fn problems(config: &str) -> Vec<String> {
    let config: Config = serde_json::from_str(config).unwrap();
    let mut problems = Problems::new();
    config.check(&mut problems);
    problems
        .found
        .iter()
        .map(|p| format!("{:?} {}", p.path, p.message))
        .collect()
}

#[test]
fn a_protocol_without_a_value_is_on_with_the_collectors_endpoint_and_our_limit() {
    for text in [
        r#"{"protocols": {"grpc": null, "http": null}}"#,
        r#"{"protocols": {"grpc": {}, "http": {}}}"#,
    ] {
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!(
            config.claims(),
            [
                Claim::Listen("localhost:4317".into()),
                Claim::Listen("localhost:4318".into())
            ]
        );
        let (grpc, http) = (
            config.protocols.grpc.unwrap(),
            config.protocols.http.unwrap(),
        );
        assert_eq!(
            (grpc.intake().limit, http.server().intake().limit),
            (64 << 20, 64 << 20)
        );
    }
}

#[test]
fn an_absent_protocol_is_off_and_one_is_required() {
    let config: Config = serde_json::from_str(r#"{"protocols": {"http": null}}"#).unwrap();
    assert!(config.protocols.grpc.is_none());
    for text in ["{}", r#"{"protocols": null}"#, r#"{"protocols": {}}"#] {
        assert_eq!(
            problems(text),
            [r#"[Name("protocols")] no protocol"#],
            "{text}"
        );
    }
}

#[test]
fn a_collectors_block_is_read_whole() {
    let text = r#"{"protocols": {
        "grpc": {"endpoint": "0.0.0.0:4317", "transport": "tcp", "max_recv_msg_size_mib": 16, "max_concurrent_streams": 16,
            "read_buffer_size": 1024, "write_buffer_size": 1024,
            "keepalive": {"server_parameters": {"max_connection_idle": "11s", "max_connection_age": "12s",
                "max_connection_age_grace": "13s", "time": "30s", "timeout": "5s"},
                "enforcement_policy": {"min_time": "10s", "permit_without_stream": true}}},
        "http": {"endpoint": "0.0.0.0:4318", "read_header_timeout": "10s", "write_timeout": 0, "idle_timeout": 0,
            "max_request_body_size": 1048576, "response_headers": {"x": "y"}}}}"#;
    assert_eq!(problems(text), [""; 0]);
    let config: Config = serde_json::from_str(text).unwrap();
    let limits = config.protocols.grpc.unwrap().limits();
    assert_eq!(
        (
            limits.idle_timeout.as_secs(),
            limits.max_age.as_secs(),
            limits.max_age_grace.as_secs()
        ),
        (11, 12, 13)
    );
    assert_eq!(
        (
            limits.ping_interval.as_secs(),
            limits.ping_timeout.as_secs(),
            limits.max_concurrent_streams
        ),
        (30, 5, 16)
    );
}

#[test]
fn unknown_keys_and_wrong_values_are_named() {
    let unknown = serde_json::from_str::<Config>(r#"{"protocols": {"grcp": {}}}"#)
        .unwrap_err()
        .to_string();
    assert!(unknown.contains("unknown field `grcp`"), "{unknown}");
    let found = problems(
        r#"{"protocols": {"grpc": {"endpoint": "localhost", "max_recv_msg_size_mib": 81, "tls": {}, "auth": {"authenticator": ""}},
            "http": {"logs_url_path": "", "traces_url_path": "/same", "metrics_url_path": "same"}}}"#,
    );
    assert_eq!(
        found,
        [
            r#"[Name("protocols"), Name("grpc"), Name("endpoint")] `localhost` is not `host:port`"#,
            r#"[Name("protocols"), Name("grpc"), Name("tls")] a server's `tls` needs `cert_file` or `cert_pem`"#,
            r#"[Name("protocols"), Name("grpc"), Name("auth"), Name("authenticator")] is empty"#,
            r#"[Name("protocols"), Name("grpc"), Name("max_recv_msg_size_mib")] is more than 80, the most that fits into the memory for requests"#,
            r#"[Name("protocols"), Name("http"), Name("metrics_url_path")] `same` is the path of another signal"#,
            r#"[Name("protocols"), Name("http"), Name("logs_url_path")] is empty"#,
        ]
    );
}

#[test]
fn the_extensions_that_it_refers_to_are_named_and_must_be_there() {
    let text = BOTH.replacen(
        "\"127.0.0.1:0\"",
        "\"127.0.0.1:0\", \"auth\": {\"authenticator\": \"bearertokenauth/in\"}",
        1,
    );
    let config: Config = serde_json::from_str(&text).unwrap();
    assert_eq!(config.extensions(), ["bearertokenauth/in"]);
    let error = config.build(&context(&[])).err().unwrap().to_string();
    assert_eq!(
        error,
        "protocols.grpc: extension `bearertokenauth/in` is not in service.extensions"
    );
}
