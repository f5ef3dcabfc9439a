use std::time::Duration;

use super::*;

const AFTER: After = After::Delay(Duration::from_secs(5));

fn sent(records: usize) -> Sent {
    Sent {
        records,
        is_own: true,
    }
}

fn kind(fate: &Fate) -> &'static str {
    match fate {
        Fate::Taken => "Taken",
        Fate::Again => "Again",
        Fate::Retry(after, _) if *after == AFTER => "Retry(asked)",
        Fate::Retry(..) => "Retry",
        Fate::Hold(_) => "Hold",
        Fate::Refused(_) => "Refused",
    }
}

/// Every row of the item table: status, `error.type`.
#[test]
fn each_item_has_its_answer() {
    for (status, error, expected) in [
        (201, "", "Taken"),
        (200, "", "Taken"),
        (409, "version_conflict_engine_exception", "Taken"),
        (400, "document_parsing_exception", "Refused"),
        (400, "mapper_parsing_exception", "Refused"),
        (400, "illegal_argument_exception", "Refused"),
        (400, "strict_dynamic_mapping_exception", "Refused"),
        (400, "invalid_index_name_exception", "Refused"),
        (403, "security_exception", "Hold"),
        (403, "cluster_block_exception", "Hold"),
        (404, "index_not_found_exception", "Hold"),
        (413, "x", "Refused"),
        (429, "es_rejected_execution_exception", "Retry(asked)"),
        (429, "rejected_execution_exception", "Retry(asked)"),
        (429, "circuit_breaking_exception", "Retry(asked)"),
        (429, "cluster_block_exception", "Retry(asked)"),
        (500, "x", "Retry(asked)"),
        (503, "unavailable_shards_exception", "Retry(asked)"),
        (503, "no_shard_available_action_exception", "Retry(asked)"),
    ] {
        let error = if error.is_empty() {
            String::new()
        } else {
            format!(r#","error":{{"type":"{error}","reason":"r"}}"#)
        };
        let body = format!(
            r#"{{"errors":true,"items":[{{"create":{{"status":201}}}},{{"create":{{"status":{status}{error}}}}}]}}"#
        );
        match outcome(200, body.as_bytes(), AFTER, sent(2)) {
            Outcome::Taken => assert_eq!(expected, "Taken", "{body}"),
            Outcome::Each(fates) => assert_eq!(
                (kind(&fates[0]), kind(&fates[1])),
                ("Taken", expected),
                "{body}"
            ),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_document_in_the_failure_store_is_not_delivered() {
    for (store, expected) in [
        ("used", "Refused"),
        ("failed", "Taken"),
        ("not_enabled", "Taken"),
        ("not_applicable_or_unknown", "Taken"),
    ] {
        let body = format!(
            r#"{{"errors":false,"items":[{{"create":{{"status":201,"failure_store":"{store}"}}}}]}}"#
        );
        match outcome(200, body.as_bytes(), AFTER, sent(1)) {
            Outcome::Taken => assert_eq!(expected, "Taken", "{store}"),
            Outcome::Each(fates) => assert_eq!(kind(&fates[0]), expected, "{store}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn each_status_of_the_whole_request_has_its_answer() {
    for (status, expected) in [
        (400, "Halve"),
        (401, "Hold"),
        (403, "Hold"),
        (404, "Hold"),
        (406, "Hold"),
        (408, "Retry(Delay(5s)"),
        (413, "Halve"),
        (429, "Retry(Delay(5s)"),
        (500, "Retry(Delay(5s)"),
        (502, "Retry(Delay(5s)"),
        (503, "Retry(Delay(5s)"),
        (504, "Retry(Delay(5s)"),
        (302, "Hold"),
    ] {
        let outcome = format!("{:?}", outcome(status, b"", AFTER, sent(1)));
        assert!(outcome.starts_with(expected), "{status}: {outcome}");
    }
}

#[test]
fn what_the_configuration_got_wrong_is_held_and_no_document_is_blamed() {
    let body =
        br#"{"error":{"type":"illegal_argument_exception","reason":"request [/_bulk] contains unrecognized parameter: [x]"}}"#;
    assert!(matches!(
        outcome(400, body, AFTER, sent(9)),
        Outcome::Hold(_)
    ));
    let body = br#"{"items":[{"create":{"status":400,"error":{"type":"illegal_argument_exception","reason":"pipeline with id [p] does not exist"}}}]}"#;
    match outcome(200, body, AFTER, sent(1)) {
        Outcome::Each(fates) => assert_eq!(kind(&fates[0]), "Hold"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_index_or_pipeline_that_the_record_names_is_refused_and_holds_nobody() {
    for (status, reason) in [
        (403, "r"),
        (404, "r"),
        (400, "pipeline with id [p] does not exist"),
    ] {
        let body = format!(
            r#"{{"items":[{{"create":{{"status":{status},"error":{{"type":"x","reason":"{reason}"}}}}}}]}}"#
        );
        for (is_own, expected) in [(true, "Hold"), (false, "Refused")] {
            let sent = Sent { records: 1, is_own };
            match outcome(200, body.as_bytes(), AFTER, sent) {
                Outcome::Each(fates) => assert_eq!(kind(&fates[0]), expected, "{status}"),
                other => panic!("{other:?}"),
            }
        }
    }
    let named = Sent {
        records: 1,
        is_own: false,
    };
    assert!(
        matches!(outcome(403, b"", AFTER, named), Outcome::Hold(_)),
        "the credentials are ours"
    );
}

#[test]
fn an_answer_whose_items_do_not_match_the_request_proves_nothing() {
    for body in [
        "<html>",
        r#"{"errors":true,"items":[]}"#,
        r#"{"errors":false}"#,
    ] {
        assert!(
            matches!(
                outcome(200, body.as_bytes(), AFTER, sent(2)),
                Outcome::Retry(After::Backoff, _)
            ),
            "{body}"
        );
    }
}

#[test]
fn reasons_name_fields_and_types_and_never_values() {
    for (reason, expected) in [
        (
            "[1:2] failed to parse field [created_at] of type [date] in document with id 'e1'. Preview of field's value: 'secret'",
            "[…] failed to parse field [created_at] of type [date] in document with id '…'. ",
        ),
        (
            "failed to parse date field [secret] with format [x]",
            "failed to parse date field […] with format […]",
        ),
        (r#"For input string: "secret""#, r#"For input string: "…""#),
        (
            "Limit of total fields [1000] has been exceeded",
            "Limit of total fields [1000] has been exceeded",
        ),
        ("no such index [ai-audit]", "no such index [ai-audit]"),
        ("unclosed 'secret", "unclosed …"),
        (
            "can't merge a field that isn't an object, found 'it's secret' at 'x'",
            "can't merge a field that isn't an object, found '…' at '…'",
        ),
        (
            "mapping set to strict, dynamic introduction of [foo] within [_doc]",
            "mapping set to strict, dynamic introduction of [foo] within […]",
        ),
    ] {
        assert_eq!(without_values(reason), expected);
    }
}
