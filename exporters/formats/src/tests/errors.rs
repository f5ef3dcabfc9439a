use std::io::{self, ErrorKind, Write};

use super::{audit_batch, infos};
use crate::{Error, Format, Writer};

/// A disk with some room left.
struct Disk {
    left: usize,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        let taken = bytes.len().min(self.left);
        self.left -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_as_it_is_whatever_the_format() {
    for format in Format::ALL {
        for left in [0, 100, 10_000] {
            let error = fill(format, left).unwrap_err();
            assert!(
                matches!(&error, Error::Io(io) if io.kind() == ErrorKind::StorageFull),
                "{format}, {left} bytes: {error:?}"
            );
        }
    }
}

/// Far more than there is room for.
fn fill(format: Format, left: usize) -> Result<(), Error> {
    let mut writer = Writer::new(format, Disk { left })?;
    let mut batch = audit_batch();
    for round in 1..12_u64 {
        if batch.len() < 512 {
            batch.append(&batch.clone());
        }
        // Ids that do not compress away.
        for i in 0..batch.len() {
            let seed = (u128::from(round) << 64) | (i as u128 + 1);
            let id = format!(
                "{:x}",
                seed.wrapping_pow(7)
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            );
            batch
                .record_mut(i)
                .set("log.record.uid", id.as_str().into());
        }
        writer.write(&batch, &infos(&batch, 1))?;
    }
    writer.finish().map(drop)
}

#[test]
fn nothing_follows_what_was_torn() {
    let batch = audit_batch();
    let mut writer = Writer::new(Format::Otlp, Disk { left: 10 }).unwrap();
    let first = (0..10_000).find_map(|_| writer.write(&batch, &infos(&batch, 1)).err());
    assert!(matches!(first, Some(Error::Io(_))), "{first:?}");
    assert!(matches!(
        writer.write(&batch, &infos(&batch, 1)),
        Err(Error::Torn)
    ));
    assert!(matches!(writer.finish(), Err(Error::Torn)));
}

#[test]
fn a_batch_without_its_information_is_refused_and_the_file_goes_on() {
    for format in Format::ALL {
        let batch = audit_batch();
        let mut writer = Writer::new(format, Vec::new()).unwrap();
        let error = writer.write(&batch, &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "0 rows of information for a batch of 1 records"
        );
        writer.write(&batch, &infos(&batch, 1)).unwrap();
        assert_eq!(
            writer.finish().unwrap(),
            super::file(format, &[batch]),
            "{format}"
        );
    }
}
