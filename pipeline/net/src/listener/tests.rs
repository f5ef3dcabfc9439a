use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

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
