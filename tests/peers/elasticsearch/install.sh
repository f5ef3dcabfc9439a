#!/usr/bin/env bash
# Fetches the core of a real Elasticsearch 8 node (no x-pack, so no security and no ILM) from Maven Central.
# Start: java -Xms512m -Xmx512m -cp 'lib/*' Start.java HTTP_PORT HOME_DIR, where HOME_DIR has a copy of home/modules.
set -eu
. "$(dirname "$0")/../common.sh"
out=$cache/elasticsearch
[ -f "$out/Start.java" ] && exit 0
need java javac jar mvn unzip
version=8.19.21
rm -rf "$out.new"; mkdir -p "$out.new"; cp "$peers/elasticsearch/pom.xml" "$peers/elasticsearch/Shim.java" "$out.new"; cd "$out.new"
mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory=lib -DincludeScope=runtime
# Elasticsearch 8 loads its HTTP transport from a module directory, not from the class path.
module=home/modules/transport-netty4; mkdir -p $module home/config
unzip -p lib/transport-netty4-$version.jar META-INF/es-plugins/transport-netty4/plugin-descriptor.properties |
  sed '/^modulename/d' > $module/plugin-descriptor.properties
mv lib/transport-netty4-*.jar lib/netty-*.jar $module/
# The failure store's feature flag and one field type live in modules that Maven Central does not have.
module=home/modules/shim; mkdir -p $module classes/META-INF/services
javac -cp 'lib/*' -d classes Shim.java
echo 'shim.Shim$Features' > classes/META-INF/services/org.elasticsearch.features.FeatureSpecification
jar cf $module/shim.jar -C classes . && rm -rf classes
printf '%s\n' name=shim description=shim version=$version elasticsearch.version=$version java.version=17 \
  classname=shim.Shim > $module/plugin-descriptor.properties
cp "$peers/elasticsearch/Start.java" .
rm -rf "$out"; mv "$out.new" "$out"
