use std::sync::Mutex;

use http::{HeaderValue, Response};

use super::*;
use crate::test_support::{context, context_with, loopback, serve};
use crate::{BearerConfig, Reply};

fn client(change: impl FnOnce(&mut HttpClientConfig)) -> HttpClient {
    let mut config = HttpClientConfig::default();
    change(&mut config);
    config.build(&context()).unwrap()
}

fn url(address: std::net::SocketAddr, path: &str) -> Url {
    Url::parse(&format!("http://{address}{path}")).unwrap()
}

const SECOND: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_request_carries_its_headers_the_static_ones_and_the_authenticators() {
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let server = serve(loopback().bind(&context()).unwrap(), {
        let seen = Arc::clone(&seen);
        move |request| {
            *seen.lock().unwrap() = request.headers().clone();
            async { Reply::text(StatusCode::ACCEPTED, "taken") }
        }
    });
    let bearer = BearerConfig {
        token: Some(Secret::new("t0ken")),
        ..BearerConfig::default()
    };
    let config: HttpClientConfig = serde_json::from_str(
        r#"{"headers": {"X-Static": "one", "X-Both": "configured"}, "auth": {"authenticator": "bearertokenauth"}}"#,
    )
    .unwrap();
    let client = config
        .build(&context_with(&[("bearertokenauth", &bearer)]))
        .unwrap();
    let own = HeaderMap::from_iter([(
        http::HeaderName::from_static("x-both"),
        HeaderValue::from_static("own"),
    )]);
    let answer = client
        .send(
            Method::POST,
            &url(server.address, "/in"),
            own,
            "body".into(),
            SECOND,
        )
        .await
        .unwrap();
    assert_eq!(
        (answer.status, answer.body),
        (StatusCode::ACCEPTED, Bytes::from("taken"))
    );
    let seen = seen.lock().unwrap();
    assert_eq!(
        (&seen["x-static"], &seen["x-both"], &seen["authorization"]),
        (
            &"one".parse().unwrap(),
            &"own".parse().unwrap(),
            &"Bearer t0ken".parse().unwrap()
        )
    );
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let server = serve(loopback().bind(&context()).unwrap(), |_| async {
        let mut response = Response::new(Reply::new("elsewhere"));
        *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
        response
            .headers_mut()
            .insert("location", HeaderValue::from_static("/other"));
        response
    });
    let answer = client(|_| {})
        .send(
            Method::POST,
            &url(server.address, "/"),
            HeaderMap::new(),
            Bytes::new(),
            SECOND,
        )
        .await
        .unwrap();
    assert_eq!(answer.status, 307);
    assert_eq!(answer.headers["location"], "/other");
}

#[tokio::test]
async fn an_answer_is_read_up_to_4_mib() {
    let server = serve(loopback().bind(&context()).unwrap(), |request| async move {
        let extra = if request.uri().path() == "/more" {
            1
        } else {
            0
        };
        Response::new(Reply::new(vec![b'x'; MAX_ANSWER_BYTES + extra]))
    });
    for (path, is_truncated) in [("/exact", false), ("/more", true)] {
        let answer = client(|_| {})
            .send(
                Method::GET,
                &url(server.address, path),
                HeaderMap::new(),
                Bytes::new(),
                SECOND,
            )
            .await
            .unwrap();
        assert_eq!(
            (answer.body.len(), answer.is_truncated),
            (MAX_ANSWER_BYTES, is_truncated),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_silent_destination_is_a_timeout() {
    let server = serve(loopback().bind(&context()).unwrap(), |_| {
        std::future::pending::<Response<Reply>>()
    });
    let short = Duration::from_millis(50);
    let error = client(|_| {})
        .send(
            Method::GET,
            &url(server.address, "/"),
            HeaderMap::new(),
            Bytes::new(),
            short,
        )
        .await
        .unwrap_err();
    assert!(
        matches!(error, SendError::Timeout(after) if after == short),
        "{error}"
    );
}

#[tokio::test]
async fn a_closed_port_is_a_connect_error_that_shows_neither_url_nor_query() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let target = url(closed, "/in?api_key=s3cret");
    let error = client(|_| {})
        .send(Method::GET, &target, HeaderMap::new(), Bytes::new(), SECOND)
        .await
        .unwrap_err();
    assert!(matches!(error, SendError::Connect(_)), "{error:?}");
    assert!(
        !format!("{error} {error:?}").contains("s3cret"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_broken_answer_is_told_apart_from_a_refused_connection() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 1024];
            tokio::io::AsyncReadExt::read(&mut stream, &mut buffer)
                .await
                .unwrap();
            tokio::io::AsyncWriteExt::write_all(
                &mut stream,
                b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
            )
            .await
            .unwrap();
        }
    });
    let error = client(|_| {})
        .send(
            Method::POST,
            &url(address, "/"),
            HeaderMap::new(),
            Bytes::new(),
            SECOND,
        )
        .await
        .unwrap_err();
    assert!(matches!(error, SendError::Broken(_)), "{error:?}");
}

#[test]
fn headers_are_read_as_a_map_and_as_a_list() {
    let map: Headers = serde_json::from_str(r#"{"a": "1", "b": "2"}"#).unwrap();
    let list: Headers =
        serde_json::from_str(r#"[{"name": "a", "value": "1"}, {"name": "b", "value": "2"}]"#)
            .unwrap();
    assert_eq!(map, list);
    assert!(!format!("{map:?}").contains('1'));
}

#[test]
fn wrong_keys_are_reported_where_they_stand() {
    let config: HttpClientConfig = serde_json::from_str(
        r#"{"endpoint": "ftp://x", "proxy_url": "no url", "headers": {"a b": "x", "ok": "line\nbreak"}, "middlewares": [{"id": "m"}]}"#,
    )
    .unwrap();
    let mut problems = Problems::new();
    config.check(&mut problems);
    let found: Vec<_> = problems
        .found
        .iter()
        .map(|p| format!("{:?} {}", p.path, p.message))
        .collect();
    assert_eq!(
        found,
        [
            r#"[Name("endpoint")] is not an HTTP URL: its scheme is `ftp`"#,
            r#"[Name("proxy_url")] is not a URL"#,
            r#"[Name("headers"), Name("a b")] is not a valid header name"#,
            r#"[Name("headers"), Name("ok")] its value cannot stand in a header: control characters or line breaks in it"#,
            r#"[Name("middlewares")] middleware extensions are not supported"#,
        ]
    );
}
