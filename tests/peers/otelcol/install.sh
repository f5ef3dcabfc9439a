#!/usr/bin/env bash
# Builds the OpenTelemetry Collector with its own builder, from the Go module proxy.
# 0.149.0 is the newest release whose modules can all be had there without `go mod tidy`.
set -eu
. "$(dirname "$0")/../common.sh"
out=$cache/otelcol
core=go.opentelemetry.io/collector
contrib=github.com/open-telemetry/opentelemetry-collector-contrib
version=0.149.0
rm -rf "$out.new"; mkdir -p "$out.new"; cd "$out.new"
{
  printf 'dist: {name: otelcol, output_path: ./dist, version: %s}\n' $version
  printf 'receivers:\n- {gomod: %s/receiver/otlpreceiver v%s}\n' $core $version
  echo processors:
  for m in batch memorylimiter; do echo "- {gomod: $core/processor/${m}processor v$version}"; done
  for m in redaction attributes; do echo "- {gomod: $contrib/processor/${m}processor v$version}"; done
  echo exporters:
  for m in otlp otlphttp debug; do echo "- {gomod: $core/exporter/${m}exporter v$version}"; done
  # The queue on disk, for the load bench.
  printf 'extensions:\n- {gomod: %s/extension/storage/filestorage v%s}\n' $contrib $version
  echo providers:
  for m in file env yaml; do echo "- {gomod: $core/confmap/provider/${m}provider v1.55.0}"; done
} > manifest.yaml
# One that was built from another manifest is built again.
[ -x "$out/otelcol" ] && cmp -s manifest.yaml "$out/manifest.yaml" && { rm -rf "$out.new"; exit 0; }
need go
GOBIN=$PWD go install $core/cmd/builder@v$version
./builder --config manifest.yaml --skip-compilation --skip-get-modules
(cd dist && go build -mod=mod -trimpath -ldflags='-s -w' -o ../otelcol .)
rm -rf dist builder
rm -rf "$out"; mv "$out.new" "$out"
