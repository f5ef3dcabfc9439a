use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Point;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
};
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use sluice_batch::{Batch, Signal, Value, ValueBuf};
use sluice_component::{After, Checked as _, Exporter as _, Problems, Verdict};

use crate::{Config, Debug, Verbosity};

/// An output that keeps what it is given, or fails.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>, Option<io::ErrorKind>);

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl Write for Screen {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if let Some(kind) = self.1 {
            return Err(kind.into());
        }
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn shown_by(config: &Config) -> (Debug, Screen) {
    let screen = Screen::default();
    (Debug::new(config, vec![Box::new(screen.clone())]), screen)
}

async fn show(verbosity: Verbosity, batch: &Batch) -> String {
    let (exporter, screen) = shown_by(&Config {
        verbosity,
        ..Config::default()
    });
    exporter.export(batch).await.unwrap();
    screen.text()
}

fn decisions() -> Batch {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[("service.name", Value::Str("policy-gateway"))], "audit");
    let mut record = batch.push_log();
    record.set_time(1_776_709_800_000_000_000);
    record.set_observed_time(1_776_709_801_000_000_000);
    record.set_severity(10, "INFO");
    record.set_name("ai.policy.decision");
    record.set_body(
        ValueBuf::from_json(br#"{"decision":"refuse"}"#)
            .unwrap()
            .as_value(),
    );
    record.set("tokens", Value::Int(5));
    record.set("model", Value::Str("m-1"));
    record.set_trace(&[0xab; 16], &[0xcd; 8], 1);
    batch.push_log().set_body(Value::Str("plain"));
    batch
}

#[tokio::test]
async fn basic_counts_and_shows_no_content() {
    assert_eq!(
        show(Verbosity::Basic, &decisions()).await,
        "logs: 2 log records of 1 resource in 1 scope\n"
    );
    let mut batch = decisions();
    batch.push_scope(&[], "other");
    batch.push_log();
    assert_eq!(
        show(Verbosity::Basic, &batch).await,
        "logs: 3 log records of 2 resources in 2 scopes\n"
    );
}

#[tokio::test]
async fn normal_is_a_line_a_record() {
    assert_eq!(
        show(Verbosity::Normal, &decisions()).await,
        "2026-04-20T18:30:00Z INFO ai.policy.decision {\"decision\":\"refuse\"} abababababababababababababababab cdcdcdcdcdcdcdcd tokens=5 model=m-1\nplain\n"
    );
}

#[tokio::test]
async fn detailed_shows_every_field() {
    assert_eq!(
        show(Verbosity::Detailed, &decisions()).await,
        "Resource #0
Resource attributes:
     -> service.name: Str(policy-gateway)
Scope #0
InstrumentationScope: audit
LogRecord #0
ObservedTimestamp: 2026-04-20T18:30:01Z
Timestamp: 2026-04-20T18:30:00Z
SeverityText: INFO
SeverityNumber: 10
EventName: ai.policy.decision
Body: Map({\"decision\":\"refuse\"})
Attributes:
     -> tokens: Int(5)
     -> model: Str(m-1)
Trace ID: abababababababababababababababab
Span ID: cdcdcdcdcdcdcdcd
Flags: 1
LogRecord #1
Body: Str(plain)
"
    );
}

#[tokio::test]
async fn spans_and_data_points_are_shown_whole() {
    let span = Span {
        name: "call".into(),
        parent_span_id: vec![1; 8],
        events: vec![Event {
            name: "retry".into(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let scope = ScopeSpans {
        spans: vec![span.clone(), span],
        ..Default::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![scope],
            ..Default::default()
        }],
    };
    let batch = Batch::decode(Signal::Traces, request.encode_to_vec().into()).unwrap();
    let text = show(Verbosity::Detailed, &batch).await;
    assert!(
        text.contains(
            "Span #1\n{\n  \"parentSpanId\": \"0101010101010101\",\n  \"name\": \"call\","
        ),
        "{text}"
    );
    assert_eq!(text.matches("\"name\": \"retry\"").count(), 2);
    assert_eq!(
        show(Verbosity::Basic, &batch).await,
        "traces: 2 spans of 1 resource in 1 scope\n"
    );

    let points = [5, 6].map(|n| NumberDataPoint {
        value: Some(Point::AsInt(n)),
        ..Default::default()
    });
    let data = Some(Data::Gauge(Gauge {
        data_points: points.to_vec(),
    }));
    let scope = ScopeMetrics {
        metrics: vec![Metric {
            name: "tokens".into(),
            data,
            ..Default::default()
        }],
        ..Default::default()
    };
    let request = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![scope],
            ..Default::default()
        }],
    };
    let batch = Batch::decode(Signal::Metrics, request.encode_to_vec().into()).unwrap();
    let text = show(Verbosity::Detailed, &batch).await;
    assert!(
        text.contains("DataPoint #1\n{\n  \"name\": \"tokens\",")
            && text.contains("\"asInt\": \"6\""),
        "{text}"
    );
    assert_eq!(
        show(Verbosity::Normal, &batch).await,
        "tokens asInt=5\ntokens asInt=6\n"
    );
}

#[tokio::test]
async fn no_event_can_act_on_the_terminal() {
    let mut batch = Batch::new(Signal::Logs);
    batch.push_scope(&[("a\u{1b}[2J", Value::Str("\u{202e}b"))], "s\u{7}");
    let mut record = batch.push_log();
    record.set_severity(9, "IN\rFO");
    record.set_body(Value::Str("one\n2026-04-20 faked line\u{9b}31m é😀"));
    record.set("k\u{1b}", Value::Str("\u{0}"));
    for (verbosity, lines) in [(Verbosity::Normal, 1), (Verbosity::Detailed, 11)] {
        let text = show(verbosity, &batch).await;
        assert_eq!(text.lines().count(), lines, "{text}");
        assert!(
            text.chars().all(|c| c == '\n' || !c.is_control()),
            "{text:?}"
        );
        assert!(
            !text.contains('\u{202e}') && text.contains("é😀") && text.contains(r"one\n2026"),
            "{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_first_batches_of_a_second_only_every_nth_is_shown() {
    let (exporter, screen) = shown_by(&Config {
        sampling_initial: 2,
        sampling_thereafter: 3,
        ..Config::default()
    });
    let batch = decisions();
    let shown = async |batches: usize| {
        let mut shown = Vec::new();
        for _ in 0..batches {
            exporter.export(&batch).await.unwrap();
            shown.push(!screen.text().is_empty());
        }
        shown
    };
    assert_eq!(
        shown(8).await,
        [true, true, false, false, true, false, false, true]
    );
    tokio::time::advance(Duration::from_millis(999)).await;
    assert_eq!(shown(1).await, [false]);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(shown(3).await, [true, true, false], "a new second begins");
}

#[tokio::test(start_paused = true)]
async fn by_default_everything_is_shown_and_0_thereafter_shows_nothing_more() {
    let batch = decisions();
    for (thereafter, expected) in [(1, 10), (0, 2)] {
        let (exporter, screen) = shown_by(&Config {
            sampling_thereafter: thereafter,
            ..Config::default()
        });
        for _ in 0..10 {
            exporter.export(&batch).await.unwrap();
        }
        assert_eq!(screen.text().lines().count(), expected);
    }
}

#[tokio::test]
async fn an_output_that_fails_owes_the_records_and_a_closed_one_stops_nobody() {
    let batch = decisions();
    let full = Screen(Arc::default(), Some(io::ErrorKind::StorageFull));
    let error = Debug::new(&Config::default(), vec![Box::new(full)])
        .export(&batch)
        .await
        .unwrap_err();
    assert_eq!(error.verdicts, [(0..2, Verdict::Retry(After::Backoff))]);

    let (closed, open) = (
        Screen(Arc::default(), Some(io::ErrorKind::BrokenPipe)),
        Screen::default(),
    );
    let exporter = Debug::new(
        &Config::default(),
        vec![Box::new(closed), Box::new(open.clone())],
    );
    for _ in 0..2 {
        exporter.export(&batch).await.unwrap();
        assert!(!open.text().is_empty(), "the other output goes on");
    }
}

#[tokio::test]
async fn an_empty_batch_shows_nothing() {
    assert_eq!(
        show(Verbosity::Detailed, &Batch::new(Signal::Logs)).await,
        ""
    );
}

#[test]
fn the_collectors_keys_are_read_and_checked() {
    let config: Config = serde_json::from_value(serde_json::json!({
        "verbosity": "detailed", "sampling_initial": 5, "sampling_thereafter": 200, "use_internal_logger": false, "output_paths": ["stderr"],
        "sending_queue": {"enabled": true},
    }))
    .unwrap();
    let mut problems = Problems::new();
    config.check(&mut problems);
    assert!(problems.found.is_empty());
    for (outputs, help) in [
        (vec!["stdot"], "did you mean `stdout`?"),
        (vec!["/tmp/x"], "the `file` exporter writes files"),
        (vec![], "write [stdout]"),
    ] {
        let mut problems = Problems::new();
        Config {
            output_paths: outputs.into_iter().map(str::to_owned).collect(),
            ..Config::default()
        }
        .check(&mut problems);
        assert!(problems.has_errors());
        assert!(problems.found[0].help.as_deref().unwrap().contains(help));
    }
    assert!(serde_json::from_value::<Config>(serde_json::json!({"verbosity": "loud"})).is_err());
}
