//! The tree of a condition. Printing it gives OTTL text that parses to the same tree.

use std::fmt::{self, Write as _};

use crate::{Call, Path, Pattern, severity};

/// A condition or a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// `nil`: nothing there.
    Nil,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a point.
    Double(f64),
    /// `"text"`.
    Text(String),
    /// `0x0aff`.
    Bytes(Vec<u8>),
    /// `SEVERITY_NUMBER_WARN`: its number.
    Severity(i32),
    /// The second argument of `IsMatch`, compiled; printed as a string.
    Pattern(Pattern),
    /// `["a", "b"]`.
    List(Vec<Self>),
    /// `attributes["x"]`.
    Path(Path),
    /// `IsMatch(body, "x")`.
    Call(Call),
    /// `a + b`.
    Arithmetic {
        /// Left operand.
        left: Box<Self>,
        /// Operator.
        op: Arithmetic,
        /// Right operand.
        right: Box<Self>,
    },
    /// `a == b`.
    Compare {
        /// Left operand.
        left: Box<Self>,
        /// Operator.
        op: Comparison,
        /// Right operand.
        right: Box<Self>,
    },
    /// `not a`.
    Not(Box<Self>),
    /// `a and b and c`.
    And(Vec<Self>),
    /// `a or b or c`.
    Or(Vec<Self>),
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
}

impl Comparison {
    pub(crate) fn from_symbol(symbol: &str) -> Option<Self> {
        Some(match symbol {
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl Arithmetic {
    fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }
}

impl Expr {
    /// How tightly it binds; an operand that binds less tightly than its operator needs parentheses.
    fn binding(&self) -> u8 {
        match self {
            Self::Or(_) => 1,
            Self::And(_) => 2,
            Self::Not(_) => 3,
            Self::Compare { .. } => 4,
            Self::Arithmetic {
                op: Arithmetic::Add | Arithmetic::Subtract,
                ..
            } => 5,
            Self::Arithmetic { .. } => 6,
            _ => 7,
        }
    }

    fn write_bound(&self, f: &mut fmt::Formatter<'_>, at_least: u8) -> fmt::Result {
        if self.binding() < at_least {
            write!(f, "({self})")
        } else {
            write!(f, "{self}")
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binding = self.binding();
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Double(number) => write!(f, "{number:?}"),
            Self::Text(text) => write_quoted(f, text),
            Self::Pattern(pattern) => write_quoted(f, pattern.as_str()),
            Self::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Severity(number) => write!(
                f,
                "{}{}",
                severity::ENUM_PREFIX,
                severity::name(*number).unwrap_or("UNSPECIFIED")
            ),
            Self::List(items) => {
                f.write_char('[')?;
                write_joined(f, items, ", ", 0)?;
                f.write_char(']')
            }
            Self::Path(path) => write!(f, "{path}"),
            Self::Call(call) => {
                write!(f, "{}(", call.function.name())?;
                write_joined(f, &call.arguments, ", ", 0)?;
                f.write_char(')')
            }
            Self::Arithmetic { left, op, right } => {
                left.write_bound(f, binding)?;
                write!(f, " {} ", op.symbol())?;
                // `a - (b - c)` keeps its parentheses: the operators group to the left.
                right.write_bound(f, binding + 1)
            }
            Self::Compare { left, op, right } => {
                left.write_bound(f, binding + 1)?;
                write!(f, " {} ", op.symbol())?;
                right.write_bound(f, binding + 1)
            }
            Self::Not(inner) => {
                f.write_str("not ")?;
                inner.write_bound(f, binding)
            }
            Self::And(items) => write_joined(f, items, " and ", binding + 1),
            Self::Or(items) => write_joined(f, items, " or ", binding + 1),
        }
    }
}

fn write_joined(
    f: &mut fmt::Formatter<'_>,
    items: &[Expr],
    separator: &str,
    at_least: u8,
) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(separator)?;
        }
        item.write_bound(f, at_least)?;
    }
    Ok(())
}

/// Writes a string literal.
pub(crate) fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            '\r' => f.write_str("\\r")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
