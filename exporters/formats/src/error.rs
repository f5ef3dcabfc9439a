//! Why a file could not be written.

use std::io;

use parquet::errors::ParquetError;

use crate::Format;

/// Why a file could not be written. Never quotes a record.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No format has this name.
    #[error("unknown format `{0}`: one of json, ndjson, csv, parquet, otlp")]
    UnknownFormat(String),
    /// Each record of a batch needs its own row information. Nothing was written.
    #[error("{infos} rows of information for a batch of {records} records")]
    RowCount {
        /// Records of the batch.
        records: usize,
        /// What came with it.
        infos: usize,
    },
    /// One text of a record is larger than the format can hold.
    #[error("record {sequence} has a text of {bytes} bytes, too large for {format}")]
    TooLarge {
        /// The record's number in the ledger.
        sequence: u64,
        /// How large the text is.
        bytes: usize,
        /// The format.
        format: Format,
    },
    /// The file's destination refused bytes.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The Parquet encoder gave up.
    #[error("Parquet encoding")]
    Parquet(#[source] ParquetError),
    /// An earlier call failed, so the file is torn and nothing more is written to it.
    #[error("the file is incomplete: an earlier write to it failed")]
    Torn,
}

impl From<ParquetError> for Error {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(source) => match source.downcast::<io::Error>() {
                Ok(io) => Self::Io(*io),
                Err(source) => Self::Parquet(ParquetError::External(source)),
            },
            other => Self::Parquet(other),
        }
    }
}

impl From<arrow_schema::ArrowError> for Error {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self::Parquet(error.into())
    }
}

impl From<csv::Error> for Error {
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            csv::ErrorKind::Io(io) => Self::Io(io),
            _ => Self::Io(io::Error::other("uneven CSV records")),
        }
    }
}
