//! `webhookevent`: the Collector's webhook receiver, with its keys and status codes. A body becomes records of text.
//!
//! <https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/receiver/webhookeventreceiver>; unlike
//! there, records that may be taken later are answered 503 with `Retry-After` (there: 500), those refused for good 422,
//! and no header that carries credentials becomes an attribute.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use sluice_batch::{Batch, Signal, Value, ValueBuf};
use sluice_component::{
    BoxError, BoxFuture, BuildContext, BuildError, ByteSize, Checked, Claim, Outlet, Problems,
    Receiver, ReceiverConfig, Secret,
};
use sluice_net::{Gate, Intake, Listener, Reply, Respond};
use tokio_util::sync::CancellationToken;

use crate::config::{check_path, is_loopback};
use crate::formats::documents::spans;
use crate::formats::{BodyError, MAX_EVENTS, repetition};
use crate::intake::{deliver, empty, error, json, now, take};
use crate::verify::{HeaderConfig, Scheme, Verifier, VerifyConfig};

/// Headers that never become attributes.
const CREDENTIALS: [header::HeaderName; 3] = [
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
];

sluice_net::http_server_config! {
    /// `webhookevent`: posted text, as records of text.
    ///
    /// `max_request_body_size` is 20 MiB unless set.
    pub struct Config {
        /// Path that events are posted to. Default `/events`.
        pub path: String = "/events".to_owned(),
        /// Path that answers GET with 200. Default `/health_check`.
        pub health_path: String = "/health_check".to_owned(),
        /// A header that every request must have, 401 without it. Default: none.
        pub required_header: Option<RequiredHeader> = None,
        /// One record a line; lines without text are passed over. Default false: the whole body is one record.
        pub split_logs_at_newline: bool = false,
        /// One record a JSON document. Default false. Not together with `split_logs_at_newline`.
        pub split_logs_at_json_boundary: bool = false,
        /// Puts request headers into the attributes `header.<Name>`, as lists. `Authorization`, `Proxy-Authorization`,
        /// `Cookie` and the required header are left out. Default false.
        pub convert_headers_to_attributes: bool = false,
        /// Puts those headers into attributes whose names, written as in `X-Request-Id`, match this. Default: none; with
        /// `convert_headers_to_attributes` all.
        pub header_attribute_regex: Option<String> = None,
    }
    defaults { max_request_body_size: ByteSize(20 << 20) }
}

/// `required_header`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequiredHeader {
    /// The header's name.
    pub key: String,
    /// Its value.
    pub value: Secret,
}

impl RequiredHeader {
    fn verify(&self) -> VerifyConfig {
        VerifyConfig {
            scheme: Scheme::Header,
            secret: Secret::default(),
            secrets: Vec::new(),
            tolerance: sluice_component::HumanDuration(std::time::Duration::from_secs(300)),
            header: Some(HeaderConfig {
                name: self.key.clone(),
                value: self.value.clone(),
            }),
        }
    }
}

impl Checked for Config {
    fn check(&self, problems: &mut Problems) {
        self.server().check(problems);
        check_path("path", &self.path, problems);
        check_path("health_path", &self.health_path, problems);
        if let Some(required) = &self.required_header
            && (required.value.is_empty() || header::HeaderName::try_from(&required.key).is_err())
        {
            problems.at("required_header", |p| {
                p.error("needs a header name as `key` and a `value`");
            });
        }
        if self.split_logs_at_newline && self.split_logs_at_json_boundary {
            problems.at("split_logs_at_json_boundary", |p| {
                p.error("cannot be used together with `split_logs_at_newline`");
            });
        }
        if let Some(Err(cause)) = self
            .header_attribute_regex
            .as_ref()
            .map(|text| Regex::new(text))
        {
            problems.at("header_attribute_regex", |p| {
                p.error(format!("not a regular expression: {cause}"));
            });
        }
        let authenticates = self.required_header.is_some()
            || self.auth.is_some()
            || self
                .tls
                .as_ref()
                .is_some_and(|tls| tls.client_ca_file.is_some());
        if !authenticates && !is_loopback(&self.endpoint) {
            problems
                .warning("anybody who reaches this address can post events")
                .help("add `required_header`, `auth`, or `tls` with `client_ca_file`");
        }
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim::Listen(self.endpoint.clone())]
    }

    fn extensions(&self) -> Vec<String> {
        self.auth
            .iter()
            .map(|auth| auth.authenticator.clone())
            .collect()
    }

    fn files(&self) -> Vec<PathBuf> {
        self.tls
            .iter()
            .flat_map(sluice_net::TlsServerConfig::files)
            .collect()
    }
}

impl ReceiverConfig for Config {
    fn build(&self, context: &BuildContext) -> Result<Box<dyn Receiver>, BuildError> {
        Ok(Box::new(WebhookEvent::bind(self, context)?))
    }
}

/// The receiver.
#[derive(Debug)]
pub struct WebhookEvent {
    listener: Listener,
    desk: Desk,
}

#[derive(Debug)]
struct Desk {
    component: String,
    config: Config,
    intake: Intake,
    gate: Gate,
    required: Option<Verifier>,
    headers: Option<Regex>,
}

impl WebhookEvent {
    /// Binds the socket.
    ///
    /// # Errors
    /// The address cannot be bound, or a certificate is of no use.
    pub fn bind(config: &Config, context: &BuildContext) -> Result<Self, BuildError> {
        let server = config.server();
        let all = config
            .convert_headers_to_attributes
            .then(|| String::from(".*"));
        let headers = config
            .header_attribute_regex
            .clone()
            .or(all)
            .map(|text| Regex::new(&text))
            .transpose();
        Ok(Self {
            listener: server.bind(context)?,
            desk: Desk {
                component: context.id.to_string(),
                intake: server.intake(),
                gate: server.gate(context)?,
                required: config
                    .required_header
                    .as_ref()
                    .map(|required| required.verify().build())
                    .transpose()?,
                headers: headers
                    .map_err(|cause| BuildError(format!("header_attribute_regex: {cause}")))?,
                config: config.clone(),
            },
        })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> std::net::SocketAddr {
        self.listener.address()
    }
}

impl Receiver for WebhookEvent {
    fn run(
        self: Box<Self>,
        outlet: Outlet,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<(), BoxError>> {
        let respond = Arc::new(Open {
            desk: self.desk,
            outlet,
        });
        // Before the future: the port is taken over when this returns.
        let served = self.listener.serve("http", respond, stop);
        Box::pin(async move { served.await.map_err(Into::into) })
    }
}

struct Open {
    desk: Desk,
    outlet: Outlet,
}

impl Respond for Open {
    async fn respond(&self, request: Request<Incoming>) -> Response<Reply> {
        self.desk
            .answer(&self.outlet, request)
            .await
            .unwrap_or_else(|refusal| refusal)
    }
}

impl Desk {
    async fn answer(
        &self,
        outlet: &Outlet,
        request: Request<Incoming>,
    ) -> Result<Response<Reply>, Response<Reply>> {
        let path = request.uri().path();
        if path == self.config.health_path && request.method() == Method::GET {
            return Ok(json(
                StatusCode::OK,
                r#"{"text": "Webhookevent receiver is healthy"}"#.to_owned(),
            ));
        }
        if path != self.config.path {
            return Err(empty(StatusCode::NOT_FOUND));
        }
        if request.method() != Method::POST {
            return Err(error(
                StatusCode::BAD_REQUEST,
                "invalid method. Valid method is POST",
            ));
        }
        if let Some(required) = &self.required
            && required
                .verify(request.headers(), b"", SystemTime::now())
                .is_err()
        {
            return Err(error(
                StatusCode::UNAUTHORIZED,
                "request was missing required header or incorrect header value",
            ));
        }
        let encoding = request
            .headers()
            .get(header::CONTENT_ENCODING)
            .map(|value| value.as_bytes().to_ascii_lowercase());
        if encoding.is_some_and(|encoding| !matches!(&encoding[..], b"" | b"gzip" | b"x-gzip")) {
            return Err(error(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "invalid encoding type",
            ));
        }
        let query = request.uri().query().unwrap_or_default().to_owned();
        let (headers, body) = take(&self.intake, &self.gate, request).await?;
        let batch = self
            .batch(body.plain(), &headers, &query)
            .map_err(|cause| error(cause.status(), &cause.to_string()))?;
        Ok(deliver(outlet, batch, body, None).await)
    }

    fn batch(&self, body: &[u8], headers: &HeaderMap, query: &str) -> Result<Batch, BodyError> {
        let bodies: Vec<&[u8]> = if self.config.split_logs_at_json_boundary {
            spans(body, MAX_EVENTS)?
                .into_iter()
                .map(|span| &body[span])
                .collect()
        } else if self.config.split_logs_at_newline {
            let lines = body
                .split(|byte| *byte == b'\n')
                .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
            lines
                .filter(|line| !line.trim_ascii().is_empty())
                .take(MAX_EVENTS + 1)
                .collect()
        } else {
            vec![body]
        };
        if bodies.len() > MAX_EVENTS {
            return Err(BodyError::TooMany);
        }
        if bodies.iter().all(|body| body.is_empty()) {
            return Err(BodyError::Empty);
        }
        let headers = self.header_attributes(headers);
        let header_bytes = headers
            .iter()
            .map(|(name, values)| name.len() + values.as_value().to_text().len())
            .sum();
        repetition(header_bytes, bodies.len())?;
        let mut batch = Batch::new(Signal::Logs);
        batch.push_scope(&[], "otlp/webhookevent");
        let mut resource = batch.resource_mut(0);
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if !value.is_empty() && resource.get(&key).is_none() {
                resource.set(&key, Value::Str(&value));
            }
        }
        let mut scope = batch.scope_mut(0);
        scope.set("source", Value::Str(&self.component));
        scope.set("receiver", Value::Str("webhookevent"));
        let received = now();
        for body in bodies {
            let mut record = batch.push_log();
            record.set_observed_time(received);
            record.set_body(std::str::from_utf8(body).map_or(Value::Bytes(body), Value::Str));
            for (name, values) in &headers {
                record.set(name, values.as_value());
            }
        }
        Ok(batch)
    }

    fn header_attributes(&self, headers: &HeaderMap) -> Vec<(String, ValueBuf)> {
        let Some(wanted) = &self.headers else {
            return Vec::new();
        };
        let required = self
            .config
            .required_header
            .as_ref()
            .map(|required| required.key.as_str())
            .unwrap_or_default();
        let names = headers.keys().filter(|name| {
            !CREDENTIALS.contains(name) && !name.as_str().eq_ignore_ascii_case(required)
        });
        names
            .map(|name| (name, as_go_writes(name.as_str())))
            .filter(|(_, written)| wanted.is_match(written))
            .map(|(name, written)| {
                let values: Vec<_> = headers
                    .get_all(name)
                    .iter()
                    .map(|value| String::from_utf8_lossy(value.as_bytes()))
                    .collect();
                (
                    format!("header.{written}"),
                    ValueBuf::array(values.iter().map(|value| Value::Str(value))),
                )
            })
            .collect()
    }
}

/// `x-request-id` as `X-Request-Id`, the form in which the Collector sees header names.
fn as_go_writes(name: &str) -> String {
    let mut start = true;
    name.chars()
        .map(|letter| {
            let written = if start {
                letter.to_ascii_uppercase()
            } else {
                letter
            };
            start = letter == '-';
            written
        })
        .collect()
}
