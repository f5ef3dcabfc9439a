//! OpenTelemetry's own load generator as a sender of all three signals.

use std::process::Command;

use sluice_testing::otlp;
use sluice_tests::Sluice;

use crate::peer::installed;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telemetrygen_sends_logs_traces_and_metrics_over_grpc_and_http() {
    let Some(folder) = installed("telemetrygen") else {
        return;
    };
    for protocol in ["grpc", "http"] {
        let far_end = otlp::Double::start().await;
        let sluice = Sluice::start(&format!(
            r#"
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:0"}}, http: {{endpoint: "127.0.0.1:0"}}}}}}
exporters:
  otlp_http: {{endpoint: "{}"}}
service:
  ledger: none
  pipelines:
    logs: {{receivers: [otlp], exporters: [otlp_http]}}
    traces: {{receivers: [otlp], exporters: [otlp_http]}}
    metrics: {{receivers: [otlp], exporters: [otlp_http]}}
"#,
            far_end.url("")
        ));
        let to = sluice.address("otlp", protocol).await;
        for signal in ["logs", "traces", "metrics"] {
            let mut command = Command::new(folder.join("telemetrygen"));
            command.args([signal, "--otlp-insecure", "--workers", "2", "--rate", "0"]);
            command.args([
                "--otlp-endpoint",
                &to.to_string(),
                &format!("--{signal}"),
                "250",
            ]);
            if protocol == "http" {
                command.arg("--otlp-http");
            }
            let output = tokio::task::spawn_blocking(move || command.output())
                .await
                .expect("it runs")
                .expect("it runs");
            assert!(
                output.status.success(),
                "{signal} over {protocol}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        // telemetrygen ended well, so it was told OK for everything, so everything is there.
        let (logs, spans, points) = far_end.read(|state| {
            let spans = state
                .traces
                .iter()
                .flat_map(|r| &r.resource_spans)
                .flat_map(|r| &r.scope_spans)
                .map(|s| s.spans.len())
                .sum::<usize>();
            let metrics = state
                .metrics
                .iter()
                .flat_map(|r| &r.resource_metrics)
                .flat_map(|r| &r.scope_metrics)
                .map(|s| s.metrics.len())
                .sum::<usize>();
            (state.log_records().count(), spans, metrics)
        });
        assert_eq!(logs, 500, "logs over {protocol}");
        assert_eq!(
            spans, 1000,
            "spans over {protocol}: a parent and a child each"
        );
        assert_eq!(points, 500, "metrics over {protocol}");
        assert_eq!(sluice.stop().await.code, Some(0));
    }
}
