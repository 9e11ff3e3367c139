"""The two verbs: look at every document first, then do all of it or nothing."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from control_plane.entrypoints.cli.apply.kinds import (
    KINDS,
    NotPossible,
    Request,
    Step,
    blueprint_folder,
)
from foundation.surface import cli
from foundation.surface.cli.declared import Description, Document, Wrong, read_documents

_MASK = "********"
_REHEARSAL = {"Borough-Dry-Run": "true"}
_COLUMNS = (
    cli.Column("KIND", "kind"),
    cli.Column("NAME", "name"),
    cli.Column("OUTCOME", "outcome"),
    cli.Column("WHERE", "where", wide=True),
)

_files = click.option(
    "-f", "--file", "paths", multiple=True, required=True, metavar="FILE|DIR|-",
    help="What to read: files, folders or - for standard input; repeatable.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outlook:
    """What applying a document would do.

    Attributes:
        changes: (field, before, after) of what differs; secrets are masked.
        unsure: it rests on another document that is not there yet, and could not be rehearsed.
    """

    document: Document
    step: Step | None
    outcome: str
    changes: tuple[tuple[str, Any, Any], ...] = ()
    unsure: bool = False

    def json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "kind": self.document.kind,
            "name": self.document.name,
            "outcome": self.outcome,
            "where": self.document.where("name"),
            "changes": [
                {"field": name, "before": before, "after": after}
                for name, before, after in self.changes
            ],
        }


@click.command()
@_files
@cli.console(api="PUT /api/v1/offerings/{slug}, PATCH /api/v1/organisations/{id}/quota")
def apply(console: cli.Console, paths: tuple[str, ...]) -> None:
    """Bring declared things about: Organisation, Quota, Region, PolicyPack, Blueprint, Category,
    Offering, PriceBook, Framework, Contract, ApprovalPolicy.

    All documents are checked and rehearsed first: when anything is wrong, everything that is is
    named and nothing is done. The same files again change nothing.
    """  # noqa: D205 - the kinds do not fit into one line
    client = _client(console, documents := _read(paths))
    outlooks = _look(client, documents)
    done = []
    for outlook in outlooks:
        done.append(_brought_about(client, outlook))
        console.say(f"{outlook.document.title}: {done[-1]['outcome']}")
    if console.form != "table":
        console.rows(done, _COLUMNS, name="name")


@click.command()
@_files
@cli.console(api="PUT /api/v1/offerings/{slug}, PATCH /api/v1/organisations/{id}/quota")
def diff(console: cli.Console, paths: tuple[str, ...]) -> None:
    """Show what `borough apply` would change, property by property.

    Exit code 0: nothing; 1: there are differences; 2: the documents are wrong.
    """
    client = _client(console, documents := _read(paths))
    outlooks = _look(client, documents)
    items = [outlook.json() for outlook in outlooks]
    if console.form == "table":
        for outlook in outlooks:
            console.text(_drawn(outlook)) if outlook.outcome != "unchanged" else None
    else:
        console.rows(items, _COLUMNS, name="name")
    different = sum(outlook.outcome != "unchanged" for outlook in outlooks)
    if different:
        raise cli.Failure(f"{different} of {len(outlooks)} documents differ")


def _read(paths: tuple[str, ...]) -> list[Document]:
    found = read_documents(paths, KINDS, os.environ)
    order = list(KINDS)
    # Stable: within a kind the files' order counts; organisations from the top down.
    return sorted(
        found,
        key=lambda one: (order.index(one.kind), one.name.count("/") if "/" in one.name else 0),
    )


def _client(console: cli.Console, documents: Sequence[Document]) -> cli.Client:
    """A client that shows no secret of the documents, whatever it is asked to show."""
    secrets = sorted({s for one in documents for s in one.secrets() if s}, key=len, reverse=True)
    console.conceal(secrets)
    return console.client


def _look(client: cli.Client, documents: Sequence[Document]) -> list[Outlook]:
    """What would be done for every document.

    Raises:
        Failure: names everything that is wrong.
    """
    description, wrong = Description(client), Wrong()
    for document in documents:
        wrong.hide(document)
        kind = KINDS[document.kind]
        if kind.model:
            description.check(document, kind.body(document), kind.model, wrong)
        elif (message := blueprint_folder(document)) is not None:
            wrong.at(document, "spec.folder", message)
    wrong.finish()
    outlooks: list[Outlook] = []
    new: set[tuple[str, str]] = set()
    for document in documents:
        outlook = _outlook(client, document, new, wrong)
        if outlook.outcome == "create":
            new.add((document.kind, document.name))
        outlooks.append(outlook)
    wrong.finish()
    return outlooks


def _outlook(
    client: cli.Client, document: Document, new: set[tuple[str, str]], wrong: Wrong
) -> Outlook:
    kind = KINDS[document.kind]
    try:
        step = kind.plan(client, document)
    except NotPossible as error:
        wrong.at(document, f"spec.{error.field}" if error.field else "name", error.message)
        return Outlook(document, None, "wrong")
    after: dict[str, Any] = {}
    for request in step.requests:
        if not request.rehearse:
            continue
        try:
            after |= request.shown(_send(client, request, rehearse=True))
        except cli.ApiProblem as problem:
            if new & set(kind.needs(document)):
                # What it rests on comes with the same files: the platform judges it then.
                return Outlook(document, None, "create", unsure=True)
            _note(document, problem, wrong)
            return Outlook(document, None, "wrong")
    return _compared(document, step, after)


def _note(document: Document, problem: cli.ApiProblem, wrong: Wrong) -> None:
    for error in problem.document.get("errors") or ():
        name = error["field"]
        wrong.at(document, f"spec.{name}" if name else "spec", error["message"])
    if not problem.document.get("errors"):
        if problem.exit_code == cli.NOT_ALLOWED:
            raise cli.Failure(f"{document.title}: {problem.message}", cli.NOT_ALLOWED)
        wrong.at(document, "name", problem.message)


def _compared(document: Document, step: Step, after: Mapping[str, Any]) -> Outlook:
    if not step.requests:
        return Outlook(document, step, "unchanged")
    fields = step.fields or tuple(document.spec)
    hidden = document.secrets()
    if step.before is None:
        shown = {name: after.get(name, document.spec.get(name)) for name in fields}
        changes = _differences("", {}, shown, hidden)
        return Outlook(document, step, "create", tuple(changes))
    then = {name: after[name] for name in fields if name in after}
    now = {name: step.before.get(name) for name in then}
    changes = _differences("", now, then, hidden)
    extra = list(step.requests[1:]) or [r for r in step.requests if not r.rehearse]
    for request in extra:
        changes.append((request.path.rpartition("/")[2], None, f"{_size(request.body)} new"))
    return Outlook(document, step, "change" if changes else "unchanged", tuple(changes))


def _size(body: Mapping[str, Any]) -> int:
    return sum(len(part) for part in body.values() if isinstance(part, list | dict))


def _differences(
    path: str,
    before: Any,  # noqa: ANN401 - any JSON
    after: Any,  # noqa: ANN401
    hidden: frozenset[str],
) -> list[tuple[str, Any, Any]]:
    """The fields that differ, dotted."""
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        names = sorted({*before, *after})
        return [
            one
            for name in names
            for one in _differences(
                f"{path}.{name}" if path else name, before.get(name), after.get(name), hidden
            )
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [
            one
            for number, (old, new) in pairs
            for one in _differences(f"{path}.{number}", old, new, hidden)
        ]
    return [(path, _masked(before, hidden), _masked(after, hidden))]


def _masked(value: Any, hidden: frozenset[str]) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {name: _masked(item, hidden) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, hidden) for item in value]
    if isinstance(value, str) and any(secret and secret in value for secret in hidden):
        return _MASK
    return value


def _drawn(outlook: Outlook) -> str:
    sign = "+" if outlook.outcome == "create" else "~"
    lines = [f"{sign} {outlook.document.title}"]
    if outlook.unsure:
        lines.append("    rests on what is not there yet: checked when that is")
    lines += [
        f"    {name}: {after}" if before is None else f"    {name}: {before} → {after}"
        for name, before, after in outlook.changes
    ]
    return "\n".join(lines)


def _brought_about(client: cli.Client, outlook: Outlook) -> dict[str, Any]:
    """Do what is to be done for a document; what came about meanwhile is seen."""
    document = outlook.document
    step = outlook.step
    if outlook.outcome != "unchanged":
        try:
            if step is None:
                step = KINDS[document.kind].plan(client, document)
            for request in step.requests:
                _send(client, request, rehearse=False)
        except NotPossible as error:
            raise cli.Failure(f"{document.title}: {error.field} {error.message}") from None
        except cli.ApiProblem as problem:
            raise cli.Failure(f"{document.title}: {problem.message}", problem.exit_code) from None
    outcome = {"create": "created", "change": "changed"}.get(outlook.outcome, outlook.outcome)
    return {**outlook.json(), "outcome": outcome}


def _send(client: cli.Client, request: Request, *, rehearse: bool) -> Any:  # noqa: ANN401 - JSON
    headers = {**request.headers, **(_REHEARSAL if rehearse else {})}
    return client.request(request.method, request.path, body=request.body, headers=headers).body
