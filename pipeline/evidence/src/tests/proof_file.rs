use proptest::prelude::*;

use super::{ORIGIN, ct_leaves, log_key};
use crate::{
    Checkpoint, CheckpointError, Hash, HashError, Hashes as _, NoteError, ProofError, ProofFile,
    ProofFileError, SigningKey,
};

/// The inclusion of leaf 5 and the checkpoint, both of the contract, put together by hand.
const FILE: &str = "c2sp.org/tlog-proof@v1
extra c2FsdA==
index 5
vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms=
yoVOoSjtBQtBs1/8G4e46yveRh6eO1WW7Oa51ZdaCuA=
037kGJdt2VdTwcc4Yrk5j6Kiz5tP8P3+izDNlSCWFLc=

example.com/audit/node1
8
XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=

— example.com/audit/node1 M0UjU4MJoCv9pdXCc3DyUz8U5O1po67NS+gdI/8iCmx1OGrwd1R/1lLGnVpwg+lqFAOcNhMDBzwKEVtjoaVlvuD1SgY=
";

fn proof(index: u64) -> ProofFile {
    let leaves = ct_leaves();
    let checkpoint = Checkpoint::new(ORIGIN, 8, leaves.root(8).unwrap()).unwrap();
    ProofFile {
        extra: b"salt".to_vec(),
        index,
        path: leaves.inclusion(index, 8).unwrap(),
        checkpoint: checkpoint.sign(&[&log_key()]).unwrap(),
    }
}

#[test]
fn a_proof_file_is_lines_and_reads_back() {
    assert_eq!(proof(5).to_string(), FILE);
    assert_eq!(ProofFile::parse(FILE.as_bytes()), Ok(proof(5)));

    let bare = ProofFile {
        extra: Vec::new(),
        ..proof(5)
    };
    assert_eq!(bare.to_string(), FILE.replace("extra c2FsdA==\n", ""));
    assert_eq!(ProofFile::parse(bare.to_string().as_bytes()), Ok(bare));
}

#[test]
fn a_log_of_one_leaf_needs_no_path() {
    let leaf = ct_leaves()[0];
    let checkpoint = Checkpoint::new(ORIGIN, 1, leaf).unwrap();
    let note = checkpoint.sign(&[&log_key()]).unwrap();
    let file = ProofFile {
        extra: Vec::new(),
        index: 0,
        path: Vec::new(),
        checkpoint: note,
    };
    let text = file.to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 0\n\nexample.com"));
    let read = ProofFile::parse(text.as_bytes()).unwrap();
    assert_eq!(
        read.verify(leaf, &[log_key().verifying_key()]),
        Ok(checkpoint)
    );
}

#[test]
fn a_proof_verifies_for_its_leaf_and_the_log_s_key_only() {
    let leaves = ct_leaves();
    let keys = [log_key().verifying_key()];
    for (index, leaf) in (0..).zip(&leaves) {
        let file = ProofFile::parse(proof(index).to_string().as_bytes()).unwrap();
        let checkpoint = file.verify(*leaf, &keys).unwrap();
        assert_eq!((checkpoint.size(), checkpoint.origin()), (8, ORIGIN));
        for other in leaves.iter().filter(|other| *other != leaf) {
            let verified = file.verify(*other, &keys);
            assert_eq!(verified, Err(ProofFileError::Proof(ProofError::Root)));
        }
    }
    let stranger = SigningKey::generate(ORIGIN).unwrap().verifying_key();
    let error = CheckpointError::Note(NoteError::NoKnownSignature).into();
    assert_eq!(proof(5).verify(leaves[5], &[stranger]), Err(error));
    let outside = ProofFile {
        index: 8,
        ..proof(5)
    };
    let error = ProofError::OutOfRange { wanted: 8, size: 8 }.into();
    assert_eq!(outside.verify(leaves[5], &keys), Err(error));
}

#[test]
fn malformed_proof_files_are_refused() {
    let good = proof(5).to_string();
    let hash = proof(5).path[0].to_base64();
    let line = format!("{hash}\n");
    for (bad, error) in [
        (String::new(), ProofFileError::FirstLine),
        (good.replace("@v1", "@v2"), ProofFileError::FirstLine),
        (good.replace("@v1\n", "@v1 \n"), ProofFileError::FirstLine),
        (good.replace('\n', "\r\n"), ProofFileError::FirstLine),
        (format!("\n{good}"), ProofFileError::FirstLine),
        (good.replace("\n\n", "\n"), ProofFileError::NoCheckpoint),
        (
            good.replace("extra c2FsdA==", "extra c2FsdA="),
            ProofFileError::Extra,
        ),
        (
            good.replace("extra c2FsdA==", "extra "),
            ProofFileError::Extra,
        ),
        (good.replace("extra ", "extra"), ProofFileError::Index),
        (good.replace("extra", "other"), ProofFileError::Index),
        (good.replace("index 5", "index 05"), ProofFileError::Index),
        (good.replace("index 5", "index  5"), ProofFileError::Index),
        (good.replace("index 5", "index -5"), ProofFileError::Index),
        (good.replace("index 5", "index"), ProofFileError::Index),
        (good.replace("index 5\n", ""), ProofFileError::Index),
        (
            good.replace("index 5", "index 5\nindex 5"),
            HashError::Base64.into(),
        ),
        (
            good.replace(&hash, &hash[..40]),
            HashError::Length(30).into(),
        ),
        (
            good.replace(&hash, &format!("{hash} ")),
            HashError::Base64.into(),
        ),
        (
            good.replace(&line, &line.repeat(63)),
            ProofFileError::PathLength,
        ),
        (good.trim_end().to_owned(), NoteError::NoSignatures.into()),
    ] {
        assert_eq!(ProofFile::parse(bad.as_bytes()), Err(error), "{bad:?}");
    }
    assert_eq!(ProofFile::parse(b"\xff"), Err(ProofFileError::Encoding));
}

#[test]
fn an_empty_line_more_belongs_to_the_signed_text_and_breaks_it() {
    let longer = FILE.replace(&format!("\n{ORIGIN}\n"), &format!("\n\n{ORIGIN}\n"));
    assert_ne!(longer, FILE);
    let file = ProofFile::parse(longer.as_bytes()).unwrap();
    let verified = file.verify(ct_leaves()[5], &[log_key().verifying_key()]);
    let error = NoteError::FalseSignature {
        name: ORIGIN.to_owned(),
        id: log_key().id(),
    };
    assert_eq!(verified, Err(CheckpointError::Note(error).into()));
}

proptest! {
    #[test]
    fn arbitrary_text_is_read_or_refused(
        text in "(c2sp.org/tlog-proof@v1\n)?(extra [a-zA-Z=]{0,5}\n)?(index [0-9]{0,3}\n)?([A-Za-z=+ \n]{0,45})(\n\n.{0,9}\n\n— a AAAAAAAA\n)?",
        path in prop::collection::vec(any::<[u8; 32]>(), 0..65),
        index in any::<u64>(),
    ) {
        if let Ok(file) = ProofFile::parse(text.as_bytes()) {
            prop_assert_eq!(file.to_string(), text);
        }
        let path = path.into_iter().map(Hash::new).collect();
        let file = ProofFile { path, index, ..proof(5) };
        prop_assert_eq!(ProofFile::parse(file.to_string().as_bytes()), Ok(file));
    }
}
