use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::test_support::{Running, context, loopback, serve};

const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi";

fn limited(change: impl FnOnce(&mut Limits)) -> Listener {
    let mut listener = loopback().bind(&context()).unwrap();
    change(&mut listener.limits);
    listener
}

async fn echo(request: Request<Incoming>) -> Response<Reply> {
    let body = request
        .into_body()
        .collect()
        .await
        .map_or_else(|_| Bytes::new(), |body| body.to_bytes());
    Reply::text(StatusCode::OK, body)
}

async fn connect(server: &Running) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// Everything until the server closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    // A reset is an end, too.
    let _ = stream.read_to_string(&mut text).await;
    text
}

#[tokio::test]
async fn several_requests_are_answered_on_one_connection() {
    let server = serve(limited(|_| {}), echo);
    let mut stream = connect(&server).await;
    for _ in 0..3 {
        stream.write_all(REQUEST).await.unwrap();
        let mut answer = [0; 17];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK\r\n");
        let mut end = Vec::new();
        while !end.ends_with(b"\r\n\r\nhi") {
            end.push(stream.read_u8().await.unwrap());
        }
    }
}

#[tokio::test]
async fn a_sender_that_closes_its_half_gets_its_answer() {
    let server = serve(limited(|_| {}), |request| async {
        let answer = echo(request).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer
    });
    let mut stream = connect(&server).await;
    stream.write_all(REQUEST).await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(rest(&mut stream).await.ends_with("\r\n\r\nhi"));
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let server = serve(
        limited(|limits| limits.header_timeout = Duration::from_millis(50)),
        echo,
    );
    for sent in [&b""[..], b"PRI * HT", b"POST / HTTP/1.1\r\nhost:"] {
        let mut stream = connect(&server).await;
        stream.write_all(sent).await.unwrap();
        assert!(!rest(&mut stream).await.contains("200 OK"));
    }
}

#[tokio::test]
async fn a_connection_that_is_idle_after_a_request_is_closed() {
    let server = serve(
        limited(|limits| limits.idle_timeout = Duration::from_millis(50)),
        echo,
    );
    let mut stream = connect(&server).await;
    stream.write_all(REQUEST).await.unwrap();
    assert!(rest(&mut stream).await.ends_with("\r\n\r\nhi"));
}

#[tokio::test]
async fn a_request_under_way_is_not_idle() {
    let slow = |request| async {
        let answer = echo(request).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        answer
    };
    let server = serve(
        limited(|limits| {
            limits.idle_timeout = Duration::from_millis(20);
            limits.header_timeout = Duration::from_millis(20);
        }),
        slow,
    );
    let mut stream = connect(&server).await;
    stream.write_all(REQUEST).await.unwrap();
    assert!(rest(&mut stream).await.ends_with("\r\n\r\nhi"));
}

#[tokio::test]
async fn an_old_connection_is_asked_to_end() {
    let server = serve(
        limited(|limits| limits.max_age = Duration::from_millis(50)),
        echo,
    );
    let mut stream = connect(&server).await;
    stream.write_all(REQUEST).await.unwrap();
    assert!(rest(&mut stream).await.ends_with("\r\n\r\nhi"));
}

#[tokio::test]
async fn over_the_connection_cap_new_ones_wait_and_are_served_later() {
    let server = serve(limited(|limits| limits.max_connections = 1), echo);
    let mut first = connect(&server).await;
    first.write_all(REQUEST).await.unwrap();
    let mut byte = [0];
    first.read_exact(&mut byte).await.unwrap();

    let mut second = connect(&server).await;
    second.write_all(REQUEST).await.unwrap();
    let waited =
        tokio::time::timeout(Duration::from_millis(100), second.read_exact(&mut byte)).await;
    assert!(waited.is_err(), "served over the cap");
    drop(first);
    second.read_exact(&mut byte).await.unwrap();
}

#[tokio::test]
async fn at_the_end_requests_under_way_are_answered_and_idle_connections_closed() {
    let (begun, mut has_begun) = tokio::sync::mpsc::channel(1);
    let server = serve(limited(|_| {}), move |request| {
        let begun = begun.clone();
        async move {
            begun.send(()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
            echo(request).await
        }
    });
    let mut idle = connect(&server).await;
    let mut busy = connect(&server).await;
    busy.write_all(REQUEST).await.unwrap();
    has_begun.recv().await.unwrap();
    server.stop.cancel();
    assert!(rest(&mut busy).await.ends_with("\r\n\r\nhi"));
    assert_eq!(rest(&mut idle).await, "");
    server.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_end_does_not_wait_for_a_stalled_request_longer_than_the_drain() {
    let server = serve(
        limited(|limits| limits.drain = Duration::from_millis(50)),
        echo,
    );
    let mut stalled = connect(&server).await;
    stalled
        .write_all(&REQUEST[..REQUEST.len() - 1])
        .await
        .unwrap();
    let mut probe = connect(&server).await;
    probe.write_all(REQUEST).await.unwrap();
    probe.read_u8().await.unwrap();
    server.stop.cancel();
    server.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn response_headers_are_added() {
    let mut config = loopback();
    config
        .response_headers
        .insert("X-Served-By".to_owned(), "sluice".to_owned());
    config.keep_alives_enabled = false;
    let server = serve(config.bind(&context()).unwrap(), echo);
    let mut stream = connect(&server).await;
    stream.write_all(REQUEST).await.unwrap();
    assert!(rest(&mut stream).await.contains("x-served-by: sluice\r\n"));
}

// A listener and its successor.

/// Sends one request and reads its answer, which ends with `end`.
async fn ask(stream: &mut TcpStream, end: &str) -> String {
    stream.write_all(REQUEST).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) {
        answer.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(answer).unwrap()
}

async fn says(request: Request<Incoming>, what: &'static str) -> Response<Reply> {
    let _ = request.into_body().collect().await;
    Reply::text(StatusCode::OK, what)
}

#[tokio::test]
async fn a_successor_answers_the_next_request_of_a_connection_that_is_open() {
    let context = context();
    let first = loopback().bind(&context).unwrap();
    let endpoint = first.address().to_string();
    let first = serve(first, |request| says(request, "first"));
    let mut stream = connect(&first).await;
    ask(&mut stream, "first").await;

    let config = crate::HttpServerConfig {
        endpoint,
        ..loopback()
    };
    let mut successor = config.bind(&context).unwrap();
    successor
        .limits
        .response_headers
        .insert("x-new", http::HeaderValue::from_static("yes"));
    assert_eq!(successor.address(), first.address);
    ask(&mut stream, "first").await;
    let second = serve(successor, |request| says(request, "second"));
    let answer = ask(&mut stream, "second").await;
    assert!(answer.contains("x-new: yes"), "{answer}");

    // The first one's end ends nothing but itself.
    first.stop.cancel();
    first.served.await.unwrap().unwrap();
    ask(&mut stream, "second").await;
    ask(&mut connect(&second).await, "second").await;

    second.stop.cancel();
    second.served.await.unwrap().unwrap();
    assert!(rest(&mut stream).await.is_empty());
    assert!(TcpStream::connect(second.address).await.is_err());
}

#[tokio::test]
async fn a_request_under_way_is_answered_by_the_listener_that_took_it_which_waits_for_it() {
    let context = context();
    let (go, gone) = tokio::sync::watch::channel(false);
    let begun = Arc::new(tokio::sync::Notify::new());
    let first = serve(loopback().bind(&context).unwrap(), {
        let begun = begun.clone();
        move |request| {
            let (begun, mut gone) = (begun.clone(), gone.clone());
            async move {
                begun.notify_one();
                gone.wait_for(|gone| *gone).await.unwrap();
                says(request, "first").await
            }
        }
    });
    let config = crate::HttpServerConfig {
        endpoint: first.address.to_string(),
        ..loopback()
    };
    let mut stream = connect(&first).await;
    stream.write_all(REQUEST).await.unwrap();
    begun.notified().await;
    let _second = serve(config.bind(&context).unwrap(), |r| says(r, "second"));
    first.stop.cancel();
    // Also though its port stays: a pipeline that goes with it must not go first.
    let mut served = first.served;
    let early = tokio::time::timeout(Duration::from_millis(50), &mut served).await;
    assert!(early.is_err(), "its request is under way");
    go.send(true).unwrap();
    served.await.unwrap().unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"first") {
        answer.push(stream.read_u8().await.unwrap());
    }
    ask(&mut stream, "second").await;
}

#[tokio::test]
async fn a_successor_that_is_built_and_never_serves_changes_nothing() {
    let context = context();
    let first = serve(loopback().bind(&context).unwrap(), |r| says(r, "first"));
    let config = crate::HttpServerConfig {
        endpoint: first.address.to_string(),
        ..loopback()
    };
    let mut stream = connect(&first).await;
    drop(config.bind(&context).unwrap());
    ask(&mut stream, "first").await;
    ask(&mut connect(&first).await, "first").await;
}

#[tokio::test]
async fn an_address_that_was_left_can_be_taken_again_at_once() {
    let context = context();
    let mut endpoint = loopback().endpoint;
    for _ in 0..20 {
        let config = crate::HttpServerConfig {
            endpoint,
            ..loopback()
        };
        let server = serve(config.bind(&context).unwrap(), |r| says(r, "here"));
        let mut stream = connect(&server).await;
        ask(&mut stream, "here").await;
        endpoint = server.address.to_string();
        server.stop.cancel();
        server.served.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn one_interface_can_be_changed_for_all_without_a_gap() {
    let context = context();
    let first = serve(loopback().bind(&context).unwrap(), |r| says(r, "first"));
    let mut stream = connect(&first).await;
    let wide = crate::HttpServerConfig {
        endpoint: format!("0.0.0.0:{}", first.address.port()),
        ..loopback()
    };
    let _second = serve(wide.bind(&context).unwrap(), |r| says(r, "second"));
    ask(&mut stream, "first").await;
    first.stop.cancel();
    first.served.await.unwrap().unwrap();
    let mut stream = TcpStream::connect(first.address).await.unwrap();
    ask(&mut stream, "second").await;
    // And a stranger's socket is still in the way.
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = crate::HttpServerConfig {
        endpoint: format!("0.0.0.0:{}", stranger.local_addr().unwrap().port()),
        ..loopback()
    };
    let error = taken.bind(&context).unwrap_err().to_string();
    assert!(error.contains("in use"), "{error}");
}

#[tokio::test]
async fn connections_end_when_clients_must_prove_themselves_in_another_way() {
    let context = context();
    let first = serve(loopback().bind(&context).unwrap(), |r| says(r, "first"));
    let mut stream = connect(&first).await;
    ask(&mut stream, "first").await;
    let (certificate, key) = crate::test_support::Authority::new().issue("localhost");
    let guarded = crate::HttpServerConfig {
        endpoint: first.address.to_string(),
        tls: Some(TlsServerConfig {
            cert_pem: crate::test_support::secret(&certificate),
            key_pem: crate::test_support::secret(&key),
            ..TlsServerConfig::default()
        }),
        ..loopback()
    };
    let _second = serve(guarded.bind(&context).unwrap(), |r| says(r, "second"));
    assert!(
        rest(&mut stream).await.is_empty(),
        "closed without an answer"
    );
}
