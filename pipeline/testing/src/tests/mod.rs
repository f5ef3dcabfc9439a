//! The doubles, held against what the vendors document.

mod datadog;
mod elastic;
mod faults;
mod otlp;
mod splunk;

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Only a failing test waits this long.
const SOON: Duration = Duration::from_secs(20);

struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    fn code(&self) -> (u16, u64) {
        (self.status.as_u16(), self.json()["code"].as_u64().unwrap())
    }
}

/// One request on a connection of its own; `Err` when the connection ends without an answer.
async fn send(
    to: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Result<Got, hyper::Error> {
    let stream = TcpStream::connect(to).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", to.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = sender
        .send_request(request.body(Full::new(body.into())).unwrap())
        .await?;
    let (parts, body) = response.into_parts();
    Ok(Got {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await?.to_bytes(),
    })
}

fn gzip(body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body.as_ref()).unwrap();
    encoder.finish().unwrap()
}

fn deflate(body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body.as_ref()).unwrap();
    encoder.finish().unwrap()
}

fn zstd(body: impl AsRef<[u8]>) -> Vec<u8> {
    zstd::encode_all(body.as_ref(), 1).unwrap()
}
