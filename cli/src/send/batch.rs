//! Events gathered into requests.

use super::rows::BadRow;

/// Most events of a request: what the gateways themselves send at once.
pub(super) const MAX_RECORDS: usize = 500;
/// A request is closed when it holds this many bytes, so that it stays below a receiver's usual limits.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// Events that are posted together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// The number of its first event in the input, from 1.
    pub(super) first: u64,
    pub(super) rows: Vec<Vec<u8>>,
}

/// A list of events as JSON.
pub(super) fn body(rows: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::with_capacity(rows.iter().map(|row| row.len() + 1).sum::<usize>() + 1);
    body.push(b'[');
    body.extend_from_slice(&rows.join(&b','));
    body.push(b']');
    body
}

/// Gathers the events of an input.
pub(super) struct Batches<N> {
    next: N,
    first: u64,
    held_back: Option<Result<Vec<u8>, BadRow>>,
}

impl<N: FnMut() -> Option<Result<Vec<u8>, BadRow>>> Batches<N> {
    /// From what gives the next event; the first that it gives has the number `first`.
    pub(super) fn new(first: u64, next: N) -> Self {
        Self {
            next,
            first,
            held_back: None,
        }
    }
}

impl<N: FnMut() -> Option<Result<Vec<u8>, BadRow>>> Iterator for Batches<N> {
    type Item = Result<Batch, BadRow>;

    /// The good events in front of a bad one are a batch; then comes the error.
    fn next(&mut self) -> Option<Self::Item> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while rows.len() < MAX_RECORDS {
            match self.held_back.take().or_else(&mut self.next) {
                None => break,
                Some(Err(bad)) if rows.is_empty() => return Some(Err(bad)),
                Some(Ok(row)) if rows.is_empty() || bytes + row.len() <= MAX_BYTES => {
                    bytes += row.len();
                    rows.push(row);
                }
                other => {
                    self.held_back = other;
                    break;
                }
            }
        }
        if rows.is_empty() {
            return None;
        }
        let first = self.first;
        self.first += rows.len() as u64;
        Some(Ok(Batch { first, rows }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;
    use crate::send::rows::Rows;

    /// Sizes and first numbers of the batches of events with these sizes.
    fn gathered(sizes: &[usize]) -> Vec<(u64, usize)> {
        let mut rows = sizes.iter().map(|size| Ok(vec![b'x'; *size]));
        Batches::new(1, || rows.next())
            .map(|batch| batch.map(|batch| (batch.first, batch.rows.len())).unwrap())
            .collect()
    }

    #[test]
    fn a_batch_is_full_by_count_or_by_bytes() {
        assert_eq!(gathered(&[]), []);
        assert_eq!(gathered(&[10; 500]), [(1, 500)]);
        assert_eq!(gathered(&[10; 501]), [(1, 500), (501, 1)]);
        assert_eq!(gathered(&[MAX_BYTES / 2; 3]), [(1, 2), (3, 1)]);
        assert_eq!(
            gathered(&[10, MAX_BYTES, 10, MAX_BYTES + 1, 10]),
            [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)]
        );
    }

    #[test]
    fn what_stands_before_a_bad_event_is_sent_before_it_is_complained_about() {
        let mut rows = Rows::open(BufReader::new(&b"{\"a\":1}{\"a\":2}{]}{\"a\":4}"[..]))
            .ok()
            .unwrap();
        let mut batches = Batches::new(1, || rows.next());
        assert_eq!(batches.next().unwrap().unwrap().rows.len(), 2);
        assert_eq!(batches.next().unwrap().unwrap_err().record, 3);
    }

    #[test]
    fn a_body_is_a_list() {
        assert_eq!(body(&[b"{}".to_vec()]), b"[{}]");
        assert_eq!(
            body(&[b"{}".to_vec(), b"{\"a\":1}".to_vec()]),
            b"[{},{\"a\":1}]"
        );
    }
}
