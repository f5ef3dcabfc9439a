//! One row for each answer that a server can give.

use std::time::{Duration, SystemTime};

use ::http::StatusCode;
use sluice_component::{After, Verdict};
use sluice_net::Headers;
use sluice_testing::otlp::{Double, Options, grpc_answer, http_answer};
use sluice_testing::{Fault, RetryAfter};
use tonic::Code;

use super::{export, grpc_to, http_to, logs, verdict};
use crate::answer::{Answer, line, of_grpc, of_http};
use crate::{grpc, http};

/// How an answer is handled, without its texts.
fn kind(answer: &Answer) -> &'static str {
    match answer {
        Answer::Taken => "taken",
        Answer::Partly { .. } => "partly",
        Answer::TooLarge(_) => "too large",
        Answer::Bad(_) => "bad",
        Answer::Undecided {
            verdict: Verdict::Retry(After::Backoff),
            ..
        } => "back off",
        Answer::Undecided {
            verdict: Verdict::Retry(After::Delay(_)),
            ..
        } => "delay",
        Answer::Undecided {
            verdict: Verdict::Hold(_),
            ..
        } => "hold",
        Answer::Undecided {
            verdict: Verdict::Refused(_),
            ..
        } => "refused",
    }
}

#[test]
fn every_http_status_has_its_row() {
    let rows: [(u16, &str); 26] = [
        (301, "hold"),
        (302, "hold"),
        (307, "hold"),
        (400, "bad"),
        (401, "hold"),
        (402, "hold"),
        (403, "hold"),
        (404, "hold"),
        (405, "hold"),
        (408, "back off"),
        (409, "hold"),
        (410, "hold"),
        (411, "hold"),
        (413, "too large"),
        (414, "hold"),
        (415, "hold"),
        (422, "bad"),
        (425, "back off"),
        (429, "back off"),
        (431, "hold"),
        (500, "back off"),
        (501, "back off"),
        (502, "back off"),
        (503, "back off"),
        (504, "back off"),
        (529, "back off"),
    ];
    for (status, expected) in rows {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(kind(&of_http(status, None, "")), expected, "{status}");
        let with_delay = kind(&of_http(status, Some(Duration::from_secs(1)), ""));
        assert_eq!(
            with_delay,
            if expected == "back off" {
                "delay"
            } else {
                expected
            },
            "{status} with Retry-After"
        );
    }
}

#[test]
fn every_grpc_code_has_its_row() {
    let rows = [
        (Code::Ok, "taken"),
        (Code::Cancelled, "back off"),
        (Code::Unknown, "back off"),
        (Code::InvalidArgument, "bad"),
        (Code::DeadlineExceeded, "back off"),
        (Code::NotFound, "hold"),
        (Code::AlreadyExists, "bad"),
        (Code::PermissionDenied, "hold"),
        (Code::ResourceExhausted, "back off"),
        (Code::FailedPrecondition, "bad"),
        (Code::Aborted, "back off"),
        (Code::OutOfRange, "back off"),
        (Code::Unimplemented, "hold"),
        (Code::Internal, "back off"),
        (Code::Unavailable, "back off"),
        (Code::DataLoss, "back off"),
        (Code::Unauthenticated, "hold"),
    ];
    for (code, expected) in rows {
        assert_eq!(kind(&of_grpc(code, None, "", true)), expected, "{code:?}");
        let with_delay = kind(&of_grpc(code, Some(Duration::from_secs(1)), "", true));
        assert_eq!(
            with_delay,
            if expected == "back off" {
                "delay"
            } else {
                expected
            },
            "{code:?} with RetryInfo"
        );
    }
    assert_eq!(
        kind(&of_grpc(Code::ResourceExhausted, None, "", false)),
        "bad",
        "by the protocol's letter"
    );
    assert_eq!(
        kind(&of_grpc(
            Code::ResourceExhausted,
            Some(Duration::ZERO),
            "",
            false
        )),
        "delay"
    );
}

#[test]
fn a_message_that_is_too_large_is_told_from_a_rate_limit_by_the_words_of_the_known_libraries() {
    for (code, words) in [
        (
            Code::ResourceExhausted,
            "grpc: received message larger than max (4200000 vs. 4194304)",
        ),
        (
            Code::ResourceExhausted,
            "Received message larger than max (4200000 vs. 4194304)",
        ),
        (
            Code::ResourceExhausted,
            "gRPC message exceeds maximum size 4194304: 4200000",
        ),
        (
            Code::OutOfRange,
            "Error, decoded message length too large: found 4200000 bytes, the limit is: 4194304 bytes",
        ),
    ] {
        assert_eq!(
            kind(&of_grpc(code, None, words, true)),
            "too large",
            "{words}"
        );
    }
    assert_eq!(
        kind(&of_grpc(
            Code::ResourceExhausted,
            None,
            "quota exceeded",
            true
        )),
        "back off"
    );
    assert_eq!(
        kind(&of_grpc(Code::Internal, None, "too large", true)),
        "back off"
    );
}

#[test]
fn the_servers_words_are_one_bounded_line_in_the_debug_log() {
    let text = line(&format!("no\nsuch {}", "é".repeat(500)));
    assert!(text.starts_with("no such éé"), "{text}");
    assert_eq!(text.chars().count(), 200);
}

/// Every text that leaves the exporter.
fn texts(answer: Answer) -> String {
    match answer {
        Answer::Bad(text) | Answer::TooLarge(text) => text,
        Answer::Undecided { verdict, source } => format!("{verdict:?} {source:?}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn no_answer_repeats_the_servers_words() {
    let said = "invalid field: user bob asked canary-9, message too large";
    for status in 300..600 {
        let status = StatusCode::from_u16(status).unwrap();
        let text = texts(of_http(status, None, said));
        assert!(!text.contains("canary"), "{text}");
        assert!(text.contains("the destination answered"), "{text}");
    }
    for code in (1..17).map(Code::from_i32) {
        for retry_exhausted in [false, true] {
            let text = texts(of_grpc(code, None, said, retry_exhausted));
            assert!(!text.contains("canary"), "{text}");
            assert!(text.contains("the destination answered"), "{text}");
        }
    }
}

#[tokio::test]
async fn what_undelivered_says_never_quotes_the_server() {
    let double = Double::start().await;
    let batch = logs(["one"]);
    let said = "cannot parse \"canary-9\"";
    for code in [3, 7, 8, 14] {
        double.faults().next(1, grpc_answer(code, said, None));
        let undelivered = export(&grpc_to(&double), &batch).await.unwrap_err();
        assert!(!format!("{undelivered} {undelivered:?}").contains("canary"));
    }
    for status in [400, 403, 413, 503] {
        double.faults().next(1, http_answer(status, false, said));
        let undelivered = export(&http_to(&double), &batch).await.unwrap_err();
        assert!(!format!("{undelivered} {undelivered:?}").contains("canary"));
    }
    double.reject_in_next(1, said);
    let undelivered = export(&grpc_to(&double), &batch).await.unwrap_err();
    assert!(!format!("{undelivered} {undelivered:?}").contains("canary"));
    double.reject_in_next(1, said);
    let undelivered = export(&http_to(&double), &batch).await.unwrap_err();
    assert!(!format!("{undelivered} {undelivered:?}").contains("canary"));
}

#[tokio::test]
async fn a_refused_connection_is_told_from_an_answer() {
    let double = Double::start().await;
    let config = grpc_to(&double);
    drop(double);
    let undelivered = export(&config, &logs(["one"])).await.unwrap_err();
    let source = undelivered.source.unwrap().to_string();
    assert!(source.starts_with("the connection failed: "), "{source}");
}

#[tokio::test]
async fn answers_over_http_become_verdicts() {
    let double = Double::start().await;
    let config = http_to(&double);
    let batch = logs(["one"]);
    for (status, expected) in [
        (503, "retry"),
        (401, "hold"),
        (400, "refused"),
        (413, "refused"),
    ] {
        for json in [false, true] {
            let encoding = if json {
                http::Encoding::Json
            } else {
                http::Encoding::Proto
            };
            double
                .faults()
                .next(1, http_answer(status, json, "the reason"));
            let text = match verdict(
                export(
                    &http::Config {
                        encoding,
                        ..config.clone()
                    },
                    &batch,
                )
                .await,
                1,
            ) {
                Verdict::Retry(After::Backoff) if expected == "retry" => continue,
                Verdict::Hold(text) if expected == "hold" => text,
                Verdict::Refused(text) if expected == "refused" => text,
                other => panic!("{status}: {other:?}"),
            };
            assert!(
                text.starts_with(&format!("the destination answered {status}")),
                "{text}"
            );
            assert!(!text.contains("the reason"), "{text}");
        }
    }
    double.read(|state| assert!(state.logs.is_empty()));
}

#[tokio::test]
async fn retry_after_is_obeyed_in_both_forms() {
    let double = Double::start().await;
    let batch = logs(["one"]);
    double
        .faults()
        .next(1, Fault::throttle(RetryAfter::Seconds(7)));
    assert_eq!(
        verdict(export(&http_to(&double), &batch).await, 1),
        Verdict::Retry(After::Delay(Duration::from_secs(7)))
    );
    double.faults().next(
        1,
        Fault::throttle(RetryAfter::Date(
            SystemTime::now() + Duration::from_secs(60),
        )),
    );
    let Verdict::Retry(After::Delay(delay)) = verdict(export(&http_to(&double), &batch).await, 1)
    else {
        panic!("a delay")
    };
    assert!((58..=60).contains(&delay.as_secs()), "{delay:?}");
}

#[tokio::test]
async fn answers_over_grpc_become_verdicts() {
    let double = Double::start().await;
    let config = grpc_to(&double);
    let batch = logs(["one"]);
    let one = async |fault: Fault, config: &grpc::Config| {
        double.faults().next(1, fault);
        verdict(export(config, &batch).await, 1)
    };
    let backoff = Verdict::Retry(After::Backoff);
    assert_eq!(
        one(grpc_answer(14, "busy", None).into(), &config).await,
        backoff
    );
    assert_eq!(
        one(grpc_answer(8, "quota", None).into(), &config).await,
        backoff
    );
    let delay = Duration::from_millis(2_500);
    assert_eq!(
        one(grpc_answer(14, "busy", Some(delay)).into(), &config).await,
        Verdict::Retry(After::Delay(delay))
    );
    assert_eq!(
        one(grpc_answer(8, "quota", Some(delay)).into(), &config).await,
        Verdict::Retry(After::Delay(delay))
    );
    assert_eq!(
        one(grpc_answer(7, "no write access", None).into(), &config).await,
        Verdict::Hold("the destination answered PERMISSION_DENIED".into())
    );
    assert_eq!(
        one(grpc_answer(3, "bad record", None).into(), &config).await,
        Verdict::Refused("the destination answered INVALID_ARGUMENT".into())
    );
    let strict = grpc::Config {
        retry_resource_exhausted: false,
        ..config.clone()
    };
    assert!(matches!(
        one(grpc_answer(8, "quota", None).into(), &strict).await,
        Verdict::Refused(_)
    ));
    // What a proxy in front says with HTTP alone.
    assert_eq!(one(Fault::status(503), &config).await, backoff);
    assert!(matches!(
        one(Fault::status(401), &config).await,
        Verdict::Hold(_)
    ));
}

#[tokio::test]
async fn an_absurd_or_negative_retry_delay_is_bounded() {
    let double = Double::start().await;
    double.faults().next(
        1,
        grpc_answer(14, "busy", Some(Duration::from_secs(1 << 40))),
    );
    assert_eq!(
        verdict(export(&grpc_to(&double), &logs(["one"])).await, 1),
        Verdict::Retry(After::Delay(sluice_net::MAX_RETRY_AFTER))
    );
}

#[tokio::test]
async fn partial_success_refuses_the_batch_and_says_how_many() {
    let double = Double::start().await;
    let batch = logs(["one", "two", "three"]);
    let text = "2 of 3 records were rejected by the destination, which ones is unknown";
    double.reject_in_next(2, "quota");
    assert_eq!(
        verdict(export(&grpc_to(&double), &batch).await, 3),
        Verdict::Refused(text.into())
    );
    for encoding in [http::Encoding::Proto, http::Encoding::Json] {
        double.reject_in_next(2, "quota");
        assert_eq!(
            verdict(
                export(
                    &http::Config {
                        encoding,
                        ..http_to(&double)
                    },
                    &batch
                )
                .await,
                3
            ),
            Verdict::Refused(text.into())
        );
    }
    double.read(|state| {
        assert_eq!(
            state.logs.len(),
            3,
            "each was sent once: a resend is forbidden"
        )
    });
}

#[tokio::test]
async fn a_warning_with_nothing_rejected_is_a_success() {
    let double = Double::start().await;
    double.reject_in_next(0, "deprecated attribute");
    export(&grpc_to(&double), &logs(["one"])).await.unwrap();
    double.reject_in_next(0, "deprecated attribute");
    export(&http_to(&double), &logs(["one"])).await.unwrap();
}

#[tokio::test]
async fn a_web_page_is_no_confirmation() {
    let double = Double::start().await;
    double.faults().next(1, Fault::lie());
    let Verdict::Hold(text) = verdict(export(&http_to(&double), &logs(["one"])).await, 1) else {
        panic!("a hold")
    };
    assert!(text.contains("web page"), "{text}");
    double.faults().next(1, Fault::lie());
    assert!(
        export(&grpc_to(&double), &logs(["one"]))
            .await
            .unwrap_err()
            .is_retryable()
    );
}

#[tokio::test]
async fn a_destination_that_is_cut_or_gone_or_silent_is_tried_again() {
    let double = Double::start().await;
    let batch = logs(["one"]);
    let short = Some(sluice_component::HumanDuration(Duration::from_millis(50)));
    let backoff = Verdict::Retry(After::Backoff);
    for fault in [
        Fault::CutBeforeBody,
        Fault::CutAfterBody,
        Fault::AcceptThenCut,
    ] {
        double.faults().next(1, fault.clone());
        assert_eq!(
            verdict(export(&grpc_to(&double), &batch).await, 1),
            backoff,
            "{fault:?}"
        );
        double.faults().next(1, fault.clone());
        assert_eq!(
            verdict(export(&http_to(&double), &batch).await, 1),
            backoff,
            "{fault:?}"
        );
    }
    double.faults().next(1, Fault::Stall);
    assert_eq!(
        verdict(
            export(
                &grpc::Config {
                    timeout: short,
                    ..grpc_to(&double)
                },
                &batch
            )
            .await,
            1
        ),
        backoff
    );
    double.faults().next(1, Fault::Stall);
    assert_eq!(
        verdict(
            export(
                &http::Config {
                    timeout: short,
                    ..http_to(&double)
                },
                &batch
            )
            .await,
            1
        ),
        backoff
    );
    let (grpc, http) = (grpc_to(&double), http_to(&double));
    drop(double);
    assert_eq!(verdict(export(&grpc, &batch).await, 1), backoff);
    assert_eq!(verdict(export(&http, &batch).await, 1), backoff);
}

#[tokio::test]
async fn credentials_go_out_as_headers_and_their_lack_is_a_hold() {
    let options = Options {
        required_header: Some(("x-api-key".into(), "canary-7".into())),
        ..Options::default()
    };
    let double = Double::start_with(options).await;
    let batch = logs(["one"]);
    for result in [
        export(&grpc_to(&double), &batch).await,
        export(&http_to(&double), &batch).await,
    ] {
        assert!(matches!(verdict(result, 1), Verdict::Hold(_)));
    }
    let headers = Headers(vec![(
        "x-api-key".into(),
        sluice_component::Secret::new("canary-7"),
    )]);
    export(
        &grpc::Config {
            headers: headers.clone(),
            ..grpc_to(&double)
        },
        &batch,
    )
    .await
    .unwrap();
    let http = http::Config {
        headers,
        ..http_to(&double)
    };
    export(&http, &batch).await.unwrap();
    assert!(!format!("{http:?}").contains("canary"));
}
