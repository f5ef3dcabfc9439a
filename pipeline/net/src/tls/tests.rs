use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use sluice_component::{Secret, Severity};
use url::Url;

use super::*;
use crate::test_support::{Authority, Running, context, loopback, secret, serve};
use crate::{Answer, HttpClientConfig, Reply, SendError};

fn start(tls: TlsServerConfig) -> Running {
    let config = crate::HttpServerConfig {
        tls: Some(tls),
        ..loopback()
    };
    serve(config.bind(&context()).unwrap(), |request| async move {
        Reply::text(StatusCode::OK, format!("{:?}", request.version()))
    })
}

async fn get(server: &Running, tls: TlsClientConfig) -> Result<Answer, SendError> {
    let client = HttpClientConfig {
        tls,
        ..HttpClientConfig::default()
    }
    .build(&context())
    .unwrap();
    let url = Url::parse(&format!("https://localhost:{}/", server.address.port())).unwrap();
    client
        .send(
            Method::GET,
            &url,
            HeaderMap::new(),
            bytes::Bytes::new(),
            Duration::from_secs(5),
        )
        .await
}

fn server_config((cert, key): &(String, String)) -> TlsServerConfig {
    TlsServerConfig {
        cert_pem: secret(cert),
        key_pem: secret(key),
        ..TlsServerConfig::default()
    }
}

fn trusting(authority: &Authority) -> TlsClientConfig {
    TlsClientConfig {
        ca_pem: secret(&authority.pem()),
        ..TlsClientConfig::default()
    }
}

#[tokio::test]
async fn a_trusted_server_is_spoken_to_over_http2() {
    let authority = Authority::new();
    let server = start(server_config(&authority.issue("localhost")));
    let answer = get(&server, trusting(&authority)).await.unwrap();
    assert_eq!(answer.body, "HTTP/2.0");
}

#[tokio::test]
async fn a_server_of_another_authority_or_name_is_not() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = start(server_config(&authority.issue("localhost")));
    assert!(matches!(
        get(&server, trusting(&other)).await,
        Err(SendError::Connect(_))
    ));
    let server = start(server_config(&authority.issue("elsewhere")));
    assert!(matches!(
        get(&server, trusting(&authority)).await,
        Err(SendError::Connect(_))
    ));
    let anything_goes = TlsClientConfig {
        insecure_skip_verify: true,
        ..TlsClientConfig::default()
    };
    assert!(get(&server, anything_goes).await.is_ok());
}

#[tokio::test]
async fn with_a_client_ca_only_its_clients_come_in() {
    let (authority, other) = (Authority::new(), Authority::new());
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("clients.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let server = start(TlsServerConfig {
        client_ca_file: Some(ca),
        ..server_config(&authority.issue("localhost"))
    });
    let with = |(cert, key): (String, String)| TlsClientConfig {
        cert_pem: secret(&cert),
        key_pem: secret(&key),
        ..trusting(&authority)
    };
    assert!(get(&server, with(authority.issue("client"))).await.is_ok());
    assert!(get(&server, with(other.issue("client"))).await.is_err());
    assert!(get(&server, trusting(&authority)).await.is_err());
}

#[tokio::test]
async fn versions_that_do_not_meet_do_not_talk() {
    let authority = Authority::new();
    let pair = authority.issue("localhost");
    let server = start(TlsServerConfig {
        min_version: Some(TlsVersion::V1_3),
        ..server_config(&pair)
    });
    let old = TlsClientConfig {
        max_version: Some(TlsVersion::V1_2),
        ..trusting(&authority)
    };
    assert!(get(&server, old).await.is_err());
    let server = start(TlsServerConfig {
        max_version: Some(TlsVersion::V1_2),
        ..server_config(&pair)
    });
    assert!(get(&server, trusting(&authority)).await.is_ok());
}

#[tokio::test]
async fn a_renewed_certificate_is_presented_once_its_interval_is_over() {
    let (authority, renewed) = (Authority::new(), Authority::new());
    let dir = tempfile::tempdir().unwrap();
    let (cert_file, key_file) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let write = |(cert, key): (String, String)| {
        std::fs::write(&cert_file, cert).unwrap();
        std::fs::write(&key_file, key).unwrap();
    };
    write(authority.issue("localhost"));
    let config = |interval| TlsServerConfig {
        cert_file: Some(cert_file.clone()),
        key_file: Some(key_file.clone()),
        reload_interval: Some(HumanDuration(interval)),
        ..TlsServerConfig::default()
    };
    let (at_once, later) = (
        start(config(Duration::ZERO)),
        start(config(Duration::from_secs(3600))),
    );
    assert!(get(&at_once, trusting(&authority)).await.is_ok());
    write(renewed.issue("localhost"));
    assert!(get(&at_once, trusting(&renewed)).await.is_ok());
    assert!(get(&later, trusting(&authority)).await.is_ok());
    // A broken file leaves the last good pair in place.
    std::fs::write(&cert_file, "nothing").unwrap();
    assert!(get(&at_once, trusting(&renewed)).await.is_ok());
}

#[test]
fn an_unusable_file_is_named_with_its_key_and_a_key_is_never_shown() {
    let authority = Authority::new();
    let (cert, key) = authority.issue("localhost");
    let (_, other_key) = authority.issue("localhost");
    let base = || TlsServerConfig {
        cert_pem: secret(&cert),
        key_pem: secret(&key),
        ..TlsServerConfig::default()
    };
    let cases = [
        (
            TlsServerConfig {
                cert_file: Some("/no/such".into()),
                ..base()
            },
            "tls.cert_file `/no/such`: ",
        ),
        (
            TlsServerConfig {
                cert_pem: secret("text"),
                ..base()
            },
            "tls.cert_pem: no PEM certificate in it",
        ),
        (
            TlsServerConfig {
                key_pem: secret("-----BEGIN s3cret"),
                ..base()
            },
            "tls.key_pem: no unencrypted PEM private key",
        ),
        (
            TlsServerConfig {
                key_pem: secret(&other_key),
                ..base()
            },
            "tls.cert_pem with tls.key_pem: ",
        ),
        (
            TlsServerConfig {
                client_ca_file: Some("/no/ca".into()),
                ..base()
            },
            "tls.client_ca_file `/no/ca`: ",
        ),
    ];
    for (config, expected) in cases {
        let error = config.build().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains("s3cret"));
    }
    let client = TlsClientConfig {
        ca_file: Some("/no/ca".into()),
        ..TlsClientConfig::default()
    };
    assert!(
        client
            .build()
            .unwrap_err()
            .to_string()
            .starts_with("tls.ca_file `/no/ca`: ")
    );
}

fn problems(check: impl FnOnce(&mut Problems)) -> Vec<(Severity, String)> {
    let mut problems = Problems::new();
    check(&mut problems);
    let path = |p: &sluice_component::Problem| {
        p.path
            .iter()
            .map(|key| match key {
                sluice_component::Key::Name(name) => name.clone(),
                sluice_component::Key::Index(i) => i.to_string(),
            })
            .collect::<Vec<_>>()
            .join(".")
    };
    problems
        .found
        .iter()
        .map(|p| (p.severity, format!("{}: {}", path(p), p.message)))
        .collect()
}

#[test]
fn contradictions_are_errors_and_what_has_no_effect_a_warning() {
    use Severity::{Error, Warning};
    let client: TlsClientConfig = serde_json::from_str(
        r#"{"ca_file": "a", "ca_pem": "b", "cert_file": "c", "min_version": 1.0, "max_version": "1.1",
            "cipher_suites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "RC4"], "curve_preferences": ["X25519", "P521"]}"#,
    )
    .unwrap();
    let found = problems(|p| client.check(p));
    let expected = [
        (Error, "ca_pem: `ca_file` and `ca_pem` exclude each other"),
        (Error, ": a certificate without `key_file`: both are needed"),
        (
            Warning,
            "min_version: TLS 1.0 and 1.1 are not spoken: 1.2 is the oldest",
        ),
        (
            Error,
            "max_version: is older than the oldest version allowed",
        ),
        (
            Warning,
            "cipher_suites.1: `RC4` is not spoken and has no effect",
        ),
        (
            Warning,
            "curve_preferences.1: `P521` is not spoken and has no effect",
        ),
    ];
    assert_eq!(
        found,
        expected.map(|(severity, text)| (severity, text.to_owned()))
    );
    let server = problems(|p| TlsServerConfig::default().check(p));
    assert_eq!(
        server,
        [(
            Error,
            ": a server's `tls` needs `cert_file` or `cert_pem`".to_owned()
        )]
    );
}

#[test]
fn inline_keys_are_not_printed() {
    let config = TlsServerConfig {
        key_pem: Some(Secret::new("s3cret")),
        ..TlsServerConfig::default()
    };
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn a_configuration_without_a_certificate_authority_on_the_machine_still_builds() {
    assert!(TlsClientConfig::default().build().is_ok());
}
