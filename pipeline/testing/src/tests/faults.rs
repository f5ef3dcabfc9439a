use std::time::{Duration, SystemTime};

use super::{SOON, send};
use crate::{Answer, Fault, Outcome, RetryAfter, http};

#[tokio::test]
async fn a_script_is_walked_through_in_order_and_then_the_destination_is_itself_again() {
    let double = http::Double::start().await;
    double.faults().next(2, Fault::status(503));
    double.faults().next(1, Fault::lie());
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(send(double.address(), "POST", "/", &[], "x").await.unwrap());
    }
    assert_eq!(
        statuses
            .iter()
            .map(|got| got.status.as_u16())
            .collect::<Vec<_>>(),
        [503, 503, 200, 200]
    );
    assert!(
        statuses[2].body.starts_with(b"<html>"),
        "the lie is an HTML page"
    );
    assert_eq!(
        double.read(|state| state.requests.len()),
        1,
        "only the last request was taken"
    );
}

#[tokio::test]
async fn a_rate_strikes_every_nth_request() {
    let double = http::Double::start().await;
    double.faults().every(3, Fault::status(500));
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(
            send(double.address(), "POST", "/", &[], "x")
                .await
                .unwrap()
                .status
                .as_u16(),
        );
    }
    assert_eq!(statuses, [200, 200, 500, 200, 200, 500]);
}

#[tokio::test]
async fn a_rule_for_a_path_meets_only_that_path() {
    let double = http::Double::start().await;
    double.faults().on("/ack").always(Fault::status(500));
    assert_eq!(
        send(double.address(), "POST", "/data", &[], "x")
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        send(double.address(), "POST", "/some/ack", &[], "x")
            .await
            .unwrap()
            .status,
        500
    );
}

#[tokio::test]
async fn a_stalled_request_is_answered_once_it_is_released() {
    let double = http::Double::start().await;
    double.faults().next(1, Fault::Stall);
    let address = double.address();
    let waiting =
        tokio::spawn(async move { send(address, "POST", "/", &[], "x").await.unwrap().status });
    double.wait_for_stalled(1, SOON).await.unwrap();
    assert!(!waiting.is_finished());
    assert_eq!(
        double.read(|state| state.requests.len()),
        0,
        "a stalled request is not taken"
    );
    double.faults().release();
    assert_eq!(waiting.await.unwrap(), 200);
    assert_eq!(double.read(|state| state.requests.len()), 1);
}

#[tokio::test]
async fn a_client_that_gives_up_is_no_longer_stalled() {
    let double = http::Double::start().await;
    double.faults().always(Fault::Stall);
    let address = double.address();
    let waiting = tokio::spawn(async move {
        send(address, "POST", "/", &[], "x")
            .await
            .map(|got| got.status)
    });
    double.wait_for_stalled(1, SOON).await.unwrap();
    waiting.abort();
    double
        .traffic()
        .wait_for(|traffic| traffic.stalled == 0, SOON)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_three_cuts_close_the_connection_and_differ_in_what_is_taken() {
    for (fault, taken) in [
        (Fault::CutBeforeBody, 0),
        (Fault::CutAfterBody, 0),
        (Fault::AcceptThenCut, 1),
    ] {
        let double = http::Double::start().await;
        double.faults().next(1, fault.clone());
        assert!(
            send(double.address(), "POST", "/", &[], "x").await.is_err(),
            "{fault:?} is no answer"
        );
        assert_eq!(
            double.read(|state| state.requests.len()),
            taken,
            "{fault:?}"
        );
        assert_eq!(
            double.traffic().read(|traffic| traffic.seen[0].outcome),
            Outcome::Cut
        );
    }
}

#[tokio::test]
async fn retry_after_comes_in_both_forms() {
    let double = http::Double::start().await;
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    double
        .faults()
        .next(1, Fault::throttle(RetryAfter::Seconds(7)));
    double
        .faults()
        .next(1, Answer::new(503).retry_after(RetryAfter::Date(at)));
    let first = send(double.address(), "POST", "/", &[], "x").await.unwrap();
    assert_eq!(
        (first.status.as_u16(), &first.headers["retry-after"]),
        (429, &http_value("7"))
    );
    let second = send(double.address(), "POST", "/", &[], "x").await.unwrap();
    // The example of RFC 9110 section 5.6.7.
    assert_eq!(
        (second.status.as_u16(), &second.headers["retry-after"]),
        (503, &http_value("Sun, 06 Nov 1994 08:49:37 GMT"))
    );
}

#[tokio::test]
async fn slow_is_late_but_right() {
    let double = http::Double::start().await;
    let delay = Duration::from_millis(30);
    double.faults().next(1, Fault::Slow(delay));
    let started = std::time::Instant::now();
    assert_eq!(
        send(double.address(), "POST", "/", &[], "x")
            .await
            .unwrap()
            .status,
        200
    );
    assert!(started.elapsed() >= delay);
}

#[tokio::test]
async fn a_condition_that_never_comes_true_says_what_the_state_was() {
    let double = http::Double::start().await;
    let error = double
        .wait_for(|state| state.requests.len() == 1, Duration::from_millis(1))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("requests: []"), "{error}");
}

#[tokio::test]
async fn a_dropped_double_takes_no_connection() {
    let double = http::Double::start().await;
    let address = double.address();
    drop(double);
    // The accept loop ends at its next turn.
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

fn http_value(text: &str) -> ::http::HeaderValue {
    text.parse().unwrap()
}
