#!/usr/bin/env bash
# Installs every peer that this machine can have. `--required`: a peer that cannot be had is a failure (CI).
# Writes one line a peer to $cache/status: "<name> installed" or "<name> skipped: <why>".
set -u
. "$(dirname "$0")/common.sh"
failed=0
: > "$cache/status"
for script in "$peers"/*/install.sh; do
  name=$(basename "$(dirname "$script")")
  if said=$(bash "$script" 2>"$cache/$name.log"); then
    echo "$name installed" >> "$cache/status"
  else
    [ -n "$said" ] || said="skipped: its installation failed, see target/peers/$name.log"
    echo "$name $said" >> "$cache/status"
    failed=1
    [ "${1-}" = --required ] && { echo "peer $name: $said"; tail -5 "$cache/$name.log"; }
  fi
done
[ "${1-}" = --required ] && exit $failed
exit 0
