//! SQL: strings, numbers, truths and comments go; keywords, names and operators stay.
//!
//! This is a tokenizer and no parser: literals are a matter of tokens, statements reach us cut off, and a parser knows one
//! dialect where records mix many. Dialects disagree on quoting, though, and a wrong guess swaps what is inside a string
//! with what is outside. So wherever the readings differ (a backslash before a quote, a quote that never closes, a comment
//! in a comment) the rest of the statement is hidden.

use super::HIDDEN;

/// Values of `db.system.name` and `db.system` whose statements are SQL.
#[rustfmt::skip]
pub(super) const SYSTEMS: &[&str] = &[
    "other_sql", "mysql", "mariadb", "postgresql", "sqlite", "cockroachdb", "aws.redshift", "redshift",
    "microsoft.sql_server", "mssql", "oracle.db", "oracle", "ibm.db2", "db2", "clickhouse", "trino", "hive",
    "h2database", "h2", "hsqldb", "derby", "firebirdsql", "firebird", "sap.hana", "hanadb", "sap.maxdb", "maxdb",
    "teradata", "vertica", "actian.ingres", "ingres", "gcp.spanner", "spanner", "azure.synapse", "snowflake",
    "bigquery", "edb", "greenplum", "netezza", "informix", "interbase", "tidb", "pervasive", "progress", "adabas",
    "sybase",
];

/// Longest quoted name: 128 characters in Microsoft's dialect, the longest of all.
const MAX_NAME: usize = 4 * 128;

/// What may stay of a statement of the database `system`, or of one that nobody names.
pub(super) fn sanitised(statement: &str, system: Option<&str>) -> String {
    let mut scan = Scan {
        text: statement,
        at: 0,
        dialect: Dialect::of(system),
        close: 0,
        out: String::with_capacity(statement.len()),
    };
    if scan.run().is_none() {
        scan.out.push_str(HIDDEN);
    }
    scan.out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// Double quotes hold strings, `#` begins a comment.
    MySql,
    /// Double quotes hold names, `$tag$` strings.
    Postgres,
    /// Neither holds; `$` and `#` are signs like others.
    Other,
    /// Anything may hold, also `'''` around a string as in BigQuery.
    Unknown,
}

impl Dialect {
    fn of(system: Option<&str>) -> Self {
        match system {
            Some("mysql" | "mariadb" | "tidb") => Self::MySql,
            Some(
                "postgresql" | "cockroachdb" | "aws.redshift" | "redshift" | "greenplum" | "edb",
            ) => Self::Postgres,
            Some(
                "sqlite"
                | "microsoft.sql_server"
                | "mssql"
                | "azure.synapse"
                | "sybase"
                | "oracle.db"
                | "oracle"
                | "ibm.db2"
                | "db2",
            ) => Self::Other,
            _ => Self::Unknown,
        }
    }
}

struct Scan<'t> {
    text: &'t str,
    at: usize,
    dialect: Dialect,
    /// The next `]`, if that is not behind us.
    close: usize,
    out: String,
}

/// `None`: the rest cannot be read with certainty.
type Certain<T = ()> = Option<T>;

impl<'t> Scan<'t> {
    fn run(&mut self) -> Certain {
        while let Some(c) = self.rest().chars().next() {
            match c {
                '\'' => self.string()?,
                '"' => self.double_quoted()?,
                '`' => self.backticked()?,
                '[' => self.bracket()?,
                '$' => self.dollar()?,
                '-' if self.rest().starts_with("--") => {
                    let is_certain = !self.rest()[2..].starts_with(|c: char| !c.is_whitespace());
                    self.line_comment(is_certain)?;
                }
                '#' if self.dialect == Dialect::MySql => self.line_comment(true)?,
                '#' if self.dialect == Dialect::Unknown => self.line_comment(false)?,
                '/' if self.rest().starts_with("/*") => self.block_comment()?,
                _ if c.is_numeric() => self.number(),
                _ if c.is_alphabetic() || c == '_' => self.word()?,
                _ if c.is_whitespace() || c.is_ascii_graphic() => {
                    self.out.push(c);
                    self.at += c.len_utf8();
                }
                _ => return None,
            }
        }
        Some(())
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn hide_until(&mut self, end: usize) {
        self.out.push_str(HIDDEN);
        self.at = end;
    }

    /// The end of what is quoted here, and what it holds. A doubled quote is part of it in every dialect; a quote behind an
    /// odd number of backslashes is in some.
    fn quoted(&self, quote: u8) -> Certain<(usize, &'t str)> {
        let bytes = self.text.as_bytes();
        if self.dialect == Dialect::Unknown && bytes[self.at..].starts_with(&[quote; 3]) {
            return None;
        }
        let (mut i, mut backslashes) = (self.at + 1, 0);
        while let Some(byte) = bytes.get(i) {
            if *byte == b'\\' {
                backslashes += 1;
            } else {
                if *byte == quote {
                    if backslashes % 2 == 1 {
                        return None;
                    }
                    if bytes.get(i + 1) != Some(&quote) {
                        return Some((i + 1, &self.text[self.at + 1..i]));
                    }
                    i += 1;
                }
                backslashes = 0;
            }
            i += 1;
        }
        None
    }

    fn string(&mut self) -> Certain {
        let (end, _) = self.quoted(b'\'')?;
        self.hide_until(end);
        Some(())
    }

    fn double_quoted(&mut self) -> Certain {
        let (end, name) = self.quoted(b'"')?;
        if self.dialect == Dialect::Postgres && is_name(name) {
            self.name('"', name, '"', end);
        } else {
            self.hide_until(end);
        }
        Some(())
    }

    fn backticked(&mut self) -> Certain {
        let (end, name) = self.quoted(b'`')?;
        if name.contains(['\'', '"']) {
            return None;
        }
        if is_name(name) {
            self.name('`', name, '`', end);
        } else {
            self.hide_until(end);
        }
        Some(())
    }

    fn name(&mut self, open: char, name: &str, close: char, end: usize) {
        self.out.push(open);
        push_without_digits(name, &mut self.out);
        self.out.push(close);
        self.at = end;
    }

    /// A name in brackets or a list: both readings go on the same way unless a quote in it stays open.
    fn bracket(&mut self) -> Certain {
        if self.close < self.at {
            self.close = self.rest().find(']').map_or(usize::MAX, |i| self.at + i);
        }
        if self.close - self.at <= MAX_NAME && !closes_all_quotes(&self.text[self.at..self.close]) {
            return None;
        }
        self.out.push('[');
        self.at += 1;
        Some(())
    }

    /// `$1`, or a string between two `$tag$`, where that is known.
    fn dollar(&mut self) -> Certain {
        let tag_end = self.rest()[1..]
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .map(|i| i + 1)
            .filter(|i| self.rest()[*i..].starts_with('$'))
            .filter(|_| !self.rest()[1..].starts_with(char::is_numeric));
        match tag_end {
            Some(tag_end) if matches!(self.dialect, Dialect::Postgres | Dialect::Unknown) => {
                let (tag, inner) = self.rest().split_at(tag_end + 1);
                let length = inner.find(tag)?;
                if self.dialect == Dialect::Unknown && !closes_all_quotes(&inner[..length]) {
                    return None;
                }
                self.hide_until(self.at + tag.len() + length + tag.len());
            }
            _ => {
                self.out.push('$');
                self.at += 1;
            }
        }
        Some(())
    }

    /// `is_certain`: every dialect takes this for a comment.
    fn line_comment(&mut self, is_certain: bool) -> Certain {
        let length = self.rest().find(['\n', '\r']).unwrap_or(self.rest().len());
        if !is_certain && !closes_all_quotes(&self.rest()[..length]) {
            return None;
        }
        self.at += length;
        Some(())
    }

    fn block_comment(&mut self) -> Certain {
        let inner = &self.rest()[2..];
        let length = inner.find("*/")?;
        if inner[..length].contains("/*") {
            return None;
        }
        self.out.push(' ');
        self.at += 2 + length + 2;
        Some(())
    }

    fn number(&mut self) {
        let mut last = ' ';
        let end = self.rest().find(|c: char| {
            let is_sign = matches!(c, '+' | '-') && matches!(last, 'e' | 'E');
            let goes_on = c.is_alphanumeric() || matches!(c, '.' | '_') || is_sign;
            last = c;
            !goes_on
        });
        self.hide_until(end.map_or(self.text.len(), |end| self.at + end));
    }

    fn word(&mut self) -> Certain {
        let end = self
            .rest()
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$')))
            .unwrap_or(self.rest().len());
        let (word, after) = self.rest().split_at(end);
        let is = |other: &str| word.eq_ignore_ascii_case(other);
        // Oracle's `q'[it's]'` closes by its own rule.
        if after.starts_with('\'') && (is("q") || is("nq")) {
            return None;
        }
        if is("true") || is("false") {
            self.out.push_str(HIDDEN);
        } else {
            push_without_digits(word, &mut self.out);
        }
        self.at += end;
        // `COPY … FROM stdin` is followed by rows.
        (!is("stdin")).then_some(())
    }
}

/// Whether what is between quotes can be a name: `order_items`, `public.users`.
fn is_name(quoted: &str) -> bool {
    quoted.len() <= MAX_NAME
        && quoted
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '$' | '?'))
}

fn closes_all_quotes(text: &str) -> bool {
    ["'", "\"", "`"]
        .iter()
        .all(|quote| text.matches(quote).count() % 2 == 0)
}

/// Tables that are numbered stay one table: `users_2024` becomes `users_?`, as in the Collector.
fn push_without_digits(name: &str, out: &mut String) {
    let mut in_number = false;
    for c in name.chars() {
        // A `$` behind a digit would begin something else behind a `?`.
        let is_hidden = c.is_numeric() || (in_number && c == '$');
        if !is_hidden {
            out.push(c);
        } else if !in_number {
            out.push_str(HIDDEN);
        }
        in_number = is_hidden;
    }
}

#[cfg(test)]
mod tests;
