//! Indexer acknowledgement: every ackId is asked for until it is confirmed.
//!
//! From Splunk's page "About HTTP Event Collector Indexer Acknowledgment": a confirmation is given once and then
//! forgotten. So the questions are asked by a task of their own, which no cancelled attempt can interrupt between a
//! confirmation and its reader; a confirmation that is lost on the way makes the records be sent again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, header};
use parking_lot::Mutex;
use serde::Deserialize;
use sluice_component::After;
use tokio::sync::oneshot;
use url::Url;

use super::AckMode;
use crate::delivery::{Http, Outcome};

/// Most numbers in one question.
const MOST_IN_A_QUESTION: usize = 10_000;

/// Where the fate of an ackId arrives. When this is dropped it is no longer asked for.
pub(super) type Told = oneshot::Receiver<Result<(), Outcome>>;

/// The ackIds of one channel.
#[derive(Clone, Debug)]
pub(super) struct Acks {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    http: Arc<Http>,
    url: Url,
    mode: AckMode,
    interval: Duration,
    deadline: Duration,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    by_id: HashMap<(HeaderValue, u64), oneshot::Sender<Result<(), Outcome>>>,
    /// Whether the task that asks is running.
    is_asking: bool,
}

#[derive(Deserialize)]
struct AckReply {
    #[serde(default)]
    acks: HashMap<String, bool>,
    code: Option<u64>,
}

impl Acks {
    /// For the channel that `http` sends with every request.
    pub(super) fn new(
        http: Arc<Http>,
        url: Url,
        mode: AckMode,
        (interval, deadline): (Duration, Duration),
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                http,
                url,
                mode,
                interval,
                deadline,
                waiting: Mutex::default(),
            }),
        }
    }

    /// Begins to ask for the confirmation of `id`, which was just given for a request with this token. Who waited for
    /// the same number until now is told that the channel began anew.
    pub(super) fn register(&self, token: HeaderValue, id: u64) -> Told {
        let (tell, told) = oneshot::channel();
        let must_start = {
            let mut waiting = self.shared.waiting.lock();
            waiting.by_id.insert((token, id), tell);
            !std::mem::replace(&mut waiting.is_asking, true)
        };
        if must_start {
            tokio::spawn(Arc::clone(&self.shared).ask_until_nobody_waits());
        }
        told
    }

    /// Waits for a confirmation. `Err`: not within the deadline, or never.
    pub(super) async fn confirmed(&self, told: Option<Told>) -> Result<(), Outcome> {
        let Some(told) = told else {
            return Err(not_confirmed("nobody asks for it"));
        };
        match tokio::time::timeout(self.shared.deadline, told).await {
            Ok(Ok(told)) => told,
            // Another request got the same number: the channel began anew, and with it the old numbers are lost.
            Ok(Err(_)) => Err(not_confirmed("its number was given again")),
            // Nobody listens any more, so the next turn forgets it.
            Err(_) => Err(not_confirmed("not within ack_timeout")),
        }
    }
}

fn not_confirmed(why: &str) -> Outcome {
    Outcome::Retry(After::Backoff, format!("indexer acknowledgement: {why}"))
}

impl Shared {
    async fn ask_until_nobody_waits(self: Arc<Self>) {
        loop {
            tokio::time::sleep(self.interval).await;
            let questions = {
                let mut waiting = self.waiting.lock();
                waiting.by_id.retain(|_, tell| !tell.is_closed());
                if waiting.by_id.is_empty() {
                    waiting.is_asking = false;
                    return;
                }
                let mut by_token: HashMap<HeaderValue, Vec<u64>> = HashMap::new();
                for (token, id) in waiting.by_id.keys() {
                    by_token.entry(token.clone()).or_default().push(*id);
                }
                by_token
            };
            for (token, ids) in questions {
                for ids in ids.chunks(MOST_IN_A_QUESTION) {
                    self.ask(&token, ids).await;
                }
            }
        }
    }

    /// One question. Whatever goes wrong is asked again at the next turn, until the deadlines pass.
    async fn ask(&self, token: &HeaderValue, ids: &[u64]) {
        let ids_text: Vec<String> = ids.iter().map(u64::to_string).collect();
        let body = format!("{{\"acks\":[{}]}}", ids_text.join(","));
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, token.clone());
        let Ok(answer) = self
            .http
            .send(Method::POST, &self.url, headers, body.into())
            .await
        else {
            return;
        };
        let Ok(reply) = serde_json::from_slice::<AckReply>(&answer.body) else {
            return;
        };
        if reply.code == Some(14) {
            let told = match self.mode {
                AckMode::Required => Err(Outcome::Hold(
                    "HTTP 400 code 14: indexer acknowledgement is disabled".to_owned(),
                )),
                // It gave a number and knows none: then its success was final.
                AckMode::Auto | AckMode::Off => Ok(()),
            };
            ids.iter()
                .for_each(|id| self.tell(token, *id, told.clone()));
            return;
        }
        if answer.status.is_success() {
            for id in reply
                .acks
                .iter()
                .filter(|(_, confirmed)| **confirmed)
                .filter_map(|(id, _)| id.parse().ok())
            {
                self.tell(token, id, Ok(()));
            }
        }
    }

    fn tell(&self, token: &HeaderValue, id: u64, told: Result<(), Outcome>) {
        if let Some(waiting) = self.waiting.lock().by_id.remove(&(token.clone(), id)) {
            let _ = waiting.send(told);
        }
    }
}
