//! Any HTTP endpoint: keeps raw requests and answers what it is told to (200 with an empty body at first).

use bytes::Bytes;
use http::{HeaderMap, Method, Request as HttpRequest, Response};

use crate::{Answer, Destination, Reply, Watched};

/// An endpoint on loopback.
pub type Double = crate::Double<Endpoint>;

impl Double {
    /// Starts an endpoint that answers 200.
    ///
    /// # Panics
    /// Loopback has no free port.
    pub async fn start() -> Self {
        Self::serve(Endpoint {
            state: Watched::new(State {
                requests: Vec::new(),
                answer: Answer::new(200),
            }),
        })
        .await
    }
}

/// An HTTP endpoint that takes everything.
#[derive(Debug)]
pub struct Endpoint {
    state: Watched<State>,
}

/// What arrived, and what is answered.
#[derive(Debug)]
pub struct State {
    /// Requests that were taken, in order.
    pub requests: Vec<Request>,
    answer: Answer,
}

/// One request to the byte.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Path without query.
    pub path: String,
    /// Query without the question mark; empty without one.
    pub query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as sent, encoding included: signatures cover these bytes.
    pub body: Bytes,
}

impl Endpoint {
    /// From now on requests are taken and answered so.
    pub fn answer_with(&self, answer: Answer) {
        self.state.edit(|state| state.answer = answer);
    }
}

impl Destination for Endpoint {
    type State = State;

    fn state(&self) -> &Watched<State> {
        &self.state
    }

    fn carries_data(&self, _: &Method, _: &str) -> bool {
        true
    }

    fn answer(&self, request: HttpRequest<Bytes>) -> Response<Reply> {
        let (parts, body) = request.into_parts();
        let request = Request {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body,
        };
        let answer = self.state.edit(|state| {
            state.requests.push(request);
            state.answer.clone()
        });
        let mut response = Response::new(Reply::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response
    }
}
