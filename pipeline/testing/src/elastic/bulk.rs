//! `_bulk`: a request of lines, an answer of items.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Map, Value, json};

use super::index::{Item, Operation};
use super::{Elastic, Refusal, filter, strict};
use crate::Reply;

impl Elastic {
    pub(super) fn bulk(&self, target: Option<&str>, request: &Request<Bytes>) -> Response<Reply> {
        let headers = request.headers();
        let body = match self
            .media_type(headers)
            .and_then(|()| self.body(headers, request.body()))
        {
            Ok(body) => body,
            Err(refusal) => return refusal.into(),
        };
        let query: Vec<(String, String)> =
            url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        if let Some((unknown, _)) = query.iter().find(|(name, _)| !self.knows(name)) {
            let reason = format!(
                "request [{}] contains unrecognized parameter: [{unknown}]",
                request.uri().path()
            );
            return super::error(400, "illegal_argument_exception", &reason);
        }
        let require_data_stream = query
            .iter()
            .any(|(name, value)| name == "require_data_stream" && value == "true");
        let items = match items(&body, target) {
            Ok(items) => items,
            Err(refusal) => return refusal.into(),
        };
        let answers: Vec<Value> = self.state.edit(|state| {
            items
                .into_iter()
                .map(|item| state.store(item, &self.options, require_data_stream))
                .collect()
        });
        let errors = answers.iter().any(|answer| {
            answer
                .as_object()
                .is_some_and(|answer| answer.values().any(|item| item.get("error").is_some()))
        });
        let mut answer = json!({"errors": errors, "took": 1, "items": answers});
        if let Some((_, paths)) = query.iter().find(|(name, _)| name == "filter_path") {
            answer = filter::keep(answer, paths);
        }
        super::reply(200, &answer)
    }

    fn knows(&self, parameter: &str) -> bool {
        const BOTH: [&str; 12] = [
            "pipeline",
            "refresh",
            "routing",
            "timeout",
            "wait_for_active_shards",
            "require_alias",
            "filter_path",
            "_source",
            "_source_includes",
            "_source_excludes",
            "pretty",
            "human",
        ];
        const ELASTIC: [&str; 3] = [
            "require_data_stream",
            "list_executed_pipelines",
            "include_source_on_error",
        ];
        BOTH.contains(&parameter)
            || parameter == "error_trace"
            || (!self.is_opensearch() && ELASTIC.contains(&parameter))
    }
}

/// The request's operations, or the error of the whole request.
fn items(body: &[u8], target: Option<&str>) -> Result<Vec<Item>, Refusal> {
    if body.is_empty() {
        return Err(Refusal::new(
            400,
            "parse_exception",
            "request body is required",
        ));
    }
    if body.last() != Some(&b'\n') {
        return Err(Refusal::new(
            400,
            "illegal_argument_exception",
            "The bulk request must be terminated by a newline [\\n]",
        ));
    }
    let mut lines = body[..body.len() - 1]
        .split(|byte| *byte == b'\n')
        .enumerate();
    let mut items = Vec::new();
    while let Some((number, line)) = lines.next() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let (operation, meta) = action(line).map_err(|reason| {
            Refusal::new(
                400,
                "illegal_argument_exception",
                format!("{reason} [{}]", number + 1),
            )
        })?;
        let text = |name: &str| meta.get(name).and_then(Value::as_str).map(str::to_owned);
        let Some((_, source)) = lines.next() else {
            return Err(Refusal::new(
                400,
                "illegal_argument_exception",
                "The bulk request has an action without a document",
            ));
        };
        let Some(index) = text("_index").or_else(|| target.map(str::to_owned)) else {
            return Err(Refusal::new(
                400,
                "action_request_validation_exception",
                "Validation Failed: 1: index is missing;",
            ));
        };
        let id = text("_id");
        if let Some(id) = id.as_ref().filter(|id| id.len() > 512) {
            let reason = format!(
                "Validation Failed: 1: id [{id}] is too long, must be no longer than 512 bytes but was: {};",
                id.len()
            );
            return Err(Refusal::new(
                400,
                "action_request_validation_exception",
                reason,
            ));
        }
        items.push(Item {
            operation,
            index,
            id,
            source: strict::object(source),
            text: String::from_utf8_lossy(source).into_owned(),
        });
    }
    if items.is_empty() {
        return Err(Refusal::new(
            400,
            "action_request_validation_exception",
            "Validation Failed: 1: no requests added;",
        ));
    }
    Ok(items)
}

/// An action line: `{"create": {…}}` or `{"index": {…}}`, with known metadata only.
fn action(line: &[u8]) -> Result<(Operation, Map<String, Value>), String> {
    const META: [&str; 10] = [
        "_index",
        "_id",
        "routing",
        "pipeline",
        "require_alias",
        "require_data_stream",
        "version",
        "version_type",
        "if_seq_no",
        "dynamic_templates",
    ];
    let Ok(Value::Object(line)) = serde_json::from_slice(line) else {
        return Err("Malformed action/metadata line, expected START_OBJECT, at".to_owned());
    };
    let mut actions = line.into_iter();
    let (Some((name, Value::Object(meta))), None) = (actions.next(), actions.next()) else {
        return Err("Malformed action/metadata line, expected one action, at".to_owned());
    };
    let operation = match name.as_str() {
        "create" => Operation::Create,
        "index" => Operation::Index,
        _ => {
            return Err(format!(
                "Malformed action/metadata line, expected field [create] or [index] but found [{name}], at"
            ));
        }
    };
    match meta.keys().find(|key| !META.contains(&key.as_str())) {
        Some(unknown) => Err(format!(
            "Action/metadata line contains an unknown parameter [{unknown}], at"
        )),
        None => Ok((operation, meta)),
    }
}
