# Sourced by each install script: where peers go, and how one says that it cannot be had here.
# Peers are kept outside the source tree's tracked files and are built once.
peers=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SLUICE_PEERS:-$peers/../../target/peers}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

# need TOOL...: without one of them this peer is skipped, by exit code 3 and one line that says why.
need() {
  for tool in "$@"; do
    command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 3; }
  done
}
