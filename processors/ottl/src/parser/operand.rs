//! Operands: literals, lists, brackets, paths and calls.

use super::{MAX_DEPTH, Node, Parser, node, too_deep};
use crate::ast::Expr;
use crate::lexer::Token;
use crate::path::{Field, Path, PathKey};
use crate::{Call, Function, ParseError, Pattern, severity};

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Result<Node, ParseError> {
        let at = self.offset();
        let token = self.peek().clone();
        let leaf = |expr| Ok(Node { expr, at, depth: 1 });
        match token {
            Token::Name(name) => return self.name(name, at),
            Token::Symbol("(") => {
                self.next += 1;
                let inner = self.nested(at, Self::or)?;
                self.expect(")")?;
                return Ok(inner);
            }
            Token::Symbol("[") => {
                self.next += 1;
                let (items, depth) = self.nested(at, |parser| parser.values("]"))?;
                return node(Expr::List(items), at, depth + 1);
            }
            _ => {}
        }
        self.next += 1;
        match token {
            Token::Str(text) => leaf(Expr::Text(text)),
            Token::Bytes(bytes) => leaf(Expr::Bytes(bytes)),
            Token::Int(digits) => leaf(Expr::Int(int(digits, at)?)),
            Token::Float(digits) => leaf(Expr::Double(double(digits, at)?)),
            Token::Symbol("-") => {
                let expr = match self.peek().clone() {
                    Token::Int(digits) => Expr::Int(int(&format!("-{digits}"), at)?),
                    Token::Float(digits) => Expr::Double(-double(digits, at)?),
                    _ => {
                        return Err(ParseError::new(
                            at,
                            "`-` must stand before a number or between two values",
                        )
                        .help("write `0 - …`"));
                    }
                };
                self.next += 1;
                leaf(expr)
            }
            Token::Symbol("{") => Err(ParseError::new(at, "map literals are not supported")
                .help("compare the map's entries one by one")),
            token => Err(ParseError::new(
                at,
                format!(
                    "expected a value or a condition, found {}",
                    token.describe()
                ),
            )),
        }
    }

    /// A keyword, a call, an enum constant or a path.
    fn name(&mut self, name: &str, at: usize) -> Result<Node, ParseError> {
        self.next += 1;
        let leaf = |expr| Ok(Node { expr, at, depth: 1 });
        match name {
            "nil" => return leaf(Expr::Nil),
            "true" => return leaf(Expr::Bool(true)),
            "false" => return leaf(Expr::Bool(false)),
            "and" | "or" | "not" => {
                return Err(ParseError::new(
                    at,
                    format!("expected a value or a condition, found `{name}`"),
                ));
            }
            "null" | "None" => {
                return Err(
                    ParseError::new(at, format!("unknown path `{name}`")).help("write `nil`")
                );
            }
            _ => {}
        }
        if *self.peek() == Token::Symbol("(") {
            return self.call(name, at);
        }
        if name
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            && name.bytes().any(|b| b.is_ascii_uppercase())
        {
            return match name
                .strip_prefix(severity::ENUM_PREFIX)
                .and_then(severity::number)
            {
                Some(number) => leaf(Expr::Severity(number)),
                None => Err(
                    ParseError::new(at, format!("unknown constant `{name}`")).help(format!(
                        "severities are written `{0}TRACE` to `{0}FATAL4`",
                        severity::ENUM_PREFIX
                    )),
                ),
            };
        }
        leaf(Expr::Path(self.path(name, at)?))
    }

    fn path(&mut self, first: &str, at: usize) -> Result<Path, ParseError> {
        let mut dotted = first.to_owned();
        while *self.peek() == Token::Symbol(".") {
            self.next += 1;
            let Token::Name(segment) = self.peek() else {
                return Err(self.unexpected("a name after `.`"));
            };
            dotted.push('.');
            dotted.push_str(segment);
            self.next += 1;
        }
        let field = Field::named(&dotted, at)?;
        let mut keys = Vec::new();
        while *self.peek() == Token::Symbol("[") {
            let bracket = self.offset();
            if !field.takes_keys() {
                return Err(ParseError::new(bracket, format!("`{field}` has no keys")));
            }
            self.next += 1;
            let key = match self.peek() {
                Token::Str(name) => PathKey::Name(name.clone()),
                Token::Int(digits) if !(keys.is_empty() && field.needs_key()) => {
                    match digits.parse() {
                        Ok(index) => PathKey::Index(index),
                        Err(_) => {
                            return Err(ParseError::new(
                                self.offset(),
                                format!("`{digits}` is too large"),
                            ));
                        }
                    }
                }
                _ => return Err(self.unexpected("a key in double quotes")),
            };
            keys.push(key);
            self.next += 1;
            self.expect("]")?;
        }
        if keys.is_empty() && field.needs_key() {
            return Err(ParseError::new(at, format!("`{field}` needs a key"))
                .help(format!("write `{field}[\"key\"]`")));
        }
        if keys.len() > MAX_DEPTH {
            return Err(too_deep(at));
        }
        if *self.peek() == Token::Symbol(".") {
            return Err(
                ParseError::new(self.offset(), "expected the end of the path, found `.`")
                    .help("write `[\"key\"]` to look into a map"),
            );
        }
        Ok(Path { field, keys })
    }

    fn call(&mut self, name: &str, at: usize) -> Result<Node, ParseError> {
        let function = Function::named(name, at)?;
        let open = self.offset();
        self.next += 1;
        let first = self.next;
        let (mut arguments, depth) = self.nested(open, |parser| parser.values(")"))?;
        if arguments.len() != function.arity() {
            return Err(ParseError::new(
                at,
                format!(
                    "`{name}` takes {} arguments, found {}",
                    function.arity(),
                    arguments.len()
                ),
            ));
        }
        if function == Function::IsMatch {
            let last = &mut arguments[1];
            // Where the pattern, a lone literal, stands: the last string of the call.
            let place = self.tokens[first..self.next]
                .iter()
                .rev()
                .find(|(_, token)| matches!(token, Token::Str(_)))
                .map_or(at, |(at, _)| *at);
            let Expr::Text(text) = last else {
                return Err(ParseError::new(
                    at,
                    "the second argument of `IsMatch` must be a regular expression in double quotes",
                ));
            };
            let pattern = Pattern::new(text).map_err(|bad| {
                ParseError::new(
                    place + 1 + escaped_length(text, bad.offset),
                    bad.to_string(),
                )
            })?;
            *last = Expr::Pattern(pattern);
        }
        node(
            Expr::Call(Call {
                function,
                arguments,
            }),
            at,
            depth + 1,
        )
    }

    /// Values between commas, up to the closing bracket.
    fn values(&mut self, close: &'static str) -> Result<(Vec<Expr>, usize), ParseError> {
        let (mut items, mut depth) = (Vec::new(), 0);
        while *self.peek() != Token::Symbol(close) {
            let item = self.sum()?.into_value()?;
            depth = depth.max(item.depth);
            items.push(item.expr);
            if *self.peek() != Token::Symbol(",") {
                break;
            }
            self.next += 1;
        }
        self.expect(close)?;
        Ok((items, depth))
    }
}

fn int(digits: &str, at: usize) -> Result<i64, ParseError> {
    digits
        .parse()
        .map_err(|_| ParseError::new(at, format!("`{digits}` does not fit into 64 bits")))
}

fn double(digits: &str, at: usize) -> Result<f64, ParseError> {
    match digits.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(ParseError::new(at, format!("`{digits}` is out of range"))),
    }
}

/// How many bytes the first `length` bytes of a string's content take as it was most probably written: backslashes,
/// quotes and white space escaped.
fn escaped_length(content: &str, length: usize) -> usize {
    content
        .bytes()
        .take(length)
        .map(|b| {
            if matches!(b, b'\\' | b'"' | b'\n' | b'\t' | b'\r') {
                2
            } else {
                1
            }
        })
        .sum()
}
