"""What JSON Schema cannot say of the interface, told to the generator.

Sound requests are made to keep the rules that tie two fields together, and ids of their own: an id belongs to one
content for good, and generators like "0". Unsound requests are sent as they are made.
"""

import base64
import copy
import itertools
import json
import os

import schemathesis
from hypothesis import strategies as st

_text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40)
_short = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=64)

schemathesis.openapi.format("utf8", _text)
# 64 characters have at most 256 bytes.
schemathesis.openapi.format("utf8-256", _short)

_label = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=20)
schemathesis.openapi.format("web-origin", _label.map(lambda label: f"https://{label}.example"))
_prefix = bytes.fromhex("302a300506032b6570032100")
schemathesis.openapi.format(
    "ed25519-pem",
    st.binary(min_size=32, max_size=32).map(
        lambda key: "-----BEGIN PUBLIC KEY-----\n"
        + base64.b64encode(_prefix + key).decode()
        + "\n-----END PUBLIC KEY-----\n"
    ),
)

_number = itertools.count(1)
# The run must not revoke the key that it is made with.
_own_key_id = os.environ["AFTERWORD_OWN_KEY_ID"]


@schemathesis.serializer("text/plain")
def _text_plain(_context, value):
    """A browser sends JSON as text/plain, so that it need not ask first."""
    return value if isinstance(value, (str, bytes)) else json.dumps(value).encode()


def _fresh_uuid():
    return f"00000000-0000-7000-8000-{next(_number):012x}"


def _later(holder, low, high):
    if holder.get(low) is not None and holder.get(high) is not None:
        if holder[low] > holder[high]:
            holder[low], holder[high] = holder[high], holder[low]
        if holder[low] == holder[high]:
            del holder[low]


def _mend_completion(item):
    fresh = f"c-{next(_number)}"
    if "request" in item and isinstance(item["response"], dict):
        item["response"]["id"] = fresh
    else:
        item["id"] = fresh
    if item.get("experiment") is None:
        item.pop("variant", None)


def _mend_feedback(item):
    item["id"] = _fresh_uuid()
    if item.get("supersedes") is not None:
        item["supersedes"] = _fresh_uuid()
    if item.get("against") == item["completion_id"]:
        item["against"] = f"c-{next(_number)}"
    n_chars, n_total_chars = item.get("n_chars"), item.get("n_total_chars")
    if n_chars is not None and n_total_chars is not None and n_chars > n_total_chars:
        item["n_chars"], item["n_total_chars"] = n_total_chars, n_chars
    points = item.get("value")
    if isinstance(points, dict):
        low, score, high = sorted([points["min"], points["score"], points["max"]])
        points.update(min=low, score=score, max=high)
        if low == high:
            points.update(min=0, score=1, max=2)


def _mend_experiment(body):
    variants = body["variants"]
    for index, variant in enumerate(variants):
        variant["name"] = f"v{index}"
        variant["share"] = 1 / len(variants)
    body["key"] = f"e-{next(_number)}"
    body["control"] = "v0"


#: Options that stand only beside other options, formats or layouts, or beside what the operator allows.
_TIED_OPTIONS = (
    "aggregate comments decontaminate drop_unrandomised edit_max_distance edit_min_distance exclude_refusal_rejected finish_reason"
    " implicit_positive kto_balance label_noise length margin max_length_ratio max_pairs_per_prompt min_agreement min_votes"
    " pair_scope pairing pii pii_language pii_url policy position rating_good rating_min_difference rating_min_points"
    " regenerate require_stop safety safety_label safety_url sft_min_signal system_prompt system_prompt_text target_model"
    " test_share ties tool_calls trust weights"
).split()


def _mend_export(body):
    # Words that nobody has recorded let nothing through, which is refused.
    body.pop("selection", None)
    for name in _TIED_OPTIONS:
        (body.get("options") or {}).pop(name, None)
    if body.get("format") is not None:
        body.pop("formats", None)
    elif body.get("formats"):
        # Two words may mean one format.
        body["formats"] = body["formats"][:1]
    body.pop("layout", None)
    (body.get("destination") or {}).pop("name", None)


def _mend_body(path, body):
    items = {"/v1/completions": ("completions", _mend_completion), "/v1/feedback": ("feedback", _mend_feedback)}
    if path in items:
        name, mend = items[path]
        for item in body[name] if name in body else [body]:
            mend(item)
    elif path == "/v1/experiments":
        _mend_experiment(body)
    elif path == "/v1/exports":
        _mend_export(body)


def _mend_comparison(query):
    """Either an experiment, or two models; bounds in their order."""
    if "experiment" in query:
        query.pop("control", None)
    else:
        query.update(control="model:old", candidate="model:new")
    _later(query, "from", "to")


@schemathesis.hook
def map_case(_context, case):
    if case.operation.path == "/v1/keys/{id}" and (case.path_parameters or {}).get("id") == _own_key_id:
        case.path_parameters = {**case.path_parameters, "id": "a" * 16}
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return case
    if isinstance(case.body, dict):
        # Cases share parts of their bodies with each other.
        case.body = copy.deepcopy(case.body)
        _mend_body(case.operation.path, case.body)
    if case.operation.path == "/v1/comparisons":
        case.query = dict(case.query or {})
        _mend_comparison(case.query)
    elif case.query:
        case.query = dict(case.query)
        _later(case.query, "from", "to")
    if case.operation.path in ("/v1/completions", "/v1/feedback") and case.operation.method.upper() == "GET":
        case.query = dict(case.query or {})
        _later(case.query, "from", "to")
    if case.operation.path == "/v1/exports" and case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = f"k-{next(_number)}"
    return case


@schemathesis.hook
def filter_case(_context, case):
    """Members beside a raw pair may give what the pair lacks, which its schema does not spell out."""
    if case.meta is None or case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return True
    description = case.meta.phase.data.description or ""
    if "violates `format` at" in description:
        # The tool's "violation" is now and then null, which is sound where a member may be null.
        name = description.rsplit("/", 1)[-1]
        if name in case.body and case.body[name] is None:
            return False
    items = case.body.get("completions", [case.body])
    return not (isinstance(items, list) and any(isinstance(item, dict) and "request" in item for item in items))


@schemathesis.check
def sound_questions_are_refused_for_lack_of_data_only(_context, response, case):
    is_sound = case.meta is not None and case.meta.generation.mode.is_positive
    if is_sound and case.operation.path == "/v1/comparisons" and response.status_code == 422:
        assert response.json()["code"] == "no_data", response.text
