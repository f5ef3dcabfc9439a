//! One receiver, and the patience with it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use sluice_component::{BuildContext, Secret};
use sluice_config::Lookup;
use sluice_net::client::parse_url;
use sluice_net::{Answer, Headers, HttpClient, HttpClientConfig, SendError, TlsClientConfig};
use tokio::time::Instant;
use url::Url;

use super::SendArguments;
use super::sign::Signing;
use super::watch::Watch;

/// Longest that one request may take: a receiver answers when its events are delivered.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Waits between attempts when the answer names none: doubling from the first to the second.
const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// How much of an answer is shown, in characters.
const SHOWN: usize = 300;

/// Where events are posted.
pub(super) struct Door {
    client: HttpClient,
    url: Url,
    signing: Option<Signing>,
    patience: Duration,
}

/// Why a request was not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAccepted {
    /// It is malformed or too large as a whole: nothing of it was taken, and a part of it may be good.
    #[error("the answer was {0}")]
    Whole(String),
    /// Sending it again would not help.
    #[error("the answer was {0}")]
    Refused(String),
    /// It was tried for as long as was allowed.
    #[error("{0}")]
    OutOfPatience(String),
}

impl Door {
    /// A client for the receiver at `to`.
    ///
    /// # Errors
    /// What is wrong with the arguments, without a secret in it.
    pub(super) fn open(
        arguments: &SendArguments,
        to: &str,
        patience: Duration,
        lookup: &dyn Lookup,
    ) -> Result<Self, String> {
        let url = parse_url(to).map_err(|error| {
            format!("--to {error}; write it as http://127.0.0.1:4319/policy-gateway")
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "--to holds credentials: give them with --header 'Authorization: Basic ${env:NAME}'"
                    .to_owned(),
            );
        }
        let variable = |option: &str, name: &str| {
            lookup
                .variable(name)
                .filter(|value| !value.is_empty())
                .map(Secret::new)
                .ok_or_else(|| format!("{option}: the environment variable {name} is not set"))
        };
        let mut headers = Vec::new();
        for text in &arguments.headers {
            let (name, value) = text
                .split_once(':')
                .ok_or("--header: write it as 'Name: value'")?;
            let (name, value) = (name.trim(), expanded(value.trim(), &variable)?);
            if HeaderName::try_from(name).is_err() || HeaderValue::from_str(value.expose()).is_err()
            {
                return Err(format!("--header: `{name}` is no header that can be sent"));
            }
            headers.push((name.to_owned(), value));
        }
        if let Some(name) = &arguments.bearer_env {
            let token = variable("--bearer-env", name)?;
            let value = format!("Bearer {}", token.expose());
            headers.push(("authorization".to_owned(), Secret::new(value)));
        }
        let signing = match (arguments.scheme, &arguments.secret_env) {
            (Some(scheme), Some(name)) => Some(
                Signing::new(scheme, &variable("--secret-env", name)?)
                    .map_err(|error| format!("--secret-env: {name}: {error}"))?,
            ),
            _ => None,
        };
        let config = HttpClientConfig {
            headers: Headers(headers),
            tls: TlsClientConfig {
                ca_file: arguments.ca_file.clone(),
                ..TlsClientConfig::default()
            },
            ..HttpClientConfig::default()
        };
        let client = config
            .build(&outside())
            .map_err(|error| error.to_string())?;
        Ok(Self {
            client,
            url,
            signing,
            patience,
        })
    }

    /// Its URL, which holds no secret.
    pub(super) fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Posts a list of events until it is accepted; returns the answer.
    ///
    /// # Errors
    /// It was refused, or patience ran out; then nothing of it counts as accepted.
    pub(super) async fn deliver(
        &self,
        body: Vec<u8>,
        watch: &Watch,
    ) -> Result<String, NotAccepted> {
        let body = Bytes::from(body);
        let mut wait = WAITS.0;
        let begun = Instant::now();
        loop {
            let (why, asked) = match self.post(&body).await {
                Ok(answer) if answer.status.is_success() => return Ok(shown(&answer)),
                Ok(answer) if may_be_tried_again(answer.status) => {
                    let asked = sluice_net::retry_after(&answer.headers, SystemTime::now());
                    (format!("the answer was {}", shown(&answer)), asked)
                }
                Ok(answer) if is_about_the_whole(answer.status) => {
                    return Err(NotAccepted::Whole(shown(&answer)));
                }
                Ok(answer) => {
                    let hint = hint(answer.status);
                    return Err(NotAccepted::Refused(format!("{}{hint}", shown(&answer))));
                }
                Err(SendError::Connect(why)) => (
                    format!(
                        "{} cannot be reached ({why}); is `sluice run` running?",
                        self.url
                    ),
                    None,
                ),
                Err(error) => (format!("{}: {error}", self.url), None),
            };
            let delay = asked.unwrap_or(wait);
            if begun.elapsed() + delay > self.patience {
                return Err(NotAccepted::OutOfPatience(format!(
                    "{why}; tried for {}, and waiting {} more would pass --retry-for {}",
                    seconds(begun.elapsed()),
                    seconds(delay),
                    seconds(self.patience)
                )));
            }
            watch.line(&format!("{why}; trying again in {}", seconds(delay)));
            tokio::time::sleep(delay).await;
            wait = (wait * 2).min(WAITS.1);
        }
    }

    async fn post(&self, body: &Bytes) -> Result<Answer, SendError> {
        let mut headers = match &self.signing {
            Some(signing) => {
                let now = std::time::UNIX_EPOCH
                    .elapsed()
                    .map_or(0, |since| since.as_secs());
                signing.headers(body, now)
            }
            None => HeaderMap::new(),
        };
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("sluice-send/", env!("CARGO_PKG_VERSION"))),
        );
        self.client
            .send(Method::POST, &self.url, headers, body.clone(), TIMEOUT)
            .await
    }
}

/// A header's value with each `${env:NAME}` in it put in.
fn expanded(
    text: &str,
    variable: &impl Fn(&str, &str) -> Result<Secret, String>,
) -> Result<Secret, String> {
    let (mut value, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("${env:") {
        let (name, after) = behind
            .split_once('}')
            .ok_or("--header: `${env:` is not closed")?;
        value.push_str(before);
        value.push_str(variable("--header", name)?.expose());
        rest = after;
    }
    value.push_str(rest);
    Ok(Secret::new(value))
}

/// Statuses that say something about now and nothing about the events.
fn may_be_tried_again(status: StatusCode) -> bool {
    status == StatusCode::REQUEST_TIMEOUT
        || status == StatusCode::TOO_EARLY
        || status == StatusCode::TOO_MANY_REQUESTS
        || status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
}

/// Statuses that a smaller request might not get.
fn is_about_the_whole(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE
    )
}

/// What to do about a refusal.
fn hint(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            "; does its `verify` want --secret-env and --scheme, --bearer-env or --header?"
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            "; --to needs the receiver's `path`"
        }
        StatusCode::UNPROCESSABLE_ENTITY => "; the others of this request were delivered",
        _ => "",
    }
}

/// `200 {"accepted":21}`, short and without anything that a terminal would obey.
fn shown(answer: &Answer) -> String {
    let body = String::from_utf8_lossy(&answer.body);
    let body: String = body
        .trim()
        .chars()
        .take(SHOWN)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let status = answer.status.as_u16();
    match (body.is_empty(), answer.status.canonical_reason()) {
        (false, _) => format!("{status} {body}"),
        (true, Some(reason)) => format!("{status} {reason}"),
        (true, None) => status.to_string(),
    }
}

/// `0.5s`, `90s`.
fn seconds(time: Duration) -> String {
    format!("{}s", (time.as_secs_f64() * 10.0).round() / 10.0)
}

/// A client needs nothing that a component is lent.
fn outside() -> BuildContext {
    BuildContext::alone("send")
}
