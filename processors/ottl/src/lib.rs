//! Conditions of the OpenTelemetry Transformation Language (OTTL), evaluated over a record.
//!
//! ```text
//!  text ──lexer──▶ tokens ──parser──▶ Expr ──evaluate(record)──▶ bool
//! ```
//!
//! The grammar is that of the Collector's
//! [LANGUAGE.md](https://github.com/open-telemetry/opentelemetry-collector-contrib/blob/main/pkg/ottl/LANGUAGE.md):
//! `and` binds tighter than `or`, `not` covers one comparison, a path alone is no condition.
//!
//! ```
//! # use processor_ottl::Condition;
//! let condition = Condition::parse(r#"attributes["ai.policy.outcome"] == "deny" and not IsMatch(body["model"], "^test-")"#)?;
//! let wrong = Condition::parse(r#"attributes["a"] = 1"#).unwrap_err();
//! assert_eq!(wrong.offset, 16);
//! # Ok::<(), processor_ottl::ParseError>(())
//! ```
//!
//! **A condition never fails.** Where the Collector reports an error while it evaluates (a text function on a number, a
//! key looked up in a string, a division by zero) the value here is `nil` and a test function is false. So
//! `body["level"] == "high" or attributes["a"] == "b"` still sees the attribute when the body is no map.
//!
//! Limits: [`MAX_LENGTH`] bytes of text, [`MAX_DEPTH`] levels of nesting, regular expressions of 1 MiB compiled.

mod ast;
mod compare;
mod condition;
mod error;
mod evaluate;
mod function;
mod lexer;
mod parser;
mod path;
mod pattern;
pub mod severity;
#[cfg(test)]
mod tests;

pub use ast::{Arithmetic, Comparison, Expr};
pub use condition::Condition;
pub use error::ParseError;
pub use function::{Call, Function};
pub use parser::{MAX_DEPTH, MAX_LENGTH};
pub use path::{Field, Path, PathKey};
pub use pattern::{BadPattern, Pattern};
