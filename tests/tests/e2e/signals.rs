//! Traces and metrics, which pass through as they came.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span};
use prost::Message as _;
use sluice_testing::otlp;
use sluice_tests::{Encoding, Sluice, senders};

fn traces(name: &str) -> ExportTraceServiceRequest {
    let event = span::Event {
        time_unix_nano: 7,
        name: "choice".to_owned(),
        ..span::Event::default()
    };
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: name.to_owned(),
        kind: span::SpanKind::Client.into(),
        start_time_unix_nano: 5,
        end_time_unix_nano: 9,
        events: vec![event],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans {
        spans: vec![span],
        ..ScopeSpans::default()
    }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }],
    }
}

fn metrics(name: &str) -> ExportMetricsServiceRequest {
    let point = NumberDataPoint {
        time_unix_nano: 5,
        value: Some(number_data_point::Value::AsDouble(1.5)),
        ..NumberDataPoint::default()
    };
    let data = Some(metric::Data::Gauge(Gauge {
        data_points: vec![point],
    }));
    let metric = Metric {
        name: name.to_owned(),
        unit: "s".to_owned(),
        data,
        ..Metric::default()
    };
    let scope_metrics = vec![ScopeMetrics {
        metrics: vec![metric],
        ..ScopeMetrics::default()
    }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics,
            ..ResourceMetrics::default()
        }],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_and_data_points_arrive_as_they_were_sent() {
    for exporter in ["otlp_grpc", "otlp_http"] {
        let double = otlp::Double::start().await;
        let endpoint = if exporter == "otlp_grpc" {
            double.address().to_string()
        } else {
            double.url("")
        };
        let sluice = Sluice::start(&format!(
            "receivers:
  otlp:
    protocols:
      grpc: {{endpoint: '127.0.0.1:0'}}
      http: {{endpoint: '127.0.0.1:0'}}
exporters:
  {exporter}: {{endpoint: '{endpoint}', tls: {{insecure: true}}}}
service:
  ledger: none
  pipelines:
    traces: {{receivers: [otlp], exporters: [{exporter}]}}
    metrics: {{receivers: [otlp], exporters: [{exporter}]}}
"
        ));
        let channel = senders::grpc_channel(sluice.address("otlp", "grpc").await).await;
        TraceServiceClient::new(channel.clone())
            .export(traces("a"))
            .await
            .unwrap();
        MetricsServiceClient::new(channel)
            .export(metrics("a"))
            .await
            .unwrap();
        let bodies = [
            (
                "/v1/traces",
                "application/x-protobuf",
                traces("b").encode_to_vec(),
            ),
            (
                "/v1/traces",
                "application/json",
                serde_json::to_vec(&traces("c")).unwrap(),
            ),
            (
                "/v1/metrics",
                "application/x-protobuf",
                metrics("b").encode_to_vec(),
            ),
            (
                "/v1/metrics",
                "application/json",
                serde_json::to_vec(&metrics("c")).unwrap(),
            ),
        ];
        for (path, content_type, body) in bodies {
            let url = sluice.url("otlp", "http", path).await;
            let answer =
                senders::post(&url, &senders::headers(content_type, Encoding::Plain), body)
                    .await
                    .unwrap();
            assert_eq!(
                answer.status, 200,
                "{exporter} {path} {content_type}: {answer:?}"
            );
        }
        double.read(|state| {
            assert_eq!(state.traces, ["a", "b", "c"].map(traces), "{exporter}");
            assert_eq!(state.metrics, ["a", "b", "c"].map(metrics), "{exporter}");
        });
        assert_eq!(sluice.stop().await.code, Some(0));
    }
}
