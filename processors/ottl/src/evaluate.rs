//! What an expression yields for a record.

use std::borrow::Cow;
use std::fmt::Write as _;

use sluice_batch::{Array, Map, Record, Value};

use crate::compare::compare;
use crate::{Arithmetic, Call, Comparison, Expr, Field, Function, Path, PathKey};

/// A value while a condition is evaluated: borrowed wherever it can be.
#[derive(Clone)]
pub(crate) enum Datum<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
    Array(Array<'a>),
    Map(Map<'a>),
    /// A list literal; its items are evaluated when they are asked for.
    List(&'a [Expr], Record<'a>),
}

impl<'a> From<Value<'a>> for Datum<'a> {
    fn from(value: Value<'a>) -> Self {
        match value {
            Value::Empty => Self::Nil,
            Value::Str(text) => Self::Text(Cow::Borrowed(text)),
            Value::Bool(truth) => Self::Bool(truth),
            Value::Int(number) => Self::Int(number),
            Value::Double(number) => Self::Double(number),
            Value::Bytes(bytes) => Self::Bytes(bytes),
            Value::Array(array) => Self::Array(array),
            Value::Map(map) => Self::Map(map),
        }
    }
}

impl<'a> From<Option<Value<'a>>> for Datum<'a> {
    fn from(value: Option<Value<'a>>) -> Self {
        value.map_or(Self::Nil, Self::from)
    }
}

impl<'a> Datum<'a> {
    /// The items of a list; nothing for anything else.
    pub(crate) fn items(&self) -> Box<dyn Iterator<Item = Self> + 'a> {
        match self {
            Self::Array(array) => Box::new(array.iter().map(Self::from)),
            Self::List(items, record) => {
                let record = *record;
                Box::new(items.iter().map(move |item| evaluate(item, record)))
            }
            _ => Box::new(std::iter::empty()),
        }
    }

    /// Whether some item of a list equals `wanted`.
    fn has_item(&self, wanted: &Self) -> bool {
        let equal = |item: &Self| compare(item, Comparison::Equal, wanted);
        match self {
            Self::Array(array) => array.iter().any(|item| equal(&item.into())),
            Self::List(items, record) => items.iter().any(|item| equal(&evaluate(item, *record))),
            _ => false,
        }
    }

    /// As text, where that makes sense: numbers in decimal, bytes in hex, lists and maps as JSON.
    fn into_text(self) -> Option<Cow<'a, str>> {
        Some(match self {
            Self::Text(text) => text,
            Self::Bool(truth) => Cow::Borrowed(if truth { "true" } else { "false" }),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Double(number) => Cow::Owned(number.to_string()),
            Self::Bytes(bytes) => Cow::Owned(hex(bytes)),
            Self::Array(array) => Value::Array(array).to_text(),
            Self::Map(map) => Value::Map(map).to_text(),
            Self::Nil | Self::List(..) => return None,
        })
    }
}

/// Whether a condition holds.
pub(crate) fn holds(expr: &Expr, record: Record<'_>) -> bool {
    match expr {
        Expr::Or(items) => items.iter().any(|item| holds(item, record)),
        Expr::And(items) => items.iter().all(|item| holds(item, record)),
        Expr::Not(inner) => !holds(inner, record),
        Expr::Compare { left, op, right } => {
            compare(&evaluate(left, record), *op, &evaluate(right, record))
        }
        value => matches!(evaluate(value, record), Datum::Bool(true)),
    }
}

/// The value of an expression.
pub(crate) fn evaluate<'a>(expr: &'a Expr, record: Record<'a>) -> Datum<'a> {
    match expr {
        Expr::Nil => Datum::Nil,
        Expr::Bool(truth) => Datum::Bool(*truth),
        Expr::Int(number) => Datum::Int(*number),
        Expr::Double(number) => Datum::Double(*number),
        Expr::Text(text) => Datum::Text(Cow::Borrowed(text)),
        Expr::Pattern(pattern) => Datum::Text(Cow::Borrowed(pattern.as_str())),
        Expr::Bytes(bytes) => Datum::Bytes(bytes),
        Expr::Severity(number) => Datum::Int((*number).into()),
        Expr::List(items) => Datum::List(items, record),
        Expr::Path(path) => look_up(path, record),
        Expr::Call(call) => run(call, record),
        Expr::Arithmetic { left, op, right } => {
            calculate(evaluate(left, record), *op, evaluate(right, record))
        }
        Expr::Or(_) | Expr::And(_) | Expr::Not(_) | Expr::Compare { .. } => {
            Datum::Bool(holds(expr, record))
        }
    }
}

fn look_up<'a>(path: &Path, record: Record<'a>) -> Datum<'a> {
    let text = |text: &'a str| Datum::Text(Cow::Borrowed(text));
    let number = |number: u64| Datum::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let keys = path.keys.as_slice();
    match path.field {
        Field::Body => walk(record.body(), keys),
        Field::Attributes => keyed(keys, |key| record.get(key)),
        Field::ResourceAttributes => keyed(keys, |key| record.resource().get(key)),
        Field::ScopeAttributes => keyed(keys, |key| record.scope().get(key)),
        Field::ResourceSchemaUrl => text(record.resource().schema_url()),
        Field::ScopeName => text(record.scope().name()),
        Field::ScopeVersion => text(record.scope().version()),
        Field::ScopeSchemaUrl => text(record.scope().schema_url()),
        Field::SeverityNumber => Datum::Int(record.severity_number().into()),
        Field::SeverityText => text(record.severity_text()),
        Field::EventName | Field::Name => text(record.name()),
        Field::TimeUnixNano => number(record.time()),
        Field::ObservedTimeUnixNano => number(record.observed_time()),
        Field::TraceId => Datum::Bytes(or_zero(record.trace_id(), &[0; 16])),
        Field::TraceIdString => Datum::Text(Cow::Owned(hex(record.trace_id()))),
        Field::SpanId => Datum::Bytes(or_zero(record.span_id(), &[0; 8])),
        Field::SpanIdString => Datum::Text(Cow::Owned(hex(record.span_id()))),
        Field::Flags => Datum::Int(record.flags().into()),
    }
}

fn keyed<'a>(keys: &[PathKey], get: impl FnOnce(&str) -> Option<Value<'a>>) -> Datum<'a> {
    match keys {
        [PathKey::Name(first), rest @ ..] => {
            get(first).map_or(Datum::Nil, |value| walk(value, rest))
        }
        _ => Datum::Nil,
    }
}

fn walk<'a>(mut value: Value<'a>, keys: &[PathKey]) -> Datum<'a> {
    for key in keys {
        let inner = match (key, value) {
            (PathKey::Name(name), Value::Map(map)) => map.get(name),
            (PathKey::Index(index), Value::Array(array)) => array.iter().nth(*index),
            _ => None,
        };
        match inner {
            Some(inner) => value = inner,
            None => return Datum::Nil,
        }
    }
    value.into()
}

fn or_zero<'a>(id: &'a [u8], zero: &'static [u8]) -> &'a [u8] {
    if id.is_empty() { zero } else { id }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string cannot fail");
            text
        })
}

fn calculate<'a>(left: Datum<'a>, op: Arithmetic, right: Datum<'a>) -> Datum<'a> {
    let doubles = |a: f64, b: f64| {
        Datum::Double(match op {
            Arithmetic::Add => a + b,
            Arithmetic::Subtract => a - b,
            Arithmetic::Multiply => a * b,
            Arithmetic::Divide => a / b,
        })
    };
    match (left, right) {
        (Datum::Int(a), Datum::Int(b)) => match op {
            Arithmetic::Add => a.checked_add(b),
            Arithmetic::Subtract => a.checked_sub(b),
            Arithmetic::Multiply => a.checked_mul(b),
            Arithmetic::Divide => a.checked_div(b),
        }
        .map_or(Datum::Nil, Datum::Int),
        (Datum::Int(a), Datum::Double(b)) => doubles(a as f64, b),
        (Datum::Double(a), Datum::Int(b)) => doubles(a, b as f64),
        (Datum::Double(a), Datum::Double(b)) => doubles(a, b),
        _ => Datum::Nil,
    }
}

fn run<'a>(call: &'a Call, record: Record<'a>) -> Datum<'a> {
    let argument = |i: usize| {
        call.arguments
            .get(i)
            .map_or(Datum::Nil, |expr| evaluate(expr, record))
    };
    let texts = |test: fn(&str, &str) -> bool| match (argument(0), argument(1)) {
        (Datum::Text(a), Datum::Text(b)) => test(&a, &b),
        _ => false,
    };
    Datum::Bool(match call.function {
        Function::IsMatch => match call.arguments.get(1) {
            Some(Expr::Pattern(pattern)) => argument(0)
                .into_text()
                .is_some_and(|text| pattern.is_match(&text)),
            _ => false,
        },
        Function::Contains => match (argument(0), argument(1)) {
            (Datum::Text(text), Datum::Text(part)) => text.contains(&*part),
            (list, item) => list.has_item(&item),
        },
        Function::ContainsValue => argument(0).has_item(&argument(1)),
        Function::HasPrefix => texts(|text, prefix| text.starts_with(prefix)),
        Function::HasSuffix => texts(|text, suffix| text.ends_with(suffix)),
        Function::IsString => matches!(argument(0), Datum::Text(_)),
        Function::IsMap => matches!(argument(0), Datum::Map(_)),
        Function::IsInt => matches!(argument(0), Datum::Int(_)),
        Function::IsBool => matches!(argument(0), Datum::Bool(_)),
        Function::IsDouble => matches!(argument(0), Datum::Double(_)),
        Function::IsList => matches!(argument(0), Datum::Array(_) | Datum::List(..)),
        _ => return convert(call, record),
    })
}

/// The functions that yield something other than a boolean.
fn convert<'a>(call: &'a Call, record: Record<'a>) -> Datum<'a> {
    let argument = |i: usize| {
        call.arguments
            .get(i)
            .map_or(Datum::Nil, |expr| evaluate(expr, record))
    };
    let length = |n: usize| Datum::Int(i64::try_from(n).unwrap_or(i64::MAX));
    match (call.function, argument(0)) {
        (Function::Len, Datum::Text(text)) => length(text.len()),
        (Function::Len, Datum::Array(array)) => length(array.iter().count()),
        (Function::Len, Datum::Map(map)) => length(map.iter().count()),
        (Function::Len, Datum::List(items, _)) => length(items.len()),
        (Function::ToLowerCase, Datum::Text(text)) => Datum::Text(Cow::Owned(text.to_lowercase())),
        (Function::ToUpperCase, Datum::Text(text)) => Datum::Text(Cow::Owned(text.to_uppercase())),
        (Function::Int, Datum::Int(number)) => Datum::Int(number),
        (Function::Int, Datum::Double(number)) => Datum::Int(number as i64),
        (Function::Int, Datum::Bool(truth)) => Datum::Int(truth.into()),
        (Function::Int, Datum::Text(text)) => text.parse().map_or(Datum::Nil, Datum::Int),
        (Function::Double, Datum::Double(number)) => Datum::Double(number),
        (Function::Double, Datum::Int(number)) => Datum::Double(number as f64),
        (Function::Double, Datum::Bool(truth)) => Datum::Double(truth.into()),
        (Function::Double, Datum::Text(text)) => text.parse().map_or(Datum::Nil, Datum::Double),
        (Function::String, value) => value.into_text().map_or(Datum::Nil, Datum::Text),
        (Function::Concat, list @ (Datum::Array(_) | Datum::List(..))) => match argument(1) {
            Datum::Text(delimiter) => {
                let parts: Vec<_> = list
                    .items()
                    .map(|item| item.into_text().unwrap_or(Cow::Borrowed("<nil>")))
                    .collect();
                Datum::Text(Cow::Owned(parts.join(&*delimiter)))
            }
            _ => Datum::Nil,
        },
        (Function::Substring, Datum::Text(text)) => match (argument(1), argument(2)) {
            (Datum::Int(start), Datum::Int(length)) => {
                substring(text, start, length).map_or(Datum::Nil, Datum::Text)
            }
            _ => Datum::Nil,
        },
        (Function::TraceId, Datum::Bytes(id)) if id.len() == 16 => Datum::Bytes(id),
        (Function::SpanId, Datum::Bytes(id)) if id.len() == 8 => Datum::Bytes(id),
        _ => Datum::Nil,
    }
}

fn substring(text: Cow<'_, str>, start: i64, length: i64) -> Option<Cow<'_, str>> {
    let start = usize::try_from(start).ok()?;
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    match text {
        Cow::Borrowed(text) => text.get(start..end).map(Cow::Borrowed),
        Cow::Owned(text) => text.get(start..end).map(|part| Cow::Owned(part.to_owned())),
    }
}
