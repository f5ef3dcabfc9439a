#!/usr/bin/env bash
# Installs OpenTelemetry's load generator, from the Go module proxy.
set -eu
. "$(dirname "$0")/../common.sh"
out=$cache/telemetrygen
[ -x "$out/telemetrygen" ] && exit 0
need go
rm -rf "$out.new"; mkdir -p "$out.new"
GOBIN=$out.new go install github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen@v0.161.0
rm -rf "$out"; mv "$out.new" "$out"
