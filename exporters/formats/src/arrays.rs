//! The columns' Arrow types and the arrays under construction.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{
    BooleanBuilder, Int32Builder, StringBuilder, StringDictionaryBuilder,
    TimestampNanosecondBuilder, UInt64Builder,
};
use arrow_array::types::Int32Type;
use arrow_schema::{ArrowError, DataType, Field, TimeUnit};

use crate::columns::{Cell, Column, Kind};

/// A column as a field of the schema.
pub(crate) fn field(column: &Column) -> Field {
    Field::new(
        column.name,
        data_type(column.kind),
        column.kind != Kind::Number,
    )
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Number => DataType::UInt64,
        Kind::Small => DataType::Int32,
        Kind::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        Kind::Flag => DataType::Boolean,
        Kind::Text => DataType::Utf8,
        Kind::Word => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
    }
}

/// An array under construction.
pub(crate) enum Builder {
    Number(UInt64Builder),
    Small(Int32Builder),
    Time(TimestampNanosecondBuilder),
    Flag(BooleanBuilder),
    Text(StringBuilder),
    Word(StringDictionaryBuilder<Int32Type>),
}

impl Builder {
    pub(crate) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Number => Self::Number(UInt64Builder::new()),
            Kind::Small => Self::Small(Int32Builder::new()),
            Kind::Time => Self::Time(TimestampNanosecondBuilder::new().with_timezone("UTC")),
            Kind::Flag => Self::Flag(BooleanBuilder::new()),
            Kind::Text => Self::Text(StringBuilder::new()),
            Kind::Word => Self::Word(StringDictionaryBuilder::new()),
        }
    }

    /// Appends a cell; one of another kind, and a time after the year 2262, is null.
    pub(crate) fn push(&mut self, cell: &Cell<'_>) -> Result<(), ArrowError> {
        match (self, cell) {
            (Self::Number(numbers), Cell::Number(number)) => numbers.append_value(*number),
            (Self::Number(numbers), _) => numbers.append_null(),
            (Self::Small(numbers), Cell::Small(number)) => numbers.append_value(*number),
            (Self::Small(numbers), _) => numbers.append_null(),
            (Self::Time(times), Cell::Time(nanos)) => {
                times.append_option(i64::try_from(*nanos).ok())
            }
            (Self::Time(times), _) => times.append_null(),
            (Self::Flag(flags), Cell::Flag(truth)) => flags.append_value(*truth),
            (Self::Flag(flags), _) => flags.append_null(),
            (Self::Text(texts), Cell::Text(text)) => texts.append_value(text),
            (Self::Text(texts), _) => texts.append_null(),
            (Self::Word(words), Cell::Text(text)) => {
                words.append(text)?;
            }
            (Self::Word(words), _) => words.append_null(),
        }
        Ok(())
    }

    /// The array of what was pushed; the builder starts anew.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Number(numbers) => Arc::new(numbers.finish()),
            Self::Small(numbers) => Arc::new(numbers.finish()),
            Self::Time(times) => Arc::new(times.finish()),
            Self::Flag(flags) => Arc::new(flags.finish()),
            Self::Text(texts) => Arc::new(texts.finish()),
            Self::Word(words) => Arc::new(words.finish()),
        }
    }
}
