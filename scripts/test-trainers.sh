#!/usr/bin/env bash
# Trains two steps on every config of one export with two stacks of trainers: the newest, and the one that slower projects
# pin. usage: test-trainers.sh CHECKS NEW_PYTHON OLD_PYTHON EXPORT
set -uo pipefail
checks=$1 new=$2 old=$3 export=$(readlink -f "$4")
n_failed=0

echo '== the newest trainers: every config, streamed too, and the stock scripts'
bash "$checks/run_all.sh" "$export" "$new" || n_failed=$((n_failed + 1))
for check in sft:sft kto:kto reward:reward; do
    "$new" "$checks/check_${check%%:*}.py" "$export" --config "${check##*:}" --streaming 2>&1 | grep -E '^(OK|FAIL)|Error' \
        || n_failed=$((n_failed + 1))
done

echo '== the older trainers: every config that they have a trainer for'
"$old" "$checks/check_schema.py" "$export" || n_failed=$((n_failed + 1))
for check in sft:sft sft:sft_completion dpo:dpo kto:kto reward:reward reward:dpo; do
    "$old" "$checks/check_${check%%:*}.py" "$export" --config "${check##*:}" 2>&1 | grep -E '^(OK|FAIL)|Error|assert' || true
    [ "${PIPESTATUS[0]}" = 0 ] || n_failed=$((n_failed + 1))
done
echo "$n_failed failed"
[ "$n_failed" -eq 0 ]
