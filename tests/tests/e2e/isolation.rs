//! One destination's trouble stays its own.

use std::time::Instant;

use sluice_testing::splunk::Splunk;
use sluice_testing::{Double, Fault, splunk};
use sluice_tests::{Encoding, SOON, Sluice, events, senders};

use crate::settings;
use crate::siems::Siems;

/// Records unless `SLUICE_ISOLATION_RECORDS` says otherwise: a million on request.
const RECORDS: usize = 20_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_and_a_hung_destination_delay_neither_the_senders_nor_their_sibling_and_catch_up() {
    let records = std::env::var("SLUICE_ISOLATION_RECORDS").map_or(RECORDS, |n| n.parse().unwrap());
    let mut siems = Siems::start().await;
    siems.datadog.faults().always(Fault::Stall);
    let address = siems.splunk.address();
    let file = settings::with_ledger(
        &siems.file(&["redaction", "dedupe"]),
        "{directory: ledger, segment_bytes: 1MiB}",
    );
    let sluice = Sluice::start(&file);
    let http = sluice.address("otlp", "http").await;
    // Its port is closed from here on.
    siems.splunk = splunk::Double::start().await;
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let mut sent = Vec::new();
    let begun = Instant::now();
    for seed in 0..(records / 500) as u64 {
        let batch = events::generate(500, 1000 + seed, 100);
        let answer = senders::otlp_protobuf(http, &events::otlp_request(&batch), Encoding::Gzip)
            .await
            .unwrap();
        assert_eq!(
            answer.status, 200,
            "a sender was told of somebody else's trouble"
        );
        sent.extend(batch);
    }
    let sending = begun.elapsed();
    siems
        .elastic
        .wait_for(|state| state.documents.len() == sent.len(), SOON)
        .await
        .unwrap();
    let behind = begun.elapsed() - sending;
    assert!(
        behind <= sending,
        "the healthy one is slower than the senders: {behind:?} after {sending:?}"
    );
    let peak = sluice.peak_memory();
    assert!(peak < 150 << 20, "{} MiB", peak >> 20);

    siems.splunk = Double::serve_at(Splunk::new(splunk::Options::default()), address)
        .await
        .unwrap();
    siems.datadog.faults().clear();
    siems
        .splunk
        .wait_for(|state| state.events.len() >= sent.len(), SOON)
        .await
        .unwrap();
    siems
        .datadog
        .wait_for(|state| state.logs.len() >= sent.len(), SOON)
        .await
        .unwrap();
    siems.assert_exactly_once(&sent);
    assert_eq!(sluice.stop().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_refuses_us_holds_its_records_and_gets_them_once_it_is_mended() {
    let siems = Siems::start().await;
    siems.splunk.faults().always(Fault::status(403));
    let file = settings::with_ledger(&siems.file(&["redaction"]), "{directory: ledger}");
    let sluice = Sluice::start(&file);
    let http = sluice.address("otlp", "http").await;
    let sent = events::generate(20, 5, 100);
    let answer = senders::otlp_protobuf(http, &events::otlp_request(&sent), Encoding::Plain)
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    siems
        .elastic
        .wait_for(|state| state.documents.len() == 20, SOON)
        .await
        .unwrap();
    let held = |log: &sluice_tests::Log| log.text().contains("the destination refuses us");
    sluice.log().wait_for(held, SOON).await.unwrap();
    siems.splunk.faults().clear();
    siems
        .splunk
        .wait_for(|state| state.events.len() == 20, SOON)
        .await
        .unwrap();
    siems.assert_exactly_once(&sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_hangs_delays_the_stop_no_longer_than_a_moment() {
    let siems = Siems::start().await;
    siems.splunk.faults().always(Fault::status(503));
    let file = settings::with_ledger(&siems.file(&["redaction"]), "{directory: ledger}");
    let sluice = Sluice::start(&file);
    let http = sluice.address("otlp", "http").await;
    let sent = events::generate(20, 6, 100);
    let answer = senders::otlp_protobuf(http, &events::otlp_request(&sent), Encoding::Plain)
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    let begun = std::time::Instant::now();
    let directory = sluice.keep();
    let ended = sluice.stop().await;
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(begun.elapsed() < SOON / 4, "{:?}", begun.elapsed());

    siems.splunk.faults().clear();
    let sluice = Sluice::start_in(directory, &file, &[]);
    siems
        .splunk
        .wait_for(|state| state.events.len() == 20, SOON)
        .await
        .unwrap();
    siems.assert_exactly_once(&sent);
    drop(sluice);
}
