#!/usr/bin/env bash
# Fetches a real OpenSearch node (no security plugin, no ISM) from Maven Central.
# Start: java -cp 'lib/*' Start.java HTTP_PORT HOME_DIR
set -eu
. "$(dirname "$0")/../common.sh"
out=$cache/opensearch
[ -f "$out/Start.java" ] && exit 0
need java mvn
rm -rf "$out.new"; mkdir -p "$out.new"; cp "$peers/opensearch/pom.xml" "$out.new"; cd "$out.new"
mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=lib -DincludeScope=runtime
cp "$peers/opensearch/Start.java" .
rm -rf "$out"; mv "$out.new" "$out"
