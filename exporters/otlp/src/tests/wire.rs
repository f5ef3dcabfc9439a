use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use sluice_batch::{Batch, Signal};
use sluice_net::Compression;
use sluice_testing::otlp::{Double, Options};

use super::{export, grpc_to, http_to, logs};
use crate::{grpc, http};

fn traces() -> (ExportTraceServiceRequest, Batch) {
    let span = Span {
        name: "call".into(),
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        ..Default::default()
    };
    let scope = ScopeSpans {
        spans: vec![span],
        ..Default::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![scope],
            ..Default::default()
        }],
    };
    let batch = Batch::decode(Signal::Traces, request.encode_to_vec().into()).unwrap();
    (request, batch)
}

fn metrics() -> (ExportMetricsServiceRequest, Batch) {
    let data = Some(Data::Gauge(Gauge {
        data_points: vec![NumberDataPoint {
            time_unix_nano: 5,
            ..Default::default()
        }],
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
    (request, batch)
}

fn header(double: &Double, name: &str) -> String {
    double.traffic().read(|traffic| {
        traffic
            .seen
            .last()
            .unwrap()
            .headers
            .get(name)
            .map(|v| v.to_str().unwrap().to_owned())
            .unwrap_or_default()
    })
}

fn check(double: &Double) {
    let (spans, points) = (traces().0, metrics().0);
    double.read(|state| {
        let record = state.log_records().next().unwrap();
        assert_eq!(record.time_unix_nano, 1_776_709_800_000_000_000);
        assert_eq!(
            record.body.clone().unwrap().value,
            Some(Any::StringValue("refuse 😀".into()))
        );
        assert_eq!(
            state.logs[0].resource_logs[0]
                .resource
                .clone()
                .unwrap()
                .attributes[0]
                .key,
            "service.name"
        );
        assert_eq!(state.traces, [spans]);
        assert_eq!(state.metrics, [points]);
    });
}

#[tokio::test]
async fn all_signals_arrive_over_grpc_in_every_compression() {
    for (compression, encoding) in [
        (Compression::Gzip, "gzip"),
        (Compression::Zstd, "zstd"),
        (Compression::None, ""),
    ] {
        let double = Double::start_with(Options {
            zstd: true,
            ..Options::default()
        })
        .await;
        let config = grpc::Config {
            compression,
            ..grpc_to(&double)
        };
        for batch in [logs(["refuse 😀"]), traces().1, metrics().1] {
            export(&config, &batch).await.unwrap();
            assert_eq!(header(&double, "grpc-encoding"), encoding);
            assert!(
                header(&double, "user-agent").starts_with("sluice/"),
                "{}",
                header(&double, "user-agent")
            );
        }
        check(&double);
    }
}

#[tokio::test]
async fn all_signals_arrive_over_http_in_every_encoding_and_compression() {
    for (encoding, content_type) in [
        (http::Encoding::Proto, "application/x-protobuf"),
        (http::Encoding::Json, "application/json"),
    ] {
        for (compression, content_encoding) in [
            (Compression::Gzip, "gzip"),
            (Compression::Zstd, "zstd"),
            (Compression::None, ""),
        ] {
            let double = Double::start_with(Options {
                zstd: true,
                ..Options::default()
            })
            .await;
            let config = http::Config {
                encoding,
                compression,
                ..http_to(&double)
            };
            for (batch, path) in [
                (logs(["refuse 😀"]), "/v1/logs"),
                (traces().1, "/v1/traces"),
                (metrics().1, "/v1/metrics"),
            ] {
                export(&config, &batch).await.unwrap();
                assert_eq!(header(&double, "content-type"), content_type);
                assert_eq!(header(&double, "content-encoding"), content_encoding);
                assert!(header(&double, "user-agent").starts_with("sluice/"));
                double
                    .traffic()
                    .read(|traffic| assert_eq!(traffic.seen.last().unwrap().target, path));
            }
            check(&double);
        }
    }
}

#[tokio::test]
async fn several_requests_share_one_grpc_connection() {
    let double = Double::start().await;
    let exporter = super::build(&grpc_to(&double)).exporter;
    let batch = logs(["one"]);
    for _ in 0..3 {
        exporter.export(&batch).await.unwrap();
    }
    double
        .traffic()
        .read(|traffic| assert_eq!(traffic.connections, 1));
}
