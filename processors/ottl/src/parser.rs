//! Tokens to a tree: recursive descent, one function for each level of binding.
//!
//! ```text
//! or := and { "or" and }       and := not { "and" not }        not := "not" not | comparison
//! comparison := sum [ op sum ] sum := product { ± product }    product := primary { */ primary }
//! ```

mod operand;

use crate::ParseError;
use crate::ast::{Arithmetic, Comparison, Expr};
use crate::lexer::{Token, tokens};

/// Longest condition, in bytes.
pub const MAX_LENGTH: usize = 16 << 10;
/// Deepest nesting: brackets, calls, `not`, and operands of an arithmetic chain.
pub const MAX_DEPTH: usize = 64;

/// Parses a whole text as one condition.
pub(crate) fn condition(text: &str) -> Result<Expr, ParseError> {
    if text.len() > MAX_LENGTH {
        return Err(ParseError::new(
            0,
            format!(
                "the condition is {} bytes long, at most {MAX_LENGTH} are allowed",
                text.len()
            ),
        ));
    }
    let mut parser = Parser {
        tokens: tokens(text)?,
        next: 0,
        open: 0,
    };
    let node = parser.or()?;
    parser.expect_end()?;
    Ok(node.into_condition()?.expr)
}

/// A parsed piece: where it starts and how deep its tree is.
struct Node {
    expr: Expr,
    at: usize,
    depth: usize,
}

struct Parser<'t> {
    tokens: Vec<(usize, Token<'t>)>,
    next: usize,
    /// How many brackets, calls and `not`s are open.
    open: usize,
}

impl<'t> Parser<'t> {
    fn or(&mut self) -> Result<Node, ParseError> {
        self.joined("or", Self::and, Expr::Or)
    }

    fn and(&mut self) -> Result<Node, ParseError> {
        self.joined("and", Self::not, Expr::And)
    }

    fn joined(
        &mut self,
        word: &str,
        operand: fn(&mut Self) -> Result<Node, ParseError>,
        join: fn(Vec<Expr>) -> Expr,
    ) -> Result<Node, ParseError> {
        let first = operand(self)?;
        if !self.at_word(word) {
            return Ok(first);
        }
        let Node {
            expr,
            at,
            mut depth,
        } = first.into_condition()?;
        let mut items = vec![expr];
        while self.at_word(word) {
            self.next += 1;
            let item = operand(self)?.into_condition()?;
            depth = depth.max(item.depth);
            items.push(item.expr);
        }
        node(join(items), at, depth + 1)
    }

    fn not(&mut self) -> Result<Node, ParseError> {
        if !self.at_word("not") {
            return self.comparison();
        }
        let at = self.offset();
        self.next += 1;
        let inner = self.nested(at, Self::not)?.into_condition()?;
        node(Expr::Not(Box::new(inner.expr)), at, inner.depth + 1)
    }

    fn comparison(&mut self) -> Result<Node, ParseError> {
        let left = self.sum()?;
        let Some(op) = self.comparison_operator() else {
            return Ok(left);
        };
        self.next += 1;
        let right = self.sum()?.into_value()?;
        let left = left.into_value()?;
        if self.comparison_operator().is_some() {
            return Err(
                ParseError::new(self.offset(), "comparisons cannot be chained")
                    .help("join two comparisons with `and`"),
            );
        }
        node(
            Expr::Compare {
                left: Box::new(left.expr),
                op,
                right: Box::new(right.expr),
            },
            left.at,
            left.depth.max(right.depth) + 1,
        )
    }

    fn sum(&mut self) -> Result<Node, ParseError> {
        self.chain(Self::product, |symbol| match symbol {
            "+" => Some(Arithmetic::Add),
            "-" => Some(Arithmetic::Subtract),
            _ => None,
        })
    }

    fn product(&mut self) -> Result<Node, ParseError> {
        self.chain(Self::primary, |symbol| match symbol {
            "*" => Some(Arithmetic::Multiply),
            "/" => Some(Arithmetic::Divide),
            _ => None,
        })
    }

    fn chain(
        &mut self,
        operand: fn(&mut Self) -> Result<Node, ParseError>,
        op: fn(&str) -> Option<Arithmetic>,
    ) -> Result<Node, ParseError> {
        let mut left = operand(self)?;
        while let Token::Symbol(symbol) = self.peek()
            && let Some(op) = op(symbol)
        {
            self.next += 1;
            let right = operand(self)?.into_value()?;
            let Node { expr, at, depth } = left.into_value()?;
            left = node(
                Expr::Arithmetic {
                    left: Box::new(expr),
                    op,
                    right: Box::new(right.expr),
                },
                at,
                depth.max(right.depth) + 1,
            )?;
        }
        Ok(left)
    }

    /// Runs `parse` one level deeper, within the limit.
    fn nested<T>(
        &mut self,
        at: usize,
        parse: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.open == MAX_DEPTH {
            return Err(too_deep(at));
        }
        self.open += 1;
        let result = parse(self);
        self.open -= 1;
        result
    }

    fn comparison_operator(&self) -> Option<Comparison> {
        if let Token::Symbol(symbol) = self.peek() {
            Comparison::from_symbol(symbol)
        } else {
            None
        }
    }

    fn peek(&self) -> &Token<'t> {
        self.tokens
            .get(self.next)
            .map_or(&Token::End, |(_, token)| token)
    }

    fn offset(&self) -> usize {
        self.tokens
            .get(self.next)
            .or(self.tokens.last())
            .map_or(0, |(at, _)| *at)
    }

    fn at_word(&self, word: &str) -> bool {
        *self.peek() == Token::Name(word)
    }

    fn expect(&mut self, symbol: &'static str) -> Result<(), ParseError> {
        if *self.peek() != Token::Symbol(symbol) {
            return Err(self.unexpected(&format!("`{symbol}`")));
        }
        self.next += 1;
        Ok(())
    }

    fn expect_end(&self) -> Result<(), ParseError> {
        match self.peek() {
            Token::End => Ok(()),
            Token::Name(word)
                if ["and", "or", "not"].contains(&word.to_ascii_lowercase().as_str()) =>
            {
                Err(self
                    .unexpected("the end")
                    .help(format!("write `{}`", word.to_ascii_lowercase())))
            }
            _ => Err(self
                .unexpected("the end")
                .help("join conditions with `and` or `or`")),
        }
    }

    fn unexpected(&self, wanted: &str) -> ParseError {
        ParseError::new(
            self.offset(),
            format!("expected {wanted}, found {}", self.peek().describe()),
        )
    }
}

impl Node {
    fn into_condition(self) -> Result<Self, ParseError> {
        let error = ParseError::new(self.at, "this is a value, not a condition");
        match &self.expr {
            Expr::Compare { .. } | Expr::Not(_) | Expr::And(_) | Expr::Or(_) | Expr::Bool(_) => {
                Ok(self)
            }
            Expr::Call(call) if call.function.is_test() => Ok(self),
            Expr::Path(_) | Expr::Call(_) => Err(error.help(format!(
                "compare it: `{0} != nil` or `{0} == true`",
                self.expr
            ))),
            _ => Err(error.help("compare it with something")),
        }
    }

    fn into_value(self) -> Result<Self, ParseError> {
        match &self.expr {
            Expr::Compare { .. } | Expr::Not(_) | Expr::And(_) | Expr::Or(_) => Err(
                ParseError::new(self.at, "this is a condition, a value is needed here")
                    .help("join conditions with `and` or `or`"),
            ),
            _ => Ok(self),
        }
    }
}

fn node(expr: Expr, at: usize, depth: usize) -> Result<Node, ParseError> {
    if depth > MAX_DEPTH {
        Err(too_deep(at))
    } else {
        Ok(Node { expr, at, depth })
    }
}

fn too_deep(at: usize) -> ParseError {
    ParseError::new(at, format!("nested more than {MAX_DEPTH} levels deep"))
}
