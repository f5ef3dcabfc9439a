//! A double of Datadog's Logs intake.
//!
//! Written from Datadog's API page "Send logs" and its log collection and pipeline pages (read in November 2026): the
//! limits on request, array and log, the 18 hours, the truncation, and the attributes from which the date is taken. It
//! takes zstd as the real intake does for Datadog's own agent.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::encoding::{self, Unreadable};
use crate::{Destination, Reply, Watched};

/// The key that a double takes.
pub const API_KEY: &str = "0123456789abcdef0123456789abcdef";
/// Most bytes of a request, uncompressed; over it 413.
pub const MAX_BODY_BYTES: usize = 5_000_000;
/// Most logs of a request; over it 413.
pub const MAX_LOGS: usize = 1_000;
/// A log of more bytes is taken with a 202 and cut.
pub const MAX_LOG_BYTES: usize = 1_000_000;
/// A log that is older is taken with a 202 and thrown away.
pub const MAX_AGE: SignedDuration = SignedDuration::from_hours(18);

/// An intake on loopback.
pub type Double = crate::Double<Datadog>;

impl Double {
    /// Starts an intake that takes [`API_KEY`].
    ///
    /// # Panics
    /// Loopback has no free port.
    pub async fn start() -> Self {
        Self::serve(Datadog::default()).await
    }
}

/// The intake's behaviour.
#[derive(Debug)]
pub struct Datadog {
    state: Watched<State>,
}

/// What an intake holds.
#[derive(Debug, Default)]
pub struct State {
    /// Logs that can be searched, in order.
    pub logs: Vec<Log>,
    /// Logs that were taken with a 202 and thrown away because they were too old.
    pub stale: Vec<Log>,
    poison: Vec<String>,
}

/// One log.
#[derive(Clone, Debug)]
pub struct Log {
    /// The log as sent.
    pub object: Map<String, Value>,
    /// Whether it was over [`MAX_LOG_BYTES`], so that the real intake would have kept only its beginning.
    pub truncated: bool,
    /// The date that it is filed under; `None`: it brought none, and receipt time stands in.
    pub date: Option<Timestamp>,
}

impl Log {
    /// The attribute `name` at the top level.
    #[must_use]
    pub fn get(&self, name: &str) -> &Value {
        self.object.get(name).unwrap_or(&Value::Null)
    }

    /// The tags of `ddtags`.
    #[must_use]
    pub fn tags(&self) -> Vec<&str> {
        self.get("ddtags")
            .as_str()
            .unwrap_or_default()
            .split(',')
            .filter(|tag| !tag.is_empty())
            .collect()
    }
}

impl Default for Datadog {
    fn default() -> Self {
        Self {
            state: Watched::new(State::default()),
        }
    }
}

impl Datadog {
    /// From now on a request with a log whose text contains `needle` is refused whole, with a 400.
    pub fn poison(&self, needle: &str) {
        self.state
            .edit(|state| state.poison.push(needle.to_owned()));
    }

    fn logs(&self, headers: &HeaderMap, query: Option<&str>, body: &Bytes) -> Response<Reply> {
        match key(headers, query) {
            None => return error(401, "Unauthorized", "API key is missing"),
            Some(key) if key != API_KEY => return error(403, "Forbidden", "API key is invalid"),
            Some(_) => {}
        }
        // The agent's own protocol reads the body differently; nobody else may announce it.
        if headers.contains_key("dd-protocol") {
            return error(400, "Bad Request", "DD-PROTOCOL is not for this endpoint");
        }
        let json = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/json"));
        if !json {
            return error(415, "Unsupported Media Type", "send application/json");
        }
        let body =
            match encoding::decode(headers, body, &["gzip", "deflate", "zstd"], MAX_BODY_BYTES) {
                Ok(body) => body,
                Err(Unreadable::TooLarge) => {
                    return error(
                        413,
                        "Payload Too Large",
                        "the request is over 5 MB uncompressed",
                    );
                }
                Err(Unreadable::Unsupported) => {
                    return error(415, "Unsupported Media Type", "unknown Content-Encoding");
                }
                Err(Unreadable::Corrupt) => {
                    return error(
                        400,
                        "Bad Request",
                        "the body is not what Content-Encoding says",
                    );
                }
            };
        let text = String::from_utf8_lossy(&body);
        if self
            .state
            .read(|state| state.poison.iter().any(|needle| text.contains(needle)))
        {
            return error(400, "Bad Request", "a log is malformed");
        }
        let logs = match serde_json::from_slice(&body) {
            Ok(Value::Array(logs)) => logs,
            Ok(log @ Value::Object(_)) => vec![log],
            _ => return error(400, "Bad Request", "the body is no JSON array of logs"),
        };
        if logs.len() > MAX_LOGS {
            return error(413, "Payload Too Large", "more than 1000 logs");
        }
        let Some(logs) = logs.into_iter().map(Log::read).collect::<Option<Vec<_>>>() else {
            return error(400, "Bad Request", "a log is no JSON object");
        };
        let oldest = Timestamp::now() - MAX_AGE;
        self.state.edit(|state| {
            let (stale, fresh): (Vec<_>, Vec<_>) = logs
                .into_iter()
                .partition(|log| log.date.is_some_and(|date| date < oldest));
            state.stale.extend(stale);
            state.logs.extend(fresh);
        });
        reply(202, &json!({}))
    }
}

impl Log {
    fn read(log: Value) -> Option<Self> {
        let truncated = log.to_string().len() > MAX_LOG_BYTES;
        let Value::Object(object) = log else {
            return None;
        };
        let date = date(&object);
        Some(Self {
            object,
            truncated,
            date,
        })
    }
}

/// The official date: the first candidate attribute that is there, ISO 8601 or epoch milliseconds.
fn date(log: &Map<String, Value>) -> Option<Timestamp> {
    const CANDIDATES: [&str; 7] = [
        "@timestamp",
        "timestamp",
        "_timestamp",
        "Timestamp",
        "eventTime",
        "date",
        "published_date",
    ];
    match CANDIDATES.iter().find_map(|name| log.get(*name))? {
        Value::Number(millis) => Timestamp::from_millisecond(millis.as_i64()?).ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

impl Destination for Datadog {
    type State = State;

    fn state(&self) -> &Watched<State> {
        &self.state
    }

    fn carries_data(&self, method: &Method, path: &str) -> bool {
        method == Method::POST && path == "/api/v2/logs"
    }

    fn answer(&self, request: Request<Bytes>) -> Response<Reply> {
        let (headers, uri) = (request.headers(), request.uri());
        match (request.method(), uri.path()) {
            (&Method::POST, "/api/v2/logs") => self.logs(headers, uri.query(), request.body()),
            (&Method::GET, "/api/v1/validate")
                if key(headers, None).as_deref() == Some(API_KEY) =>
            {
                reply(200, &json!({"valid": true}))
            }
            (&Method::GET, "/api/v1/validate") => reply(403, &json!({"errors": ["Forbidden"]})),
            (_, "/api/v2/logs" | "/api/v1/validate") => {
                error(405, "Method Not Allowed", "wrong method")
            }
            _ => error(404, "Not Found", "no such endpoint"),
        }
    }
}

/// The API key, from its header or the query.
fn key(headers: &HeaderMap, query: Option<&str>) -> Option<String> {
    match headers.get("dd-api-key") {
        Some(key) => key.to_str().ok().map(str::to_owned),
        None => url::form_urlencoded::parse(query?.as_bytes())
            .find(|(name, _)| name == "dd-api-key")
            .map(|(_, key)| key.into_owned()),
    }
}

/// An error in the API's form.
fn error(status: u16, title: &str, detail: &str) -> Response<Reply> {
    reply(
        status,
        &json!({"errors": [{"status": status.to_string(), "title": title, "detail": detail}]}),
    )
}

fn reply(status: u16, body: &Value) -> Response<Reply> {
    let mut response = Response::new(Reply::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).expect("a valid status");
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    response
}
