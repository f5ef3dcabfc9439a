use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[test]
fn what_was_not_synced_may_vanish_or_come_back_in_any_order() {
    let seen = outcomes(400, |seed| {
        let disk = SimulatedDisk::new(0);
        let file = durable(&disk, "a", b"");
        file.append(&[1; 512]).unwrap();
        file.append(&[2; 512]).unwrap();
        disk.crash(seed);
        let bytes = content(&disk, "a").unwrap();
        assert!(bytes.len() <= 1024);
        let sectors = bytes.chunks(512).zip(1..);
        sectors
            .map(|(sector, own)| {
                let whole = sector.iter().filter(|byte| **byte == own).count();
                let zeros = sector.iter().filter(|byte| **byte == 0).count();
                assert_eq!(whole + zeros, sector.len());
                match (whole, zeros) {
                    (512, _) => 'x',
                    (0, _) => '0',
                    _ => '/',
                }
            })
            .collect::<String>()
    });
    // Nothing, all, the second without the first, length without content, torn.
    for outcome in ["", "x", "xx", "0x", "x0", "00", "/x", "x/"] {
        assert!(seen.contains(outcome), "{outcome:?} is not in {seen:?}");
    }
}

#[test]
fn a_length_may_stay_behind_so_that_a_file_ends_anywhere() {
    let lengths = outcomes(200, |seed| {
        let disk = SimulatedDisk::new(0);
        durable(&disk, "a", b"abc").append(&[1; 100]).unwrap();
        disk.crash(seed);
        let bytes = content(&disk, "a").unwrap();
        assert!(bytes.starts_with(b"abc"));
        bytes.len()
    });
    assert!(lengths.contains(&3) && lengths.contains(&103) && lengths.len() > 20);
}

#[test]
fn a_cut_that_was_not_synced_may_not_have_happened() {
    let seen = outcomes(100, |seed| {
        let disk = SimulatedDisk::new(0);
        let file = durable(&disk, "a", b"hello world");
        file.truncate(5).unwrap();
        disk.crash(seed);
        content(&disk, "a").unwrap()
    });
    assert_eq!(seen, set([b"hello".to_vec(), b"hello world".to_vec()]));
}

#[test]
fn an_old_end_may_come_back_behind_what_took_its_place() {
    let seen = outcomes(200, |seed| {
        let disk = SimulatedDisk::new(0);
        let file = durable(&disk, "a", b"hello world");
        file.truncate(5).unwrap();
        file.append(b"!").unwrap();
        disk.crash(seed);
        content(&disk, "a").unwrap()
    });
    for outcome in ["hello", "hello!", "hello world", "hello!world"] {
        assert!(
            seen.contains(outcome.as_bytes()),
            "{outcome} is not in {seen:?}"
        );
    }
}

#[test]
fn a_name_survives_only_after_its_directory_was_synced() {
    for order in [NameOrder::Kept, NameOrder::Any] {
        let run = |seed, synced: bool| {
            let disk = SimulatedDisk::new(0);
            disk.set_name_order(order);
            let file = disk.create("a").unwrap();
            file.append(b"synced").unwrap();
            file.sync().unwrap();
            if synced {
                disk.sync_directory("").unwrap();
            }
            disk.crash(seed);
            content(&disk, "a")
        };
        let there = Some(b"synced".to_vec());
        assert_eq!(
            outcomes(50, |seed| run(seed, false)),
            set([None, there.clone()])
        );
        assert_eq!(outcomes(50, |seed| run(seed, true)), set([there]));
    }
}

#[test]
fn a_directory_is_lost_with_all_in_it_unless_the_one_above_was_synced() {
    let run = |seed, synced: &[&str]| {
        let disk = SimulatedDisk::new(0);
        disk.create_directory("d/e").unwrap();
        durable(&disk, "d/e/a", b"x");
        for directory in synced {
            disk.sync_directory(directory).unwrap();
        }
        disk.crash(seed);
        names(&disk)
    };
    let (none, there) = (vec![], vec!["d/e/a".to_owned()]);
    for synced in [&[][..], &["d"], &[""]] {
        let seen = outcomes(50, |seed| run(seed, synced));
        assert_eq!(seen, set([none.clone(), there.clone()]));
    }
    assert_eq!(outcomes(50, |seed| run(seed, &["", "d"])), set([there]));
}

#[test]
fn a_renamed_file_that_was_not_synced_may_be_empty_in_its_place() {
    let seen = outcomes(200, |seed| {
        let disk = SimulatedDisk::new(0);
        durable(&disk, "a", b"old");
        let file = disk.create("a.tmp").unwrap();
        file.append(b"new").unwrap();
        disk.rename("a.tmp", "a").unwrap();
        disk.crash(seed);
        content(&disk, "a").unwrap()
    });
    for outcome in ["old", "new", "", "n"] {
        assert!(
            seen.contains(outcome.as_bytes()),
            "{outcome:?} is not in {seen:?}"
        );
    }
}

#[test]
fn names_come_back_in_order_or_in_none() {
    let run = |order| {
        outcomes(200, move |seed| {
            let disk = SimulatedDisk::new(0);
            disk.set_name_order(order);
            for name in ["a", "b"] {
                disk.create(name).unwrap();
            }
            disk.crash(seed);
            names(&disk).concat()
        })
    };
    assert_eq!(
        run(NameOrder::Kept),
        set(["", "a", "ab"].map(str::to_owned))
    );
    assert_eq!(
        run(NameOrder::Any),
        set(["", "a", "ab", "b"].map(str::to_owned))
    );
}

#[test]
fn a_rename_between_directories_is_one_step_only_while_order_is_kept() {
    let run = |order, sync: Option<&'static str>| {
        outcomes(200, move |seed| {
            let disk = SimulatedDisk::new(0);
            disk.set_name_order(order);
            disk.create_directory("old").unwrap();
            disk.create_directory("new").unwrap();
            disk.sync_directory("").unwrap();
            durable(&disk, "old/a", b"");
            disk.create("new/before").unwrap();
            disk.rename("old/a", "new/a").unwrap();
            if let Some(directory) = sync {
                disk.sync_directory(directory).unwrap();
            }
            disk.crash(seed);
            let names = names(&disk);
            names
                .into_iter()
                .filter(|name| name != "new/before")
                .collect::<Vec<_>>()
        })
    };
    let [none, old, new] = [vec![], vec!["old/a".to_owned()], vec!["new/a".to_owned()]];
    let both = [new.clone(), old.clone()].concat();
    assert_eq!(run(NameOrder::Kept, None), set([old.clone(), new.clone()]));
    assert_eq!(run(NameOrder::Kept, Some("old")), set([new.clone()]));
    assert_eq!(
        run(NameOrder::Any, None),
        set([none.clone(), old, new.clone(), both.clone()])
    );
    assert_eq!(run(NameOrder::Any, Some("old")), set([none, new.clone()]));
    assert_eq!(run(NameOrder::Any, Some("new")), set([new, both]));
}

#[test]
fn a_replaced_file_is_the_old_one_or_the_new_one_wherever_the_power_went() {
    for order in [NameOrder::Kept, NameOrder::Any] {
        let mut seen = BTreeSet::new();
        for (at, seed) in (1..=6).flat_map(|at| (0..60).map(move |seed| (at, seed))) {
            let disk = SimulatedDisk::new(seed);
            disk.set_name_order(order);
            replace(&disk, "", "a", b"old").unwrap();
            disk.crash_at(at);
            let outcome = replace(&disk, "", "a", b"the new one");
            // Remove, create, append, sync, rename, sync: six points at which it can end.
            assert_eq!(why(outcome), "the machine lost power");
            let disk = disk.restarted();
            let bytes = read(&disk, "a", 100).unwrap();
            assert!(bytes == b"old" || bytes == b"the new one", "{bytes:?}");
            seen.insert(bytes);
            replace(&disk, "", "a", b"another").unwrap();
            assert_eq!(read(&disk, "a", 100).unwrap(), b"another");
        }
        assert_eq!(seen.len(), 2);
    }
}

#[test]
fn what_a_crash_left_is_durable() {
    for seed in 0..50 {
        let disk = SimulatedDisk::new(0);
        durable(&disk, "a", b"").append(&[1; 2000]).unwrap();
        disk.create("b").unwrap().append(&[2; 2000]).unwrap();
        disk.crash(seed);
        let left = disk.files();
        assert_eq!(left, disk.durable_files());
        disk.crash(seed + 1);
        assert_eq!(left, disk.files());
    }
}

#[test]
fn the_least_a_crash_leaves_is_what_was_synced() {
    let disk = SimulatedDisk::new(0);
    let file = durable(&disk, "a", b"synced");
    file.append(b" and not").unwrap();
    disk.create("b").unwrap();
    disk.remove("a").unwrap();
    assert_eq!(disk.durable_files(), [("a".to_owned(), b"synced".to_vec())]);
    disk.crash_losing_all();
    assert_eq!(disk.files(), [("a".to_owned(), b"synced".to_vec())]);
}

#[test]
fn the_same_seed_gives_the_same_disk() {
    let run = |own, seed| {
        let disk = SimulatedDisk::new(own);
        for name in ["a", "b", "c", "d"] {
            disk.create(name).unwrap().append(&[7; 3000]).unwrap();
        }
        let listing = disk.list("").unwrap();
        disk.crash(seed);
        (listing, disk.files())
    };
    assert_eq!(run(1, 2), run(1, 2));
    assert!((0..10).any(|own| run(own, 2).0 != run(1, 2).0));
    assert!((0..10).any(|seed| run(1, seed).1 != run(1, 2).1));
}

proptest! {
    #[test]
    fn what_was_synced_stays_and_what_was_not_is_itself_or_zero(
        appends in vec((1_usize..1500, any::<bool>()), 1..12),
        seed: u64,
    ) {
        let disk = SimulatedDisk::new(seed);
        let file = durable(&disk, "a", b"");
        let (mut written, mut synced) = (Vec::new(), 0);
        for (len, sync) in appends {
            let bytes: Vec<u8> = (0..len).map(|i| 1 + ((written.len() + i) % 251) as u8).collect();
            file.append(&bytes).unwrap();
            written.extend(bytes);
            if sync {
                file.sync().unwrap();
                synced = written.len();
            }
        }
        prop_assert_eq!(&read(&disk, "a", 1 << 20).unwrap(), &written);
        disk.crash(seed);
        let left = read(&disk.restarted(), "a", 1 << 20).unwrap();
        prop_assert!(left.len() >= synced && left.len() <= written.len());
        prop_assert_eq!(&left[..synced], &written[..synced]);
        for (left, written) in left.iter().zip(&written) {
            prop_assert!(*left == 0 || left == written);
        }
    }
}
