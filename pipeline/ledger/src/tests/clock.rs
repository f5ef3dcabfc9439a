//! Accepted times never go back, whatever the machine's clock does.

use std::sync::Arc;
use std::time::Duration;

use super::rig::{Hands, append, settings};
use crate::disk::SimulatedDisk;
use crate::{Entry, Ledger, View};

const NOON: u64 = 1_776_000_000_000_000_000;

/// When each frame was accepted, in the order of the log.
fn accepted(disk: &SimulatedDisk) -> Vec<u64> {
    let view = View::open_on(Arc::new(disk.clone())).unwrap();
    let entries = view.entries(0).map(|entry| match entry.unwrap() {
        Entry::Frame(frame) => frame.head.accepted,
        Entry::Lost(range) => panic!("{range:?} is lost"),
    });
    entries.collect()
}

#[tokio::test]
async fn accepted_times_stand_still_while_the_machines_clock_goes_back() {
    let (disk, hands) = (SimulatedDisk::new(1), Hands::at(NOON));
    let ledger = hands.open(&disk, settings());
    append(&ledger, [0]).await.unwrap();
    hands.set(NOON - 1_000);
    append(&ledger, [1]).await.unwrap();
    hands.set(NOON + 7);
    append(&ledger, [2]).await.unwrap();
    ledger.close();
    assert_eq!(accepted(&disk), [NOON, NOON, NOON + 7]);
}

#[tokio::test]
async fn accepted_times_do_not_go_back_over_a_restart_or_a_power_cut() {
    let (disk, hands) = (SimulatedDisk::new(2), Hands::at(NOON));
    let ledger = hands.open(&disk, settings());
    append(&ledger, [0]).await.unwrap();
    ledger.close();
    hands.set(NOON - 5);
    let ledger = hands.open(&disk, settings());
    append(&ledger, [1]).await.unwrap();
    disk.crash_losing_all();
    ledger.close();
    hands.set(1);
    let ledger = hands.open(&disk.restarted(), settings());
    append(&ledger, [2]).await.unwrap();
    ledger.close();
    assert_eq!(accepted(&disk.restarted()), [NOON, NOON, NOON]);
}

#[tokio::test]
async fn the_memory_of_delivered_ids_is_made_of_the_window_alone() {
    let (disk, hands) = (SimulatedDisk::new(3), Hands::at(NOON));
    let ledger = hands.open(&disk, settings());
    let ages = |ledger: &Ledger| {
        let mut ages = Vec::new();
        let see = |_: &str, age, batch| ages.push((age, super::rig::ids(&batch)));
        ledger.recent(Duration::from_secs(60), see).unwrap();
        ages
    };
    append(&ledger, [0]).await.unwrap();
    hands.pass(Duration::from_secs(50));
    append(&ledger, [1]).await.unwrap();
    hands.pass(Duration::from_secs(11));
    assert_eq!(ages(&ledger), [(Duration::from_secs(11), vec![1])]);
    hands.set(NOON);
    let seconds = |n| Duration::from_secs(n);
    let all = [(seconds(0), vec![0]), (seconds(0), vec![1])];
    assert_eq!(ages(&ledger), all, "a clock that went back forgets nothing");
    ledger.close();
}
