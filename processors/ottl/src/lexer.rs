//! Text to tokens, each with its byte offset.

use crate::ParseError;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token<'t> {
    /// A name: path segment, function, enum constant or keyword.
    Name(&'t str),
    /// A string's content, unescaped.
    Str(String),
    /// Digits without a sign.
    Int(&'t str),
    /// A number with a point or an exponent, without a sign.
    Float(&'t str),
    /// `0x` and an even number of hex digits.
    Bytes(Vec<u8>),
    /// An operator or a bracket.
    Symbol(&'static str),
    /// The end of the text.
    End,
}

impl Token<'_> {
    /// How an error message names it.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Name(text) | Self::Int(text) | Self::Float(text) => format!("`{text}`"),
            Self::Str(_) => "a string".into(),
            Self::Bytes(_) => "a bytes literal".into(),
            Self::Symbol(text) => format!("`{text}`"),
            Self::End => "the end".into(),
        }
    }
}

/// Longest first, so that `<=` is not read as `<` and `=`.
const SYMBOLS: [&str; 19] = [
    "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "(", ")", "[", "]", ",", ".", "{", "}",
    ":",
];

/// All tokens of `text` with their offsets, ending with [`Token::End`].
pub(crate) fn tokens(text: &str) -> Result<Vec<(usize, Token<'_>)>, ParseError> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let rest = &text[at..];
        let (token, length) = match first {
            '"' => string(rest, at)?,
            '0'..='9' => number(rest, at)?,
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = span(rest, |b| b.is_ascii_alphanumeric() || b == b'_');
                (Token::Name(&rest[..length]), length)
            }
            _ => symbol(rest, at, first)?,
        };
        found.push((at, token));
        at += length;
    }
    found.push((text.len(), Token::End));
    Ok(found)
}

/// How many leading bytes hold.
fn span(text: &str, holds: impl Fn(u8) -> bool) -> usize {
    text.bytes().position(|b| !holds(b)).unwrap_or(text.len())
}

fn symbol(rest: &str, at: usize, first: char) -> Result<(Token<'static>, usize), ParseError> {
    if let Some(symbol) = SYMBOLS.into_iter().find(|s| rest.starts_with(s)) {
        return Ok((Token::Symbol(symbol), symbol.len()));
    }
    let error = ParseError::new(at, format!("unexpected character `{first}`"));
    Err(match first {
        '=' => ParseError::new(at, "`=` is no comparison").help("write `==`"),
        '!' => error.help("write `not`, or `!=` to compare"),
        '&' => error.help("write `and`"),
        '|' => error.help("write `or`"),
        '\'' | '“' | '”' => error.help("write strings in double quotes"),
        _ => error,
    })
}

fn number(rest: &str, at: usize) -> Result<(Token<'_>, usize), ParseError> {
    if rest.starts_with("0x") {
        return hex(rest, at);
    }
    let digits = |from: usize| from + span(&rest[from..], |b| b.is_ascii_digit());
    let mut end = digits(0);
    let mut is_float = false;
    if rest[end..].starts_with('.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
        is_float = true;
    }
    if rest[end..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
            is_float = true;
        }
    }
    let trailing = span(&rest[end..], |b| b.is_ascii_alphanumeric() || b == b'_');
    if trailing > 0 {
        return Err(ParseError::new(
            at,
            format!("`{}` is no number", &rest[..end + trailing]),
        ));
    }
    Ok((
        if is_float {
            Token::Float(&rest[..end])
        } else {
            Token::Int(&rest[..end])
        },
        end,
    ))
}

fn hex(rest: &str, at: usize) -> Result<(Token<'_>, usize), ParseError> {
    let length = 2 + span(&rest[2..], |b| b.is_ascii_alphanumeric());
    let digits = &rest.as_bytes()[2..length];
    let nibble = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let bytes: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| Some((nibble(pair[0])? << 4) | nibble(*pair.get(1)?)?))
        .collect();
    match bytes {
        Some(bytes) if !bytes.is_empty() => Ok((Token::Bytes(bytes), length)),
        _ => Err(ParseError::new(
            at,
            "a bytes literal is `0x` and an even number of hex digits",
        )),
    }
}

/// A string literal with Go's escapes, as the Collector reads it.
fn string(rest: &str, at: usize) -> Result<(Token<'static>, usize), ParseError> {
    let mut content = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Ok((Token::Str(content), i + 1)),
            '\\' => {
                let bad = || {
                    ParseError::new(at + i, "unknown escape in a string")
                        .help("write `\\\\` for a backslash: `\"\\\\d+\"` is the regular expression `\\d+`")
                };
                let (_, kind) = chars.next().ok_or_else(|| unclosed(at))?;
                let digits = match kind {
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    _ => 0,
                };
                if digits > 0 {
                    let mut code = 0;
                    for _ in 0..digits {
                        let digit = chars
                            .next()
                            .and_then(|(_, c)| c.to_digit(16))
                            .ok_or_else(bad)?;
                        code = code * 16 + digit;
                    }
                    // `\xNN` is a byte in Go; from 0x80 on it alone would not be UTF-8.
                    let c = if kind == 'x' && code > 0x7f {
                        None
                    } else {
                        char::from_u32(code)
                    };
                    content.push(c.ok_or_else(bad)?);
                } else {
                    content.push(match kind {
                        '"' | '\\' | '\'' => kind,
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        'a' => '\u{7}',
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'v' => '\u{b}',
                        _ => return Err(bad()),
                    });
                }
            }
            _ => content.push(c),
        }
    }
    Err(unclosed(at))
}

fn unclosed(at: usize) -> ParseError {
    ParseError::new(at, "this string has no end").help("close it with `\"`")
}
