//! Peak memory under attack, in a process of its own.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of a test")]

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use receiver_otlp::Config;
use sluice_batch::Batch;
use sluice_component::{
    BoxFuture, BuildContext, Consume, Outlet, ReceiverConfig as _, Undelivered,
};
use sluice_net::{HttpClient, HttpClientConfig};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use url::Url;

struct Taken;

impl Consume for Taken {
    fn consume(&self, _: Batch) -> BoxFuture<'static, Result<(), Undelivered>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

async fn post(client: &HttpClient, url: &Url, encoding: &'static str, body: Bytes) -> u16 {
    let header = |name, value| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    let headers = HeaderMap::from_iter([
        header("content-type", "application/json"),
        header("content-encoding", encoding),
    ]);
    client
        .send(Method::POST, url, headers, body, Duration::from_secs(60))
        .await
        .unwrap()
        .status
        .as_u16()
}

fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
        / 1_000_000
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_hundred_stalled_senders_and_bombs_of_600_mb_stay_under_400_mb_and_a_good_sender_is_served()
 {
    let context = BuildContext::alone("otlp");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let keys = serde_json::json!({"protocols": {"http": {"endpoint": address.to_string()}}});
    let config: Config = serde_json::from_value(keys).unwrap();
    let receiver = config.build(&context).unwrap();
    tokio::spawn(receiver.run(Outlet::new(Box::new(Taken)), CancellationToken::new()));
    let client = HttpClientConfig::default().build(&context).unwrap();
    let url = Url::parse(&format!("http://{address}/v1/logs")).unwrap();

    let mut stalled = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 60000000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&[b' '; 128 << 10]).await.unwrap();
        stalled.push(stream);
    }

    let chunk = vec![b' '; 1 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..600 {
        gzip.write_all(&chunk).unwrap();
        zstd.write_all(&chunk).unwrap();
    }
    let (gzip, zstd) = (
        Bytes::from(gzip.finish().unwrap()),
        Bytes::from(zstd.finish().unwrap()),
    );
    let bombs: Vec<_> = (0..20)
        .map(|i| {
            let (client, url) = (client.clone(), url.clone());
            let (encoding, body) = if i % 2 == 0 {
                ("gzip", gzip.clone())
            } else {
                ("zstd", zstd.clone())
            };
            tokio::spawn(async move { post(&client, &url, encoding, body).await })
        })
        .collect();
    let good = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":9}]}]}]}"#;
    assert_eq!(post(&client, &url, "identity", good.into()).await, 200);
    for bomb in bombs {
        assert_eq!(bomb.await.unwrap(), 413);
    }
    assert_eq!(post(&client, &url, "gzip", gzip).await, 413);
    assert_eq!(post(&client, &url, "identity", good.into()).await, 200);
    let peak = peak_mb();
    assert!(peak < 400, "{peak} MB");
}
