"""The plan as a comment on a pull request."""

from typing import Any

from marketplace.commands.drawing import markdown

MONEY = {"amount": "12.5", "currency": "CNY"}


def planned(**changed: Any) -> dict[str, Any]:
    review = {
        "price": {"month": MONEY, "one_time": MONEY}, "before": MONEY, "encumbrance": MONEY,
        "remaining": MONEY, "contract_number": "CT|1", "digest": "sha256:ab",
        "preparation": {"changes": [{"op": "create", "name": "net", "type": "network"}]},
        "changes": [{"op": "replace", "name": "server-0", "type": "server"}],
        "quota": [
            {"level": "/city/", "resource": "vcpus", "held": "1", "after": "9", "limit": "8",
             "fits": False},
        ],
        "findings": [{"severity": "advisory", "message": {"en": "a [link](http://x)"}}],
        "missing": [{"name": {"en": "Finance"}, "role": "finance", "path": "/city/"}],
    }  # fmt: skip
    return {
        "name": "web", "standing": "in_approval", "needs_approval": True,
        "order": {"id": "ord_1", "kind": "change"}, "review": review,
        "changes": [{"field": "inputs.my_note", "before": None, "after": "<b>|\n`x`"}], **changed,
    }  # fmt: skip


def test_everything_that_approvers_decide_on_is_in_it() -> None:
    text = markdown([planned()])
    for part in (
        "Order `ord_1` (change) **needs approval**.",
        "| a month | 12.50 CNY | 12.50 CNY |",
        "| /city/ vcpus | 1 | 9 | 8 | **does not fit** |",
        "  + net  network",
        "  ± server-0  server",
        "Missing: Finance (finance on `/city/`)",
        "Digest `sha256:ab`",
    ):
        assert part in text


def test_values_stay_in_their_cells_and_are_no_markup() -> None:
    text = markdown([planned()])
    assert "| `inputs.my_note` | – | \\<b\\>\\| \\`x\\` |" in text
    assert "- advisory: a \\[link\\](http://x)" in text
    assert "Contract CT\\|1:" in text


def test_a_service_that_is_as_declared() -> None:
    text = markdown([planned(order=None, review=None, changes=[], needs_approval=False)])
    assert "Nothing to do" in text
    assert "Digest" not in text
