#!/usr/bin/env bash
# Looks at the kept reports in Chromium (tests/browser/run.mjs), uses the chat of the demo (tests/browser/demo.mjs), and answers
# feedback links (tests/browser/links.mjs).
# Where there is no Chromium it is installed by apt, if this may be done without a question; where that fails, the check is
# skipped and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
pages=${1:-target/tmp/report}

skip() {
    echo "NOT RUN in a browser: $1" >&2
    exit 0
}

find_browser() {
    command -v chromium || command -v chromium-browser || command -v google-chrome
}

command -v npm >/dev/null || skip 'npm is not installed'
if ! find_browser >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo 'Chromium is not installed; asking apt for it.' >&2
    timeout 300 apt-get install --yes --no-install-recommends chromium fonts-dejavu-core >/dev/null 2>&1 || true
fi
browser=$(find_browser) || skip 'Chromium is not installed (apt-get install chromium)'
(cd tests/browser && timeout 120 npm ci --silent) || skip 'the packages of tests/browser cannot be installed'
timeout 300 node tests/browser/run.mjs "$(realpath "$pages")" "$browser"
program=$PWD/target/debug/afterword
[ -x "$program" ] || skip "neither the chat of the demo nor a link was used: $program is not built"
timeout 300 node tests/browser/demo.mjs "$program" "$browser"
timeout 300 node tests/browser/links.mjs "$program" "$browser"
