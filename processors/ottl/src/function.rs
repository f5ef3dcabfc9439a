//! The functions that a condition can call.

use sluice_component::nearest;

use crate::{Expr, ParseError};

/// A function with its arguments: as many as it takes, checked when parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What is called.
    pub function: Function,
    /// With what.
    pub arguments: Vec<Expr>,
}

/// A function. "Text" is a string; "like text" also takes numbers, booleans, bytes (hex), lists and maps (JSON).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `IsMatch(like text, "regex")`: matches somewhere.
    IsMatch,
    /// `Contains(text, text)`: is part of it; `Contains(list, value)`: is an item of it.
    Contains,
    /// `ContainsValue(list, value)`.
    ContainsValue,
    /// `HasPrefix(text, text)`.
    HasPrefix,
    /// `HasSuffix(text, text)`.
    HasSuffix,
    /// `IsString(value)`.
    IsString,
    /// `IsMap(value)`.
    IsMap,
    /// `IsInt(value)`.
    IsInt,
    /// `IsBool(value)`.
    IsBool,
    /// `IsDouble(value)`.
    IsDouble,
    /// `IsList(value)`.
    IsList,
    /// `Len(value)`: bytes of a text, items of a list, entries of a map.
    Len,
    /// `ToLowerCase(text)`.
    ToLowerCase,
    /// `ToUpperCase(text)`.
    ToUpperCase,
    /// `Int(value)`: of a text in decimal, a double (cut), a boolean (1 or 0).
    Int,
    /// `Double(value)`.
    Double,
    /// `String(like text)`.
    String,
    /// `Concat([like text, …], text)`: joined by the second; what is not there reads `<nil>`.
    Concat,
    /// `Substring(text, start, length)` in bytes.
    Substring,
    /// `TraceID(0x…)`: 16 bytes.
    TraceId,
    /// `SpanID(0x…)`: 8 bytes.
    SpanId,
}

/// Name, function, number of arguments, and whether it is a test: a condition of its own.
const FUNCTIONS: [(&str, Function, usize, bool); 21] = [
    ("IsMatch", Function::IsMatch, 2, true),
    ("Contains", Function::Contains, 2, true),
    ("ContainsValue", Function::ContainsValue, 2, true),
    ("HasPrefix", Function::HasPrefix, 2, true),
    ("HasSuffix", Function::HasSuffix, 2, true),
    ("IsString", Function::IsString, 1, true),
    ("IsMap", Function::IsMap, 1, true),
    ("IsInt", Function::IsInt, 1, true),
    ("IsBool", Function::IsBool, 1, true),
    ("IsDouble", Function::IsDouble, 1, true),
    ("IsList", Function::IsList, 1, true),
    ("Len", Function::Len, 1, false),
    ("ToLowerCase", Function::ToLowerCase, 1, false),
    ("ToUpperCase", Function::ToUpperCase, 1, false),
    ("Int", Function::Int, 1, false),
    ("Double", Function::Double, 1, false),
    ("String", Function::String, 1, false),
    ("Concat", Function::Concat, 2, false),
    ("Substring", Function::Substring, 3, false),
    ("TraceID", Function::TraceId, 1, false),
    ("SpanID", Function::SpanId, 1, false),
];

impl Function {
    /// The function of that name; `at` is the offset for the error.
    pub(crate) fn named(name: &str, at: usize) -> Result<Self, ParseError> {
        if let Some((_, function, ..)) = FUNCTIONS.into_iter().find(|(known, ..)| *known == name) {
            return Ok(function);
        }
        let error = ParseError::new(at, format!("unknown function `{name}`"));
        Err(
            match nearest(name, FUNCTIONS.into_iter().map(|(known, ..)| known)) {
                Some(meant) => error.help(format!("did you mean `{meant}`?")),
                None => error.help(format!(
                    "known functions: {}",
                    FUNCTIONS.map(|(known, ..)| known).join(", ")
                )),
            },
        )
    }

    /// As written in OTTL.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// How many arguments it takes.
    pub(crate) fn arity(self) -> usize {
        self.row().2
    }

    /// Whether a call is a condition of its own.
    pub(crate) fn is_test(self) -> bool {
        self.row().3
    }

    fn row(self) -> (&'static str, Self, usize, bool) {
        FUNCTIONS
            .into_iter()
            .find(|(_, function, ..)| *function == self)
            .expect("every function has its row")
    }
}
