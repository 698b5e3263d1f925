#!/usr/bin/env bash
# Checks the browser SDK in sdk/browser. The browser tests need Chromium and a built `target/debug/afterword`; without
# them everything else runs, and what did not is said loudly.
set -euo pipefail
cd "$(dirname "$0")/../sdk/browser"

if ! command -v npm >/dev/null || ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; then
    echo 'missing: Node 20 with npm (it builds and tests the browser SDK)' >&2
    exit 2
fi
# Nothing that is installed runs a script of its own.
npm ci --ignore-scripts --no-progress --loglevel=error
npm ci --ignore-scripts --no-progress --loglevel=error --prefix test/older
npm run --silent check
npm run --silent build
npm run --silent check-dist
npm run --silent served -- --check
npm run --silent test
npm run --silent test-server
# The recipes of docs/sdk.md need packages of others, which are installed beside and not with ours.
(cd recipes && npm ci --ignore-scripts --no-progress --loglevel=error && npm run --silent check)

if ! command -v chromium >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    (apt-get update && apt-get install --yes --no-install-recommends chromium) >/dev/null || true
fi
npm run --silent test-browser
npm run --silent test-recipes
