"""``borough plan`` and ``borough deploy``: declared services, for pipelines."""

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from foundation.surface import cli
from foundation.surface.cli.declared import Description, Document, Wrong, read_documents
from foundation.surface.cli.waiting import Waiting
from marketplace.commands.drawing import markdown, reviewed

KIND = "Service"
_MODEL = "ServiceDeclaration"
_PAUSE = 2.0
_BREATH = 0.1
_CHANGED_MEANWHILE = 5
_DONE = frozenset({"unchanged", "active"})
_APPROVED = _DONE | {"approved", "provisioning"}
_PLANNED = _APPROVED | {"in_approval"}
_ENDED_BADLY = frozenset({"rejected", "withdrawn", "expired", "failed", "stuck"})

_files = click.argument("paths", nargs=-1, required=True, metavar="FILE|DIR…")
_markdown = click.option(
    "--markdown", "comment", metavar="FILE",
    help="Also write the plan as Markdown, for a comment on a pull request; - for standard output.",
)  # fmt: skip
_timeout = click.option(
    "--timeout", type=click.FloatRange(min=0), default=None, metavar="SECONDS",
    help="Wait so long at most; the work goes on. Exit code 6.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Planned:
    """How one declared service stands.

    Attributes:
        standing: see the API's ``standing``; or the state of the order once it is planned.
        changes: the fields of the service that differ.
        order: None when nothing is to be ordered.
        review: price, quota, findings and resources; None before there is a plan.
    """

    name: str
    standing: str
    changes: list[dict[str, Any]]
    order: dict[str, Any] | None = None
    review: dict[str, Any] | None = None

    @property
    def digest(self) -> str | None:
        """What is to be approved."""
        return self.review["digest"] if self.review else None

    def json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "name": self.name,
            "standing": self.standing,
            "changes": self.changes,
            "digest": self.digest,
            "needs_approval": self.standing == "in_approval",
            "order": self.order,
            "review": self.review,
        }


@click.command()
@_files
@_markdown
@_timeout
@cli.console(api="POST /api/v1/orders/declare, POST /api/v1/orders/{id}/submit", web="/orders")
def plan(
    console: cli.Console, paths: tuple[str, ...], comment: str | None, timeout: float | None
) -> None:
    """Plan declared services and put the plans up for approval.

    The same file again finds the same order; another content takes the place of what nobody has
    approved yet. Exit code 0: there is nothing to do, or it is approved; 7: it needs approval.
    """
    waiting = Waiting(timeout=timeout, quiet=console.form != "table")
    found = _plan_all(console, paths, waiting)
    _show(console, found, comment)
    _judge(found, _APPROVED)


@click.command()
@_files
@_markdown
@_timeout
@click.option(
    "--wait/--no-wait", "patient", default=False, show_default=True,
    help="Wait for the approval as well; else exit with 7 at once when one is missing.",
)  # fmt: skip
@cli.console(api="POST /api/v1/orders/declare, POST /api/v1/orders/{id}/submit", web="/orders")
def deploy(
    console: cli.Console,
    paths: tuple[str, ...],
    comment: str | None,
    timeout: float | None,
    patient: bool,  # noqa: FBT001 - a flag
) -> None:
    """Bring declared services about: plan them, and follow the work of what is approved.

    Nothing is ordered twice, whether it is run again, killed or run by two pipelines at once. Exit
    code 0: all is as declared; 1: it failed or was rejected; 6: the wait timed out; 7: it needs
    approval.
    """
    end = None if timeout is None else time.monotonic() + timeout
    quiet = console.form != "table"
    found = _plan_all(console, paths, Waiting(timeout=timeout, quiet=quiet))
    if comment:
        _write(comment, markdown([one.json() for one in found]))
    done = [_carried_out(console, one, end, patient=patient, quiet=quiet) for one in found]
    _show(console, done, None)
    _judge(done, _DONE)


def _plan_all(console: cli.Console, paths: tuple[str, ...], waiting: Waiting) -> list[Planned]:
    """Every declared service, planned; nothing is ordered when anything is wrong."""
    documents = read_documents(paths, (KIND,), os.environ)
    description, wrong = Description(console.client), Wrong()
    bodies = []
    for document in documents:
        body = _body(document, wrong)
        description.check(document, body, _MODEL, wrong)
        bodies.append(body)
    wrong.finish()
    for document, body in zip(documents, bodies, strict=True):
        _declare(console, document, {**body, "check": True}, wrong)
    wrong.finish()
    return [
        _planned(console, document, body, waiting)
        for document, body in zip(documents, bodies, strict=True)
    ]


def _body(document: Document, wrong: Wrong) -> dict[str, Any]:
    wrong.hide(document)
    body = {**document.spec, "name": document.name}
    state = body.pop("state", "present")
    if state not in {"present", "absent"}:
        wrong.at(document, "spec.state", "must be present or absent")
    for name in ("name", "present", "check"):
        if name in document.spec:
            wrong.at(document, f"spec.{name}", "is not a field")
    if document.secrets():
        wrong.at(document, "spec.inputs", "an order keeps no secrets: !env and !file are refused")
    return {**body, "present": state == "present"}


def _declare(
    console: cli.Console, document: Document, body: Mapping[str, Any], wrong: Wrong
) -> dict[str, Any] | None:
    """The answer to a declaration; what the platform finds wrong is noted."""
    try:
        found: dict[str, Any] = console.client.post("/orders/declare", dict(body))
    except cli.ApiProblem as problem:
        errors = problem.document.get("errors")
        if not errors:
            raise cli.Failure(f"{document.title}: {problem.message}", problem.exit_code) from None
        for error in errors:
            path = "name" if error["field"] == "name" else f"spec.{error['field']}"
            wrong.at(document, path, error["message"])
        return None
    return found


def _planned(
    console: cli.Console, document: Document, body: Mapping[str, Any], waiting: Waiting
) -> Planned:
    """One declared service with its plan; what another pipeline does meanwhile is joined."""
    for _ in range(_CHANGED_MEANWHILE):
        wrong = Wrong()
        declared = _declare(console, document, body, wrong)
        wrong.finish()
        if declared is None:  # finish has raised
            break
        changes = declared["changes"]
        if declared["standing"] == "unchanged":
            return Planned(document.name, "unchanged", [])
        order = declared["order"]
        try:
            order = _submitted(console, declared["standing"], order, waiting)
        except cli.ApiProblem as problem:
            if problem.exit_code != cli.CONFLICT:
                raise
            continue  # another pipeline was faster: look again
        review = None
        if order["state"] in _PLANNED:
            review = console.client.get(f"/approvals/{order['id']}")
        return Planned(document.name, order["state"], changes, order, review)
    raise cli.Failure(f"{document.title} changes all the time: try again later", cli.CONFLICT)


def _submitted(
    console: cli.Console, standing: str, order: dict[str, Any], waiting: Waiting
) -> dict[str, Any]:
    """An order that is planned, or has ended badly."""
    path = f"/orders/{order['id']}"
    verb = {"drafted": "submit", "failed": "retry"}.get(standing)
    if verb:
        waiting.follow(console.client, console.client.post(f"{path}/{verb}")["id"])
    elif order["state"] in {"submitted", "planning"}:
        waiting.follow(console.client, order["operation_id"])
    found: dict[str, Any] = console.client.get(path)
    return found


def _carried_out(
    console: cli.Console, planned: Planned, end: float | None, *, patient: bool, quiet: bool
) -> Planned:
    """Follow an order to its end, as far as it is approved or one waits for that."""
    if planned.order is None:
        return planned
    path = f"/orders/{planned.order['id']}"
    order: dict[str, Any] = console.client.get(path)
    told = False
    while order["state"] not in _DONE | _ENDED_BADLY:
        if order["state"] in {"approved", "provisioning"}:
            _follow(console, order, end, quiet=quiet)
            time.sleep(_BREATH)
        elif not patient:
            break
        else:
            if not told:
                console.say(f"{order['id']} waits for approval of {order['digest']}.")
                told = True
            _pause(order, end)
        order = console.client.get(path)
    review = planned.review
    if order["digest"] and order["state"] not in _ENDED_BADLY:
        review = console.client.get(f"/approvals/{order['id']}")
    return Planned(planned.name, order["state"], planned.changes, order, review)


def _follow(
    console: cli.Console, order: Mapping[str, Any], end: float | None, *, quiet: bool
) -> None:
    left = None if end is None else max(0.0, end - time.monotonic())
    try:
        Waiting(timeout=left, quiet=quiet).follow(console.client, order["operation_id"])
    except cli.Failure as failure:
        # What was approved has changed: the order waits for approval again.
        if failure.exit_code != cli.NEEDS_APPROVAL:
            raise
        console.say(failure.message)


def _pause(order: Mapping[str, Any], end: float | None) -> None:
    left = None if end is None else end - time.monotonic()
    if left is not None and left <= 0:
        raise cli.Failure(
            f"{order['id']} still waits for approval of {order['digest']}", cli.WAIT_TIMED_OUT
        )
    time.sleep(_PAUSE if left is None else min(_PAUSE, left))


def _show(console: cli.Console, found: list[Planned], comment: str | None) -> None:
    items = [one.json() for one in found]
    if comment:
        _write(comment, markdown(items))
    if comment == "-" and console.form == "table":
        return
    if console.form == "name":
        console.text("\n".join(one.order["id"] if one.order else "-" for one in found))
        return
    text = "\n\n".join(_drawn(one) for one in found)
    console.text(text, {"services": items} if console.form in {"json", "yaml"} else None)


def _drawn(one: Planned) -> str:
    if one.order is None:
        return f"{one.name}: nothing to do"
    lines = [f"{one.name}: order {one.order['id']} is {one.standing}"]
    lines += [
        f"  ~ {change['field']}: {_value(change['before'])} → {_value(change['after'])}"
        for change in one.changes
    ]
    if one.review:
        lines.append(reviewed(one.review))
    elif one.order.get("failure"):
        lines.append(f"Failure      {one.order['failure'].get('detail')}")
    return "\n".join(lines)


def _value(value: object) -> str:
    return "-" if value is None else str(value)


def _write(path: str, text: str) -> None:
    if path == "-":
        sys.stdout.write(text)
        return
    try:
        Path(path).write_text(text, "utf-8")
    except OSError as error:
        raise cli.Failure(f"{path}: {error.strerror}", cli.USAGE) from None


def _judge(found: list[Planned], good: frozenset[str]) -> None:
    """Say by the exit code how it stands; what is worst decides.

    Raises:
        Failure: something ended badly, or needs approval.
    """
    bad = [one for one in found if one.standing not in good | {"in_approval"}]
    if bad:
        raise cli.Failure("; ".join(_reason(one) for one in bad))
    waiting = [one for one in found if one.standing == "in_approval"]
    if waiting:
        told = "; ".join(f"{one.name}: {(one.order or {})['id']} {one.digest}" for one in waiting)
        raise cli.Failure(f"approval is needed: {told}", cli.NEEDS_APPROVAL)


def _reason(one: Planned) -> str:
    order = one.order or {}
    detail = (order.get("failure") or {}).get("detail")
    why = f": {detail}" if detail else ""
    again = " (change the file, or `borough order reopen`)" if one.standing == "rejected" else ""
    return f"{one.name}: order {order.get('id')} is {one.standing}{why}{again}"
