//! What every disk does. The real one and the simulated one pass the same checks.

use std::io::ErrorKind;

use super::{Disk, Entry, File, RealDisk, SimulatedDisk, read, replace};

fn check(what: fn(&dyn Disk)) {
    let directory = tempfile::tempdir().unwrap();
    what(&RealDisk::new(directory.path()));
    what(&SimulatedDisk::new(1));
}

fn all(file: &dyn File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap() + 1];
    let read = file.read_at(0, &mut bytes).unwrap();
    bytes.truncate(read);
    bytes
}

fn content(disk: &dyn Disk, path: &str) -> Vec<u8> {
    read(disk, path, 1 << 20).unwrap()
}

fn file(disk: &dyn Disk, path: &str, bytes: &[u8]) {
    disk.create(path).unwrap().append(bytes).unwrap();
}

fn names(disk: &dyn Disk, directory: &str) -> Vec<(String, u64)> {
    let entries = disk.list(directory).unwrap().into_iter();
    let mut names: Vec<_> = entries.map(|Entry { name, len }| (name, len)).collect();
    names.sort();
    names
}

fn kind<T>(result: std::io::Result<T>) -> ErrorKind {
    result.map(|_| ()).unwrap_err().kind()
}

#[test]
fn what_was_appended_is_read_from_any_offset() {
    check(|disk| {
        let file = disk.create("a").unwrap();
        file.append(b"hello ").unwrap();
        file.append(b"").unwrap();
        file.append(b"world").unwrap();
        assert_eq!(file.len().unwrap(), 11);
        let mut buffer = [0; 4];
        assert_eq!(file.read_at(4, &mut buffer).unwrap(), 4);
        assert_eq!(&buffer, b"o wo");
        assert_eq!(file.read_at(9, &mut buffer).unwrap(), 2);
        assert_eq!(file.read_at(11, &mut buffer).unwrap(), 0);
        assert_eq!(file.read_at(1 << 40, &mut buffer).unwrap(), 0);
        file.sync().unwrap();
        assert_eq!(content(disk, "a"), b"hello world");
    });
}

#[test]
fn two_handles_append_at_the_common_end() {
    check(|disk| {
        let first = disk.create("a").unwrap();
        let second = disk.open("a").unwrap();
        first.append(b"1").unwrap();
        second.append(b"2").unwrap();
        first.append(b"3").unwrap();
        assert_eq!(all(&*second), b"123");
    });
}

#[test]
fn a_cut_file_goes_on_where_it_was_cut() {
    check(|disk| {
        let file = disk.create("a").unwrap();
        file.append(b"hello world").unwrap();
        file.truncate(5).unwrap();
        file.append(b"!").unwrap();
        assert_eq!(all(&*file), b"hello!");
        file.truncate(8).unwrap();
        assert_eq!(all(&*file), b"hello!\0\0");
    });
}

#[test]
fn a_listing_has_the_files_of_one_directory_and_their_lengths() {
    check(|disk| {
        disk.create_directory("segments/old").unwrap();
        disk.create_directory("segments").unwrap();
        file(disk, "segments/1", b"one");
        file(disk, "segments/2", b"");
        file(disk, "segments/old/0", b"zero");
        file(disk, "cursor", b"c");
        assert_eq!(names(disk, "segments"), [("1".into(), 3), ("2".into(), 0)]);
        assert_eq!(names(disk, "segments/old"), [("0".into(), 4)]);
        assert_eq!(names(disk, ""), [("cursor".into(), 1)]);
        for directory in ["segments", "segments/old", "", "."] {
            disk.sync_directory(directory).unwrap();
        }
    });
}

#[test]
fn a_name_that_is_taken_is_not_created_again() {
    check(|disk| {
        file(disk, "a", b"old");
        disk.create_directory("d").unwrap();
        assert_eq!(kind(disk.create("a")), ErrorKind::AlreadyExists);
        assert_eq!(kind(disk.create("d")), ErrorKind::AlreadyExists);
        assert_eq!(kind(disk.create_directory("a")), ErrorKind::AlreadyExists);
        assert_eq!(content(disk, "a"), b"old");
    });
}

#[test]
fn what_is_not_there_is_not_found() {
    check(|disk| {
        file(disk, "file", b"");
        assert_eq!(kind(disk.open("a")), ErrorKind::NotFound);
        assert_eq!(kind(disk.open("d/a")), ErrorKind::NotFound);
        assert_eq!(kind(disk.create("d/a")), ErrorKind::NotFound);
        assert_eq!(kind(disk.remove("a")), ErrorKind::NotFound);
        assert_eq!(kind(disk.rename("a", "b")), ErrorKind::NotFound);
        assert_eq!(kind(disk.rename("file", "d/b")), ErrorKind::NotFound);
        assert_eq!(kind(disk.list("d")), ErrorKind::NotFound);
        assert_eq!(kind(disk.sync_directory("d")), ErrorKind::NotFound);
        assert_eq!(kind(disk.open("file/a")), ErrorKind::NotADirectory);
        assert_eq!(
            kind(disk.create_directory("file/a")),
            ErrorKind::NotADirectory
        );
    });
}

#[test]
fn a_directory_is_no_file() {
    check(|disk| {
        disk.create_directory("d").unwrap();
        file(disk, "a", b"");
        assert_eq!(kind(disk.open("d")), ErrorKind::IsADirectory);
        assert_eq!(kind(disk.rename("a", "d")), ErrorKind::IsADirectory);
        assert_eq!(names(disk, ""), [("a".into(), 0)]);
    });
}

#[test]
fn a_rename_replaces_and_an_open_file_outlives_its_name() {
    check(|disk| {
        disk.create_directory("d").unwrap();
        file(disk, "old", b"old");
        let old = disk.open("old").unwrap();
        file(disk, "new", b"new");
        let new = disk.open("new").unwrap();
        disk.rename("new", "old").unwrap();
        disk.rename("old", "old").unwrap();
        assert_eq!(names(disk, ""), [("old".into(), 3)]);
        assert_eq!(content(disk, "old"), b"new");
        old.append(b"er").unwrap();
        assert_eq!(all(&*old), b"older");
        disk.rename("old", "d/moved").unwrap();
        new.append(b"er").unwrap();
        new.sync().unwrap();
        assert_eq!(content(disk, "d/moved"), b"newer");
        assert_eq!(names(disk, ""), []);
    });
}

#[test]
fn a_removed_file_is_gone_but_for_those_who_have_it_open() {
    check(|disk| {
        file(disk, "a", b"first");
        let first = disk.open("a").unwrap();
        disk.remove("a").unwrap();
        assert_eq!(kind(disk.open("a")), ErrorKind::NotFound);
        disk.sync_directory("").unwrap();
        file(disk, "a", b"second");
        first.append(b"!").unwrap();
        assert_eq!(all(&*first), b"first!");
        assert_eq!(content(disk, "a"), b"second");
    });
}

#[test]
fn a_file_is_replaced_as_a_whole_also_in_the_uppermost_directory() {
    check(|disk| {
        disk.create_directory("cursors").unwrap();
        for directory in ["cursors", ""] {
            replace(disk, directory, "a", b"one").unwrap();
            // Left over from a replacement that was cut short.
            file(disk, &format!("./{directory}/a.tmp"), b"half");
            replace(disk, directory, "a", b"two").unwrap();
            assert_eq!(content(disk, &format!("./{directory}/a")), b"two");
            assert_eq!(names(disk, directory), [("a".into(), 3)]);
        }
        assert_eq!(
            kind(replace(disk, "nowhere", "a", b"")),
            ErrorKind::NotFound
        );
    });
}

#[test]
fn a_file_longer_than_its_limit_is_not_read() {
    check(|disk| {
        file(disk, "a", b"four");
        assert_eq!(read(disk, "a", 4).unwrap(), b"four");
        assert_eq!(kind(read(disk, "a", 3)), ErrorKind::InvalidData);
        assert_eq!(kind(read(disk, "b", 3)), ErrorKind::NotFound);
    });
}
