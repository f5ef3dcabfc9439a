//! Clients that speak to Sluice as sources do.

use std::net::SocketAddr;
use std::sync::Once;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use prost::Message as _;
use tokio::net::TcpStream;
use tonic::Status;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Channel, Endpoint};

use crate::Encoding;
use crate::signature::Header;

/// An answer over HTTP.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: http::HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// A client without proxies and without a time limit.
#[must_use]
pub fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error means that somebody else has chosen one before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client of defaults")
}

/// Posts a body; `Err` when the connection ends without an answer.
///
/// # Errors
/// No answer.
pub async fn post(url: &str, headers: &[Header], body: Vec<u8>) -> Result<Answer, reqwest::Error> {
    post_with(&client(), url, headers, body).await
}

/// Posts a body with a client that is used again and again.
///
/// # Errors
/// No answer.
pub async fn post_with(
    client: &reqwest::Client,
    url: &str,
    headers: &[Header],
    body: Vec<u8>,
) -> Result<Answer, reqwest::Error> {
    let mut request = client.post(url).body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer {
        status,
        headers,
        body: response.bytes().await?,
    })
}

/// Headers for a body of this type and encoding.
#[must_use]
pub fn headers(content_type: &str, encoding: Encoding) -> Vec<Header> {
    let mut headers = vec![("content-type".to_owned(), content_type.to_owned())];
    headers.extend(
        encoding
            .header()
            .map(|encoding| ("content-encoding".to_owned(), encoding.to_owned())),
    );
    headers
}

/// OTLP/HTTP in protobuf.
///
/// # Errors
/// No answer.
pub async fn otlp_protobuf(
    to: SocketAddr,
    request: &ExportLogsServiceRequest,
    encoding: Encoding,
) -> Result<Answer, reqwest::Error> {
    let body = encoding.encode(request.encode_to_vec());
    post(
        &format!("http://{to}/v1/logs"),
        &headers("application/x-protobuf", encoding),
        body,
    )
    .await
}

/// OTLP/HTTP in JSON.
///
/// # Errors
/// No answer.
pub async fn otlp_json(
    to: SocketAddr,
    request: &ExportLogsServiceRequest,
    encoding: Encoding,
) -> Result<Answer, reqwest::Error> {
    let body = encoding.encode(serde_json::to_vec(request).expect("OTLP has a JSON form"));
    post(
        &format!("http://{to}/v1/logs"),
        &headers("application/json", encoding),
        body,
    )
    .await
}

/// A connection for [`otlp_grpc`].
///
/// # Panics
/// Nobody listens there.
pub async fn grpc_channel(to: SocketAddr) -> Channel {
    Endpoint::new(format!("http://{to}"))
        .expect("an address is a URI")
        .connect()
        .await
        .expect("somebody listens there")
}

/// OTLP/gRPC.
///
/// # Errors
/// Any status but OK.
pub async fn otlp_grpc(
    channel: Channel,
    request: ExportLogsServiceRequest,
    encoding: Encoding,
) -> Result<ExportLogsServiceResponse, Status> {
    let mut client = LogsServiceClient::new(channel);
    match encoding {
        Encoding::Plain => {}
        Encoding::Gzip => {
            client = client
                .send_compressed(CompressionEncoding::Gzip)
                .accept_compressed(CompressionEncoding::Gzip)
        }
        Encoding::Zstd => {
            client = client
                .send_compressed(CompressionEncoding::Zstd)
                .accept_compressed(CompressionEncoding::Zstd)
        }
    }
    client
        .export(request)
        .await
        .map(tonic::Response::into_inner)
}

/// OTLP/gRPC with any bytes as the message, exactly as they will stand in the frame: compressed already, if `encoding`
/// says that they are. Gives the status code.
///
/// # Errors
/// No answer: the connection was refused or cut.
pub async fn grpc_frame(
    to: SocketAddr,
    message: &[u8],
    encoding: Encoding,
) -> Result<u32, hyper::Error> {
    let mut connection = Connection::http2(to).await.expect("somebody listens there");
    connection.grpc(message, encoding).await
}

/// One connection for many requests. When the other side ends it, the next request fails: nothing is opened anew.
#[derive(Debug)]
pub struct Connection {
    to: SocketAddr,
    sender: Sender,
    /// What it says of itself with each post.
    pub authorization: Option<String>,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// HTTP/1.1.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn http1(to: SocketAddr) -> std::io::Result<Self> {
        let stream = TokioIo::new(TcpStream::connect(to).await?);
        let handshake = http1::handshake(stream).await;
        let (sender, connection) = handshake.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        let sender = Sender::Http1(sender);
        Ok(Self {
            to,
            sender,
            authorization: None,
        })
    }

    /// HTTP/2.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn http2(to: SocketAddr) -> std::io::Result<Self> {
        let stream = TokioIo::new(TcpStream::connect(to).await?);
        let handshake = http2::handshake(TokioExecutor::new(), stream).await;
        let (sender, connection) = handshake.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        let sender = Sender::Http2(sender);
        Ok(Self {
            to,
            sender,
            authorization: None,
        })
    }

    async fn send(
        &mut self,
        request: http::Request<Full<Bytes>>,
    ) -> Result<http::Response<hyper::body::Incoming>, hyper::Error> {
        match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => sender.send_request(request).await,
        }
    }

    /// Posts a body and gives the status of the answer.
    ///
    /// # Errors
    /// No answer.
    pub async fn post(
        &mut self,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<u16, hyper::Error> {
        let uri = match self.sender {
            Sender::Http1(_) => path.to_owned(),
            Sender::Http2(_) => format!("http://{}{path}", self.to),
        };
        let mut request = http::Request::post(uri)
            .header("host", self.to.to_string())
            .header("content-type", content_type);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let request = request
            .body(Full::new(body.into()))
            .expect("a valid request");
        let response = self.send(request).await?;
        let status = response.status().as_u16();
        response.into_body().collect().await?;
        Ok(status)
    }

    /// One call of OTLP/gRPC with these bytes as its message; gives the status code.
    ///
    /// # Errors
    /// No answer: the connection was refused or cut.
    pub async fn grpc(&mut self, message: &[u8], encoding: Encoding) -> Result<u32, hyper::Error> {
        let mut frame = Vec::with_capacity(message.len() + 5);
        frame.push(u8::from(encoding != Encoding::Plain));
        frame.extend(
            u32::try_from(message.len())
                .expect("a frame's length")
                .to_be_bytes(),
        );
        frame.extend(message);
        let mut request = http::Request::post(format!(
            "http://{}/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            self.to
        ))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
        if let Some(encoding) = encoding.header() {
            request = request.header("grpc-encoding", encoding);
        }
        let request = request
            .body(Full::new(Bytes::from(frame)))
            .expect("a valid request");
        let response = self.send(request).await?;
        let status =
            |headers: &http::HeaderMap| headers.get("grpc-status")?.to_str().ok()?.parse().ok();
        let in_headers = status(response.headers());
        let body = response.into_body().collect().await?;
        Ok(in_headers
            .or_else(|| status(body.trailers()?))
            .expect("an answer has a grpc-status"))
    }
}
