use super::*;

fn of(statement: &str) -> String {
    sanitised(statement, None)
}

#[test]
fn literals_go_and_the_statement_stays() {
    for (statement, left) in [
        (
            "SELECT * FROM users WHERE id = 123",
            "SELECT * FROM users WHERE id = ?",
        ),
        (
            "UPDATE a SET b = -10.5e-3, c = 0xFF WHERE d = 'it''s'",
            "UPDATE a SET b = -?, c = ? WHERE d = ?",
        ),
        (
            "INSERT INTO t VALUES ('a', TRUE, NULL, N'x', .5)",
            "INSERT INTO t VALUES (?, ?, NULL, N?, .?)",
        ),
        (
            "SELECT a FROM users_2024 -- for jane\nWHERE b=1",
            "SELECT a FROM users_? \nWHERE b=?",
        ),
        ("SELECT /* trace=abc */ 1", "SELECT   ?"),
        (
            "SELECT `order_1`.x, `a b` FROM [dbo].[t]",
            "SELECT `order_?`.x, ? FROM [dbo].[t]",
        ),
        ("SELECT $1, :name, @p, ?", "SELECT $?, :name, @p, ?"),
        ("SELECT ARRAY['a','b'], x'4a'", "SELECT ARRAY[?,?], x?"),
        ("SELECT 'C:\\\\' , 'b'", "SELECT ? , ?"),
        ("WHERE d = １２３", "WHERE d = ?"),
    ] {
        assert_eq!(of(statement), left, "{statement}");
    }
}

#[test]
fn double_quotes_hold_names_in_postgresql_and_strings_elsewhere() {
    let statement = r#"SELECT "Name" FROM t WHERE a = "x y""#;
    assert_eq!(
        sanitised(statement, Some("postgresql")),
        r#"SELECT "Name" FROM t WHERE a = ?"#
    );
    for system in [None, Some("mysql"), Some("sqlite"), Some("other_sql")] {
        assert_eq!(sanitised(statement, system), "SELECT ? FROM t WHERE a = ?");
    }
}

#[test]
fn where_dialects_read_differently_the_rest_is_hidden() {
    for (statement, left) in [
        (r"a = 'x\' AND b = 'secret'", "a = ?"),
        (r#"a = "x\" AND b = "secret""#, "a = ?"),
        ("a = 'secret", "a = ?"),
        ("a = q'[it's secret]'", "a = ?"),
        ("a /* x /* y */ secret */ b", "a ?"),
        ("a /* secret", "a ?"),
        ("a --'\n secret'", "a ?"),
        ("a # '\n secret'", "a ?"),
        ("a = '''it's secret'''", "a = ?"),
        ("a [O'Brien] = 'secret'", "a ?"),
        ("a ` ' ` secret '", "a ?"),
        ("a $t$ ' $t$ secret '", "a ?"),
        ("a $t$ secret", "a ?"),
        ("COPY t FROM stdin;\nsecret", "COPY t FROM stdin?"),
        ("a = ‘secret’", "a = ?"),
        ("a \u{0} secret", "a ?"),
        (r"VALUES (\'x secret\')", r"VALUES (\?"),
    ] {
        assert_eq!(of(statement), left, "{statement}");
    }
}

#[test]
fn a_sign_that_begins_a_comment_somewhere_is_one_unless_the_system_is_known_to_have_none() {
    let statement = "SELECT a FROM #t # don't\n WHERE b = 'secret'";
    for system in [None, Some("bigquery"), Some("clickhouse")] {
        assert_eq!(sanitised(statement, system), "SELECT a FROM ?");
    }
    let temporary = "SELECT a FROM #t WHERE b = 'secret'";
    assert_eq!(
        sanitised(temporary, Some("mssql")),
        "SELECT a FROM #t WHERE b = ?"
    );
}

#[test]
fn a_dollar_quoted_string_is_one_in_postgresql_and_none_in_mysql() {
    let body = "DO $f$ it's secret $f$ x";
    assert_eq!(sanitised(body, Some("postgresql")), "DO ? x");
    assert_eq!(
        sanitised("a $x$ = 'secret' $x$ b", Some("mysql")),
        "a $x$ = ? $x$ b"
    );
}
