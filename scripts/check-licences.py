#!/usr/bin/env python3
"""Checks the licences, the bans and the sources of deny.toml against what Cargo resolved.

It needs nothing but Cargo and Python 3.11, so that every test run can afford it; cargo-deny (`make deny`) also knows
advisories and duplicate versions.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def resolved_packages() -> list[dict]:
    version = subprocess.run(["cargo", "-vV"], check=True, capture_output=True, text=True).stdout
    host = re.search(r"^host: (.+)$", version, re.MULTILINE).group(1)
    command = ["cargo", "metadata", "--format-version=1", "--locked", f"--filter-platform={host}"]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout)
    shipped = shipped_ids(metadata)
    return [package for package in metadata["packages"] if package["id"] in shipped]


def shipped_ids(metadata: dict) -> set[str]:
    """What the program is linked from and built with; dependencies of the tests alone are not shipped."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    found, waiting = set(), [metadata["resolve"]["root"]]
    while waiting:
        package_id = waiting.pop()
        if package_id not in found:
            found.add(package_id)
            for dependency in nodes[package_id]["deps"]:
                if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                    waiting.append(dependency["pkg"])
    return found


def is_allowed(expression: str, allowed: set[str]) -> bool:
    """Evaluates an SPDX expression: one side of an OR, or every side of an AND, must be allowed."""
    tokens = re.findall(r"\(|\)|[^\s()/]+|/", expression)

    def one() -> bool:
        token = tokens.pop(0)
        if token == "(":
            value = any_of()
            tokens.pop(0)
            return value
        if tokens[:1] == ["WITH"]:
            tokens.pop(0)
            token = f"{token} WITH {tokens.pop(0)}"
        return token in allowed

    def all_of() -> bool:
        value = one()
        while tokens[:1] == ["AND"]:
            tokens.pop(0)
            value = one() and value
        return value

    def any_of() -> bool:
        value = all_of()
        # Old manifests write a slash for OR.
        while tokens[:1] in (["OR"], ["/"]):
            tokens.pop(0)
            value = all_of() or value
        return value

    return any_of()


def problems(packages: list[dict], policy: dict) -> list[str]:
    allowed = set(policy["licenses"]["allow"])
    banned = {entry["name"]: entry["reason"] for entry in policy["bans"]["deny"]}
    found = []
    for package in packages:
        name, source = f"{package['name']} {package['version']}", package["source"]
        expression = package["license"] or ""
        if not expression or not is_allowed(expression, allowed):
            found.append(f"{name}: licence `{expression or 'none'}` is not allowed")
        if package["name"] in banned:
            found.append(f"{name}: banned, {banned[package['name']]}")
        if source is not None and not source.startswith("registry+"):
            found.append(f"{name}: comes from elsewhere than a registry")
    sources = {package["source"] for package in packages} - {None}
    if len(sources) > 1:
        found.append(f"packages come from {len(sources)} places, one is allowed")
    return found


def check_itself() -> None:
    """Shows that each rule fails where it should, before it is believed."""
    registry = "registry+https://example.org/index"
    policy = {"licenses": {"allow": ["MIT", "Apache-2.0"]}, "bans": {"deny": [{"name": "bad", "reason": "it is"}]}}

    def count(**changes) -> int:
        return len(problems([{"name": "a", "version": "1", "license": "MIT", "source": registry} | changes], policy))

    assert count() == 0
    assert count(license="GPL-3.0 OR (MIT AND Apache-2.0)") == 0
    assert count(license="MIT/Apache-2.0") == 0
    assert count(license="MIT AND GPL-3.0") == 1
    assert count(license="Apache-2.0 WITH Something") == 1
    assert count(license=None) == 1
    assert count(name="bad") == 1
    assert count(source="git+https://example.org/a") == 1
    two = [{"name": "a", "version": "1", "license": "MIT", "source": f"registry+{place}"} for place in "ab"]
    assert len(problems(two, policy)) == 1


def main() -> int:
    check_itself()
    packages = resolved_packages()
    found = problems(packages, tomllib.loads((ROOT / "deny.toml").read_text()))
    for problem in found:
        print(problem, file=sys.stderr)
    print(f"licences: {len(packages)} packages, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
