#!/usr/bin/env bash
# Is the whole of it there? Feast's registry, the Great Expectations project, a read and a validated push through the
# service, and the pods where kubectl is. Each check is a line; the exit code is 0 if all are good, 1 if one isn't, 2 for
# a wrong option.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

repo=${FEAST_FS_YAML_FILE_PATH:-$root/feast-repo/customer_features/feature_store.yaml}
expectations=$root/expectations
url=http://localhost:6566
customer=1001
namespace=feast
bin=$root/.venv/bin

usage() {
  cat <<END
usage: scripts/verify_feast_gx.sh [option value] ...

  --repo FILE           feature_store.yaml (default: \$FEAST_FS_YAML_FILE_PATH, or this repository's)
  --expectations DIR    Great Expectations project (default: this repository's)
  --url URL             the service (default: $url)
  --customer ID         a customer whose row is read and pushed again as it is (default: $customer)
  --namespace NAME      of the pods (default: $namespace; they are looked at where kubectl is installed)
  --bin DIR             where feast and python are (default: .venv/bin of this repository)
END
}

while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --repo | --expectations | --url | --customer | --namespace | --bin)
      [ $# -ge 2 ] || { echo "$1 needs a value" >&2; usage >&2; exit 2; }
      declare "${1#--}=$2"
      shift 2
      ;;
    *) echo "there is no option $1" >&2; usage >&2; exit 2 ;;
  esac
done
[[ $customer =~ ^[0-9]+$ ]] || { echo "--customer is a number, not $customer" >&2; exit 2; }
[ -f "$repo" ] || { echo "there is no $repo" >&2; exit 2; }

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# check NAME COMMAND...: keeps the line of a check. What the command prints is what was found; where it ends badly, the reason.
check() {
  local name=$1 said
  shift
  if said=$("$@" 2>"$results/$name.errors") && [ -n "$said" ]; then
    printf 'ok    %-16s %s\n' "$name" "$(tr '\n' ' ' <<<"$said")"
  else
    said=$(cat "$results/$name.errors")$said
    printf 'FAIL  %-16s %s\n' "$name" "$(tail -n 5 <<<"${said:-nothing there}")"
  fi >"$results/$name"
}

# What the registry has, a line for each kind. Feast's own command shows the same (feast feature-views list), seconds for each.
registry() {
  "$bin/python" -W ignore - "$repo" <<'END'
import sys
from pathlib import Path
from feast import FeatureStore

store = FeatureStore(fs_yaml_file=Path(sys.argv[1]))
print(*sorted(view.name for view in store.list_all_feature_views()))
print(*sorted(entity.name for entity in store.list_entities()))
END
}

# What the Great Expectations project has.
expectations() {
  "$bin/python" -W ignore - "$expectations" <<'END'
import sys
from pathlib import Path
import great_expectations as gx

if not Path(sys.argv[1], "great_expectations.yml").is_file():
    sys.exit(f"there is no great_expectations.yml in {sys.argv[1]}")
context = gx.get_context(mode="file", context_root_dir=sys.argv[1])
print(*sorted(suite.name for suite in context.suites.all()))
print(*sorted(checkpoint.name for checkpoint in context.checkpoints.all()))
END
}

# both COMMAND FIRST SECOND: two checks, each of which is a line of what the command prints.
both() {
  local code
  "$1" >"$results/$1.out" 2>"$results/$1.errors"
  code=$?
  for line in 1 2; do
    check "${@:line+1:1}" line_of "$1" "$line" "$code"
  done
}

line_of() {
  [ "$3" = 0 ] || { tail -n 5 "$results/$1.errors"; return 1; }
  sed -n "$2p" "$results/$1.out"
}

# A read, and a push of the very row that was read: the suite judges it, and writing it changes nothing.
through_the_service() {
  "$bin/python" - "$url" "$customer" "$1" <<'END'
import sys
import httpx

url, customer, what = sys.argv[1], int(sys.argv[2]), sys.argv[3]
features = ["tenure_months", "total_purchases", "total_spend", "avg_purchase_value", "customer_segment", "loyalty_score"]


def ask(path, body):
    try:
        answer = httpx.post(url + path, json=body, timeout=10)
    except httpx.HTTPError as error:
        sys.exit(f"{url}{path}: {error}")
    if answer.status_code != 200:
        sys.exit(f"{url}{path} answers {answer.status_code}: {answer.text[:500]}")
    return answer.json()


read = ask("/get-online-features", {"features": [f"customer_stats:{one}" for one in features], "entities": {"customer_id": [customer]}})
vectors = dict(zip(read["metadata"]["feature_names"], read["results"], strict=True))
statuses = {name: vectors[name]["statuses"][0] for name in features}
row = {name: vectors[name]["values"][0] for name in features}
if "NOT_FOUND" in statuses.values() or "OUTSIDE_MAX_AGE" in statuses.values():
    sys.exit(f"customer {customer} isn't there, or too old ({statuses}): materialize, or choose another by --customer")
if what == "read":
    print(f"customer {customer}:", ", ".join(f"{name}={value}" for name, value in row.items()))
    sys.exit()
time = vectors["loyalty_score"]["event_timestamps"][0]
pushed = ask(
    "/push",
    {
        "push_source_name": "customer_push_source",
        "rows": [{"customer_id": customer, **row, "event_timestamp": time, "created_timestamp": None}],
    },
)
if pushed["written"] + pushed["stale"] != 1:
    sys.exit(f"the row that was read isn't taken: {pushed}")
refused = httpx.post(
    url + "/validate",
    json={"suite": "customer_push_suite", "rows": [{"customer_id": customer, **row, "loyalty_score": 2.0, "event_timestamp": time, "created_timestamp": None}]},
    timeout=10,
)
if refused.status_code != 200 or refused.json()["success"]:
    sys.exit(f"a loyalty_score of 2 isn't found to be wrong: {refused.status_code} {refused.text[:500]}")
print("the row that was read is valid and written again; a loyalty_score of 2 is refused by customer_push_suite")
END
}

pods() {
  local found
  found=$(kubectl get pods --namespace "$namespace" --no-headers) || return 1
  [ -n "$found" ] || { echo "no pods in namespace $namespace"; return 1; }
  # READY is m/n; a pod that ran to its end is no server.
  awk '$3 == "Completed" {next} {split($2, ready, "/"); if (ready[1] != ready[2]) bad = bad " " $1 "=" $2 "," $3; n++}
       END {if (bad || !n) {print "not ready:" bad; exit 1} print n " pods are ready"}' <<<"$found"
}

both registry "feature views" "entities" &
both expectations "suites" "checkpoints" &
check "read" through_the_service read
check "push" through_the_service push
if ! command -v kubectl >/dev/null; then
  printf -- '-     %-16s not looked at: there is no kubectl\n' pods >"$results/pods"
elif ! kubectl config current-context >/dev/null 2>&1; then
  printf -- '-     %-16s not looked at: kubectl has no cluster configured\n' pods >"$results/pods"
else
  check "pods" pods
fi
wait
cd "$results" && cat "feature views" entities suites checkpoints read push pods
! grep -q "^FAIL" "feature views" entities suites checkpoints read push pods
