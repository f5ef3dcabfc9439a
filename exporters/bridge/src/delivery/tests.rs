use parking_lot::Mutex;

use super::*;

/// Answers by a script and remembers what it was sent.
struct Scripted<F> {
    answer: F,
    bodies: Mutex<Vec<String>>,
}

impl<F: Fn(&str, usize) -> Outcome + Sync> Destination for Scripted<F> {
    type Route = ();

    async fn request(&self, (): &(), body: Bytes, records: usize) -> Outcome {
        let body = String::from_utf8(body.to_vec()).expect("text");
        let outcome = (self.answer)(&body, records);
        self.bodies.lock().push(body);
        outcome
    }

    async fn confirm(&self, (): &(), receipt: u64) -> Result<(), Outcome> {
        if receipt == 0 {
            Ok(())
        } else {
            Err(Outcome::Retry(After::Backoff, "not confirmed".to_owned()))
        }
    }
}

const LIMITS: Limits = Limits {
    max_bytes: 4,
    max_records: 100,
    framing: Framing::Concatenated,
};

fn payload(records: &[&str]) -> Payload<()> {
    let mut payload = Payload::new(());
    for (at, record) in records.iter().enumerate() {
        payload
            .push(at, 100, |out| out.extend_from_slice(record.as_bytes()))
            .expect("room");
    }
    payload
}

async fn send(
    records: &[&str],
    limits: Limits,
    answer: impl Fn(&str, usize) -> Outcome + Sync,
) -> (Vec<String>, Vec<String>) {
    let destination = Scripted {
        answer,
        bodies: Mutex::default(),
    };
    let mut verdicts = Verdicts::default();
    deliver(
        &destination,
        [payload(records)],
        limits,
        Duration::from_secs(60),
        &mut verdicts,
    )
    .await;
    (
        destination.bodies.into_inner(),
        crate::tests::verdicts(verdicts.into_result()),
    )
}

#[tokio::test]
async fn bodies_are_filled_to_the_limit_and_not_beyond() {
    let (bodies, verdicts) = send(&["ab", "cd", "e", "fghijk", "l"], LIMITS, |_, _| {
        Outcome::Taken
    })
    .await;
    assert_eq!(bodies, ["abcd", "e", "fghijk", "l"]);
    assert!(verdicts.is_empty());
    let two = Limits {
        max_records: 2,
        max_bytes: 100,
        ..LIMITS
    };
    let (bodies, _) = send(&["a", "b", "c"], two, |_, _| Outcome::Taken).await;
    assert_eq!(bodies, ["ab", "c"]);
}

#[tokio::test]
async fn an_array_is_a_json_array_however_it_is_cut() {
    let limits = Limits {
        max_bytes: 5,
        framing: Framing::JsonArray,
        ..LIMITS
    };
    let (bodies, _) = send(&[",1", ",2", ",3"], limits, |_, _| Outcome::Taken).await;
    assert_eq!(bodies, ["[1,2]", "[3]"]);
}

#[tokio::test]
async fn halving_ends_with_the_lone_record_that_is_too_large() {
    let limits = Limits {
        max_bytes: 100,
        ..LIMITS
    };
    let (bodies, verdicts) = send(&["a", "b", "X", "d", "e"], limits, |body, _| {
        if body.contains('X') {
            Outcome::Halve("too large".to_owned())
        } else {
            Outcome::Taken
        }
    })
    .await;
    assert_eq!(bodies, ["abXde", "ab", "Xde", "X", "de"]);
    assert_eq!(verdicts, ["2..3 Refused"]);
}

#[tokio::test]
async fn after_a_retry_nothing_more_is_sent_and_everything_left_is_owed() {
    let delay = After::Delay(Duration::from_secs(9));
    let (bodies, verdicts) = send(&["aaaa", "bbbb", "cccc"], LIMITS, |body, _| {
        if body == "bbbb" {
            Outcome::Retry(delay, "busy".to_owned())
        } else {
            Outcome::Taken
        }
    })
    .await;
    assert_eq!(bodies, ["aaaa", "bbbb"]);
    assert_eq!(verdicts, ["1..3 Retry(Delay(9s))"]);
}

#[tokio::test]
async fn records_that_were_not_looked_at_go_into_the_next_request() {
    let limits = Limits {
        max_bytes: 100,
        ..LIMITS
    };
    let (bodies, verdicts) = send(&["a", "X", "c", "d"], limits, |body, records| {
        match body.find('X') {
            Some(at) => {
                let mut fates = vec![Fate::Taken; at];
                fates.push(Fate::Refused("flawed".to_owned()));
                fates.resize(records, Fate::Again);
                Outcome::Each(fates)
            }
            None => Outcome::Taken,
        }
    })
    .await;
    assert_eq!(bodies, ["aXcd", "cd"]);
    assert_eq!(verdicts, ["1..2 Refused"]);
}

#[tokio::test]
async fn what_is_not_confirmed_is_owed() {
    let (_, verdicts) = send(&["aaaa", "bbbb"], LIMITS, |body, _| {
        Outcome::Receipt(u64::from(body == "bbbb"))
    })
    .await;
    assert_eq!(verdicts, ["1..2 Retry(Backoff)"]);
}

#[tokio::test]
async fn an_attempt_out_of_time_begins_no_request() {
    let destination = Scripted {
        answer: |_: &str, _| Outcome::Taken,
        bodies: Mutex::default(),
    };
    let mut verdicts = Verdicts::default();
    deliver(
        &destination,
        [payload(&["a"])],
        LIMITS,
        Duration::ZERO,
        &mut verdicts,
    )
    .await;
    assert!(destination.bodies.into_inner().is_empty());
    assert_eq!(
        crate::tests::verdicts(verdicts.into_result()),
        ["0..1 Retry(Backoff)"]
    );
}

#[test]
fn a_record_over_the_bound_is_taken_out_again() {
    let mut payload = Payload::new(());
    let push = |payload: &mut Payload<()>, n: usize| {
        payload.push(0, 3, |out| out.extend(std::iter::repeat_n(b'x', n)))
    };
    assert_eq!(push(&mut payload, 3), Ok(3));
    assert_eq!(push(&mut payload, 4), Err(4));
    assert_eq!(payload.len(), 1);
    assert_eq!(payload.seal().body(0..1, Framing::Concatenated), "xxx");
}

#[test]
fn a_reason_is_cut_at_a_character_within_1_kib() {
    assert_eq!(cut("x".repeat(1024)).len(), 1024);
    let long = cut("é".repeat(600));
    assert!(long.len() <= 1024 && long.ends_with('…'));
}
