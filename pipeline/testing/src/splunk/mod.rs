//! A double of Splunk's HTTP Event Collector.
//!
//! Written from Splunk's pages "HTTP Event Collector REST API endpoints", "Format events for HTTP Event Collector",
//! "Troubleshoot HTTP Event Collector" (code table) and "About HTTP Event Collector Indexer Acknowledgment", from
//! `limits.conf.spec`, and from the probes of real servers published in `ross/logit` (Enterprise 10.4.3 and Cloud
//! 10.5): parsing in order, `invalid-event-number`, unknown envelope keys, the 415 for deflate, Cloud's answer to a
//! body that is too large. All read in November 2026.

mod acks;
mod codes;
mod envelope;

use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header};
use serde_json::{Value, json};

pub use acks::Acks;
pub use codes::{CODES, answer};
pub use envelope::Event;

use crate::encoding::{self, Unreadable};
use crate::{Destination, Reply, Watched};
use acks::Channel;
use envelope::Flaw;

/// The token that a double takes unless told otherwise.
pub const TOKEN: &str = "0c5f2a1e-6d5b-4a53-9e0e-6a2f3f6f9b11";

/// Splunk Cloud answers a body of more than this, uncompressed, with 400 code 6 for object 0.
pub const CLOUD_BODY_BYTES: usize = 5_242_881;

/// A collector on loopback.
pub type Double = crate::Double<Splunk>;

impl Double {
    /// Starts a collector with one enabled token ([`TOKEN`]), any index, no acknowledgement.
    ///
    /// # Panics
    /// Loopback has no free port.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// Starts a collector.
    ///
    /// # Panics
    /// Loopback has no free port.
    pub async fn start_with(options: Options) -> Self {
        Self::serve(Splunk::new(options)).await
    }
}

/// How a collector and its one token are set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The token.
    pub token: String,
    /// Whether the token is switched off (403, code 1).
    pub disabled: bool,
    /// The indexes that the token may write to; empty: any.
    pub indexes: Vec<String>,
    /// Whether the token asks for indexer acknowledgement.
    pub use_ack: bool,
    /// When acknowledgements come.
    pub acks: Acks,
    /// Whether it behaves as Splunk Cloud does: code 28 without a channel, 400 code 6 over [`CLOUD_BODY_BYTES`].
    pub cloud: bool,
    /// `max_content_length`, bytes uncompressed; over it 413.
    pub max_content_length: usize,
    /// `maxEventSize`, bytes of one envelope; over it the envelope is malformed.
    pub max_event_size: usize,
    /// Whether `?token=` is allowed.
    pub query_string_auth: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            token: TOKEN.to_owned(),
            disabled: false,
            indexes: Vec::new(),
            use_ack: false,
            acks: Acks::AtOnce,
            cloud: false,
            max_content_length: 838_860_800,
            max_event_size: 5 << 20,
            query_string_auth: false,
        }
    }
}

/// The collector's behaviour.
#[derive(Debug)]
pub struct Splunk {
    options: Options,
    state: Watched<State>,
}

/// What a collector holds.
#[derive(Debug)]
pub struct State {
    /// Indexed events, in order.
    pub events: Vec<Event>,
    /// Envelopes that were taken with a 200 and never indexed: behind an unknown key, without `event`, or lost by an
    /// indexer ([`Acks::Vanish`]).
    pub lost: usize,
    poison: Vec<(String, u16)>,
    channels: HashMap<String, Channel>,
    acks: Acks,
    success_code: u16,
    health_code: u16,
}

impl Splunk {
    /// A collector for [`crate::Double::serve`] or `serve_at`.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let acks = options.acks;
        let state = State {
            events: Vec::new(),
            lost: 0,
            poison: Vec::new(),
            channels: HashMap::new(),
            acks,
            success_code: 0,
            health_code: 17,
        };
        Self {
            options,
            state: Watched::new(state),
        }
    }

    /// How data that comes from now on is acknowledged.
    pub fn set_acks(&self, acks: Acks) {
        self.state.edit(|state| state.acks = acks);
    }

    /// From now on an envelope whose text contains `needle` is flawed with `code`: 6, 12, 13, 15, or 7, which counts
    /// from 1.
    pub fn poison(&self, needle: &str, code: u16) {
        self.state
            .edit(|state| state.poison.push((needle.to_owned(), code)));
    }

    /// The code of a 200 from now on: 0, or 24 and 25, which take the data and ask for less.
    pub fn set_success_code(&self, code: u16) {
        self.state.edit(|state| state.success_code = code);
    }

    /// What `/services/collector/health` says from now on: 17, 18, 19 or 20.
    pub fn set_health_code(&self, code: u16) {
        self.state.edit(|state| state.health_code = code);
    }

    /// 401 or 403 unless the request carries the enabled token; 400 when it is in the query and may not be there.
    fn authorize(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), u16> {
        let given = match headers.get(header::AUTHORIZATION) {
            Some(value) => token_of(value.to_str().map_err(|_| 3u16)?).ok_or(3u16)?,
            None => match query(uri, "token") {
                Some(_) if !self.options.query_string_auth => return Err(16),
                Some(token) => token,
                None => return Err(2),
            },
        };
        match given {
            given if given != self.options.token => Err(4),
            _ if self.options.disabled => Err(1),
            _ => Ok(()),
        }
    }

    /// The request's channel; a fault when the token needs one and there is none, or it is no GUID.
    fn channel(&self, headers: &HeaderMap, uri: &Uri) -> Result<Option<String>, u16> {
        let channel = headers
            .get("x-splunk-request-channel")
            .and_then(|value| value.to_str().ok().map(str::to_owned))
            .or_else(|| query(uri, "channel"));
        match channel {
            None if self.options.use_ack => Err(if self.options.cloud { 28 } else { 10 }),
            Some(channel) if self.options.use_ack && uuid::Uuid::parse_str(&channel).is_err() => {
                Err(11)
            }
            channel => Ok(channel),
        }
    }

    /// The body's bytes, uncompressed and within the size limit.
    fn body(&self, headers: &HeaderMap, body: &Bytes) -> Result<Bytes, Unreadable> {
        encoding::decode(headers, body, &["gzip"], self.options.max_content_length)
    }

    fn event(&self, headers: &HeaderMap, uri: &Uri, body: &Bytes) -> Response<Reply> {
        let channel = match self
            .authorize(headers, uri)
            .and_then(|()| self.channel(headers, uri))
        {
            Ok(channel) => channel,
            Err(fault) => return code(fault, None),
        };
        let body = match self.body(headers, body) {
            Ok(body) => body,
            Err(why) => return unreadable(why),
        };
        if self.options.cloud && body.len() > CLOUD_BODY_BYTES {
            return code(6, Some(0));
        }
        let parsed = self
            .state
            .read(|state| envelope::parse(&body, &self.options, &state.poison));
        self.take(parsed.events, parsed.skipped, channel, parsed.flaw)
    }

    fn raw(&self, headers: &HeaderMap, uri: &Uri, body: &Bytes) -> Response<Reply> {
        let channel = match self
            .authorize(headers, uri)
            .and_then(|()| self.channel(headers, uri))
        {
            Ok(channel) => channel,
            Err(fault) => return code(fault, None),
        };
        let body = match self.body(headers, body) {
            Ok(body) => body,
            Err(why) => return unreadable(why),
        };
        let lines = String::from_utf8_lossy(&body);
        let events: Vec<_> = lines
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| Event::raw(line, uri))
            .collect();
        let flaw = if events.is_empty() {
            Some(Flaw {
                code: 5,
                number: None,
            })
        } else {
            None
        };
        self.take(events, 0, channel, flaw)
    }

    /// Indexes what came before the flaw, if any, and answers.
    fn take(
        &self,
        events: Vec<Event>,
        skipped: usize,
        channel: Option<String>,
        flaw: Option<Flaw>,
    ) -> Response<Reply> {
        self.state.edit(|state| {
            if state.acks == Acks::Vanish && self.options.use_ack {
                state.lost += events.len();
            } else {
                state.events.extend(events.into_iter().map(|event| Event {
                    channel: channel.clone(),
                    ..event
                }));
            }
            state.lost += skipped;
            if let Some(flaw) = flaw {
                return code(flaw.code, flaw.number);
            }
            let mut answer = codes::body(state.success_code);
            if let (true, Some(channel)) = (self.options.use_ack, channel) {
                let acks = state.acks;
                answer["ackId"] = state
                    .channels
                    .entry(channel)
                    .or_default()
                    .issue(acks)
                    .into();
            }
            reply(200, &answer)
        })
    }

    fn ack(&self, headers: &HeaderMap, uri: &Uri, body: &Bytes) -> Response<Reply> {
        if let Err(fault) = self.authorize(headers, uri) {
            return code(fault, None);
        }
        if !self.options.use_ack {
            return code(14, None);
        }
        let channel = match self.channel(headers, uri) {
            Ok(Some(channel)) => channel,
            Ok(None) => return code(10, None),
            Err(fault) => return code(fault, None),
        };
        let asked: Option<Vec<u64>> = serde_json::from_slice::<Value>(body).ok().and_then(|body| {
            body.get("acks")?
                .as_array()?
                .iter()
                .map(Value::as_u64)
                .collect()
        });
        let Some(asked) = asked else {
            return code(6, None);
        };
        let confirmed: serde_json::Map<_, _> = self.state.edit(|state| {
            let mut channel = state.channels.get_mut(&channel);
            asked
                .iter()
                .map(|id| {
                    (
                        id.to_string(),
                        Value::Bool(channel.as_mut().is_some_and(|channel| channel.ask(*id))),
                    )
                })
                .collect()
        });
        reply(200, &json!({"acks": confirmed}))
    }

    fn health(&self, uri: &Uri) -> Response<Reply> {
        if let Some(token) = query(uri, "token") {
            if token != self.options.token {
                return code(21, None);
            }
            if self.options.disabled {
                return code(22, None);
            }
        }
        code(self.state.read(|state| state.health_code), None)
    }
}

impl Destination for Splunk {
    type State = State;

    fn state(&self) -> &Watched<State> {
        &self.state
    }

    fn carries_data(&self, method: &Method, path: &str) -> bool {
        method == Method::POST && matches!(Route::of(path), Some(Route::Event | Route::Raw))
    }

    fn answer(&self, request: Request<Bytes>) -> Response<Reply> {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        let Some(route) = Route::of(uri.path()) else {
            return plain(404, "The requested URL was not found on this server.");
        };
        if method == Method::OPTIONS {
            let mut response = Response::new(Reply::default());
            let allow = if route == Route::Health {
                "GET,HEAD,OPTIONS"
            } else {
                "POST,OPTIONS"
            };
            response
                .headers_mut()
                .insert(header::ALLOW, http::HeaderValue::from_static(allow));
            return response;
        }
        match route {
            Route::Event if method == Method::POST => self.event(headers, uri, request.body()),
            Route::Raw if method == Method::POST => self.raw(headers, uri, request.body()),
            Route::Ack if method == Method::POST => self.ack(headers, uri, request.body()),
            Route::Health if method == Method::GET || method == Method::HEAD => self.health(uri),
            _ => plain(405, "The requested URL was not found on this server."),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    Event,
    Raw,
    Ack,
    Health,
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/services/collector")?;
        Some(match rest.strip_suffix("/1.0").unwrap_or(rest) {
            "" if rest.is_empty() => Self::Event,
            "/event" => Self::Event,
            "/raw" => Self::Raw,
            "/ack" => Self::Ack,
            "/health" => Self::Health,
            _ => return None,
        })
    }
}

/// The token in an `Authorization` header: `Splunk TOKEN`, or `Basic` with any user and the token as password.
fn token_of(authorization: &str) -> Option<String> {
    use base64::Engine as _;
    let (scheme, rest) = authorization.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("splunk") && !rest.trim().is_empty() {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(
        base64::engine::general_purpose::STANDARD
            .decode(rest.trim())
            .ok()?,
    )
    .ok()?;
    decoded
        .split_once(':')
        .map(|(_, password)| password.to_owned())
}

/// The value of `name` in the query.
fn query(uri: &Uri, name: &str) -> Option<String> {
    url::form_urlencoded::parse(uri.query()?.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// The answer to a body that cannot be read.
fn unreadable(why: Unreadable) -> Response<Reply> {
    match why {
        Unreadable::Unsupported => {
            let page = "<!doctype html><html><head><title>415 Unsupported Media Type</title></head></html>";
            let mut response = Response::new(Reply::from(page));
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            response.headers_mut().insert(
                header::CONTENT_TYPE,
                http::HeaderValue::from_static("text/html"),
            );
            response
        }
        Unreadable::TooLarge => plain(413, "Content-Length of request is too large"),
        Unreadable::Corrupt => code(6, None),
    }
}

/// An answer with one of HEC's own codes.
fn code(code: u16, invalid_event_number: Option<usize>) -> Response<Reply> {
    let mut body = codes::body(code);
    if let Some(number) = invalid_event_number {
        body["invalid-event-number"] = number.into();
    }
    reply(codes::status(code), &body)
}

/// An answer of the HTTP server around HEC, which repeats the status as `code`.
fn plain(status: u16, text: &str) -> Response<Reply> {
    reply(status, &json!({"text": text, "code": status}))
}

fn reply(status: u16, body: &Value) -> Response<Reply> {
    let mut response = Response::new(Reply::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).expect("statuses of the table are valid");
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json; charset=UTF-8"),
    );
    response
}
