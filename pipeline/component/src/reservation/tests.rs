use std::time::Duration;

use super::{EventId, IdMemory, Seen};
use crate::Fate;

fn ids(names: &[&str]) -> Vec<EventId> {
    names
        .iter()
        .map(|name| EventId::new(name.as_bytes()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_id_is_known_from_its_delivery_until_its_window_is_over() {
    let memory = IdMemory::new(Duration::from_secs(10), 100);
    let (_, claim) = memory.claim(ids(&["a"]));
    tokio::time::advance(Duration::from_secs(60)).await;
    claim.settle(|_| true);
    tokio::time::advance(Duration::from_millis(9_999)).await;
    assert!(matches!(memory.claim(ids(&["a"])).0[..], [Seen::Again]));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(matches!(memory.claim(ids(&["a"])).0[..], [Seen::First]));
}

#[tokio::test]
async fn a_dropped_claim_gives_everything_back_and_says_so() {
    let memory = IdMemory::new(Duration::from_secs(10), 100);
    let (_, claim) = memory.claim(ids(&["a", "b"]));
    let (mut seen, other) = memory.claim(ids(&["b"]));
    assert!(other.is_empty());
    let Some(Seen::Pending(wait)) = seen.pop() else {
        panic!("b is claimed")
    };
    drop(claim);
    assert_eq!(wait.await, Fate::GivenBack);
    assert!(matches!(
        memory.claim(ids(&["a", "b"])).0[..],
        [Seen::First, Seen::First]
    ));
    assert!(memory.is_empty());
}

#[tokio::test]
async fn the_oldest_goes_when_there_are_too_many_and_is_counted() {
    let memory = IdMemory::new(Duration::from_secs(10), 3);
    for name in ["a", "b", "c", "d"] {
        memory.claim(ids(&[name])).1.settle(|_| true);
    }
    assert_eq!((memory.len(), memory.evicted()), (3, 1));
    assert!(matches!(
        memory.claim(ids(&["a", "b", "c", "d"])).0[..],
        [Seen::First, Seen::Again, Seen::Again, Seen::Again]
    ));
}

#[test]
fn ids_are_told_apart_to_the_last_byte_at_any_length() {
    let whole = vec![b'x'; EventId::MAX_BYTES];
    let mut other = whole.clone();
    other[EventId::MAX_BYTES - 1] = b'y';
    assert_ne!(EventId::new(&whole), EventId::new(&other));
    let longer = vec![b'x'; EventId::MAX_BYTES + 1];
    let mut other = longer.clone();
    other[EventId::MAX_BYTES] = b'y';
    assert_ne!(EventId::new(&longer), EventId::new(&other));
    assert_eq!(EventId::new(&longer), EventId::new(&longer.clone()));
    assert_ne!(EventId::new(&longer), EventId::new(&whole));
    let huge = vec![b'x'; 1 << 20];
    assert_eq!(EventId::new(&huge).0.len(), 33);
}

#[tokio::test]
async fn a_judge_that_panics_gives_everything_back() {
    let memory = IdMemory::new(Duration::from_secs(10), 100);
    let (_, claim) = memory.claim(ids(&["a", "b"]));
    let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        claim.settle(|i| i == 0 || panic!("no such record"))
    }));
    assert!(judged.is_err());
    assert!(matches!(
        memory.claim(ids(&["a", "b"])).0[..],
        [Seen::First, Seen::First]
    ));
}
