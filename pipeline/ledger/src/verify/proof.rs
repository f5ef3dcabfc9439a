//! Proofs that a log holds a record, checked without the log.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sluice_batch::{Batch, Signal};
use sluice_evidence::{
    Checkpoint, Hash, Hashes as _, Leaf, Note, ProofFile, Salt, commitment, verify_inclusion,
};

use super::epochs::Epochs;
use super::finding::Findings;
use super::keys::{Distrust, Keys};
use crate::disk::{Disk, RealDisk};
use crate::frame::Frame;
use crate::tree::HashFiles;
use crate::view::{Entry, View};

/// That a log holds a record. As text it is a C2SP `.tlog-proof` whose `extra` line is the JSON of all that makes the
/// leaf, the record among it: one file, and the log's public key, are enough to check it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The record's number in the log.
    pub sequence: u64,
    /// When it was accepted, unix nanoseconds: the node's claim.
    pub observed_ns: u64,
    /// The pipeline it came through. Nothing proves this.
    pub pipeline: String,
    /// Its signal.
    pub signal: Signal,
    /// What the tree commits to.
    pub commitment: Hash,
    /// The salt of the commitment and the record alone as an OTLP request; `None` when it was erased.
    pub record: Option<(Salt, Vec<u8>)>,
    /// The place in the tree, the path to the root, and the signed checkpoint.
    pub path: ProofFile,
}

/// The `extra` line.
#[derive(Serialize, Deserialize)]
struct Extra {
    sequence: u64,
    /// Decimal: it has more digits than a number may have in some readers of JSON.
    observed_ns: String,
    pipeline: String,
    signal: String,
    commitment: String,
    salt: Option<String>,
    payload: Option<String>,
}

/// Why nothing is proved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// What is claimed is not true.
    #[error("{0}")]
    Broken(String),
    /// It cannot be told.
    #[error("{0}")]
    Unchecked(String),
}

impl From<Distrust> for ProofError {
    fn from(distrust: Distrust) -> Self {
        match distrust {
            Distrust::False(why) => Self::Broken(why),
            Distrust::Stranger(why) => Self::Unchecked(why),
        }
    }
}

pub(super) fn unchecked(why: impl fmt::Display) -> ProofError {
    ProofError::Unchecked(why.to_string())
}

/// Proves that the ledger in a directory holds record `sequence`, up to its newest checkpoint.
///
/// # Errors
/// See [`ProofError`].
pub fn prove(directory: &Path, keys: &Keys, sequence: u64) -> Result<Proof, ProofError> {
    prove_on(Arc::new(RealDisk::new(directory)), keys, sequence)
}

/// The same for a ledger on a disk of the caller's.
///
/// # Errors
/// See [`ProofError`].
pub fn prove_on(disk: Arc<dyn Disk>, keys: &Keys, sequence: u64) -> Result<Proof, ProofError> {
    let epochs = Epochs::read(&*disk, keys, &mut Findings::default()).map_err(unchecked)?;
    let view = open(&disk)?;
    let covering = |e: &&super::epochs::Signature| (e.first..e.end()).contains(&sequence);
    let epoch = epochs.epochs.iter().find(covering).ok_or_else(|| {
        unchecked(format!(
            "no checkpoint covers record {sequence}: if it was accepted just now, the next one will"
        ))
    })?;
    let frame = find(&view, sequence)?;
    let place = usize::try_from(sequence - frame.head.first).map_err(unchecked)?;
    let damaged = |damage: crate::format::Damage| unchecked(damage);
    let commitment = frame.commitments().map_err(damaged)?[place];
    let salt = frame.salts().map_err(damaged)?[place];
    let record = match salt {
        None => None,
        Some(salt) => {
            let runs = frame.sequences().map_err(damaged)?;
            let i = runs
                .iter()
                .flat_map(Clone::clone)
                .position(|s| s == sequence);
            let mut payload = Vec::new();
            let batch = frame.batch().map_err(damaged)?;
            batch.encode_record_into(i.unwrap_or(place), &mut payload);
            Some((salt, payload))
        }
    };
    let index = sequence - epoch.first;
    let hashes = HashFiles::view(disk, epoch.number);
    let path = hashes
        .inclusion(index, epoch.newest.size())
        .map_err(|e| unchecked(format!("the stored hashes cannot be read: {e}")))?;
    let note = Note::parse(epoch.signed.note.as_bytes()).map_err(unchecked)?;
    let proof = Proof {
        sequence,
        observed_ns: frame.head.accepted,
        pipeline: frame.pipeline.clone(),
        signal: frame.signal(),
        commitment,
        record,
        path: ProofFile {
            extra: Vec::new(),
            index,
            path,
            checkpoint: note,
        },
    };
    proof.verify(keys, None)?;
    Ok(proof)
}

fn open(disk: &Arc<dyn Disk>) -> Result<View, ProofError> {
    View::open_on(disk.clone()).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => unchecked("there is no ledger in this directory"),
        _ => unchecked(format!("the ledger cannot be read: {error}")),
    })
}

fn find(view: &View, sequence: u64) -> Result<Frame, ProofError> {
    let not_there = || unchecked(format!("record {sequence} is not kept, or cannot be read"));
    if !view.sequences().contains(&sequence) {
        return Err(not_there());
    }
    match view
        .entries(sequence)
        .next()
        .transpose()
        .map_err(unchecked)?
    {
        Some(Entry::Frame(frame)) if (frame.head.first..frame.head.end()).contains(&sequence) => {
            Ok(frame)
        }
        _ => Err(not_there()),
    }
}

impl Proof {
    /// Reads a proof file that [`prove`] made, and checks nothing that it says.
    ///
    /// # Errors
    /// [`ProofError::Unchecked`] when it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        let path = ProofFile::parse(bytes).map_err(unchecked)?;
        let none = |what| unchecked(format!("the proof's extra line {what}"));
        let extra: Extra = serde_json::from_slice(&path.extra)
            .map_err(|error| none(format!("does not say what the leaf is made of: {error}")))?;
        let decode = |text: String| {
            let bytes = STANDARD.decode(text);
            bytes.map_err(|_| none("holds what is no base64".to_owned()))
        };
        let record = match (extra.salt, extra.payload) {
            (Some(salt), Some(payload)) => {
                let salt = decode(salt)?.try_into();
                let salt = salt.map_err(|_| none("holds what is no salt".to_owned()))?;
                Some((salt, decode(payload)?))
            }
            _ => None,
        };
        let signal = [Signal::Logs, Signal::Traces, Signal::Metrics]
            .into_iter()
            .find(|s| s.name() == extra.signal);
        Ok(Self {
            sequence: extra.sequence,
            observed_ns: extra.observed_ns.parse().map_err(unchecked)?,
            pipeline: extra.pipeline,
            signal: signal.ok_or_else(|| none("names no signal".to_owned()))?,
            commitment: Hash::from_base64(&extra.commitment).map_err(unchecked)?,
            record,
            path: ProofFile {
                extra: Vec::new(),
                ..path
            },
        })
    }

    /// Checks it: the record, or `payload` in its place, gives the commitment, the commitment the leaf, the leaf the root,
    /// and the root is signed by one of `keys` (if there are any).
    ///
    /// # Errors
    /// See [`ProofError`].
    pub fn verify(&self, keys: &Keys, payload: Option<&[u8]>) -> Result<Checkpoint, ProofError> {
        let checkpoint = keys.check(&self.path.checkpoint.to_string())?;
        match (&self.record, payload) {
            (Some((salt, record)), payload) => {
                if commitment(salt, payload.unwrap_or(record)) != self.commitment {
                    return Err(ProofError::Broken(
                        "these bytes are not the record that the log committed to".into(),
                    ));
                }
            }
            (None, Some(_)) => {
                return Err(unchecked(
                    "the record was erased and its salt with it: no bytes can be held against it",
                ));
            }
            (None, None) => {}
        }
        let leaf = Leaf {
            sequence: self.sequence,
            observed_ns: self.observed_ns,
            commitment: self.commitment,
        };
        let (size, root) = (checkpoint.size(), checkpoint.root());
        verify_inclusion(self.path.index, size, leaf.hash(), &self.path.path, root).map_err(
            |e| {
                ProofError::Broken(format!(
                    "the record is not in the tree that was signed: {e}"
                ))
            },
        )?;
        Ok(checkpoint)
    }

    /// The record, alone in a batch; `None` when it was erased.
    ///
    /// # Errors
    /// [`ProofError::Broken`] when its bytes are no OTLP request.
    pub fn batch(&self) -> Result<Option<Batch>, ProofError> {
        let Some((_, payload)) = &self.record else {
            return Ok(None);
        };
        let batch = Batch::decode_stored(self.signal, payload.clone().into());
        let batch = batch.map_err(|e| ProofError::Broken(format!("the record is no OTLP: {e}")))?;
        Ok(Some(batch))
    }
}

impl fmt::Display for Proof {
    /// The file's exact bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.record.as_ref();
        let extra = Extra {
            sequence: self.sequence,
            observed_ns: self.observed_ns.to_string(),
            pipeline: self.pipeline.clone(),
            signal: self.signal.name().to_owned(),
            commitment: self.commitment.to_base64(),
            salt: record.map(|(salt, _)| STANDARD.encode(salt)),
            payload: record.map(|(_, payload)| STANDARD.encode(payload)),
        };
        let file = ProofFile {
            extra: serde_json::to_vec(&extra).map_err(|_| fmt::Error)?,
            ..self.path.clone()
        };
        fmt::Display::fmt(&file, f)
    }
}
