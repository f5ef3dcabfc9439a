use std::io::ErrorKind;

use super::*;

#[test]
fn bits_turn_over_and_ends_are_cut_for_good() {
    let disk = SimulatedDisk::new(0);
    let file = durable(&disk, "d", b"hello");
    disk.flip("d", 0, 0).unwrap();
    let mut byte = [0];
    file.read_at(0, &mut byte).unwrap();
    assert_eq!(&byte, b"i");
    disk.cut("d", 2).unwrap();
    disk.crash_losing_all();
    assert_eq!(content(&disk, "d").unwrap(), b"ie");
    assert_eq!(
        disk.flip("d", 2, 0).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    assert_eq!(
        disk.cut("d", 3).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    assert_eq!(disk.cut("e", 3).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn files_are_exchanged_taken_away_and_put_there() {
    let disk = SimulatedDisk::new(0);
    durable(&disk, "a", b"1");
    durable(&disk, "b", b"22");
    disk.swap("a", "b").unwrap();
    disk.put("x/y/c", b"333").unwrap();
    disk.put("x/y/c", b"444").unwrap();
    disk.delete("b").unwrap();
    assert_eq!(disk.delete("b").unwrap_err().kind(), ErrorKind::NotFound);
    disk.crash_losing_all();
    let left = [
        ("a".to_owned(), b"22".to_vec()),
        ("x/y/c".to_owned(), b"444".to_vec()),
    ];
    assert_eq!(disk.files(), left);
    assert_eq!(disk.swap("a", "b").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn an_image_is_a_disk_of_its_own() {
    let disk = SimulatedDisk::new(0);
    disk.create_directory("d").unwrap();
    disk.create("d/a").unwrap().append(b"old").unwrap();
    let image = disk.snapshot();
    disk.remove("d/a").unwrap();
    disk.crash(0);
    image.open("d/a").unwrap().append(b"er").unwrap();
    image.crash_losing_all();
    assert_eq!(image.files(), [("d/a".to_owned(), b"old".to_vec())]);
    assert_eq!(content(&disk, "d/a"), None);
}

#[test]
fn no_path_leads_out() {
    let disk = SimulatedDisk::new(0);
    for path in ["/a", "../a", "d/../../a"] {
        assert_eq!(
            disk.create(path).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    }
}
