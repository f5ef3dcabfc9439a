//! The cluster's nodes, in turn.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use sluice_component::After;
use sluice_net::Answer;
use sluice_net::client::SendError;
use url::Url;

use super::answer;
use crate::delivery::{Http, Outcome};
use crate::retry_after::retry_after;

/// A connection that breaks under a body over this may be a node's way to say 413.
const SUSPICIOUS_BODY: usize = 1_000_000;

/// Nodes that take turns; one that cannot be reached is passed over.
#[derive(Debug)]
pub(super) struct Endpoints {
    http: Http,
    urls: Vec<Url>,
    bulk_query: String,
    next: AtomicUsize,
}

impl Endpoints {
    /// `urls` is not empty: `check` sees to it.
    pub(super) fn new(http: Http, urls: Vec<Url>, bulk_query: String) -> Self {
        Self {
            http,
            urls,
            bulk_query,
            next: AtomicUsize::new(0),
        }
    }

    /// One `_bulk` request. `is_own`: index and pipeline are the configuration's.
    pub(super) async fn bulk(&self, body: Bytes, records: usize, is_own: bool) -> Outcome {
        let mut headers = HeaderMap::new();
        // The vendor's own media type would be refused by OpenSearch.
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-ndjson"),
        );
        let size = body.len();
        let mut last = "no endpoint".to_owned();
        for _ in 0..self.urls.len() {
            let url = self.url("_bulk", Some(&self.bulk_query));
            match self.http.post(&url, headers.clone(), body.clone()).await {
                Ok(answer) => {
                    let after = retry_after(&answer.headers, SystemTime::now());
                    // What happened to the last items cannot be read; a smaller request has a shorter answer.
                    if answer.is_truncated && answer.status.is_success() && records > 1 {
                        return Outcome::Halve("the bulk answer is too long".to_owned());
                    }
                    let sent = answer::Sent { records, is_own };
                    return answer::outcome(answer.status.as_u16(), &answer.body, after, sent);
                }
                // Not sent at all: another node may be there.
                Err(error @ SendError::Connect(_)) => last = error.to_string(),
                // `create` with an id makes the records that may have been taken harmless.
                Err(SendError::Broken(why)) if size > SUSPICIOUS_BODY && records > 1 => {
                    return Outcome::Halve(format!("connection broken: {why}"));
                }
                Err(error) => return Outcome::Retry(After::Backoff, error.to_string()),
            }
        }
        Outcome::Retry(After::Backoff, last)
    }

    /// Any other request, with a JSON body if it has one.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<Answer, Outcome> {
        let mut headers = HeaderMap::new();
        if body.is_some() {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
        }
        let mut last = "no endpoint".to_owned();
        for _ in 0..self.urls.len() {
            let url = self.url(path, None);
            let body = body.clone().map_or_else(Bytes::new, Bytes::from);
            match self
                .http
                .send(method.clone(), &url, headers.clone(), body)
                .await
            {
                Ok(answer) => return Ok(answer),
                Err(error) => last = error.to_string(),
            }
        }
        Err(Outcome::Retry(After::Backoff, last))
    }

    /// `path` on the node whose turn it is.
    fn url(&self, path: &str, query: Option<&str>) -> Url {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.urls.len();
        let mut url = self.urls[turn].clone();
        url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        url.set_query(query);
        url
    }
}
