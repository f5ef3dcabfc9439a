//! The one table of columns that CSV and Parquet share.

use std::borrow::Cow;

use crate::row::Row;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole number from 0.
    Number,
    /// A small number.
    Small,
    /// UTC nanoseconds since 1970.
    Time,
    /// True or false.
    Flag,
    /// Text that few rows share.
    Text,
    /// Text that many rows share.
    Word,
}

/// What a row has in a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'r> {
    Nothing,
    Number(u64),
    Small(i32),
    Time(u64),
    Flag(bool),
    /// In columns of [`Kind::Text`] and [`Kind::Word`].
    Text(Cow<'r, str>),
}

/// A column: its name, and how a row fills it.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) cell: for<'r> fn(&Row<'r>) -> Cell<'r>,
}

const fn column(name: &'static str, kind: Kind, cell: for<'r> fn(&Row<'r>) -> Cell<'r>) -> Column {
    Column { name, kind, cell }
}

/// All columns in order. New ones go to the end: files of an older release stay readable by position.
pub(crate) const COLUMNS: &[Column] = &[
    column("sequence", Kind::Number, |row| {
        Cell::Number(row.info.sequence)
    }),
    column("pipeline", Kind::Word, |row| given(row.info.pipeline)),
    column("accepted_time", Kind::Time, |row| {
        time(row.info.accepted_ns)
    }),
    column("time", Kind::Time, |row| time(row.record.time())),
    column("observed_time", Kind::Time, |row| {
        time(row.record.observed_time())
    }),
    column("signal", Kind::Word, |row| given(row.batch.signal().name())),
    column("event_name", Kind::Word, |row| given(row.record.name())),
    column("severity", Kind::Word, |row| {
        given(row.record.severity_text())
    }),
    column("severity_number", Kind::Small, |row| {
        match row.record.severity_number() {
            0 => Cell::Nothing,
            number => Cell::Small(number),
        }
    }),
    column("trace_id", Kind::Text, |row| hex(row.record.trace_id())),
    column("span_id", Kind::Text, |row| hex(row.record.span_id())),
    column("log_record_uid", Kind::Text, |row| text(row.uid())),
    column("ai_policy_id", Kind::Word, |row| {
        text(row.attribute("ai.policy.id"))
    }),
    column("ai_policy_decision", Kind::Word, |row| text(row.decision())),
    column("ai_policy_outcome", Kind::Word, |row| {
        text(row.attribute("ai.policy.outcome"))
    }),
    column("ai_policy_enforced", Kind::Flag, |row| {
        row.is_enforced().map_or(Cell::Nothing, Cell::Flag)
    }),
    column("user_id", Kind::Word, |row| text(row.attribute("user.id"))),
    column("gen_ai_request_model", Kind::Word, |row| {
        text(row.attribute("gen_ai.request.model"))
    }),
    column("ai_project_id", Kind::Word, |row| {
        text(row.attribute("ai.project.id"))
    }),
    column("ai_admin_action", Kind::Word, |row| {
        text(row.attribute("ai.admin.action"))
    }),
    column("ai_admin_resource_type", Kind::Word, |row| {
        text(row.attribute("ai.admin.resource.type"))
    }),
    column("ai_admin_resource_id", Kind::Word, |row| {
        text(row.attribute("ai.admin.resource.id"))
    }),
    column("client_address", Kind::Word, |row| {
        text(row.attribute("client.address"))
    }),
    column("data_classification", Kind::Word, |row| {
        text(row.attribute("data.classification"))
    }),
    column("audit_leaf_hash", Kind::Text, |row| {
        text(row.leaf_hash().map(Cow::Owned))
    }),
    column("scope", Kind::Word, |row| {
        text(row.scope.map(Cow::Borrowed))
    }),
    column("resource", Kind::Word, |row| given(row.resource)),
    column("attributes", Kind::Text, |row| {
        Cell::Text(Cow::Owned(row.attributes()))
    }),
    column("body", Kind::Text, |row| Cell::Text(Cow::Owned(row.body()))),
];

fn text(text: Option<Cow<'_, str>>) -> Cell<'_> {
    text.map_or(Cell::Nothing, Cell::Text)
}

/// A text that is not there when it is empty.
fn given(text: &str) -> Cell<'_> {
    if text.is_empty() {
        Cell::Nothing
    } else {
        Cell::Text(Cow::Borrowed(text))
    }
}

fn time(nanos: u64) -> Cell<'static> {
    if nanos == 0 {
        Cell::Nothing
    } else {
        Cell::Time(nanos)
    }
}

fn hex(id: &[u8]) -> Cell<'static> {
    if id.is_empty() {
        Cell::Nothing
    } else {
        Cell::Text(Cow::Owned(hex::encode(id)))
    }
}
