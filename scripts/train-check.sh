#!/usr/bin/env bash
# Trains two steps on exports with the stock trainers. usage: train-check.sh CHECKS PYTHON EXPORT…
# An export holds the configs of its recipe, so that each gets the checks of what its card declares.
set -euo pipefail
checks=$1 python=$2
shift 2
n_run=0 n_failed=0

run() {
    n_run=$((n_run + 1))
    echo "== $*"
    "$python" "$checks/$1" "${@:2}" || n_failed=$((n_failed + 1))
}

for folder in "$@"; do
    folder=$(readlink -f "$folder")
    run check_schema.py "$folder"
    for config in $(sed -n 's/^[- ]*config_name: *//p' "$folder/README.md" | sort -u); do
        case $config in
            dpo)
                run check_dpo.py "$folder" --config dpo
                run check_dpo.py "$folder" --config dpo --streaming
                run check_reward.py "$folder" --config dpo
                ;;
            sft | sft_completion) run check_sft.py "$folder" --config "$config" ;;
            *) echo "no check for the config $config of $folder" >&2 && n_failed=$((n_failed + 1)) ;;
        esac
    done
done
echo "$((n_run - n_failed)) passed, $n_failed failed"
[ "$n_run" -gt 0 ] && [ "$n_failed" -eq 0 ]
