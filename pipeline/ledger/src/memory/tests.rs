use std::time::Duration;

use sluice_batch::{Batch, Signal, Value};
use sluice_component::Batching;

use super::Log;

fn batch(ids: std::ops::Range<i64>) -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    for id in ids {
        batch.push_log().set("id", Value::Int(id));
    }
    batch
}

fn ids(batch: &Batch) -> Vec<i64> {
    batch
        .records()
        .map(|r| {
            if let Some(Value::Int(id)) = r.get("id") {
                id
            } else {
                -1
            }
        })
        .collect()
}

const AT_ONCE: Batching = Batching {
    max_records: 1000,
    max_bytes: 0,
    timeout: None,
    min_records: 0,
};

#[tokio::test]
async fn append_resolves_only_when_every_reader_has_settled_every_record() {
    let log = Log::in_memory(1 << 20);
    let (mut a, mut b) = (log.reader("a"), log.reader("b"));
    let append = tokio::spawn({
        let log = log.clone();
        async move { log.append(batch(0..3)).await }
    });
    let lease = a.next(&AT_ONCE).await;
    lease.delivered(0..3);
    let lease = b.next(&AT_ONCE).await;
    lease.delivered(0..2);
    tokio::task::yield_now().await;
    assert!(!append.is_finished(), "b still owes a record");
    assert_eq!(log.waiting(), 3);
    lease.refused(2..3, "too old", 1).await.unwrap();
    let refused = append.await.unwrap().unwrap();
    assert_eq!(refused.len(), 1);
    assert_eq!(
        (refused[0].records.clone(), refused[0].reason.as_str()),
        (2..3, "b: too old")
    );
    assert_eq!((log.waiting(), log.bytes()), (0, 0));
}

#[tokio::test]
async fn a_busy_reader_gets_requests_merged_and_an_oversized_one_cut() {
    let log = Log::in_memory(1 << 20);
    let mut reader = log.reader("a");
    for start in [0, 3, 6] {
        let log = log.clone();
        tokio::spawn(async move { log.append(batch(start..start + 3)).await });
        tokio::task::yield_now().await;
    }
    let four = Batching {
        max_records: 4,
        ..AT_ONCE
    };
    let mut seen = Vec::new();
    for expected in [4, 4, 1] {
        let lease = reader.next(&four).await;
        assert_eq!(lease.batch.len(), expected);
        assert_eq!(lease.first(), seen.len() as u64);
        seen.extend(ids(&lease.batch));
        lease.delivered(0..expected as u32);
    }
    assert_eq!(seen, (0..9).collect::<Vec<_>>());
    assert_eq!(log.bytes(), 0);
}

#[tokio::test]
async fn a_byte_limit_cuts_but_always_lends_one_record() {
    let log = Log::in_memory(1 << 20);
    let mut reader = log.reader("a");
    let writer = log.clone();
    tokio::spawn(async move { writer.append(batch(0..4)).await });
    tokio::task::yield_now().await;
    let tiny = Batching {
        max_bytes: 1,
        ..AT_ONCE
    };
    assert_eq!(reader.next(&tiny).await.batch.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_explicit_timeout_waits_for_more_until_enough_is_there() {
    let log = Log::in_memory(1 << 20);
    let mut reader = log.reader("a");
    let patient = Batching {
        timeout: Some(Duration::from_secs(5)),
        min_records: 4,
        ..AT_ONCE
    };
    let writer = log.clone();
    tokio::spawn(async move { writer.append(batch(0..2)).await });
    let start = tokio::time::Instant::now();
    assert_eq!(reader.next(&patient).await.batch.len(), 2);
    assert_eq!(
        start.elapsed(),
        Duration::from_secs(5),
        "nothing more came: the timeout decides"
    );
    for _ in 0..2 {
        let writer = log.clone();
        tokio::spawn(async move { writer.append(batch(0..2)).await });
    }
    let start = tokio::time::Instant::now();
    assert_eq!(reader.next(&patient).await.batch.len(), 4);
    assert_eq!(start.elapsed(), Duration::ZERO, "enough is there");
}

#[tokio::test]
async fn a_full_log_refuses_with_a_delay_and_appends_nothing() {
    let one = batch(0..10).memory();
    let log = Log::in_memory(one + one / 2);
    let mut reader = log.reader("a");
    let first = tokio::spawn({
        let log = log.clone();
        async move { log.append(batch(0..10)).await }
    });
    tokio::task::yield_now().await;
    let refused = log.append(batch(10..20)).await.unwrap_err();
    assert!(refused.is_retryable());
    assert_eq!(refused.delay(), Some(Duration::from_secs(1)));
    let lease = reader.next(&AT_ONCE).await;
    assert_eq!(ids(&lease.batch), (0..10).collect::<Vec<_>>());
    lease.delivered(0..10);
    first.await.unwrap().unwrap();
}

#[tokio::test]
async fn closing_tells_waiting_senders_to_try_again() {
    let log = Log::in_memory(1 << 20);
    let _reader = log.reader("a");
    let append = tokio::spawn({
        let log = log.clone();
        async move { log.append(batch(0..1)).await }
    });
    tokio::task::yield_now().await;
    log.close();
    assert!(append.await.unwrap().unwrap_err().is_retryable());
}

#[tokio::test]
async fn settling_after_the_sender_hung_up_still_empties_the_log() {
    let log = Log::in_memory(1 << 20);
    let mut reader = log.reader("a");
    let append = tokio::spawn({
        let log = log.clone();
        async move { log.append(batch(0..2)).await }
    });
    let lease = reader.next(&AT_ONCE).await;
    append.abort();
    let _ = append.await;
    lease.delivered(0..2);
    assert_eq!((log.waiting(), log.bytes()), (0, 0));
}

#[tokio::test]
async fn what_is_settled_frees_its_memory_while_an_older_entry_waits() {
    let log = Log::in_memory(1 << 20);
    let mut reader = log.reader("a");
    for start in [0, 10] {
        let writer = log.clone();
        tokio::spawn(async move { writer.append(batch(start..start + 10)).await });
        tokio::task::yield_now().await;
    }
    let both = log.bytes();
    let ten = Batching {
        max_records: 10,
        ..AT_ONCE
    };
    let _stuck = reader.next(&ten).await;
    reader.next(&ten).await.delivered(0..10);
    assert!(log.bytes() <= both / 2, "{} of {both}", log.bytes());
    assert_eq!(log.waiting(), 10);
}

#[tokio::test]
async fn a_record_counts_with_its_resource_because_some_destinations_repeat_it() {
    let log = Log::in_memory(64 << 20);
    let mut reader = log.reader("a");
    let mut large = Batch::new(Signal::Logs);
    large.push_scope(&[("big", Value::Str(&"x".repeat(100_000)))], "");
    for _ in 0..50 {
        large.push_log();
    }
    let writer = log.clone();
    tokio::spawn(async move { writer.append(large).await });
    tokio::task::yield_now().await;
    let limited = Batching {
        max_bytes: 1_000_000,
        ..AT_ONCE
    };
    assert_eq!(reader.next(&limited).await.batch.len(), 9);
}

#[tokio::test(start_paused = true)]
async fn asking_again_does_not_restart_the_timeout() {
    let log = Log::in_memory(1 << 20);
    let mut reader = log.reader("a");
    let writer = log.clone();
    tokio::spawn(async move { writer.append(batch(0..1)).await });
    let patient = Batching {
        timeout: Some(Duration::from_secs(5)),
        min_records: 4,
        ..AT_ONCE
    };
    let start = tokio::time::Instant::now();
    for _ in 0..3 {
        let soon = tokio::time::timeout(Duration::from_secs(1), reader.next(&patient)).await;
        assert!(soon.is_err());
    }
    reader.next(&patient).await;
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}
