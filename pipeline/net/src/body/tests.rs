use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::Frame;

use super::*;

/// A body in the given pieces, that never ends if it is `stalled`.
struct Pieces {
    left: VecDeque<Bytes>,
    stalled: bool,
}

fn pieces(pieces: &[&[u8]]) -> Pieces {
    Pieces {
        left: pieces
            .iter()
            .map(|piece| Bytes::copy_from_slice(piece))
            .collect(),
        stalled: false,
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.left.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None if self.stalled => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}

fn intake(limit: usize, budget: usize) -> Intake {
    Intake {
        limit,
        deadline: Duration::from_secs(60),
        admission: Admission::new(budget),
        encodings: Encoding::ALL.to_vec(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_of_exactly_the_limit_passes_and_one_more_byte_does_not() {
    let intake = intake(6, 1 << 20);
    let payload = intake
        .collect(None, pieces(&[b"abc", b"def"]))
        .await
        .unwrap();
    assert_eq!(payload.bytes, "abcdef");
    let error = intake
        .collect(None, pieces(&[b"abc", b"def", b"g"]))
        .await
        .unwrap_err();
    assert!(
        matches!(error, IntakeError::TooLarge { limit: 6 }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_announced_length_over_the_limit_is_refused_and_a_false_one_below_it_takes_no_memory() {
    let intake = intake(1 << 20, 4 << 20);
    let error = intake
        .collect(Some((1 << 20) + 1), pieces(&[b"a"]))
        .await
        .unwrap_err();
    assert!(matches!(error, IntakeError::TooLarge { .. }));
    let payload = intake
        .collect(Some(1 << 20), pieces(&[b"a"]))
        .await
        .unwrap();
    assert!(
        intake.admission.used() < 64 << 10,
        "{}",
        intake.admission.used()
    );
    assert_eq!(payload.bytes, "a");
}

#[tokio::test(start_paused = true)]
async fn a_body_is_put_together_from_pieces_of_any_size() {
    let whole: Vec<u8> = (0..3 << 20).map(|i: u32| (i % 251) as u8).collect();
    for size in [1 << 20, 70_001, 4096, 999] {
        let parts: Vec<&[u8]> = whole.chunks(size).collect();
        let payload = intake(4 << 20, 64 << 20)
            .collect(None, pieces(&parts))
            .await
            .unwrap();
        assert!(payload.bytes == whole, "pieces of {size}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_charge_lasts_as_long_as_its_payload() {
    let intake = intake(100_000, 1 << 20);
    let payload = intake
        .collect(None, pieces(&[&[7; 50_000], &[8; 50_000]]))
        .await
        .unwrap();
    assert!(intake.admission.used() >= 100_000);
    drop(payload);
    assert_eq!(intake.admission.used(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_is_given_up_at_its_deadline_and_its_memory_with_it() {
    let intake = intake(1000, 1 << 20);
    let before = Instant::now();
    let error = intake
        .collect(
            None,
            Pieces {
                stalled: true,
                ..pieces(&[b"abc"])
            },
        )
        .await
        .unwrap_err();
    assert!(matches!(error, IntakeError::TimedOut(_)), "{error}");
    assert_eq!(before.elapsed(), Duration::from_secs(60));
    assert_eq!(intake.admission.used(), 0);
}

#[tokio::test(start_paused = true)]
async fn three_hundred_stalled_bodies_do_not_keep_a_good_one_out() {
    let intake = intake(4 << 20, 64 << 20);
    let mut stalled = Vec::new();
    for _ in 0..300 {
        let intake = intake.clone();
        let body = Pieces {
            stalled: true,
            ..pieces(&[&[0; 60_000], &[0; 60_000]])
        };
        stalled.push(tokio::spawn(async move {
            intake.collect(None, body).await.map(drop)
        }));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(intake.admission.used() <= 32 << 20);
    let good = intake
        .collect(None, pieces(&[&[1; 1 << 20], &[2; 1 << 20]]))
        .await
        .unwrap();
    assert_eq!(good.bytes.len(), 2 << 20);
    for task in stalled {
        let error = task.await.unwrap().unwrap_err();
        assert!(
            matches!(error, IntakeError::TimedOut(_) | IntakeError::Full(_)),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn without_room_a_body_is_refused_at_once() {
    let intake = intake(1000, 1 << 20);
    let mut all = intake.admission.charge();
    all.add(1 << 20).unwrap();
    let error = intake.collect(None, pieces(&[b"abc"])).await.unwrap_err();
    assert!(matches!(error, IntakeError::Full(_)), "{error}");
}

#[test]
fn an_encoding_that_is_not_accepted_is_named_with_those_that_are() {
    let intake = Intake {
        encodings: vec![Encoding::Gzip, Encoding::Zstd],
        ..intake(10, 100)
    };
    for name in ["br", "deflate", "gzip, gzip", "?"] {
        let payload = Payload {
            bytes: Bytes::new(),
            charge: intake.admission.charge(),
        };
        let error = intake.unpack(name, payload).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unsupported encoding; accepted: gzip, zstd",
            "{name}"
        );
        assert_eq!(error.status(), 415);
    }
}
