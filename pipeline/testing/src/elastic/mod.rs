//! A double of Elasticsearch 8 and 9 and of OpenSearch: `_bulk`, index templates, lifecycle policies.
//!
//! Written from the Bulk API pages of Elastic and OpenSearch and Elastic's page "Failure store" (read in November
//! 2026). It judges documents as a fresh index with dynamic mapping does: a name cannot be an object here and a value
//! there, a number cannot become a word, a key cannot stand twice.

mod bulk;
mod filter;
mod index;
mod strict;

use std::collections::BTreeMap;

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

pub use index::{Document, ItemError};

use crate::encoding::{self, Unreadable};
use crate::{Destination, Reply, Watched};
use index::Indices;

/// A cluster on loopback.
pub type Double = crate::Double<Elastic>;

impl Double {
    /// Starts an open Elasticsearch 8.
    ///
    /// # Panics
    /// Loopback has no free port.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// Starts a cluster.
    ///
    /// # Panics
    /// Loopback has no free port.
    pub async fn start_with(options: Options) -> Self {
        Self::serve(Elastic::new(options)).await
    }
}

/// Whose product it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Elasticsearch 8.19.
    Elasticsearch8,
    /// Elasticsearch 9.1.
    Elasticsearch9,
    /// OpenSearch 2.19.
    OpenSearch,
}

/// Who may come in.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Everyone.
    Open,
    /// `Authorization: ApiKey` followed by the base64 of `id:key`.
    ApiKey(String),
    /// `Authorization: Basic` with this user and password.
    Basic(String, String),
}

/// How a cluster is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// The product.
    pub flavour: Flavour,
    /// Who may come in.
    pub auth: Auth,
    /// `http.max_content_length`, bytes after decompression; over it 413.
    pub max_content_length: usize,
    /// Whether a missing index is created; otherwise its items are 404.
    pub auto_create: bool,
    /// Names (with `*`) that are data streams besides those of the templates that are put.
    pub data_streams: Vec<String>,
    /// Whether a document that cannot be mapped goes to the failure store, with a 201.
    pub failure_store: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            flavour: Flavour::Elasticsearch8,
            auth: Auth::Open,
            max_content_length: 100 << 20,
            auto_create: true,
            data_streams: vec!["logs-*-*".to_owned()],
            failure_store: false,
        }
    }
}

/// The cluster's behaviour.
#[derive(Debug)]
pub struct Elastic {
    options: Options,
    state: Watched<State>,
}

/// What a cluster holds.
#[derive(Debug)]
pub struct State {
    /// Documents in the order in which they were first stored.
    pub documents: Vec<Document>,
    /// Documents that went to the failure store.
    pub failures: Vec<Document>,
    /// How many items were answered with 409.
    pub conflicts: usize,
    /// Index templates by name.
    pub templates: BTreeMap<String, Value>,
    /// ILM or ISM policies by name.
    pub policies: BTreeMap<String, Value>,
    indices: Indices,
}

impl Elastic {
    /// A cluster for [`crate::Double::serve`] or `serve_at`.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let state = State {
            documents: Vec::new(),
            failures: Vec::new(),
            conflicts: 0,
            templates: BTreeMap::new(),
            policies: BTreeMap::new(),
            indices: Indices::default(),
        };
        Self {
            options,
            state: Watched::new(state),
        }
    }

    /// The next `times` items fail so, whatever they hold.
    pub fn fail_next_items(&self, times: usize, error: ItemError) {
        self.state
            .edit(|state| state.indices.fail_next(times, error));
    }

    /// The next `times` items with this `_id` fail so.
    pub fn fail_item(&self, id: &str, times: usize, error: ItemError) {
        self.state
            .edit(|state| state.indices.fail(id, times, error));
    }

    /// Starts a new backing index for a data stream: an `_id` of the old one can be created again.
    pub fn roll_over(&self, stream: &str) {
        self.state.edit(|state| state.indices.roll_over(stream));
    }

    fn is_opensearch(&self) -> bool {
        self.options.flavour == Flavour::OpenSearch
    }

    fn authorize(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let expected = match &self.options.auth {
            Auth::Open => return Ok(()),
            Auth::ApiKey(encoded) => format!("ApiKey {encoded}"),
            Auth::Basic(user, password) => {
                format!(
                    "Basic {}",
                    base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))
                )
            }
        };
        match headers.get(header::AUTHORIZATION) {
            Some(given) if given.as_bytes() == expected.as_bytes() => Ok(()),
            Some(_) => Err(Refusal::new(
                401,
                "security_exception",
                "unable to authenticate with provided credentials",
            )),
            None => Err(Refusal::new(
                401,
                "security_exception",
                "missing authentication credentials for REST request",
            )),
        }
    }

    /// 406 for a media type that the product does not speak.
    fn media_type(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let given = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let plain = ["application/x-ndjson", "application/json"];
        let vendor = [
            "application/vnd.elasticsearch+x-ndjson",
            "application/vnd.elasticsearch+json",
        ];
        let essence = given.split(';').next().unwrap_or_default().trim();
        if plain.contains(&essence) || (!self.is_opensearch() && vendor.contains(&essence)) {
            return Ok(());
        }
        Err(Refusal::new(
            406,
            "media_type_header_exception",
            format!("Content-Type header [{given}] is not supported"),
        ))
    }

    fn body(&self, headers: &HeaderMap, body: &Bytes) -> Result<Bytes, Refusal> {
        encoding::decode(headers, body, &["gzip"], self.options.max_content_length).map_err(|why| {
            match why {
                Unreadable::TooLarge => Refusal::new(
                    413,
                    "content_too_long_exception",
                    "entity content is too long",
                ),
                Unreadable::Unsupported => Refusal::new(
                    415,
                    "illegal_argument_exception",
                    "unknown Content-Encoding",
                ),
                Unreadable::Corrupt => Refusal::new(
                    400,
                    "parse_exception",
                    "the body is not what Content-Encoding says",
                ),
            }
        })
    }

    fn about(&self) -> Response<Reply> {
        let mut version = json!({"lucene_version": "9.12.2"});
        version["number"] = match self.options.flavour {
            Flavour::Elasticsearch8 => "8.19.21",
            Flavour::Elasticsearch9 => "9.1.4",
            Flavour::OpenSearch => "2.19.1",
        }
        .into();
        if self.is_opensearch() {
            version["distribution"] = "opensearch".into();
        } else {
            version["build_flavor"] = "default".into();
        }
        reply(
            200,
            &json!({"name": "double", "cluster_name": "double", "version": version}),
        )
    }

    /// `PUT` and `GET` of named templates and policies.
    fn named(
        &self,
        method: &Method,
        name: &str,
        body: &Bytes,
        shelf: fn(&mut State) -> &mut BTreeMap<String, Value>,
    ) -> Response<Reply> {
        match *method {
            Method::PUT | Method::POST => {
                let Ok(body) = serde_json::from_slice::<Value>(body) else {
                    return error(400, "parse_exception", "request body is no JSON");
                };
                self.state
                    .edit(|state| shelf(state).insert(name.to_owned(), body));
                reply(200, &json!({"acknowledged": true}))
            }
            Method::GET | Method::HEAD => {
                match self.state.edit(|state| shelf(state).get(name).cloned()) {
                    Some(found) => reply(200, &json!({name: found})),
                    None => error(
                        404,
                        "resource_not_found_exception",
                        &format!("[{name}] is missing"),
                    ),
                }
            }
            _ => error(405, "illegal_argument_exception", "wrong method"),
        }
    }

    fn template(&self, method: &Method, name: &str, body: &Bytes) -> Response<Reply> {
        let patterns = serde_json::from_slice::<Value>(body)
            .is_ok_and(|body| body["index_patterns"].is_array());
        if *method == Method::PUT && !patterns {
            return error(
                400,
                "action_request_validation_exception",
                "Validation Failed: 1: index patterns are missing;",
            );
        }
        self.named(method, name, body, |state| &mut state.templates)
    }

    /// A path that this product does not know.
    fn no_handler(&self, method: &Method, path: &str) -> Response<Reply> {
        reply(
            400,
            &json!({"error": format!("no handler found for uri [{path}] and method [{method}]")}),
        )
    }

    fn route(&self, request: &Request<Bytes>) -> Response<Reply> {
        let (method, path, headers) = (request.method(), request.uri().path(), request.headers());
        if let Err(refusal) = self.authorize(headers) {
            return refusal.into();
        }
        let segments: Vec<_> = path.trim_matches('/').split('/').collect();
        match (method, segments.as_slice()) {
            (&Method::GET | &Method::HEAD, [""]) => self.about(),
            (&Method::POST | &Method::PUT, ["_bulk"]) => self.bulk(None, request),
            (&Method::POST | &Method::PUT, [target, "_bulk"]) => self.bulk(Some(target), request),
            (_, ["_index_template", name]) => self.template(method, name, request.body()),
            (_, ["_ilm", "policy", name]) if !self.is_opensearch() => {
                self.named(method, name, request.body(), |state| &mut state.policies)
            }
            (_, ["_plugins", "_ism", "policies", name]) if self.is_opensearch() => {
                // A policy is replaced only by who names the version that it replaces.
                if *method == Method::PUT
                    && self.state.read(|state| state.policies.contains_key(*name))
                    && request
                        .uri()
                        .query()
                        .is_none_or(|query| !query.contains("if_seq_no"))
                {
                    return error(
                        409,
                        "version_conflict_engine_exception",
                        &format!("[{name}]: version conflict, document already exists"),
                    );
                }
                self.named(method, name, request.body(), |state| &mut state.policies)
            }
            _ => self.no_handler(method, path),
        }
    }
}

impl Destination for Elastic {
    type State = State;

    fn state(&self) -> &Watched<State> {
        &self.state
    }

    fn carries_data(&self, _: &Method, path: &str) -> bool {
        path.ends_with("/_bulk")
    }

    fn answer(&self, request: Request<Bytes>) -> Response<Reply> {
        let mut response = self.route(&request);
        if !self.is_opensearch() {
            response.headers_mut().insert(
                "x-elastic-product",
                http::HeaderValue::from_static("Elasticsearch"),
            );
        }
        response
    }
}

/// Why a whole request is refused.
struct Refusal {
    status: u16,
    kind: &'static str,
    reason: String,
}

impl Refusal {
    fn new(status: u16, kind: &'static str, reason: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            reason: reason.into(),
        }
    }
}

impl From<Refusal> for Response<Reply> {
    fn from(
        Refusal {
            status,
            kind,
            reason,
        }: Refusal,
    ) -> Self {
        let cause = json!({"type": kind, "reason": reason});
        reply(
            status,
            &json!({"error": {"root_cause": [cause], "type": kind, "reason": reason}, "status": status}),
        )
    }
}

fn error(status: u16, kind: &'static str, reason: &str) -> Response<Reply> {
    Refusal::new(status, kind, reason).into()
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
