//! OTLP/HTTP.

use http::header::{
    ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use sluice_batch::Signal;
use sluice_net::body::discard;
use sluice_net::status::set_retry_after;
use sluice_net::{IntakeError, Reply, Respond};

use crate::HttpConfig;
use crate::answer::{Failure, Partial, encode_response};
use crate::config::absolute;
use crate::door::{Door, Form};

/// The path of each signal.
pub(crate) struct Paths([(String, Signal); 3]);

impl Paths {
    pub(crate) fn new(config: &HttpConfig) -> Self {
        Self([
            (absolute(&config.logs_url_path), Signal::Logs),
            (absolute(&config.traces_url_path), Signal::Traces),
            (absolute(&config.metrics_url_path), Signal::Metrics),
        ])
    }

    fn signal(&self, path: &str) -> Option<Signal> {
        self.0
            .iter()
            .find(|(known, _)| known == path)
            .map(|(_, signal)| *signal)
    }
}

/// Answers OTLP/HTTP requests.
pub(crate) struct HttpService {
    door: Door,
    paths: Paths,
}

impl HttpService {
    pub(crate) fn new(door: Door, paths: Paths) -> Self {
        Self { door, paths }
    }

    async fn export(
        &self,
        signal: Signal,
        form: Form,
        head: &Parts,
        body: Incoming,
    ) -> Result<Option<Partial>, Failure> {
        let headers = &head.headers;
        let intake = &self.door.intake;
        let encoding = content_encoding(headers);
        // Refused before the body is read; `unpack` knows the name again.
        let is_known = sluice_net::Encoding::from_name(&encoding)
            .is_some_and(|encoding| intake.accepts(encoding));
        if !is_known {
            discard(headers, body).await;
            return Err(Failure::of_intake(intake.unsupported()));
        }
        let announced = headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > intake.limit as u64) {
            discard(headers, body).await;
            return Err(Failure::of_intake(IntakeError::TooLarge {
                limit: intake.limit,
            }));
        }
        let packed = intake
            .collect(announced, body)
            .await
            .map_err(Failure::of_intake)?;
        let payload = intake
            .unpack(&encoding, packed)
            .map_err(Failure::of_intake)?;
        let sender = head.extensions.get().cloned();
        self.door.deliver(signal, form, payload, sender).await
    }
}

impl Respond for HttpService {
    async fn respond(&self, request: Request<Incoming>) -> Response<Reply> {
        let (head, body) = request.into_parts();
        let form = form(&head.headers);
        if let Err(failure) = self.door.admit(&head.headers) {
            discard(&head.headers, body).await;
            return refuse(&failure, form);
        }
        let Some(signal) = self.paths.signal(head.uri.path()) else {
            discard(&head.headers, body).await;
            return Reply::text(StatusCode::NOT_FOUND, "404 page not found");
        };
        if head.method != Method::POST {
            discard(&head.headers, body).await;
            let mut response = Reply::text(
                StatusCode::METHOD_NOT_ALLOWED,
                "405 method not allowed, supported: [POST]",
            );
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("POST"));
            return response;
        }
        let Some(form) = form else {
            discard(&head.headers, body).await;
            let text =
                "415 unsupported media type, supported: [application/json, application/x-protobuf]";
            return Reply::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
        };
        match self.export(signal, form, &head, body).await {
            Ok(partial) => reply(
                StatusCode::OK,
                form,
                encode_response(partial.as_ref(), form),
            ),
            Err(failure) => refuse(&failure, Some(form)),
        }
    }
}

/// The form that `Content-Type` names; parameters such as `charset` are ignored.
fn form(headers: &HeaderMap) -> Option<Form> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    match value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
        .as_str()
    {
        "application/x-protobuf" => Some(Form::Protobuf),
        "application/json" => Some(Form::Json),
        _ => None,
    }
}

/// All `Content-Encoding` headers in one; two encodings at once are none that is known.
fn content_encoding(headers: &HeaderMap) -> String {
    let names: Vec<_> = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .map(|value| value.to_str().unwrap_or("?"))
        .collect();
    names.join(",")
}

fn reply(status: StatusCode, form: Form, body: Vec<u8>) -> Response<Reply> {
    let mut response = Response::new(Reply::new(body));
    *response.status_mut() = status;
    let content_type = match form {
        Form::Protobuf => "application/x-protobuf",
        Form::Json => "application/json",
    };
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A failure in the request's form; in plain text for a request without a form.
fn refuse(failure: &Failure, form: Option<Form>) -> Response<Reply> {
    let mut response = match form {
        Some(form) => reply(failure.status, form, failure.encode(form)),
        None => Reply::text(failure.status, failure.message.clone()),
    };
    let headers = response.headers_mut();
    if let Some(delay) = failure.delay {
        set_retry_after(headers, delay);
    }
    if let Some(challenge) = failure.challenge {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Some(accepted) = failure
        .accepted
        .as_ref()
        .and_then(|accepted| HeaderValue::from_str(accepted).ok())
    {
        headers.insert(ACCEPT_ENCODING, accepted);
    }
    response
}
