//! What Sluice makes of the answers of its destinations, one of each class. The tables row by row are tested beside the
//! exporters.

use std::time::{Duration, Instant, SystemTime};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message as _;
use sluice_testing::elastic::ItemError;
use sluice_testing::{Answer, Fault, Outcome, RetryAfter, otlp, splunk};
use sluice_tests::{Encoding, Event, SOON, Sluice, events, senders};

use crate::settings;
use crate::siems::{Siems, count};

/// Sends events over OTLP/HTTP; how many were rejected, once there is an answer.
async fn send(sluice: &Sluice, events: &[Event]) -> i64 {
    let http = sluice.address("otlp", "http").await;
    let answer = senders::otlp_protobuf(http, &events::otlp_request(events), Encoding::Plain)
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    ExportLogsServiceResponse::decode(answer.body)
        .unwrap()
        .partial_success
        .map_or(0, |partial| partial.rejected_log_records)
}

async fn running() -> (Siems, Sluice) {
    let siems = Siems::start().await;
    let sluice = Sluice::start(&siems.file(&[]));
    (siems, sluice)
}

#[tokio::test(flavor = "multi_thread")]
async fn splunk_is_tried_again_after_everything_that_may_pass() {
    let (siems, sluice) = running().await;
    let faults = [
        splunk::answer(8).into(),
        splunk::answer(9).into(),
        splunk::answer(23).into(),
        splunk::answer(26).into(),
        splunk::answer(27).into(),
        Fault::status(408),
        Fault::status(502),
        Fault::status(504),
        Fault::lie(),
        Fault::CutBeforeBody,
        Fault::CutAfterBody,
        // Settings that somebody mends in the end: kept, and probed.
        splunk::answer(1).into(),
        splunk::answer(3).into(),
        splunk::answer(4).into(),
        Fault::status(404),
    ];
    let events = events::generate(faults.len(), 20, 1_000);
    for (fault, event) in faults.into_iter().zip(&events) {
        siems.splunk.faults().next(1, fault);
        assert_eq!(send(&sluice, std::slice::from_ref(event)).await, 0);
    }
    siems.assert_exactly_once(&events);
}

#[tokio::test(flavor = "multi_thread")]
async fn splunks_warnings_are_successes() {
    let (siems, sluice) = running().await;
    let events = events::generate(2, 21, 1_000);
    for (code, event) in [24, 25].into_iter().zip(&events) {
        siems.splunk.set_success_code(code);
        assert_eq!(send(&sluice, std::slice::from_ref(event)).await, 0);
    }
    siems.assert_exactly_once(&events);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_flawed_event_is_rejected_alone_and_no_other_is_doubled() {
    let (siems, sluice) = running().await;
    let events = events::generate(10, 22, 1_000);
    for (at, code) in [(0, 6), (4, 12), (9, 15)] {
        siems.splunk.poison(events[at].id(), code);
    }
    assert_eq!(send(&sluice, &events).await, 3);
    let arrived = siems.splunk.read(|state| {
        state
            .events
            .iter()
            .map(|event| event.event()["event_id"].as_str().unwrap().to_owned())
            .collect()
    });
    let expected = events
        .iter()
        .enumerate()
        .filter(|(at, _)| ![0, 4, 9].contains(at))
        .map(|(_, event)| event.id().to_owned())
        .collect();
    assert_eq!(count(arrived), count(expected));
    assert_eq!(
        siems.datadog.read(|state| state.logs.len()),
        10,
        "the others take it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_obeyed_in_both_forms() {
    let (siems, sluice) = running().await;
    let events = events::generate(2, 23, 1_000);
    let waits = [
        RetryAfter::Seconds(1),
        RetryAfter::Date(SystemTime::now() + Duration::from_secs(3)),
    ];
    for (wait, event) in waits.into_iter().zip(&events) {
        siems.datadog.faults().next(1, Fault::throttle(wait));
        let started = Instant::now();
        assert_eq!(send(&sluice, std::slice::from_ref(event)).await, 0);
        // A date has whole seconds, so its wait may be up to one shorter; the back-off alone would be 100 ms at most.
        assert!(
            started.elapsed() >= Duration::from_millis(900),
            "{wait:?}: {:?}",
            started.elapsed()
        );
    }
    siems.assert_exactly_once(&events);
}

#[tokio::test(flavor = "multi_thread")]
async fn datadog_is_tried_again_halved_and_probed() {
    let (siems, sluice) = running().await;
    let faults = [
        Fault::status(429),
        Fault::status(500),
        Fault::status(503),
        Fault::status(408),
        Fault::status(401),
        Fault::status(403),
        Fault::CutAfterBody,
        // Too large: sent again in two halves.
        Fault::status(413),
    ];
    let events = events::generate(faults.len() * 4, 24, 1_000);
    for (fault, events) in faults.into_iter().zip(events.chunks(4)) {
        siems.datadog.faults().next(1, fault);
        assert_eq!(send(&sluice, events).await, 0);
    }
    siems.assert_exactly_once(&events);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_datadog_refuses_is_found_and_rejected_alone() {
    let (siems, sluice) = running().await;
    let events = events::generate(13, 25, 1_000);
    siems.datadog.poison(events[7].id());
    assert_eq!(send(&sluice, &events).await, 1);
    let arrived = siems.datadog.read(|state| {
        state
            .logs
            .iter()
            .map(|log| log.get("event_id").as_str().unwrap().to_owned())
            .collect()
    });
    let expected = events
        .iter()
        .filter(|event| event.id() != events[7].id())
        .map(|event| event.id().to_owned())
        .collect();
    assert_eq!(count(arrived), count(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn elastic_items_are_judged_one_by_one() {
    let (siems, sluice) = running().await;
    let events = events::generate(8, 26, 1_000);
    let fail = |at: usize, times, error| siems.elastic.fail_item(events[at].id(), times, error);
    fail(1, 2, ItemError::rejected());
    fail(2, 1, ItemError::unavailable());
    fail(3, 1_000, ItemError::mapping());
    fail(4, 1, ItemError::forbidden());
    fail(5, 1, ItemError::missing_index());
    // A 409 says that it is there already.
    fail(
        6,
        1,
        ItemError::new(
            409,
            "version_conflict_engine_exception",
            "document already exists",
        ),
    );
    assert_eq!(
        send(&sluice, &events).await,
        1,
        "only the document that cannot be mapped"
    );
    let arrived = siems.elastic.read(|state| {
        state
            .documents
            .iter()
            .map(|document| document.id.clone())
            .collect()
    });
    let expected = [0, 1, 2, 4, 5, 7]
        .iter()
        .map(|at| events[*at].id().to_owned())
        .collect();
    assert_eq!(count(arrived), count(expected));
    assert_eq!(
        siems.elastic.read(|state| state.conflicts),
        1,
        "what was stored was not sent again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn elastic_is_tried_again_and_an_answer_that_was_lost_doubles_nothing() {
    let (siems, sluice) = running().await;
    let too_large = Answer::new(413);
    let faults = [
        Fault::AcceptThenCut,
        Fault::status(429),
        Fault::status(502),
        Fault::status(503),
        Fault::status(401),
        too_large.into(),
    ];
    let events = events::generate(faults.len() * 3, 27, 1_000);
    for (fault, events) in faults.into_iter().zip(events.chunks(3)) {
        siems.elastic.faults().next(1, fault);
        assert_eq!(send(&sluice, events).await, 0);
    }
    siems.assert_exactly_once(&events);
    assert_eq!(
        siems.elastic.read(|state| state.conflicts),
        3,
        "the three whose answer was lost"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_in_the_failure_store_is_not_delivered() {
    use sluice_testing::elastic;
    let elastic = elastic::Double::start_with(elastic::Options {
        failure_store: true,
        ..elastic::Options::default()
    })
    .await;
    let sluice = Sluice::start(&settings::file(&[], &[settings::elastic(&elastic.url(""))]));
    let events = events::generate(3, 28, 1_000);
    elastic.fail_item(events[1].id(), 1, ItemError::mapping());
    assert_eq!(send(&sluice, &events).await, 1);
    assert_eq!(
        elastic.read(|state| (state.documents.len(), state.failures.len())),
        (2, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_otlp_server_is_tried_again_and_its_partial_success_is_passed_on() {
    let double = otlp::Double::start().await;
    let sluice = Sluice::start(&settings::file(
        &[],
        &[settings::otlp_http(&double.url(""))],
    ));
    let events = events::generate(6, 29, 1_000);
    let faults = [
        otlp::http_answer(503, false, "full")
            .retry_after(RetryAfter::Seconds(1))
            .into(),
        otlp::http_answer(429, false, "slow down").into(),
        Fault::status(500),
        otlp::http_answer(401, false, "who are you").into(),
        Fault::CutAfterBody,
    ];
    for (fault, event) in faults.into_iter().zip(&events) {
        double.faults().next(1, fault);
        assert_eq!(send(&sluice, std::slice::from_ref(event)).await, 0);
    }
    double.reject_in_next(1, "too old");
    assert_eq!(send(&sluice, &events[5..]).await, 1);
    double
        .wait_for(|state| state.log_records().count() == 6, SOON)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusing_destination_is_not_hammered() {
    let (siems, sluice) = running().await;
    siems.splunk.faults().next(3, splunk::answer(4));
    let events = events::generate(1, 30, 1_000);
    let started = Instant::now();
    assert_eq!(send(&sluice, &events).await, 0);
    // Held: each probe waits for the longest back-off (100 ms here), not for the shortest.
    assert!(
        started.elapsed() >= Duration::from_millis(150),
        "{:?}",
        started.elapsed()
    );
    siems.splunk.traffic().read(|traffic| {
        let refused = traffic
            .seen
            .iter()
            .filter(|request| request.outcome == Outcome::Answered(http::StatusCode::FORBIDDEN))
            .count();
        assert_eq!(refused, 3);
    });
}
