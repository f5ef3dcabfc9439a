use http::Method;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use sluice_batch::Signal;
use sluice_component::{ExtensionConfig, Secret};
use sluice_net::{
    AuthConfig, BasicConfig, BearerConfig, GrpcClientConfig, HttpClientConfig, TlsClientConfig,
};
use tempfile::TempDir;
use url::Url;

use super::harness::*;

/// A certificate authority, a server's and a client's certificate, in files and inline.
struct Certificates {
    dir: TempDir,
    authority: String,
    client: (String, String),
}

impl Certificates {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let issue = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            params.extended_key_usages = vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ];
            (
                params.signed_by(&key, &authority).unwrap().pem(),
                key.serialize_pem(),
            )
        };
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = issue("localhost");
        for (name, text) in [
            ("ca.pem", &authority.pem()),
            ("cert.pem", &certificate),
            ("key.pem", &key),
        ] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        Self {
            dir,
            authority: authority.pem(),
            client: issue("client"),
        }
    }

    fn server(&self, with_client_ca: bool) -> String {
        let path = |name| self.dir.path().join(name).display().to_string();
        let mut tls =
            serde_json::json!({"cert_file": path("cert.pem"), "key_file": path("key.pem")});
        if with_client_ca {
            tls["client_ca_file"] = path("ca.pem").into();
        }
        let server = serde_json::json!({"endpoint": "127.0.0.1:0", "tls": tls});
        serde_json::json!({"protocols": {"grpc": server, "http": server}}).to_string()
    }

    fn client(&self, with_certificate: bool) -> TlsClientConfig {
        let pair = |text: &String| with_certificate.then(|| Secret::new(text.clone()));
        TlsClientConfig {
            ca_pem: Some(Secret::new(self.authority.clone())),
            cert_pem: pair(&self.client.0),
            key_pem: pair(&self.client.1),
            ..TlsClientConfig::default()
        }
    }
}

async fn http_works(receiver: &Running, tls: TlsClientConfig) -> bool {
    let client = HttpClientConfig {
        tls,
        ..HttpClientConfig::default()
    }
    .build(&context(&[]))
    .unwrap();
    let url = Url::parse(&format!(
        "https://localhost:{}/v1/logs",
        receiver.http.port()
    ))
    .unwrap();
    let answer = send(
        &client,
        Method::POST,
        &url,
        &[PROTOBUF],
        protobuf(Signal::Logs, 1),
    )
    .await;
    answer.is_ok_and(|answer| answer.status == 200)
}

async fn grpc_works(receiver: &Running, tls: TlsClientConfig) -> bool {
    let config = GrpcClientConfig {
        endpoint: format!("localhost:{}", receiver.grpc.port()),
        tls,
        ..GrpcClientConfig::default()
    };
    let client = config.build(&context(&[])).unwrap();
    LogsServiceClient::new(client.channel)
        .export(logs(1))
        .await
        .is_ok()
}

#[tokio::test]
async fn tls_works_on_both_protocols_and_plaintext_does_not_get_through() {
    let certificates = Certificates::new();
    let receiver = start_with(&certificates.server(false), &context(&[]), |_, _| {});
    assert!(http_works(&receiver, certificates.client(false)).await);
    assert!(grpc_works(&receiver, certificates.client(false)).await);
    assert_eq!(receiver.taken().len(), 2);
    assert!(
        !grpc_works(
            &receiver,
            TlsClientConfig {
                insecure: true,
                ..TlsClientConfig::default()
            }
        )
        .await
    );
    assert!(
        !http_works(&receiver, TlsClientConfig::default()).await,
        "an unknown authority"
    );
    assert_eq!(receiver.taken().len(), 2);
}

#[tokio::test]
async fn with_a_client_ca_a_sender_needs_a_certificate_of_it() {
    let certificates = Certificates::new();
    let receiver = start_with(&certificates.server(true), &context(&[]), |_, _| {});
    assert!(http_works(&receiver, certificates.client(true)).await);
    assert!(grpc_works(&receiver, certificates.client(true)).await);
    let stranger = Certificates {
        authority: certificates.authority.clone(),
        ..Certificates::new()
    };
    for tls in [certificates.client(false), stranger.client(true)] {
        assert!(!http_works(&receiver, tls.clone()).await);
        assert!(!grpc_works(&receiver, tls).await);
    }
    assert_eq!(receiver.taken().len(), 2);
}

fn guarded(id: &str) -> String {
    let server = serde_json::json!({"endpoint": "127.0.0.1:0", "auth": {"authenticator": id}});
    serde_json::json!({"protocols": {"grpc": server, "http": server}}).to_string()
}

#[tokio::test]
async fn without_its_credentials_a_sender_is_401_and_unauthenticated() {
    let bearer: BearerConfig = serde_json::from_str(r#"{"token": "s3cret"}"#).unwrap();
    let basic: BasicConfig =
        serde_json::from_str(r#"{"htpasswd": {"inline": "user:s3cret"}}"#).unwrap();
    let basic_client: BasicConfig =
        serde_json::from_str(r#"{"client_auth": {"username": "user", "password": "s3cret"}}"#)
            .unwrap();
    let cases: [(&str, &dyn ExtensionConfig, &dyn ExtensionConfig, &str); 2] = [
        ("bearertokenauth", &bearer, &bearer, "Bearer"),
        (
            "basicauth",
            &basic,
            &basic_client,
            "Basic realm=\"sluice\", charset=\"UTF-8\"",
        ),
    ];
    for (id, server, client, challenge) in cases {
        let receiver = start_with(&guarded(id), &context(&[(id, server)]), |_, _| {});
        for headers in [
            &[PROTOBUF][..],
            &[PROTOBUF, ("authorization", "Bearer wrong")],
            &[PROTOBUF, ("authorization", "Basic d3Jvbmc6")],
        ] {
            let answer = receiver
                .post("/v1/logs", headers, protobuf(Signal::Logs, 1))
                .await;
            assert_eq!(
                (answer.status.as_u16(), &answer.headers["www-authenticate"]),
                (401, &challenge.parse().unwrap()),
                "{id}"
            );
        }
        let mut config = GrpcClientConfig {
            endpoint: format!("http://{}", receiver.grpc),
            auth: None,
            ..GrpcClientConfig::default()
        };
        let anonymous = config.build(&context(&[])).unwrap();
        let error = LogsServiceClient::new(anonymous.channel)
            .export(logs(1))
            .await
            .unwrap_err();
        assert_eq!(error.code(), tonic::Code::Unauthenticated, "{id}");
        assert_eq!(receiver.taken(), [], "{id}");

        let auth = Some(AuthConfig {
            authenticator: id.to_owned(),
            request_params: Vec::new(),
        });
        config.auth.clone_from(&auth);
        let known = config.build(&context(&[(id, client)])).unwrap();
        let mut request = tonic::Request::new(logs(1));
        known.add_metadata(request.metadata_mut());
        LogsServiceClient::new(known.channel)
            .export(request)
            .await
            .unwrap();
        let http = HttpClientConfig {
            auth,
            ..HttpClientConfig::default()
        }
        .build(&context(&[(id, client)]))
        .unwrap();
        let url = Url::parse(&format!("http://{}/v1/logs", receiver.http)).unwrap();
        assert_eq!(
            send(&http, Method::POST, &url, &[JSON], json(Signal::Logs, 1))
                .await
                .unwrap()
                .status,
            200,
            "{id}"
        );
        assert_eq!(receiver.taken().len(), 2, "{id}");
    }
}
