"""What strangers may send: any JSON, and the broken bodies of the corpus."""

from __future__ import annotations

import json

from hypothesis import strategies as st

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def bad(corpus):
    """Return the broken JSON bodies by name."""
    lines = (corpus / "json_bad" / "cases.jsonl").read_text("utf-8").splitlines()
    return {case["name"]: case["body"].encode() for case in map(json.loads, lines)}
