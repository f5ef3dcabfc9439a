//! A name is as durable as the directory it stands in, and that as its own name.

use super::rig::{AT_ONCE, append, bytes_of, id, ids, open, paths, plain, soon};
use crate::disk::{Disk as _, NameOrder, SimulatedDisk};
use crate::{Ledger, OpenError, Reader, StartAt};

fn from_now(ledger: &Ledger, exporter: &str) -> std::io::Result<Reader> {
    ledger.reader(id(exporter), StartAt::Now)
}

#[tokio::test]
async fn an_exporter_that_began_with_the_next_record_keeps_its_place_over_a_power_cut() {
    let disk = SimulatedDisk::new(1);
    let ledger = open(&disk, plain());
    drop(from_now(&ledger, "splunk").unwrap());
    append(&ledger, [0]).await.unwrap();
    disk.crash_losing_all();
    ledger.close();
    let ledger = open(&disk.restarted(), plain());
    let mut splunk = from_now(&ledger, "splunk").unwrap();
    assert_eq!(ids(&soon(splunk.next(&AT_ONCE)).await.batch), [0]);
    ledger.close();
}

#[tokio::test]
async fn a_dead_letter_outlives_a_power_cut_without_a_tree_too() {
    let disk = SimulatedDisk::new(2);
    let ledger = open(&disk, plain());
    let mut splunk = from_now(&ledger, "splunk").unwrap();
    append(&ledger, [0]).await.unwrap();
    let lease = soon(splunk.next(&AT_ONCE)).await;
    lease.refused(0..1, "400", 1).await.unwrap();
    disk.crash_losing_all();
    ledger.close();
    let ledger = open(&disk.restarted(), plain());
    assert_eq!(ledger.dead_letters().sequences("splunk"), [0]);
    ledger.close();
}

/// A process is killed at every change of its start; the next one goes on with what it sees of it, takes a record, and
/// then the power goes.
#[tokio::test]
async fn names_that_a_killed_process_left_are_made_durable_by_the_next() {
    for order in [NameOrder::Kept, NameOrder::Any] {
        for n in 1.. {
            let disk = SimulatedDisk::new(n);
            disk.set_name_order(order);
            disk.kill_at(n);
            let first = super::rig::try_open(&disk, plain())
                .map_err(killed)
                .inspect(|ledger| drop(from_now(ledger, "splunk")));
            let was_killed = !disk.is_alive();
            if let Ok(ledger) = &first {
                ledger.close();
            }
            let disk = disk.restarted();
            disk.heal();
            let ledger = open(&disk, plain());
            drop(from_now(&ledger, "splunk").unwrap());
            append(&ledger, [0]).await.unwrap();
            disk.crash_losing_all();
            ledger.close();
            let ledger = open(&disk.restarted(), plain());
            let mut splunk = from_now(&ledger, "splunk").unwrap();
            let lease = soon(splunk.next(&AT_ONCE)).await;
            assert_eq!(ids(&lease.batch), [0], "killed at change {n}");
            ledger.close();
            if !was_killed {
                break;
            }
        }
    }
}

fn killed(error: OpenError) -> String {
    error.to_string()
}

/// The letters' file was rewritten by a process that was killed before the new one's name was durable.
#[tokio::test]
async fn a_letter_is_in_the_file_that_a_power_cut_leaves() {
    let disk = SimulatedDisk::new(4);
    let ledger = open(&disk, plain());
    let mut splunk = from_now(&ledger, "splunk").unwrap();
    append(&ledger, [0]).await.unwrap();
    let lease = soon(splunk.next(&AT_ONCE)).await;
    lease.refused(0..1, "400", 1).await.unwrap();
    append(&ledger, [1]).await.unwrap();
    ledger.close();
    let path = paths(&disk, "dead_letters/").remove(0);
    let bytes = bytes_of(&disk, &path);
    let copy = disk.create("dead_letters/new").unwrap();
    copy.append(&bytes).unwrap();
    copy.sync().unwrap();
    disk.rename("dead_letters/new", &path).unwrap();
    disk.kill();

    let disk = disk.restarted();
    let ledger = open(&disk, plain());
    let mut splunk = from_now(&ledger, "splunk").unwrap();
    let lease = soon(splunk.next(&AT_ONCE)).await;
    lease.refused(0..1, "400", 1).await.unwrap();
    disk.crash_losing_all();
    ledger.close();
    let ledger = open(&disk.restarted(), plain());
    assert_eq!(ledger.dead_letters().sequences("splunk"), [0, 1]);
    ledger.close();
}
