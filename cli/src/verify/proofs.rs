//! Proofs of one record, and of the log between two checkpoints.

use std::fs;
use std::path::Path;

use sluice_ledger::{Keys, Proof, ProofError};

use super::report::{moment, plural};
use super::{checkpoint, unreadable};
use crate::exit::Exit;
use crate::source::{complain, say};

/// Writes the proof that the ledger holds a record.
pub(super) fn prove(
    directory: &Path,
    keys: &Keys,
    sequence: u64,
    output: &Path,
) -> Result<Exit, Exit> {
    let proof = sluice_ledger::prove(directory, keys, sequence).map_err(|e| told(&e))?;
    fs::write(output, proof.to_string()).map_err(|error| {
        complain(&format!(
            "error: {} cannot be written: {error}\n",
            output.display()
        ));
        Exit::Unchecked
    })?;
    say(&format!(
        "{}: proves record {sequence}; whoever has the log's public key checks it with `sluice verify --proof {} --key KEY`\n\
         note: it holds the record itself, in clear text\n",
        output.display(),
        output.display()
    ));
    Ok(Exit::Ok)
}

/// Checks a proof without the ledger.
pub(super) fn check(
    path: &Path,
    payload: Option<&Path>,
    keys: &Keys,
    json: bool,
) -> Result<Exit, Exit> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let payload = payload.map(|path| fs::read(path).map_err(|error| unreadable(path, &error)));
    let payload = payload.transpose()?;
    let proof = Proof::parse(&bytes).map_err(|e| told(&e))?;
    let tree = proof
        .verify(keys, payload.as_deref())
        .map_err(|e| told(&e))?;
    let mut record = Vec::new();
    if let Some(batch) = proof.batch().map_err(|e| told(&e))? {
        batch.encode_json_into(0..batch.len(), &mut record);
    }
    let record = String::from_utf8_lossy(&record);
    if json {
        let report = serde_json::json!({
            "verdict": if keys.is_empty() { "incomplete" } else { "whole" },
            "origin": tree.origin(),
            "sequence": proof.sequence,
            "accepted": proof.observed_ns.to_string(),
            "signed": tree.size(),
            "erased": proof.record.is_none(),
            "record": serde_json::from_str::<serde_json::Value>(&record).ok(),
        });
        say(&format!("{report}\n"));
    } else {
        say(&format!(
            "record {} is in {}, among the first {}\n  accepted  {} (by the node's clock)\n  record    {}\n",
            proof.sequence,
            tree.origin(),
            plural(tree.size(), "record"),
            moment(proof.observed_ns),
            if record.is_empty() {
                "erased; only its place is proved"
            } else {
                &record
            },
        ));
    }
    if keys.is_empty() {
        complain("not checked: who signed; give the log's public key with --key\n");
        return Ok(Exit::Unchecked);
    }
    Ok(Exit::Ok)
}

/// Checks that the log was only appended to between two checkpoints.
pub(super) fn consistency(
    directory: &Path,
    keys: &Keys,
    old: &Path,
    new: &Path,
    json: bool,
) -> Result<Exit, Exit> {
    let (old, new) = (checkpoint(old)?, checkpoint(new)?);
    let found = sluice_ledger::consistency(directory, keys, &old, &new).map_err(|e| told(&e))?;
    if json {
        let path: Vec<String> = found.path.iter().map(ToString::to_string).collect();
        let report = serde_json::json!({
            "verdict": if keys.is_empty() { "incomplete" } else { "whole" },
            "origin": found.new.origin(),
            "old": { "size": found.old.size(), "root": found.old.root().to_string() },
            "new": { "size": found.new.size(), "root": found.new.root().to_string() },
            "path": path,
        });
        say(&format!("{report}\n"));
    } else {
        say(&format!(
            "{} was only appended to from {} to {}\n",
            found.new.origin(),
            plural(found.old.size(), "record"),
            plural(found.new.size(), "record"),
        ));
    }
    if keys.is_empty() {
        complain("not checked: who signed; give the log's public key with --key\n");
        return Ok(Exit::Unchecked);
    }
    Ok(Exit::Ok)
}

fn told(error: &ProofError) -> Exit {
    complain(&format!("error: {error}\n"));
    match error {
        ProofError::Broken(_) => Exit::Runtime,
        ProofError::Unchecked(_) => Exit::Unchecked,
    }
}
