use std::time::Duration;

use super::*;

const SENT: Sent = Sent {
    records: 4,
    bytes: 1000,
    awaits_acks: false,
    was_odd: false,
    is_own_index: true,
    is_own_token: true,
};
const AFTER: After = After::Delay(Duration::from_secs(5));

fn outcome(status: u16, body: &str, sent: Sent) -> Outcome {
    Reply {
        status,
        body: body.as_bytes(),
        after: AFTER,
    }
    .outcome(&sent)
}

fn kind(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Each(fates) => {
            let fates: String = fates
                .iter()
                .map(|fate| match fate {
                    Fate::Taken => 'T',
                    Fate::Again => 'A',
                    Fate::Refused(_) => 'R',
                    Fate::Hold(_) => 'H',
                    Fate::Retry(..) => 'Y',
                })
                .collect();
            format!("Each({fates})")
        }
        Outcome::Retry(after, _) => if *after == AFTER {
            "Retry(asked)"
        } else {
            "Retry"
        }
        .to_owned(),
        other => format!("{other:?}")
            .split('(')
            .next()
            .unwrap_or_default()
            .to_owned(),
    }
}

/// Every row of Splunk's code table, as its documentation gives code and status.
#[test]
fn each_code_has_its_answer() {
    for (code, status, expected) in [
        (0, 200, "Taken"),
        (1, 403, "Hold"),
        (2, 401, "Hold"),
        (3, 401, "Hold"),
        (4, 403, "Hold"),
        (5, 400, "Refused"),
        (6, 400, "Each(TTRA)"),
        (7, 400, "Each(THHH)"),
        (8, 500, "Retry(asked)"),
        (9, 503, "Retry(asked)"),
        (10, 400, "Hold"),
        (11, 400, "Hold"),
        (12, 400, "Each(TTRA)"),
        (13, 400, "Each(TTRA)"),
        (14, 400, "Hold"),
        (15, 400, "Each(TTRA)"),
        (16, 400, "Hold"),
        (17, 200, "Retry"),
        (18, 503, "Retry(asked)"),
        (19, 503, "Retry(asked)"),
        (20, 503, "Retry(asked)"),
        (21, 400, "Hold"),
        (22, 400, "Hold"),
        (23, 503, "Retry(asked)"),
        (24, 200, "Taken"),
        (25, 200, "Taken"),
        (26, 429, "Retry(asked)"),
        (27, 429, "Retry(asked)"),
        (28, 400, "Hold"),
    ] {
        let body = format!(r#"{{"text":"any","code":{code},"invalid-event-number":2}}"#);
        assert_eq!(kind(&outcome(status, &body, SENT)), expected, "code {code}");
    }
}

#[test]
fn each_status_without_a_code_has_its_answer() {
    for (status, expected) in [
        (301, "Hold"),
        (400, "Hold"),
        (401, "Hold"),
        (403, "Hold"),
        (404, "Hold"),
        (405, "Hold"),
        (408, "Retry(asked)"),
        (413, "Halve"),
        (415, "Hold"),
        (429, "Retry(asked)"),
        (500, "Retry(asked)"),
        (502, "Retry(asked)"),
        (503, "Retry(asked)"),
        (504, "Retry(asked)"),
    ] {
        assert_eq!(kind(&outcome(status, "<html>", SENT)), expected, "{status}");
        let own = format!(r#"{{"text":"any","code":{status}}}"#);
        assert_eq!(
            kind(&outcome(status, &own, SENT)),
            expected,
            "{status} as its own code"
        );
    }
}

#[test]
fn a_flawed_event_splits_the_body_and_its_number_is_never_trusted_blindly() {
    let body = |n: &str| format!(r#"{{"text":"Event field is required","code":12{n}}}"#);
    assert_eq!(
        kind(&outcome(400, &body(r#","invalid-event-number":0"#), SENT)),
        "Each(RAAA)"
    );
    assert_eq!(
        kind(&outcome(400, &body(r#","invalid-event-number":3"#), SENT)),
        "Each(TTTR)"
    );
    assert_eq!(
        kind(&outcome(400, &body(r#","invalid-event-number":4"#), SENT)),
        "Refused"
    );
    assert_eq!(kind(&outcome(400, &body(""), SENT)), "Refused");
    assert_eq!(
        kind(&outcome(400, &body(r#","invalid-event-number":-1"#), SENT)),
        "Refused"
    );
}

#[test]
fn events_before_a_flawed_one_are_sent_again_when_only_an_ack_counts() {
    let sent = Sent {
        awaits_acks: true,
        ..SENT
    };
    assert_eq!(
        kind(&outcome(
            400,
            r#"{"code":6,"invalid-event-number":2}"#,
            sent
        )),
        "Each(AARA)"
    );
}

#[test]
fn clouds_answer_to_a_large_body_does_not_blame_its_first_event() {
    let body = r#"{"text":"Invalid data format","code":6,"invalid-event-number":0}"#;
    assert_eq!(
        kind(&outcome(
            400,
            body,
            Sent {
                bytes: 1_000_001,
                ..SENT
            }
        )),
        "Halve"
    );
    assert_eq!(
        kind(&outcome(
            400,
            body,
            Sent {
                bytes: 1_000_000,
                ..SENT
            }
        )),
        "Each(RAAA)"
    );
    assert_eq!(
        kind(&outcome(
            400,
            body,
            Sent {
                bytes: 6_000_000,
                records: 1,
                ..SENT
            }
        )),
        "Each(R)"
    );
}

#[test]
fn code_7_counts_from_1_and_an_index_that_records_name_holds_nobody_up() {
    assert_eq!(
        kind(&outcome(
            400,
            r#"{"code":7,"invalid-event-number":1}"#,
            SENT
        )),
        "Each(HHHH)"
    );
    assert_eq!(kind(&outcome(400, r#"{"code":7}"#, SENT)), "Each(HHHH)");
    let named = Sent {
        is_own_index: false,
        ..SENT
    };
    assert_eq!(
        kind(&outcome(
            400,
            r#"{"code":7,"invalid-event-number":1}"#,
            named
        )),
        "Each(RRRR)"
    );
}

#[test]
fn a_success_that_no_collector_gives_is_tried_once_and_then_held() {
    for body in ["<html>Welcome</html>", "{}", r#"{"text":"ok","code":99}"#] {
        assert_eq!(kind(&outcome(200, body, SENT)), "Retry", "{body}");
        assert_eq!(
            kind(&outcome(
                200,
                body,
                Sent {
                    was_odd: true,
                    ..SENT
                }
            )),
            "Hold",
            "{body}"
        );
        assert!(
            Reply {
                status: 200,
                body: body.as_bytes(),
                after: AFTER
            }
            .is_odd()
        );
    }
}

#[test]
fn an_ack_id_of_0_is_an_ack_id() {
    assert_eq!(
        outcome(200, r#"{"text":"Success","code":0,"ackId":0}"#, SENT),
        Outcome::Receipt(0)
    );
    assert_eq!(
        outcome(200, r#"{"text":"near","code":25,"ackId":7}"#, SENT),
        Outcome::Receipt(7)
    );
}

#[test]
fn reasons_do_not_repeat_the_answers_text() {
    let outcome = outcome(
        400,
        r#"{"text":"secret event","code":13,"invalid-event-number":0}"#,
        SENT,
    );
    assert!(!format!("{outcome:?}").contains("secret"));
}

#[test]
fn a_token_that_the_record_names_is_refused_and_holds_nobody() {
    let named = Sent {
        is_own_token: false,
        ..SENT
    };
    for (status, code) in [
        (403, 1),
        (401, 2),
        (401, 3),
        (403, 4),
        (400, 10),
        (400, 14),
        (400, 21),
        (404, 404),
    ] {
        let body = format!(r#"{{"text":"x","code":{code}}}"#);
        assert_eq!(kind(&outcome(status, &body, SENT)), "Hold", "{code}");
        assert_eq!(kind(&outcome(status, &body, named)), "Refused", "{code}");
    }
    let body = r#"{"code":7,"invalid-event-number":2}"#;
    assert_eq!(kind(&outcome(400, body, SENT)), "Each(THHH)");
    assert_eq!(kind(&outcome(400, body, named)), "Each(TRRR)");
    assert_eq!(
        kind(&outcome(405, "", named)),
        "Hold",
        "the endpoint is not the record's"
    );
}
