#!/usr/bin/env bash
# Trains two steps on exports with the stock trainers. usage: train-check.sh [--streaming] [--without CONFIG] CHECKS PYTHON
# EXPORT…  --streaming has every config streamed and not read whole; a stack without a trainer for a config leaves it out.
# Each config that the card of an export declares gets the checks that there are for it.
set -euo pipefail
streaming=() without=
while [[ ${1-} == --* ]]; do
    case $1 in
        --streaming) streaming=(--streaming) && shift ;;
        --without) without=$2 && shift 2 ;;
        *) echo "no option $1" >&2 && exit 2 ;;
    esac
done
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
            "$without") ;;
            dpo)
                run check_dpo.py "$folder" --config dpo "${streaming[@]}"
                run check_reward.py "$folder" --config dpo "${streaming[@]}"
                ;;
            kto | reward | prompts) run "check_$config.py" "$folder" --config "$config" "${streaming[@]}" ;;
            sft | sft_completion) run check_sft.py "$folder" --config "$config" "${streaming[@]}" ;;
            *) echo "no check for the config $config of $folder" >&2 && n_failed=$((n_failed + 1)) ;;
        esac
    done
done
echo "$((n_run - n_failed)) passed, $n_failed failed"
[ "$n_run" -gt 0 ] && [ "$n_failed" -eq 0 ]
