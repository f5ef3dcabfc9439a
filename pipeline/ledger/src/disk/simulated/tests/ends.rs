use super::*;

#[test]
fn after_a_crash_everything_from_before_it_fails() {
    let disk = SimulatedDisk::new(0);
    let file = durable(&disk, "a", b"x");
    disk.crash(1);
    let dead = "the machine lost power";
    assert_eq!(why(file.append(b"y")), dead);
    assert_eq!(why(file.read_at(0, &mut [0])), dead);
    assert_eq!(why(file.len()), dead);
    assert_eq!(why(file.truncate(0)), dead);
    assert_eq!(why(file.sync()), dead);
    assert_eq!(why(disk.create_directory("d")), dead);
    assert_eq!(why(disk.list("")), dead);
    assert_eq!(why(disk.create("b")), dead);
    assert_eq!(why(disk.open("a")), dead);
    assert_eq!(why(disk.rename("a", "b")), dead);
    assert_eq!(why(disk.remove("a")), dead);
    assert_eq!(why(disk.sync_directory("")), dead);
    assert_eq!(file.len().unwrap_err().kind(), io::ErrorKind::Other);
    assert!(!disk.is_alive());

    let next = disk.restarted();
    assert!(next.is_alive());
    next.open("a").unwrap().append(b"z").unwrap();
    drop(file);
    assert_eq!(content(&disk, "a").unwrap(), b"xz");
    assert_eq!(why(disk.open("a")), dead, "the dead stay dead");
}

#[test]
fn a_killed_process_loses_nothing_it_wrote() {
    let disk = SimulatedDisk::new(0);
    let file = disk.create("a").unwrap();
    file.append(b"not synced").unwrap();
    disk.kill();
    assert_eq!(why(file.sync()), "the process was killed");
    let disk = disk.restarted();
    assert_eq!(content(&disk, "a").unwrap(), b"not synced");
    // The next process can still make it durable, and can still lose it.
    assert_eq!(disk.durable_files(), []);
    disk.open("a").unwrap().sync().unwrap();
    disk.sync_directory("").unwrap();
    disk.crash(1);
    assert_eq!(content(&disk, "a").unwrap(), b"not synced");
}

#[test]
fn a_process_killed_in_an_append_has_written_any_part_of_it() {
    let lengths = outcomes(200, |seed| {
        let disk = SimulatedDisk::new(seed);
        let file = disk.create("a").unwrap();
        disk.kill_at(1);
        assert_eq!(why(file.append(b"0123")), "the process was killed");
        content(&disk, "a").unwrap().len()
    });
    assert_eq!(lengths, (0..=4).collect());
}

#[test]
fn the_power_goes_at_the_change_it_was_told() {
    let disk = SimulatedDisk::new(0);
    let file = durable(&disk, "a", b"x");
    disk.crash_at(3);
    file.append(b"1").unwrap();
    file.len().unwrap();
    disk.open("a").unwrap().read_at(0, &mut [0]).unwrap();
    file.sync().unwrap();
    assert!(disk.is_alive());
    assert_eq!(why(disk.create("b")), "the machine lost power");
    assert_eq!(why(disk.create("b")), "the machine lost power");
    let disk = disk.restarted();
    assert!(content(&disk, "a").unwrap().starts_with(b"x1"));
    for name in ["1", "2", "3", "4"] {
        disk.create(name).unwrap();
    }
}

#[test]
fn a_crash_that_was_to_come_is_called_off() {
    let disk = SimulatedDisk::new(0);
    disk.crash_at(1);
    disk.heal();
    disk.create("a").unwrap();
}

#[test]
fn a_sync_in_which_the_power_goes_may_have_done_its_work() {
    let seen = outcomes(100, |seed| {
        let disk = SimulatedDisk::new(seed);
        let file = durable(&disk, "a", b"");
        file.append(b"x").unwrap();
        disk.crash_at(1);
        file.sync().unwrap_err();
        content(&disk, "a").unwrap()
    });
    assert!(seen.contains(&b""[..]) && seen.contains(&b"x"[..]));
}

#[test]
fn every_point_of_a_run_can_be_tried() {
    let run = |disk: &SimulatedDisk| -> io::Result<()> {
        disk.create_directory("d")?;
        disk.sync_directory("")?;
        replace(disk, "d", "a", b"one")?;
        replace(disk, "d", "a", b"two")
    };
    let whole = SimulatedDisk::new(0);
    run(&whole).unwrap();
    let changes = whole.counts().changes;
    for n in 1..=changes {
        let disk = SimulatedDisk::new(n);
        disk.crash_at(n);
        run(&disk).unwrap_err();
        run(&disk.restarted()).unwrap();
    }
    let disk = SimulatedDisk::new(0);
    disk.crash_at(changes + 1);
    run(&disk).unwrap();
}
