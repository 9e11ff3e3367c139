"""Values of runs: controls, secrets, keys, and what Ansible says."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.adapters.ansible import files
from control_plane.adapters.ansible.events import Reader
from control_plane.provisioning.playbooks import keys
from control_plane.provisioning.playbooks.model import (
    Control,
    ControlState,
    HostState,
    Redactor,
    control_of,
    control_state,
    masked,
    worst,
)
from control_plane.provisioning.playbooks.ports import TaskEvent
from foundation.kernel.errors import Invalid


def test_a_control_is_a_task_with_a_number() -> None:
    assert control_of("base_hardening : BH-01 | Sign-in needs a key") == (
        "BH-01", "Sign-in needs a key",
    )  # fmt: skip
    assert control_of("BH-01 | X") == ("BH-01", "X")
    assert control_of("Read the accounts") is None
    assert control_of("bh-01 | X") is None


def test_what_would_change_does_not_pass_a_check() -> None:
    assert control_state("changed", check=True) is ControlState.FAILING
    assert control_state("changed", check=False) is ControlState.CHANGED
    assert control_state("again", check=True) is None
    found = worst(
        [
            Control("B-2", "b", ControlState.PASSING),
            Control("B-1", "a", ControlState.PASSING),
            Control("B-1", "a", ControlState.FAILING, "why"),
            Control("B-2", "b", ControlState.SKIPPED),
        ]
    )
    assert [(c.id, c.state) for c in found] == [
        ("B-1", ControlState.FAILING), ("B-2", ControlState.PASSING),
    ]  # fmt: skip


@given(st.text(min_size=4).filter(lambda t: len(t.strip()) >= 4 and "*" not in t))
def test_no_secret_passes_the_redactor(secret: str) -> None:
    redact = Redactor([secret])
    assert secret.strip() not in redact(f"before {secret} after")
    escaped = json.dumps(secret.strip(), ensure_ascii=False)[1:-1]
    assert escaped not in redact(f"before {escaped} after")


def test_a_line_of_a_key_is_a_secret_too() -> None:
    private, _ = keys.make()
    line = private.splitlines()[1]
    assert line not in Redactor([private])(f"error: {line}")
    assert Redactor(["abc", ""])("abc") == "abc"


def test_secrets_are_masked_and_empty_ones_stay_empty() -> None:
    assert masked({"a": "x", "b": "y", "c": ""}, frozenset({"a", "c"})) == {
        "a": "********", "b": "y", "c": "",
    }  # fmt: skip


def test_keys_are_made_and_read_in_one_form() -> None:
    private, public = keys.make()
    assert public.startswith("ssh-ed25519 ")
    assert keys.read(private)[1] == public
    for wrong in ("", "no key", private.replace("OPENSSH", "RSA"), public):
        with pytest.raises(Invalid) as caught:
            keys.read(wrong)
        assert [p.field for p in caught.value.problems] == ["private_key"]


@given(st.dictionaries(st.text(), st.text() | st.lists(st.text()) | st.integers()))
def test_every_text_that_could_be_a_template_is_marked(values: dict[str, object]) -> None:
    def texts(value: object) -> bool:
        if isinstance(value, str):
            return (type(value).__name__ == "_Literal") == ("{" in value or "#jinja2" in value)
        if isinstance(value, dict):
            return all(map(texts, value.values()))
        return all(map(texts, value)) if isinstance(value, list) else True

    assert texts(files.literal(values))


def test_what_ansible_says_is_read_in_pieces_and_strangers_are_ignored() -> None:
    told: list[TaskEvent] = []
    reader = Reader(["one", "two"], told.append)
    lines = [
        {"event": "task", "name": "T"},
        {"event": "result", "host": "one", "task": "T", "status": "changed", "diff": "+x"},
        {"event": "result", "host": "stranger", "task": "T", "status": "ok"},
        {"event": "result", "host": "two", "task": "T", "status": "exploded"},
        {"event": "host", "host": "one", "ok": 2, "changed": 1, "failures": 0, "unreachable": 0},
    ]
    data = b"no json\n[1]\n" + b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    for start in range(0, len(data), 7):
        reader.feed(data[start : start + 7])
    assert [(e.host, e.status, e.diff) for e in told] == [("one", "changed", "+x")]
    found = reader.outcomes()
    assert found["one"].state is HostState.CHANGED
    assert found["two"].state is HostState.UNKNOWN
    assert not reader.complete
    reader.feed(b'{"event": "end"}\n')
    assert reader.complete
