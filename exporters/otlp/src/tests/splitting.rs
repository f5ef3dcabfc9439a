use std::ops::Range;
use std::sync::Mutex;
use std::time::Duration;

use sluice_batch::{Batch, Signal};
use sluice_component::{After, ByteSize, ExporterConfig, Undelivered, Verdict};
use sluice_testing::otlp::{Double, Options};

use super::{export, grpc_to, http_to, logs};
use crate::answer::Answer;
use crate::delivery::{Destination, Limits, MAX_REQUESTS, deliver};
use crate::{grpc, http};

/// A server that judges a request by the bodies in it.
struct Judge<F> {
    judge: F,
    delay: Duration,
    requests: Mutex<Vec<Vec<String>>>,
}

impl<F: Fn(&[String]) -> Answer + Sync> Destination for Judge<F> {
    fn encode(&self, batch: &Batch, records: Range<usize>) -> Vec<u8> {
        let mut request = Vec::new();
        batch.encode_into(records, &mut request);
        request
    }

    async fn send(&self, signal: Signal, request: Vec<u8>) -> Answer {
        tokio::time::sleep(self.delay).await;
        let batch = Batch::decode(signal, request.into()).unwrap();
        let bodies: Vec<String> = batch
            .records()
            .map(|r| r.body().to_text().into_owned())
            .collect();
        let answer = (self.judge)(&bodies);
        self.requests.lock().unwrap().push(bodies);
        answer
    }
}

fn judge<F: Fn(&[String]) -> Answer + Sync>(judge: F) -> Judge<F> {
    Judge {
        judge,
        delay: Duration::ZERO,
        requests: Mutex::new(Vec::new()),
    }
}

const WIDE: Limits = Limits {
    max_bytes: 1 << 20,
    patience: Duration::from_secs(20),
};

fn numbered(records: usize) -> Batch {
    logs((0..records).map(|i| format!("record {i}")))
}

fn has(bodies: &[String], bad: &[usize]) -> bool {
    bad.iter().any(|i| bodies.contains(&format!("record {i}")))
}

fn bad(text: &str) -> Answer {
    Answer::Bad(text.into())
}

#[tokio::test]
async fn bad_records_are_found_and_refused_alone() {
    for wrong in [&[0usize][..], &[99], &[41], &[3, 4, 77], &[]] {
        let server = judge(|bodies| {
            if has(bodies, wrong) {
                bad("400")
            } else {
                Answer::Taken
            }
        });
        let result = deliver(&server, &numbered(100), WIDE).await;
        let refused: Vec<usize> = match &result {
            Ok(()) => vec![],
            Err(undelivered) => undelivered
                .verdicts
                .iter()
                .flat_map(|(range, _)| range.start as usize..range.end as usize)
                .collect(),
        };
        assert_eq!(refused, wrong);
        let taken = server
            .requests
            .lock()
            .unwrap()
            .iter()
            .filter(|bodies| !has(bodies, wrong))
            .flatten()
            .count();
        assert_eq!(
            taken,
            100 - wrong.len(),
            "every other record was taken, once"
        );
    }
}

#[tokio::test]
async fn neighbours_with_the_same_verdict_are_one_range() {
    let server = judge(|bodies| {
        if has(bodies, &[4, 5, 6]) {
            bad("400")
        } else {
            Answer::Taken
        }
    });
    let undelivered = deliver(&server, &numbered(8), WIDE).await.unwrap_err();
    assert_eq!(
        undelivered.verdicts,
        [(4..7, Verdict::Refused("400".into()))]
    );
}

#[tokio::test]
async fn what_is_too_large_is_halved_and_refused_when_alone() {
    let server = judge(|bodies| {
        if bodies.len() > 3 || has(bodies, &[5]) {
            Answer::TooLarge("413".into())
        } else {
            Answer::Taken
        }
    });
    let undelivered = deliver(&server, &numbered(10), WIDE).await.unwrap_err();
    assert_eq!(
        undelivered.verdicts,
        [(5..6, Verdict::Refused("413".into()))]
    );
}

#[tokio::test]
async fn an_overloaded_server_is_left_alone_and_the_rest_is_owed() {
    let delay = Verdict::Retry(After::Delay(Duration::from_secs(3)));
    let server = judge(|bodies| {
        if bodies.len() > 2 {
            Answer::TooLarge(String::new())
        } else if has(bodies, &[2]) {
            Answer::Undecided {
                verdict: Verdict::Retry(After::Delay(Duration::from_secs(3))),
                source: Some("busy".into()),
            }
        } else {
            Answer::Taken
        }
    });
    let undelivered = deliver(&server, &numbered(8), WIDE).await.unwrap_err();
    assert_eq!(undelivered.verdicts, [(2..8, delay)]);
    assert_eq!(undelivered.source.unwrap().to_string(), "busy");
    let requests = server.requests.lock().unwrap();
    assert!(
        !requests
            .iter()
            .any(|bodies| bodies.len() <= 2 && has(bodies, &[4, 5, 6, 7])),
        "nothing was sent after that"
    );
}

#[tokio::test]
async fn partial_success_of_one_request_of_several_is_only_its_own() {
    let server = judge(|bodies| match bodies.len() {
        1 => Answer::Taken,
        2 if has(bodies, &[2]) => Answer::Partly { rejected: 1 },
        2 => Answer::Taken,
        _ => Answer::TooLarge(String::new()),
    });
    let undelivered = deliver(&server, &numbered(8), WIDE).await.unwrap_err();
    let text = "1 of 2 records were rejected by the destination, which ones is unknown";
    assert_eq!(
        undelivered.verdicts,
        [(2..4, Verdict::Refused(text.into()))]
    );
}

#[tokio::test]
async fn when_everything_is_bad_the_number_of_requests_is_bounded_and_every_attempt_gets_on() {
    let server = judge(|_| bad("400"));
    let mut left = numbered(300);
    let mut attempts = 0;
    while !left.is_empty() {
        attempts += 1;
        server.requests.lock().unwrap().clear();
        let undelivered = deliver(&server, &left, WIDE).await.unwrap_err();
        assert!(server.requests.lock().unwrap().len() <= MAX_REQUESTS);
        let refused = undelivered.count(|v| matches!(v, Verdict::Refused(_))) as usize;
        assert!(refused >= 100 || refused == left.len(), "{refused}");
        left = left.slice(refused..left.len());
    }
    assert!(attempts <= 4, "{attempts}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_search_gets_on_and_stops_in_time_with_what_it_knows() {
    let mut server = judge(|bodies| {
        if has(bodies, &[1]) {
            bad("400")
        } else {
            Answer::Taken
        }
    });
    server.delay = Duration::from_secs(4);
    let begun = tokio::time::Instant::now();
    let undelivered = deliver(&server, &numbered(1000), WIDE).await.unwrap_err();
    // Nine halvings to the first record that is known to be good, twice the patience, and no request after it.
    assert_eq!(begun.elapsed(), Duration::from_secs(40));
    assert_eq!(
        undelivered.verdicts,
        [(1..1000, Verdict::Retry(After::Backoff))]
    );
}

#[tokio::test]
async fn an_empty_batch_is_no_request() {
    let server = judge(|_| bad("400"));
    deliver(&server, &Batch::new(Signal::Logs), WIDE)
        .await
        .unwrap();
    assert!(server.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn requests_stay_below_the_size_limit_and_lose_nothing() {
    for max_request_size in [ByteSize(1024), ByteSize(10_000)] {
        let options = Options {
            max_grpc_bytes: usize::try_from(max_request_size.0).unwrap(),
            max_http_bytes: usize::try_from(max_request_size.0).unwrap(),
            ..Options::default()
        };
        let batch = logs((0..50).map(|i| format!("{i:03}{}", "x".repeat(i * 10))));
        let grpc = |d: &Double| -> Box<dyn ExporterConfig> {
            Box::new(grpc::Config {
                max_request_size,
                ..grpc_to(d)
            })
        };
        let http = |d: &Double| -> Box<dyn ExporterConfig> {
            Box::new(http::Config {
                max_request_size,
                encoding: http::Encoding::Json,
                ..http_to(d)
            })
        };
        for config in [&grpc as &dyn Fn(&Double) -> Box<dyn ExporterConfig>, &http] {
            let double = Double::start_with(options.clone()).await;
            export(&*config(&double), &batch).await.unwrap();
            double.read(|state| {
                assert_eq!(state.log_records().count(), 50);
                assert!(state.logs.len() > 1);
            });
        }
    }
}

#[tokio::test]
async fn a_server_with_a_smaller_limit_than_ours_gets_halves() {
    let options = Options {
        max_grpc_bytes: 3_000,
        max_http_bytes: 3_000,
        ..Options::default()
    };
    let mut bodies: Vec<String> = (0..20)
        .map(|i| format!("{i:03}{}", "x".repeat(400)))
        .collect();
    bodies[7] = "x".repeat(5_000);
    let batch = logs(&bodies);
    let check = |result: Result<(), Undelivered>, double: &Double| {
        let undelivered = result.unwrap_err();
        assert!(
            matches!(&undelivered.verdicts[..], [(range, Verdict::Refused(_))] if *range == (7..8)),
            "{undelivered:?}"
        );
        double.read(|state| assert_eq!(state.log_records().count(), 19));
    };
    let double = Double::start_with(options.clone()).await;
    check(
        export(
            &grpc::Config {
                compression: sluice_net::Compression::None,
                ..grpc_to(&double)
            },
            &batch,
        )
        .await,
        &double,
    );
    let double = Double::start_with(options).await;
    check(export(&http_to(&double), &batch).await, &double);
}
