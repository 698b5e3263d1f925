#!/usr/bin/env bash
# Says what is missing before anything is built, each with the command that brings it. usage: check-tools.sh [python]
# Without an argument Python is not asked for: only tests need it.
set -euo pipefail
python=${1:-}
missing=0

need() { # what, why, how to get it
    printf 'missing: %s (%s)\n         %s\n' "$1" "$2" "$3" >&2
    missing=1
}

# The first version of `a.b.c` that is not older than `d.e`, read by sort.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -1)" = "$2" ]; }

rust_wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
if ! command -v cargo >/dev/null; then
    need "cargo $rust_wanted" "it builds the program" "install Rust with rustup, or your distribution's package"
elif ! at_least "$(rustc --version | cut -d' ' -f2)" "$rust_wanted"; then
    need "rustc $rust_wanted" "yours is $(rustc --version | cut -d' ' -f2)" "rustup update stable"
fi
command -v cc >/dev/null || need "cc" "Rust links with it" "apt-get install build-essential"
if [ -z "$python" ]; then
    : # not needed
elif ! command -v "$python" >/dev/null; then
    need "$python 3.11" "it reads exports as a trainer does" "apt-get install python3 python3-venv"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    need "Python 3.11" "yours is $("$python" -V 2>&1)" "make PYTHON=python3.12 …"
elif ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    need "the module venv" "the tests install what they need in .venv" "apt-get install python3-venv"
fi
# A Postgres that is installed is used; where there is none, npm brings one. Either will do.
has_postgres() { command -v pg_config >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }
if [ -z "${DATABASE_URL:-}" ] && ! has_postgres && ! command -v npm >/dev/null; then
    need "Postgres or npm" "the program starts a Postgres of its own" "apt-get install postgresql, or Node 20 and npm"
fi
exit "$missing"
