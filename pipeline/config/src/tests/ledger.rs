//! `service.ledger`.

use std::path::PathBuf;
use std::time::Duration;

use super::fake::{errors, plan, with_exporter};
use crate::{FsyncRule, IntegrityRule, Ledger, LedgerBlock, OnFullRule};

fn with_ledger(ledger: &str) -> String {
    with_exporter("    endpoint: http://h\n    token: t")
        .replace("ledger: none", &format!("ledger: {ledger}"))
}

fn read(ledger: &str) -> LedgerBlock {
    match plan(&with_ledger(ledger), &[]).ledger {
        Ledger::Disk(block) => *block,
        Ledger::None => panic!("{ledger} is a ledger"),
    }
}

#[test]
fn the_ledger_is_on_unless_it_is_none() {
    assert_eq!(plan(&with_ledger("none"), &[]).ledger, Ledger::None);
    let without =
        with_exporter("    endpoint: http://h\n    token: t").replace("  ledger: none\n", "");
    assert_eq!(plan(&without, &[]).ledger, Ledger::default());
    for empty in ["", "{}", "null"] {
        assert_eq!(read(empty), LedgerBlock::default(), "{empty:?}");
    }
}

#[test]
fn a_ledger_may_come_out_of_a_reference() {
    let directory =
        |text: &str, values: &[(&'static str, &'static str)]| match plan(text, values).ledger {
            Ledger::Disk(block) => block.directory,
            Ledger::None => panic!("it is a ledger"),
        };
    let data = Some(PathBuf::from("/data"));
    let own = [("L", "{directory: /data}")];
    assert_eq!(directory(&with_ledger("${env:L}"), &own), data);
    let text = with_ledger("{directory: /data}");
    let (before, service) = text.split_once("service:\n").unwrap();
    let text = format!("{before}service: ${{file:S}}\n");
    let whole: [(&'static str, &'static str); 1] = [("S", service.to_owned().leak())];
    assert_eq!(directory(&text, &whole), data);
    let none = [("L", "none")];
    assert_eq!(plan(&with_ledger("${env:L}"), &none).ledger, Ledger::None);
}

#[test]
fn every_key_of_the_ledger_is_read() {
    let block = read(
        "{directory: /var/lib/sluice, fsync: {every: 50ms}, max_bytes: 100GiB, segment_bytes: 1MiB, \
         retention: {time: 30d, bytes: 50GiB}, on_full: detach_exporter, integrity: off, origin: audit.example.com/n1, \
         key: /etc/sluice/key, checkpoint_every: 10s, checkpoint_events: true, orphan_grace: 1h}",
    );
    assert_eq!(block.directory, Some(PathBuf::from("/var/lib/sluice")));
    assert_eq!(
        block.fsync,
        Some(FsyncRule::Every(Duration::from_millis(50)))
    );
    assert_eq!(block.max_bytes.map(|b| b.0), Some(100 << 30));
    assert_eq!(
        block.retention.time.map(|t| t.0),
        Some(Duration::from_secs(30 * 86_400))
    );
    assert_eq!(block.on_full, Some(OnFullRule::DetachExporter));
    assert_eq!(block.checkpoint_events, Some(true));
    assert_eq!(block.integrity, Some(IntegrityRule::Off));
    assert_eq!(read("{fsync: always}").fsync, Some(FsyncRule::Always));
}

#[test]
fn a_ledger_that_cannot_work_is_refused_at_its_key() {
    for (ledger, why) in [
        ("on", "a mapping or `none`"),
        ("{fsync: sometimes}", "write `always` or `{every: 50ms}`"),
        ("{fsync: {every: 1h}}", "at most 10s"),
        ("{max_bytes: 1MiB}", "room for two segments"),
        (
            "{max_bytes: 1GiB, retention: {bytes: 1GiB}}",
            "must be less than `max_bytes`",
        ),
        ("{segment_bytes: 1KiB}", "at least 64KiB"),
        ("{origin: \"a b\"}", "without spaces"),
        ("{retention: 7d}", "retention"),
        ("{on_full: drop}", "on_full"),
    ] {
        let found = errors(&with_ledger(ledger), &[]);
        assert!(found.contains(why), "{ledger}: {found}");
    }
}

#[test]
fn a_collectors_file_storage_says_where_the_ledger_lies() {
    let text = with_ledger("{}")
        + "extensions:\n  file_storage: {directory: /var/lib/otelcol/storage, fsync: true}\n";
    let text = text.replace("service:\n", "service:\n  extensions: [file_storage]\n");
    let Ledger::Disk(block) = plan(&text, &[]).ledger else {
        panic!("it is a ledger")
    };
    assert_eq!(
        block.directory,
        Some(PathBuf::from("/var/lib/otelcol/storage/sluice-ledger"))
    );
}
