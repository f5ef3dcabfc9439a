use sluice_component::Problems;

use super::*;

fn messages(check: impl FnOnce(&mut Problems)) -> Vec<String> {
    let mut problems = Problems::new();
    check(&mut problems);
    problems
        .found
        .iter()
        .map(|p| format!("{:?}: {}", p.severity, p.message))
        .collect()
}

#[allow(unreachable_pub)]
mod composed {
    crate::http_server_config! {
        /// A component with a key of its own.
        pub struct Composed {
            /// Its own key.
            pub path: String = "/events".to_owned(),
        }
        defaults { endpoint: "localhost:9".to_owned(), read_timeout: sluice_component::HumanDuration(std::time::Duration::from_millis(500)) }
    }
}
use composed::Composed;

#[test]
fn a_components_own_keys_stand_beside_the_shared_ones() {
    let config: Composed =
        serde_json::from_str(r#"{"path": "/in", "max_request_body_size": "1KiB"}"#).unwrap();
    assert_eq!(config.path, "/in");
    let server = config.server();
    assert_eq!(server.endpoint, "localhost:9");
    assert_eq!(server.intake().limit, 1024);
    assert_eq!(
        server.intake().deadline,
        std::time::Duration::from_millis(500)
    );
    let unknown = serde_json::from_str::<Composed>(r#"{"pth": "/in"}"#)
        .unwrap_err()
        .to_string();
    assert!(
        unknown.contains("unknown field `pth`") && unknown.contains("`path`"),
        "{unknown}"
    );
}

#[test]
fn zero_means_the_default_limit_and_deadline() {
    let config: HttpServerConfig =
        serde_json::from_str(r#"{"max_request_body_size": 0, "read_timeout": 0}"#).unwrap();
    assert_eq!(config.intake().limit, 64 << 20);
    assert_eq!(config.intake().deadline.as_secs(), 60);
    let grpc: GrpcServerConfig =
        serde_json::from_str(r#"{"max_recv_msg_size_mib": 0, "max_concurrent_streams": 0}"#)
            .unwrap();
    assert_eq!(grpc.intake().limit, 64 << 20);
    assert_eq!(grpc.limits().max_concurrent_streams, 100);
}

#[test]
fn a_limit_must_fit_into_the_memory_for_requests() {
    let check = |size: u64| {
        let config = HttpServerConfig {
            endpoint: "localhost:1".to_owned(),
            max_request_body_size: sluice_component::ByteSize(size),
            ..HttpServerConfig::default()
        };
        messages(|p| config.check(p))
    };
    assert_eq!(check(80 << 20), [""; 0]);
    assert_eq!(check((80 << 20) + 1).len(), 1);
    let grpc = |max_recv_msg_size_mib| GrpcServerConfig {
        max_recv_msg_size_mib,
        ..GrpcServerConfig::default()
    };
    assert_eq!(messages(|p| grpc(80).check(p)), [""; 0]);
    assert_eq!(messages(|p| grpc(81).check(p)).len(), 1);
}

#[test]
fn what_the_collector_knows_and_we_do_not_is_a_warning() {
    let config: HttpServerConfig = serde_json::from_str(
        r#"{"endpoint": "0.0.0.0:4318", "cors": {"allowed_origins": ["*"]}, "include_metadata": true,
            "compression_algorithms": ["", "gzip", "snappy"], "response_headers": {"a": "b"}, "transport": "tcp4"}"#,
    )
    .unwrap();
    assert_eq!(
        messages(|p| config.check(p)),
        [
            "Warning: is not supported and has no effect: browsers are not served",
            "Warning: `snappy` is not supported: such requests get 415",
        ]
    );
    assert_eq!(
        config.intake().encodings,
        [crate::Encoding::Identity, crate::Encoding::Gzip]
    );
}

#[test]
fn an_endpoint_needs_a_port() {
    for endpoint in [
        "",
        "localhost",
        "localhost:",
        "localhost:http",
        "localhost:70000",
    ] {
        let config = HttpServerConfig {
            endpoint: endpoint.to_owned(),
            ..HttpServerConfig::default()
        };
        assert_eq!(
            messages(|p| config.check(p)),
            [format!("Error: `{endpoint}` is not `host:port`")]
        );
    }
}
