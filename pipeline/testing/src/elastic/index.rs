//! What happens to one document: index or data stream, id, mapping, failure store.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::filter::glob;
use super::{Flavour, Options, State};

/// Dynamic mapping stops here (`index.mapping.total_fields.limit`).
const MAX_FIELDS: usize = 1_000;

/// A stored document.
#[derive(Clone, Debug)]
pub struct Document {
    /// The index or data stream that the request named.
    pub index: String,
    /// The index that holds it: of a data stream, the backing index.
    pub backing: String,
    /// Its id.
    pub id: String,
    /// Its source.
    pub source: Map<String, Value>,
    /// Its source's bytes as sent.
    pub text: String,
}

/// Why an item fails.
#[derive(Clone, Debug)]
pub struct ItemError {
    /// The item's status.
    pub status: u16,
    /// `error.type`.
    pub kind: String,
    /// `error.reason`.
    pub reason: String,
}

impl ItemError {
    /// An error with this status, type and reason.
    #[must_use]
    pub fn new(status: u16, kind: &str, reason: &str) -> Self {
        Self {
            status,
            kind: kind.to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// 429: the write queue is full.
    #[must_use]
    pub fn rejected() -> Self {
        Self::new(
            429,
            "es_rejected_execution_exception",
            "rejected execution of coordinating operation",
        )
    }

    /// 400: the document does not fit the mapping.
    #[must_use]
    pub fn mapping() -> Self {
        Self::new(
            400,
            "document_parsing_exception",
            "[1:2] failed to parse field [created_at] of type [date]",
        )
    }

    /// 403: the index is read-only.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::new(
            403,
            "cluster_block_exception",
            "index blocked by: [FORBIDDEN/8/index write (api)];",
        )
    }

    /// 404: the index is missing and may not be created.
    #[must_use]
    pub fn missing_index() -> Self {
        Self::new(
            404,
            "index_not_found_exception",
            "no such index and [action.auto_create_index] is [false]",
        )
    }

    /// 503: the primary shard is not there.
    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(
            503,
            "unavailable_shards_exception",
            "primary shard is not active Timeout: [1m]",
        )
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Index,
}

/// One operation of a request.
pub(super) struct Item {
    pub(super) operation: Operation,
    pub(super) index: String,
    pub(super) id: Option<String>,
    pub(super) source: Result<Map<String, Value>, String>,
    pub(super) text: String,
}

/// The indices' mappings and generations, and the failures that a test has ordered.
#[derive(Debug, Default)]
pub(super) struct Indices {
    mappings: HashMap<String, HashMap<String, Kind>>,
    generations: HashMap<String, u32>,
    ids: BTreeSet<(String, String)>,
    next: Vec<ItemError>,
    by_id: HashMap<String, (usize, ItemError)>,
}

/// What a name stands for in an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Object,
    Number,
    Bool,
    Text,
    /// A string that reads as a number: fits a number, and is mapped as text.
    Numeral,
}

impl Indices {
    pub(super) fn fail_next(&mut self, times: usize, error: ItemError) {
        self.next.splice(0..0, std::iter::repeat_n(error, times));
    }

    pub(super) fn fail(&mut self, id: &str, times: usize, error: ItemError) {
        self.by_id.insert(id.to_owned(), (times, error));
    }

    pub(super) fn roll_over(&mut self, stream: &str) {
        *self.generations.entry(stream.to_owned()).or_insert(1) += 1;
    }

    fn ordered(&mut self, id: Option<&str>) -> Option<ItemError> {
        if let Some((left, error)) = id
            .and_then(|id| self.by_id.get_mut(id))
            .filter(|(left, _)| *left > 0)
        {
            *left -= 1;
            return Some(error.clone());
        }
        self.next.pop()
    }
}

impl State {
    /// Stores a document or not, and gives its item of the answer.
    pub(super) fn store(
        &mut self,
        item: Item,
        options: &Options,
        require_data_stream: bool,
    ) -> Value {
        let action = if item.operation == Operation::Create {
            "create"
        } else {
            "index"
        };
        let id = item
            .id
            .clone()
            .unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
        let (index, text) = (item.index.clone(), item.text.clone());
        let outcome = match self.indices.ordered(item.id.as_deref()) {
            Some(error) => Err(error),
            None => self.judge(item, &id, options, require_data_stream),
        };
        let answer = match outcome {
            Ok((document, status)) => {
                let body = json!({"_index": document.backing, "_id": id, "_version": if status == 201 { 1 } else { 2 },
                    "result": if status == 201 { "created" } else { "updated" },
                    "_shards": {"total": 2, "successful": 1, "failed": 0}, "_seq_no": self.documents.len(), "_primary_term": 1, "status": status});
                self.keep(document, status);
                body
            }
            Err(error) if options.failure_store && error.status == 400 => {
                let (backing, id) = (
                    format!(".fs-{index}-2026.01.01-000002"),
                    uuid::Uuid::new_v4().simple().to_string(),
                );
                let source = serde_json::from_str(&text).unwrap_or_default();
                self.failures.push(Document {
                    index,
                    backing: backing.clone(),
                    id: id.clone(),
                    source,
                    text,
                });
                json!({"_index": backing, "_id": id, "_version": 1, "result": "created", "failure_store": "used",
                    "_shards": {"total": 2, "successful": 1, "failed": 0}, "_seq_no": 0, "_primary_term": 1, "status": 201})
            }
            Err(error) => {
                self.conflicts += usize::from(error.status == 409);
                json!({"_index": index, "_id": id, "status": error.status, "error": {"type": error.kind, "reason": error.reason}})
            }
        };
        json!({action: answer})
    }

    fn keep(&mut self, document: Document, status: u16) {
        if status == 201 {
            self.indices
                .ids
                .insert((document.backing.clone(), document.id.clone()));
            self.documents.push(document);
        } else if let Some(old) = self
            .documents
            .iter_mut()
            .find(|old| old.id == document.id && old.backing == document.backing)
        {
            *old = document;
        }
    }

    fn judge(
        &mut self,
        item: Item,
        id: &str,
        options: &Options,
        require_data_stream: bool,
    ) -> Result<(Document, u16), ItemError> {
        let Item {
            operation,
            index,
            source,
            text,
            ..
        } = item;
        check_name(&index)?;
        let stream = self.is_data_stream(&index, options);
        if require_data_stream && !stream {
            return Err(ItemError::new(
                404,
                "index_not_found_exception",
                &format!("no such index [{index}] and the index is not a data stream"),
            ));
        }
        if !options.auto_create && !stream && !self.indices.mappings.contains_key(&index) {
            return Err(ItemError::missing_index());
        }
        if stream && operation == Operation::Index {
            return Err(ItemError::new(
                400,
                "illegal_argument_exception",
                "only write ops with an op_type of create are allowed in data streams",
            ));
        }
        let backing = if stream {
            format!(
                ".ds-{index}-2026.01.01-{:06}",
                self.indices.generations.get(&index).copied().unwrap_or(1)
            )
        } else {
            index.clone()
        };
        let kind = if options.flavour == Flavour::OpenSearch {
            "mapper_parsing_exception"
        } else {
            "document_parsing_exception"
        };
        let source = source
            .map_err(|reason| ItemError::new(400, kind, &format!("failed to parse: {reason}")))?;
        if stream
            && !source
                .get("@timestamp")
                .is_some_and(|time| time.is_string() || time.is_number())
        {
            return Err(ItemError::new(
                400,
                kind,
                "data stream timestamp field [@timestamp] is missing",
            ));
        }
        let known = self.indices.ids.contains(&(backing.clone(), id.to_owned()));
        if known && operation == Operation::Create {
            let reason =
                format!("[{id}]: version conflict, document already exists (current version [1])");
            return Err(ItemError::new(
                409,
                "version_conflict_engine_exception",
                &reason,
            ));
        }
        self.map(&backing, &source, kind)?;
        Ok((
            Document {
                index,
                backing,
                id: id.to_owned(),
                source,
                text,
            },
            if known { 200 } else { 201 },
        ))
    }

    fn is_data_stream(&self, index: &str, options: &Options) -> bool {
        let by_template = self
            .templates
            .values()
            .filter(|template| template.get("data_stream").is_some())
            .any(|template| {
                template["index_patterns"]
                    .as_array()
                    .is_some_and(|patterns| {
                        patterns
                            .iter()
                            .filter_map(Value::as_str)
                            .any(|pattern| glob(pattern, index))
                    })
            });
        by_template
            || options
                .data_streams
                .iter()
                .any(|pattern| glob(pattern, index))
    }

    /// Extends the index's dynamic mapping by a document's fields, or says which one does not fit.
    fn map(
        &mut self,
        backing: &str,
        source: &Map<String, Value>,
        kind: &str,
    ) -> Result<(), ItemError> {
        let mapping = self.indices.mappings.entry(backing.to_owned()).or_default();
        let mut fields = Vec::new();
        collect("", source, &mut fields);
        let mut added = HashMap::new();
        for (path, found) in fields {
            let expected = *mapping
                .get(&path)
                .or_else(|| added.get(&path))
                .unwrap_or(&found);
            let fits = expected == found
                || (matches!(expected, Kind::Text | Kind::Numeral) && found != Kind::Object)
                || (expected == Kind::Number && found == Kind::Numeral);
            if !fits {
                let reason = match (expected, found) {
                    (Kind::Object, _) => format!(
                        "object mapping for [{path}] tried to parse field [{path}] as object, but found a concrete value"
                    ),
                    _ => format!("failed to parse field [{path}] of type [{expected:?}]"),
                };
                return Err(ItemError::new(400, kind, &reason));
            }
            if !mapping.contains_key(&path) {
                added.insert(path, found);
            }
        }
        if mapping.len() + added.len() > MAX_FIELDS {
            return Err(ItemError::new(
                400,
                "illegal_argument_exception",
                &format!(
                    "Limit of total fields [{MAX_FIELDS}] has been exceeded while adding new fields"
                ),
            ));
        }
        mapping.extend(added);
        Ok(())
    }
}

/// Every field of a document by its dotted path; a dot in a key makes an object too.
fn collect(prefix: &str, object: &Map<String, Value>, fields: &mut Vec<(String, Kind)>) {
    for (key, value) in object {
        let mut path = prefix.to_owned();
        let mut parts = key.split('.').peekable();
        while let Some(part) = parts.next() {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(part);
            if parts.peek().is_some() {
                fields.push((path.clone(), Kind::Object));
            }
        }
        leaf(&path, value, fields);
    }
}

fn leaf(path: &str, value: &Value, fields: &mut Vec<(String, Kind)>) {
    let kind = match value {
        Value::Null => return,
        Value::Array(items) => return items.iter().for_each(|item| leaf(path, item, fields)),
        Value::Object(object) => {
            fields.push((path.to_owned(), Kind::Object));
            return collect(path, object, fields);
        }
        Value::Bool(_) => Kind::Bool,
        Value::Number(_) => Kind::Number,
        Value::String(text) if text.parse::<f64>().is_ok() => Kind::Numeral,
        Value::String(_) => Kind::Text,
    };
    fields.push((path.to_owned(), kind));
}

/// The rules for index names.
fn check_name(index: &str) -> Result<(), ItemError> {
    let bad = |why: &str| {
        ItemError::new(
            400,
            "invalid_index_name_exception",
            &format!("Invalid index name [{index}], {why}"),
        )
    };
    if index.is_empty() || index == "." || index == ".." {
        return Err(bad("must not be empty, '.' or '..'"));
    }
    if index.starts_with(['-', '_', '+']) {
        return Err(bad("must not start with '_', '-', or '+'"));
    }
    if index.chars().any(char::is_uppercase) {
        return Err(bad("must be lowercase"));
    }
    if index.contains(['\\', '/', '*', '?', '"', '<', '>', '|', ' ', ',', '#', ':']) {
        return Err(bad(
            "must not contain the following characters ['\\','/','*','?','\"','<','>','|',' ',',','#',':']",
        ));
    }
    if index.len() > 255 {
        Err(bad("index name is too long"))
    } else {
        Ok(())
    }
}
