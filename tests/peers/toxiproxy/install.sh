#!/usr/bin/env bash
# Installs Toxiproxy, which spoils connections on order, from the Go module proxy.
set -eu
. "$(dirname "$0")/../common.sh"
out=$cache/toxiproxy
[ -x "$out/toxiproxy" ] && exit 0
need go
rm -rf "$out.new"; mkdir -p "$out.new"
CGO_ENABLED=0 GOBIN=$out.new go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0
mv "$out.new/server" "$out.new/toxiproxy"
rm -rf "$out"; mv "$out.new" "$out"
