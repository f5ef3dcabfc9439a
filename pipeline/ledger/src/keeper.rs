//! The thread that grows the tree and signs checkpoints: at least every minute while records arrive, at every seal, at
//! start, with the first records and at a clean stop, and once an hour when nothing happens, so that silence can be proved.
//!
//! It works behind the committing thread. What it has in memory can always be made again from the last checkpoint and
//! the segments; so at any failure it forgets everything and does just that.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sluice_evidence::{Checkpoint, Hash, Leaf, SigningKey};
use tokio::sync::oneshot::error::TryRecvError;
use tracing::{error, info, warn};

use crate::disk;
use crate::inner::{Inner, Told};
use crate::tree::{self, Beginning, Epoch, HashFiles, Signed};
use crate::walk::{Step, Walk};

/// A checkpoint with nothing new, to prove the silence.
const HEARTBEAT: Duration = Duration::from_secs(3600);
/// Commits that wait for the tree in memory. What comes beyond is read from the segments later: the log never waits.
const BACKLOG: usize = 256;
/// After a failure it starts over this much later.
const PATIENCE: Duration = Duration::from_secs(5);

enum Message {
    Leaves {
        first: u64,
        accepted: u64,
        commitments: Vec<Hash>,
    },
    Sealed,
    Stop,
}

/// The committing thread's end.
#[derive(Debug)]
pub(crate) struct Keeper {
    messages: SyncSender<Message>,
    /// Whether a message found no room.
    is_behind: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Starts it. The tree is brought up to what is durable before the first new leaf.
    ///
    /// # Errors
    /// No thread can be had.
    pub(crate) fn start(inner: Arc<Inner>, key: SigningKey, base: String) -> io::Result<Self> {
        let (messages, inbox) = sync_channel(BACKLOG);
        let is_behind = Arc::new(AtomicBool::new(false));
        let work = Work::new(inner, key, base, is_behind.clone());
        let thread = std::thread::Builder::new()
            .name("sluice-tree".into())
            .spawn(move || work.run(&inbox))?;
        Ok(Self {
            messages,
            is_behind,
            thread,
        })
    }

    /// The records of one commit, which are durable.
    pub(crate) fn add(&self, first: u64, accepted: u64, commitments: Vec<Hash>) {
        self.tell(Message::Leaves {
            first,
            accepted,
            commitments,
        });
    }

    pub(crate) fn sealed(&self) {
        self.tell(Message::Sealed);
    }

    /// Never waits: a tree that is made again, or a disk that hangs under it, holds up no sender.
    fn tell(&self, message: Message) {
        // A thread that is gone has said why; the tree is made again at the next start.
        if let Err(TrySendError::Full(_)) = self.messages.try_send(message) {
            self.is_behind.store(true, Ordering::Release);
        }
    }

    /// Signs a last checkpoint and ends.
    pub(crate) fn stop(self) {
        let _ = self.messages.send(Message::Stop);
        if self.thread.join().is_err() {
            error!("the thread that signs checkpoints failed unexpectedly");
        }
    }
}

/// The tree as far as it is known; made anew after a failure.
struct Tree {
    epoch: Epoch,
    key: SigningKey,
    files: HashFiles,
    /// Leaves in the newest checkpoint, if there is one of this epoch.
    signed: Option<u64>,
}

impl Tree {
    /// The sequence number of the next leaf.
    fn next(&self) -> u64 {
        self.epoch.first + self.files.frontier().size()
    }
}

struct Work {
    inner: Arc<Inner>,
    key: SigningKey,
    base: String,
    tree: Option<Tree>,
    /// Whether a message found no room: what it told is in the segments.
    is_behind: Arc<AtomicBool>,
    /// Whether this process has had the tree before.
    is_resumed: bool,
    /// When the tree was given up.
    failed: Option<Instant>,
    /// What became of the record that tells why the epoch began.
    telling: Option<Told>,
    last_checkpoint: Instant,
    /// The size of the last checkpoint that was told as an event, and how many records that made.
    told_size: u64,
    told_records: u64,
}

impl Work {
    fn new(inner: Arc<Inner>, key: SigningKey, base: String, is_behind: Arc<AtomicBool>) -> Self {
        Self {
            inner,
            key,
            base,
            tree: None,
            is_behind,
            is_resumed: false,
            failed: None,
            telling: None,
            last_checkpoint: Instant::now(),
            told_size: 0,
            told_records: 0,
        }
    }

    fn run(mut self, inbox: &Receiver<Message>) {
        self.attempt(|work| work.resume().and_then(|()| work.checkpoint()));
        loop {
            let message = inbox.recv_timeout(self.until_next());
            // Before the message: others may be missing before it.
            if self.is_behind.swap(false, Ordering::AcqRel) {
                self.attempt(|work| work.catch_up().and_then(|()| work.checkpoint()));
            }
            match message {
                Ok(Message::Leaves {
                    first,
                    accepted,
                    commitments,
                }) => self.attempt(|work| work.add(first, accepted, &commitments)),
                Ok(Message::Sealed) => self.attempt(Self::checkpoint),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.tree.is_none() && self.failed.is_none_or(|at| at.elapsed() >= PATIENCE) {
                self.attempt(|work| work.resume().and_then(|()| work.checkpoint()));
            }
            if self.is_due() {
                self.attempt(Self::checkpoint);
            }
        }
        if self.tree.is_none() {
            self.attempt(Self::resume);
        }
        self.attempt(Self::checkpoint);
    }

    /// Does a piece of work; after a failure the tree is forgotten and made again later.
    fn attempt(&mut self, work: impl FnOnce(&mut Self) -> io::Result<()>) {
        match work(self) {
            Ok(()) => {}
            Err(error) => {
                if self.failed.is_none() {
                    error!(%error, "the tree of the ledger cannot be written; records are kept and it is made again from them");
                }
                self.tree = None;
                self.failed = Some(Instant::now());
            }
        }
    }

    fn has_new(&self) -> bool {
        self.tree.as_ref().is_some_and(|t| {
            t.signed
                .is_none_or(|signed| t.files.frontier().size() > signed)
        })
    }

    /// How long after the last checkpoint the next one comes.
    fn every(&self) -> Duration {
        // Until a checkpoint covers a record there is no evidence of any.
        let is_first = self.tree.as_ref().is_some_and(|t| t.signed == Some(0));
        match (self.has_new(), is_first) {
            (false, _) => HEARTBEAT,
            (true, true) => Duration::ZERO,
            (true, false) => self.inner.settings().checkpoint_every,
        }
    }

    fn is_due(&self) -> bool {
        self.tree.is_some() && self.last_checkpoint.elapsed() >= self.every()
    }

    fn until_next(&self) -> Duration {
        if self.tree.is_none() {
            return PATIENCE;
        }
        self.every().saturating_sub(self.last_checkpoint.elapsed())
    }

    fn add(&mut self, first: u64, accepted: u64, commitments: &[Hash]) -> io::Result<()> {
        // Without a tree they are found in the segments later.
        let Some(tree) = &mut self.tree else {
            return Ok(());
        };
        for (sequence, commitment) in (first..).zip(commitments) {
            let next = tree.next();
            // Read from the segments already, when the tree was made.
            if sequence < next {
                continue;
            }
            if sequence > next {
                return Err(io::Error::other(format!(
                    "record {next} is missing from the tree"
                )));
            }
            let leaf = Leaf {
                sequence,
                observed_ns: accepted,
                commitment: *commitment,
            };
            tree.files.push(leaf.hash())?;
        }
        Ok(())
    }

    /// Signs what the tree has become: hashes first, then the checkpoint.
    fn checkpoint(&mut self) -> io::Result<()> {
        let Some(tree) = &mut self.tree else {
            return Ok(());
        };
        let disk = &*self.inner.disk;
        tree.files.sync()?;
        let size = tree.files.frontier().size();
        let broken = |error: sluice_evidence::CheckpointError| io::Error::other(error.to_string());
        let checkpoint = Checkpoint::new(&tree.epoch.origin(), size, tree.files.frontier().root())
            .map_err(broken)?;
        let note = checkpoint.sign(&[&tree.key]).map_err(broken)?;
        let signed = Signed {
            time: self.inner.clock.now(),
            first: tree.epoch.first,
            note: note.to_string(),
        };
        let mut line = serde_json::to_vec(&signed)?;
        line.push(b'\n');
        append(disk, tree::CHECKPOINTS, &line)?;
        disk::replace(disk, "", tree::CHECKPOINT, &line)?;
        tree.signed = Some(size);
        self.failed = None;
        self.last_checkpoint = Instant::now();
        self.inner
            .checkpointed
            .store(tree.epoch.first + size, Ordering::Release);
        match self.telling.as_mut().map(Told::try_recv) {
            None | Some(Err(TryRecvError::Empty)) => {}
            Some(Ok(Ok(()))) => {
                tree.epoch.untold = None;
                tree.epoch.write(disk)?;
                self.telling = None;
            }
            // The next start tells it.
            Some(_) => self.telling = None,
        }
        let oldest = self.inner.state.lock().segments.front().map(|s| s.first);
        if let Some(oldest) = oldest.and_then(|oldest| oldest.checked_sub(tree.epoch.first)) {
            tree.files.prune(oldest)?;
        }
        // The event is a record too: one that follows on nothing but such events would never end.
        let is_news = size > self.told_size + self.told_records;
        if self.inner.settings().checkpoint_events && is_news {
            self.told_records = self.inner.tell_checkpoint(&checkpoint, &signed);
            self.told_size = size;
        }
        Ok(())
    }

    /// Makes the tree again: from the newest checkpoint, and from the segments what came after it.
    fn resume(&mut self) -> io::Result<()> {
        let disk = self.inner.disk.clone();
        // The first time it is what was there at the start that counts: a record that came since must not hide that
        // those before it are gone.
        let stored_end = if self.is_resumed {
            let state = self.inner.state.lock();
            state.segments.back().map_or(0, |s| s.end)
        } else {
            self.inner.found_end
        };
        // A new epoch takes over with the first record that no checkpoint covers.
        let next_epoch = |signed: &Signed| signed.end().unwrap_or(stored_end);
        let epoch = Epoch::read(&*disk)?;
        let signed = tree::newest(&*disk);
        let beginning = |why: &str| Beginning {
            why: why.to_owned(),
            previous: signed.as_ref().map(|signed| signed.note.clone()),
            lost_signed: lost_signed(signed.as_ref(), stored_end)
                .into_iter()
                .collect(),
            lost: Vec::new(),
        };
        let tree = match (epoch, &signed) {
            (None, None) if tree::is_signed(&*disk)? => {
                let why = "epoch.json is missing and the signed checkpoints are damaged";
                let number = HashFiles::newest_epoch(&*disk)? + 1;
                self.begin(number, stored_end, Some(beginning(why)))?
            }
            (None, None) => self.begin(1, 0, None)?,
            (Some(epoch), Some(signed)) => {
                let key = self.key.renamed(&epoch.origin()).map_err(invalid)?;
                match reopen(disk.clone(), epoch.clone(), key, signed, stored_end) {
                    Ok(tree) => tree,
                    Err(Reopen::Io(error)) => return Err(error),
                    Err(Reopen::NewEpoch(why)) => {
                        let beginning = beginning(why);
                        self.begin(epoch.number + 1, next_epoch(signed), Some(beginning))?
                    }
                }
            }
            // What cannot be read binds all the same.
            (Some(epoch), None) if tree::is_signed(&*disk)? => {
                let beginning = beginning("the signed checkpoints are damaged");
                self.begin(epoch.number + 1, stored_end, Some(beginning))?
            }
            // Nothing was ever signed, so nothing binds.
            (Some(epoch), None) => {
                let key = self.key.renamed(&epoch.origin()).map_err(invalid)?;
                let files = HashFiles::empty(disk.clone(), epoch.number)?;
                Tree {
                    epoch,
                    key,
                    files,
                    signed: None,
                }
            }
            (None, Some(signed)) => {
                let number = signed
                    .read()
                    .ok()
                    .and_then(|c| c.origin().rsplit_once('/')?.1.parse::<u64>().ok());
                let beginning = beginning("epoch.json was missing or damaged");
                self.begin(number.unwrap_or(0) + 1, next_epoch(signed), Some(beginning))?
            }
        };
        tree::cut_torn_line(&*disk)?;
        self.read_on(tree)?;
        self.is_resumed = true;
        Ok(())
    }

    /// Reads from the segments what it was not told.
    fn catch_up(&mut self) -> io::Result<()> {
        // Without a tree that is done when it is made again.
        match self.tree.take() {
            Some(tree) => self.read_on(tree),
            None => Ok(()),
        }
    }

    /// Takes what the segments hold beyond the tree into it. A gap that no checkpoint covers cannot be told from a cut:
    /// a new epoch begins behind it.
    fn read_on(&mut self, mut tree: Tree) -> io::Result<()> {
        let mut walk = Walk::from(self.inner.clone(), tree.next());
        while let Some(step) = walk.next(|_| true)? {
            match step {
                Step::Frame { frame, .. } => {
                    for (sequence, commitment) in (frame.head.first..).zip(frame.commitments()?) {
                        if sequence >= tree.next() {
                            let leaf = Leaf {
                                sequence,
                                observed_ns: frame.head.accepted,
                                commitment,
                            };
                            tree.files.push(leaf.hash())?;
                        }
                    }
                }
                Step::Lost(range) => {
                    let beginning = tree.epoch.untold.take();
                    let mut beginning = beginning.unwrap_or_else(|| Beginning {
                        previous: tree::newest(&*self.inner.disk).map(|signed| signed.note),
                        ..Beginning::default()
                    });
                    beginning.lose(range.clone());
                    tree = self.begin(tree.epoch.number + 1, range.end, Some(beginning))?;
                }
                Step::Other(_) => {}
            }
        }
        self.inner.checkpointed.store(
            tree.epoch.first + tree.signed.unwrap_or(0),
            Ordering::Release,
        );
        if let Some(beginning) = &tree.epoch.untold
            && self.telling.is_none()
        {
            warn!(
                origin = tree.epoch.origin(),
                why = beginning.why,
                "a new epoch of the log begins; the old one is signed no more"
            );
            self.telling = Some(self.inner.tell_epoch(&tree.epoch, beginning));
        }
        self.tree = Some(tree);
        Ok(())
    }

    /// A new epoch, stored before anything is signed of it.
    fn begin(&mut self, number: u64, first: u64, untold: Option<Beginning>) -> io::Result<Tree> {
        let epoch = Epoch {
            base: self.base.clone(),
            number,
            first,
            untold,
        };
        self.telling = None;
        let key = self.key.renamed(&epoch.origin()).map_err(invalid)?;
        let files = HashFiles::empty(self.inner.disk.clone(), number)?;
        epoch.write(&*self.inner.disk)?;
        info!(origin = epoch.origin(), key = %key.verifying_key(), "checkpoints of the ledger are signed with this key");
        Ok(Tree {
            epoch,
            key,
            files,
            signed: None,
        })
    }
}

/// The signed records that the log does not reach any more. Where it holds none at all, the last one only: those before
/// it may have gone by their retention.
fn lost_signed(signed: Option<&Signed>, stored_end: u64) -> Option<Range<u64>> {
    let end = signed?.end().filter(|end| *end > stored_end)?;
    Some(if stored_end == 0 {
        end - 1..end
    } else {
        stored_end..end
    })
}

enum Reopen {
    Io(io::Error),
    NewEpoch(&'static str),
}

/// The tree as it was signed last, if what is stored still reaches so far and its hashes give the signed root.
fn reopen(
    disk: Arc<dyn disk::Disk>,
    epoch: Epoch,
    key: SigningKey,
    signed: &Signed,
    stored_end: u64,
) -> Result<Tree, Reopen> {
    let new_epoch = |why| Err(Reopen::NewEpoch(why));
    let Ok(checkpoint) = signed.verify(&[key.verifying_key()]) else {
        // Of the epoch before: this one was begun and nothing is signed of it yet.
        let files = HashFiles::empty(disk, epoch.number).map_err(Reopen::Io)?;
        let is_before = signed.read().is_ok_and(|c| c.origin() != epoch.origin());
        return if is_before {
            Ok(Tree {
                epoch,
                key,
                files,
                signed: None,
            })
        } else {
            new_epoch("the newest checkpoint is not signed with this key")
        };
    };
    if epoch.first + checkpoint.size() > stored_end && checkpoint.size() > 0 {
        return new_epoch("the log is shorter than its newest checkpoint says");
    }
    match HashFiles::at(disk, epoch.number, checkpoint.size()) {
        Ok(files) if files.frontier().root() == checkpoint.root() => Ok(Tree {
            epoch,
            key,
            files,
            signed: Some(checkpoint.size()),
        }),
        Ok(_) => new_epoch("the stored hashes do not give the root that was signed"),
        Err(_) => new_epoch("the stored hashes cannot be read"),
    }
}

fn append(disk: &dyn disk::Disk, path: &str, bytes: &[u8]) -> io::Result<()> {
    let file = match disk.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => disk.open(path)?,
        created => {
            let file = created?;
            disk.sync_directory("")?;
            file
        }
    };
    // Behind a line that a crash or a failed write has torn, a new one begins.
    let len = file.len()?;
    let mut last = [b'\n'];
    if len > 0 {
        file.read_at(len - 1, &mut last)?;
    }
    if last != *b"\n" {
        let mut at = len;
        while at > 0 {
            file.read_at(at - 1, &mut last)?;
            if last == *b"\n" {
                break;
            }
            at -= 1;
        }
        file.truncate(at)?;
    }
    file.append(bytes)?;
    file.sync()
}

fn invalid(error: sluice_evidence::KeyError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error.to_string())
}
