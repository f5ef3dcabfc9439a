//! What a sender's OK means, and what a sender that gets none may rely on.

use serde_json::json;
use sluice_testing::splunk::Splunk;
use sluice_testing::{Double, Fault, splunk};
use sluice_tests::{Encoding, Event, SOON, Sluice, events, senders};
use tokio::task::JoinHandle;

use crate::settings;
use crate::siems::Siems;

/// Posts events to the open webhook in the background; the status, once there is an answer.
async fn posting(sluice: &Sluice, events: &[Event]) -> JoinHandle<u16> {
    let url = sluice.url("webhook/open", "http", "/").await;
    let body = json!(events.iter().map(|event| &event.object).collect::<Vec<_>>()).to_string();
    tokio::spawn(async move {
        senders::post(
            &url,
            &senders::headers("application/json", Encoding::Plain),
            body.into(),
        )
        .await
        .unwrap()
        .status
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_door_says_ok_before_every_destination_has_the_event() {
    let siems = Siems::start().await;
    let sluice = Sluice::start(&siems.file(&["redaction", "dedupe"]));
    siems.splunk.faults().always(Fault::Stall);
    let events = events::generate(4, 3, 100);
    let requests: Vec<_> = events
        .iter()
        .map(|event| events::otlp_request([event]))
        .collect();
    let channel = senders::grpc_channel(sluice.address("otlp", "grpc").await).await;
    let http = sluice.address("otlp", "http").await;
    let [grpc, protobuf, json, _] = <[_; 4]>::try_from(requests).unwrap();
    let senders = [
        tokio::spawn(async move {
            senders::otlp_grpc(channel, grpc, Encoding::Gzip)
                .await
                .unwrap()
                .partial_success
                .is_none()
        }),
        tokio::spawn(async move {
            senders::otlp_protobuf(http, &protobuf, Encoding::Plain)
                .await
                .unwrap()
                .status
                == 200
        }),
        tokio::spawn(async move {
            senders::otlp_json(http, &json, Encoding::Plain)
                .await
                .unwrap()
                .status
                == 200
        }),
    ];
    let webhook = posting(&sluice, &events[3..]).await;

    // The siblings of the stalled destination are served meanwhile.
    siems
        .datadog
        .wait_for(|state| state.logs.len() == 4, SOON)
        .await
        .unwrap();
    siems
        .elastic
        .wait_for(|state| state.documents.len() == 4, SOON)
        .await
        .unwrap();
    siems.splunk.wait_for_stalled(1, SOON).await.unwrap();
    assert!(
        !senders.iter().any(JoinHandle::is_finished) && !webhook.is_finished(),
        "an OK came from memory"
    );

    siems.splunk.faults().clear();
    for sender in senders {
        assert!(sender.await.unwrap());
    }
    assert!((200..300).contains(&webhook.await.unwrap()));
    siems.assert_exactly_once(&events);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_destination_keeps_back_the_ok_and_nothing_else() {
    let mut siems = Siems::start().await;
    let address = siems.splunk.address();
    let sluice = Sluice::start(&siems.file(&["redaction", "dedupe"]));
    sluice.address("otlp", "grpc").await;
    // Its port is closed from here on.
    siems.splunk = splunk::Double::start().await;
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let events = events::generate(3, 4, 100);
    let waiting = posting(&sluice, &events).await;
    siems
        .datadog
        .wait_for(|state| state.logs.len() == 3, SOON)
        .await
        .unwrap();
    siems
        .elastic
        .wait_for(|state| state.documents.len() == 3, SOON)
        .await
        .unwrap();
    assert!(!waiting.is_finished());

    siems.splunk = Double::serve_at(Splunk::new(splunk::Options::default()), address)
        .await
        .unwrap();
    assert!((200..300).contains(&waiting.await.unwrap()));
    siems.assert_exactly_once(&events);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_hangs_up_loses_its_answer_and_not_its_events() {
    let siems = Siems::start().await;
    let sluice = Sluice::start(&siems.file(&["redaction", "dedupe"]));
    siems.splunk.faults().next(1, Fault::Stall);
    let events = events::generate(5, 5, 100);
    let impatient = posting(&sluice, &events).await;
    siems.splunk.wait_for_stalled(1, SOON).await.unwrap();
    impatient.abort();
    let _ = impatient.await;
    // It comes again while the first delivery is under way, and waits for that one's fate.
    let again = posting(&sluice, &events).await;
    siems.splunk.faults().release();
    assert!((200..300).contains(&again.await.unwrap()));
    siems.assert_exactly_once(&events);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_delivers_what_was_taken_in_answers_it_and_ends_with_0() {
    let siems = Siems::start().await;
    let sluice = Sluice::start(&siems.file(&["redaction", "dedupe"]));
    let http = sluice.address("otlp", "http").await;
    siems.splunk.faults().always(Fault::Stall);
    let events = events::generate(10, 6, 100);
    let waiting = posting(&sluice, &events).await;
    siems.splunk.wait_for_stalled(1, SOON).await.unwrap();
    sluice.terminate();
    // It takes no new connection once it is draining.
    while tokio::net::TcpStream::connect(http).await.is_ok() {
        tokio::task::yield_now().await;
    }
    siems.splunk.faults().clear();
    assert!((200..300).contains(&waiting.await.unwrap()));
    let ended = sluice.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    siems.assert_exactly_once(&events);
}

/// A Sluice in front of one Splunk whose token asks for acknowledgement.
async fn with_acks(acks: splunk::Acks, mode: &str) -> (splunk::Double, Sluice) {
    let splunk = splunk::Double::start_with(splunk::Options {
        use_ack: true,
        acks,
        ..splunk::Options::default()
    })
    .await;
    let more = format!(", ack: {mode}, ack_poll_interval: 20ms, ack_timeout: 300ms");
    let file = settings::file(
        &["redaction", "dedupe"],
        &[settings::splunk(&splunk.url("/services/collector"), &more)],
    );
    (splunk, Sluice::start(&file))
}

#[tokio::test(flavor = "multi_thread")]
async fn with_acknowledgement_an_ok_waits_until_the_indexer_confirms() {
    for mode in ["auto", "required"] {
        let (splunk, sluice) = with_acks(splunk::Acks::AfterPolls(2), mode).await;
        let events = events::generate(3, 7, 100);
        let waiting = posting(&sluice, &events).await;
        assert!((200..300).contains(&waiting.await.unwrap()));
        assert_eq!(splunk.read(|state| state.events.len()), 3);
        let polls = splunk.traffic().read(|traffic| {
            traffic
                .seen
                .iter()
                .filter(|request| request.target.contains("/ack"))
                .count()
        });
        assert!(
            polls >= 3,
            "two questions were answered with false: {polls}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_an_indexer_lost_are_sent_again() {
    let (splunk, sluice) = with_acks(splunk::Acks::Vanish, "required").await;
    let events = events::generate(3, 8, 100);
    let waiting = posting(&sluice, &events).await;
    splunk
        .wait_for(|state| state.lost >= 3, SOON)
        .await
        .unwrap();
    assert!(!waiting.is_finished(), "a 200 is not enough");
    splunk.set_acks(splunk::Acks::AtOnce);
    assert!((200..300).contains(&waiting.await.unwrap()));
    let ids = splunk.read(|state| {
        state
            .events
            .iter()
            .map(|event| event.event()["event_id"].as_str().unwrap().to_owned())
            .collect()
    });
    assert_eq!(
        crate::siems::count(ids).into_keys().collect::<Vec<_>>(),
        sorted(&events)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_whose_answer_was_lost_costs_a_duplicate_and_no_event() {
    let (splunk, sluice) = with_acks(splunk::Acks::AtOnce, "required").await;
    splunk.faults().on("/ack").next(1, Fault::AcceptThenCut);
    let events = events::generate(2, 9, 100);
    let waiting = posting(&sluice, &events).await;
    assert!((200..300).contains(&waiting.await.unwrap()));
    let ids = splunk.read(|state| {
        state
            .events
            .iter()
            .map(|event| event.event()["event_id"].as_str().unwrap().to_owned())
            .collect()
    });
    let arrived = crate::siems::count(ids);
    assert_eq!(arrived.keys().cloned().collect::<Vec<_>>(), sorted(&events));
    assert!(
        arrived.values().all(|times| *times == 2),
        "read-once acknowledgements cannot do better: {arrived:?}"
    );
}

fn sorted(events: &[Event]) -> Vec<String> {
    let mut ids: Vec<_> = events.iter().map(|event| event.id().to_owned()).collect();
    ids.sort();
    ids
}
