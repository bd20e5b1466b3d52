#!/usr/bin/env bash
# Builds the image, starts it as its user would, and asks it for its health. Needs docker, or podman by TOOL=podman.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=${TOOL:-docker}
work=$(mktemp -d)
trap 'rm -rf "$work"; [ -z "${container:-}" ] || $tool rm -f "$container" >/dev/null' EXIT

cat >"$work/till.yaml" <<'YAML'
public_url: https://till.example.com
storage: sqlite:/var/lib/till/till.db
providers:
  openai: { credential: env:OPENAI_API_KEY }
policies:
  - name: review
    repository_id: "101"
    providers: [openai]
    activations: 5
YAML
chmod 0644 "$work/till.yaml"

$tool build -t till-check .
container=$($tool run -d --read-only --tmpfs /tmp -e OPENAI_API_KEY=sk-check -p 127.0.0.1:4100:4100 \
  -v "$work/till.yaml:/etc/till/till.yaml:ro" -v /var/lib/till till-check)
for _ in $(seq 50); do
  if curl -fsS http://127.0.0.1:4100/healthz; then
    test "$($tool exec "$container" id -u)" = 65532
    echo 'the image starts, answers, and is not root'
    exit 0
  fi
  sleep 0.2
done
$tool logs "$container"
echo 'the image did not answer on /healthz within 10 s' >&2
exit 1
