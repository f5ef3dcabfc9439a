//! The formats by name.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One array of objects.
    Json,
    /// One object a line.
    Ndjson,
    /// Comma-separated cells under a header line, guarded against formulas.
    Csv,
    /// Columns, compressed with zstd.
    Parquet,
    /// OTLP/JSON requests, one a line.
    Otlp,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Json,
        Self::Ndjson,
        Self::Csv,
        Self::Parquet,
        Self::Otlp,
    ];

    /// The word on a command line and in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Otlp => "otlp",
        }
    }

    /// How a file of this format ends its name, without a dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Otlp => "jsonl",
            other => other.name(),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| Error::UnknownFormat(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_read_by_the_name_it_shows() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
        }
        let error = "xlsx".parse::<Format>().unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown format `xlsx`: one of json, ndjson, csv, parquet, otlp"
        );
    }
}
