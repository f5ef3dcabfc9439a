//! What goes wrong between a client and a destination, on order.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use parking_lot::Mutex;
use tokio::sync::watch;

/// One way to misbehave.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Takes the request and does nothing, until [`Faults::release`]; then it is answered as usual.
    Stall,
    /// Closes the connection without reading the body.
    CutBeforeBody,
    /// Reads the body, then closes the connection. Nothing is taken.
    CutAfterBody,
    /// Takes the data, then closes the connection: the answer is lost.
    AcceptThenCut,
    /// Reads the body and answers this. Nothing is taken.
    Answer(Answer),
    /// Waits this long, then goes on as usual.
    Slow(Duration),
}

impl Fault {
    /// A 200 with an HTML page, as a captive portal or a proxy gives. Nothing is taken.
    #[must_use]
    pub fn lie() -> Self {
        Answer::new(200)
            .header("content-type", "text/html")
            .body("<html><body>Welcome to the guest network</body></html>")
            .into()
    }

    /// A 429 that says when to come back.
    #[must_use]
    pub fn throttle(after: RetryAfter) -> Self {
        Answer::new(429).retry_after(after).into()
    }

    /// A bare status with an empty body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Answer::new(status).into()
    }
}

impl From<Answer> for Fault {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

/// The two forms of `Retry-After` (RFC 9110 section 10.2.3).
#[derive(Clone, Copy, Debug)]
pub enum RetryAfter {
    /// Delay in seconds.
    Seconds(u64),
    /// A point in time, sent as an HTTP-date (whole seconds).
    Date(SystemTime),
}

/// A scripted answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// An answer with an empty body.
    ///
    /// # Panics
    /// `status` is not 100 to 999.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            status: StatusCode::from_u16(status).expect("a status between 100 and 999"),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// Adds a header.
    ///
    /// # Panics
    /// `name` or `value` is no valid header text.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a valid header name");
        self.headers
            .append(name, value.parse().expect("a valid header value"));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a JSON body and its content type.
    #[must_use]
    pub fn json(mut self, body: &serde_json::Value) -> Self {
        self.headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        self.body(body.to_string())
    }

    /// Adds `Retry-After`.
    #[must_use]
    pub fn retry_after(self, after: RetryAfter) -> Self {
        let text = match after {
            RetryAfter::Seconds(seconds) => seconds.to_string(),
            RetryAfter::Date(at) => httpdate::fmt_http_date(at),
        };
        self.header("retry-after", &text)
    }
}

/// The faults of one double: a script that requests walk through in the order in which it was written.
///
/// Rules meet only requests that bring data; [`Faults::on`] writes rules for a path instead (a health or an ack route).
#[derive(Clone)]
pub struct Faults {
    rules: Arc<Mutex<Vec<Rule>>>,
    released: watch::Sender<u64>,
}

struct Rule {
    fault: Fault,
    /// The end of the path that it meets; `None`: whatever brings data.
    path: Option<String>,
    /// It strikes every this many of the requests that it meets.
    every: usize,
    met: usize,
    /// How often it may still strike; `None`: until cleared.
    left: Option<usize>,
}

/// Writes rules for one kind of request.
#[derive(Debug)]
pub struct Script<'a> {
    faults: &'a Faults,
    path: Option<String>,
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self {
            rules: Arc::default(),
            released: watch::Sender::new(0),
        }
    }

    /// Rules for requests whose path ends with `path`, whether or not they bring data.
    #[must_use]
    pub fn on(&self, path: &str) -> Script<'_> {
        Script {
            faults: self,
            path: Some(path.to_owned()),
        }
    }

    fn data(&self) -> Script<'_> {
        Script {
            faults: self,
            path: None,
        }
    }

    /// The next `times` requests that no earlier rule takes meet `fault`.
    pub fn next(&self, times: usize, fault: impl Into<Fault>) {
        self.data().next(times, fault);
    }

    /// Every `nth` request meets `fault`, the first one after `nth - 1` good ones, until cleared.
    pub fn every(&self, nth: usize, fault: impl Into<Fault>) {
        self.data().every(nth, fault);
    }

    /// Every request meets `fault`, until cleared.
    pub fn always(&self, fault: impl Into<Fault>) {
        self.data().every(1, fault);
    }

    /// Lets every stalled request go on.
    pub fn release(&self) {
        self.released.send_modify(|generation| *generation += 1);
    }

    /// Ends all misbehaviour: forgets the rules and lets every stalled request go on.
    pub fn clear(&self) {
        self.rules.lock().clear();
        self.release();
    }

    /// What meets a request now, and a handle to wait on should it be a stall.
    pub(crate) fn pick(&self, path: &str, carries_data: bool) -> (Option<Fault>, Stalled) {
        let stalled = Stalled {
            generation: *self.released.borrow(),
            released: self.released.subscribe(),
        };
        let mut rules = self.rules.lock();
        let meets = |rule: &Rule| {
            rule.path
                .as_deref()
                .map_or(carries_data, |end| path.ends_with(end))
        };
        let mut fault = None;
        for rule in rules.iter_mut().filter(|rule| meets(rule)) {
            rule.met += 1;
            if rule.met % rule.every == 0 {
                if let Some(left) = &mut rule.left {
                    *left -= 1;
                }
                fault = Some(rule.fault.clone());
                break;
            }
        }
        rules.retain(|rule| rule.left != Some(0));
        (fault, stalled)
    }
}

impl Script<'_> {
    /// See [`Faults::next`].
    pub fn next(&self, times: usize, fault: impl Into<Fault>) {
        if times > 0 {
            self.add(1, Some(times), fault.into());
        }
    }

    /// See [`Faults::every`].
    pub fn every(&self, nth: usize, fault: impl Into<Fault>) {
        self.add(nth.max(1), None, fault.into());
    }

    /// See [`Faults::always`].
    pub fn always(&self, fault: impl Into<Fault>) {
        self.every(1, fault);
    }

    fn add(&self, every: usize, left: Option<usize>, fault: Fault) {
        self.faults.rules.lock().push(Rule {
            fault,
            path: self.path.clone(),
            every,
            met: 0,
            left,
        });
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(
                self.rules
                    .lock()
                    .iter()
                    .map(|rule| (&rule.fault, &rule.path, rule.every, rule.left)),
            )
            .finish()
    }
}

/// Waits for the release that follows the moment at which it was made.
pub(crate) struct Stalled {
    generation: u64,
    released: watch::Receiver<u64>,
}

impl Stalled {
    pub(crate) async fn wait(mut self) {
        // An error means that the double is gone, and with it this connection.
        let _ = self.released.wait_for(|now| *now > self.generation).await;
    }
}
