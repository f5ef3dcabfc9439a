use std::io::ErrorKind;

use super::*;
use crate::disk::{Counts, Fault, FaultKind, Operation, When};

fn once(operation: Operation, kind: FaultKind) -> Fault {
    Fault::new(operation, When::Nth(1), kind)
}

#[test]
fn a_failed_sync_is_never_made_good_by_a_second_one() {
    // Whether the cache goes on to show what was lost, whether all of it came through, and what follows a second sync.
    let seen = outcomes(300, |seed| {
        let disk = SimulatedDisk::new(seed);
        let file = durable(&disk, "a", b"old");
        file.append(b"new").unwrap();
        disk.fail(once(Operation::Sync, FaultKind::Forgotten));
        assert_eq!(file.sync().unwrap_err().raw_os_error(), Some(5));
        let shown = content(&disk, "a").unwrap() == b"oldnew";
        file.sync().unwrap();
        let durable = disk.durable_files();
        disk.crash(seed);
        assert_eq!(durable, disk.files());
        let bytes = content(&disk, "a").unwrap();
        assert!(bytes.starts_with(b"old"));
        (shown, bytes == b"oldnew")
    });
    assert_eq!(seen, set([(false, false), (true, false), (true, true)]));
}

#[test]
fn what_follows_a_failed_sync_stands_behind_a_hole() {
    let seen = outcomes(200, |seed| {
        let disk = SimulatedDisk::new(seed);
        let file = durable(&disk, "a", b"old");
        file.append(b"new").unwrap();
        disk.fail(once(Operation::Sync, FaultKind::Forgotten));
        file.sync().unwrap_err();
        file.append(b"!").unwrap();
        file.sync().unwrap();
        disk.crash(seed);
        content(&disk, "a").unwrap()
    });
    for outcome in ["old\0\0\0!", "old!", "oldnew!"] {
        assert!(
            seen.contains(outcome.as_bytes()),
            "{outcome:?} is not in {seen:?}"
        );
    }
}

#[test]
fn a_failed_sync_of_a_directory_forgets_names_too() {
    for order in [NameOrder::Kept, NameOrder::Any] {
        let seen = outcomes(100, |seed| {
            let disk = SimulatedDisk::new(seed);
            disk.set_name_order(order);
            disk.create("a").unwrap();
            disk.fail(once(Operation::SyncDirectory, FaultKind::Forgotten));
            disk.sync_directory("").unwrap_err();
            disk.sync_directory("").unwrap();
            assert_eq!(names(&disk), ["a"]);
            disk.crash(seed);
            names(&disk).len()
        });
        assert_eq!(seen, set([0, 1]));
    }
}

#[test]
fn a_sync_that_failed_plainly_can_be_repeated() {
    let disk = SimulatedDisk::new(0);
    let file = durable(&disk, "a", b"old");
    file.append(b"new").unwrap();
    disk.fail(once(Operation::Sync, FaultKind::Io));
    file.sync().unwrap_err();
    assert_eq!(disk.durable_files()[0].1, b"old");
    file.sync().unwrap();
    assert_eq!(disk.durable_files()[0].1, b"oldnew");
}

#[test]
fn a_failed_append_leaves_any_part() {
    for (kind, error) in [(FaultKind::Io, 5), (FaultKind::NoSpace, 28)] {
        let lengths = outcomes(200, |seed| {
            let disk = SimulatedDisk::new(seed);
            disk.fail(once(Operation::Append, kind));
            let file = disk.create("a").unwrap();
            assert_eq!(
                file.append(b"0123456789").unwrap_err().raw_os_error(),
                Some(error)
            );
            let bytes = content(&disk, "a").unwrap();
            assert!(b"0123456789".starts_with(&bytes));
            bytes.len()
        });
        assert_eq!(lengths, (0..=10).collect());
    }
}

#[test]
fn after_a_failed_change_of_names_either_holds() {
    let renamed = outcomes(50, |seed| {
        let disk = SimulatedDisk::new(seed);
        disk.create("a").unwrap();
        disk.fail(once(Operation::Rename, FaultKind::Io));
        disk.rename("a", "b").unwrap_err();
        names(&disk).concat()
    });
    assert_eq!(renamed, set(["a".to_owned(), "b".to_owned()]));
    let created = outcomes(50, |seed| {
        let disk = SimulatedDisk::new(seed);
        disk.fail(once(Operation::Create, FaultKind::Io));
        disk.create("a").unwrap_err();
        names(&disk).len()
    });
    assert_eq!(created, set([0, 1]));
    let removed = outcomes(50, |seed| {
        let disk = SimulatedDisk::new(seed);
        disk.create("a").unwrap();
        disk.fail(once(Operation::Remove, FaultKind::Io));
        disk.remove("a").unwrap_err();
        names(&disk).len()
    });
    assert_eq!(removed, set([0, 1]));
}

#[test]
fn a_fault_strikes_when_where_and_until_it_was_told() {
    let disk = SimulatedDisk::new(0);
    let (a, b) = (durable(&disk, "a", b"x"), durable(&disk, "b", b"x"));
    let mut byte = [0];
    disk.fail(Fault::new(Operation::Read, When::Nth(2), FaultKind::Io).below("a"));
    let mut reads = |file: &dyn File| file.read_at(0, &mut byte).is_ok();
    assert_eq!([reads(&*a), reads(&*b), reads(&*b)], [true; 3]);
    assert_eq!([reads(&*a), reads(&*a)], [false, true]);

    disk.fail(Fault::new(Operation::Open, When::From(2), FaultKind::Io));
    let open = || disk.open("a").is_ok();
    assert_eq!([open(), open(), open()], [true, false, false]);
    disk.fail(Fault::new(
        Operation::List,
        When::Chance(0.5),
        FaultKind::Io,
    ));
    let listed = (0..200).filter(|_| disk.list("").is_ok()).count();
    assert!((60..140).contains(&listed), "{listed}");
    disk.heal();
    assert!(open() && disk.list("").is_ok());
}

#[test]
fn a_full_disk_takes_what_fits_until_there_is_room_again() {
    let disk = SimulatedDisk::new(0);
    let file = durable(&disk, "a", b"12345");
    let other = durable(&disk, "b", b"678");
    disk.set_capacity(Some(10));
    assert_eq!(
        file.append(b"9abc").unwrap_err().kind(),
        ErrorKind::StorageFull
    );
    assert_eq!(content(&disk, "a").unwrap(), b"123459a");
    assert_eq!(
        file.append(b"d").unwrap_err().kind(),
        ErrorKind::StorageFull
    );
    assert_eq!(
        file.truncate(100).unwrap_err().kind(),
        ErrorKind::StorageFull
    );
    assert_eq!(disk.used(), 10);
    disk.remove("b").unwrap();
    assert_eq!(disk.used(), 10, "it is still open");
    drop(other);
    assert_eq!(disk.used(), 7);
    file.append(b"def").unwrap();
    disk.set_capacity(None);
    file.append(b"g").unwrap();
    assert_eq!(content(&disk, "a").unwrap(), b"123459adefg");
}

#[test]
fn what_was_asked_is_counted_and_can_be_watched() {
    let disk = SimulatedDisk::new(0);
    let seen = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
    disk.watch({
        let (seen, disk) = (seen.clone(), disk.clone());
        move |operation, path| {
            seen.lock()
                .push((operation, path.to_owned(), disk.files().len()))
        }
    });
    let file = durable(&disk, "a", b"12345");
    file.read_at(0, &mut [0]).unwrap();
    let counts = Counts {
        changes: 4,
        appends: 1,
        appended_bytes: 5,
        reads: 1,
        syncs: 1,
        directory_syncs: 1,
    };
    assert_eq!(disk.counts(), counts);
    let expected = [
        (Operation::Create, "a", 0),
        (Operation::Append, "a", 1),
        (Operation::Sync, "a", 1),
        (Operation::SyncDirectory, "", 1),
        (Operation::Read, "a", 1),
    ];
    let expected = expected.map(|(operation, path, files)| (operation, path.to_owned(), files));
    assert_eq!(*seen.lock(), expected);
}
