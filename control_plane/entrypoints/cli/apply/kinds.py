"""The kinds of things that can be declared: how each is read, checked and brought about.

What would change is not worked out here: the platform rehearses the very request (Borough-Dry-Run)
and answers with the thing as it would be. Only what a kind cannot do over the API is known here.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from foundation.surface import cli
from foundation.surface.cli.declared import Document

Spec = Mapping[str, Any]
_LARGEST_BLUEPRINT = 16 * 1024 * 1024


class NotPossible(Exception):
    """A declaration that cannot be brought about; ``field`` is dotted."""

    def __init__(self, field_name: str, message: str) -> None:
        super().__init__(message)
        self.field = field_name
        self.message = message


@dataclass(frozen=True, slots=True)
class Request:
    """A request that brings something about.

    Attributes:
        rehearse: whether the platform can answer it without doing it.
        shown: takes the thing out of the answer.
    """

    method: str
    path: str
    body: Spec
    headers: Mapping[str, str] = field(default_factory=dict)
    rehearse: bool = True
    shown: Callable[[Any], Any] = lambda answer: answer


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done for one document.

    Attributes:
        before: the thing as it is, by the fields that are compared; None when there is none.
        requests: all that is needed, in order; none when nothing is.
        fields: which fields of the answer are compared, when not those of the spec.
    """

    before: Mapping[str, Any] | None
    requests: tuple[Request, ...]
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of declared thing.

    Attributes:
        model: the request's model in the platform's description, for a first check; none for none.
        body: what is checked against it.
        plan: what is to be done.
        needs: the documents that this one may rest on, as (kind, name).
    """

    name: str
    model: str
    body: Callable[[Document], Spec]
    plan: Callable[[cli.Client, Document], Step]
    needs: Callable[[Document], tuple[tuple[str, str], ...]] = lambda _document: ()


def _get(client: cli.Client, path: str) -> tuple[Any, str] | None:
    """A thing and its version; None when there is none."""
    try:
        answer = client.request("GET", path)
    except cli.ApiProblem as problem:
        if problem.exit_code == cli.NOT_FOUND:
            return None
        raise
    return answer.body, answer.etag


def _listed(client: cli.Client, path: str, name: str, value: str) -> Any:  # noqa: ANN401 - JSON
    return next((one for one in client.items(path) if one[name] == value), None)


def _in_list(client: cli.Client, path: str, name: str, value: str) -> Any:  # noqa: ANN401 - JSON
    """The same of a list without pages."""
    return next((one for one in client.get(path)["items"] if one[name] == value), None)


def _segment(text: str) -> str:
    return quote(text, safe="")


# --- organisations and quotas


def _organisation_body(document: Document) -> Spec:
    parts = [part for part in document.name.split("/") if part]
    above = "/" + "".join(f"{part}/" for part in parts[:-1])
    return {
        **document.spec, "slug": parts[-1] if parts else "",
        "parent": None if len(parts) < 2 else above,  # noqa: PLR2004 - the city has none above
    }  # fmt: skip


def _organisation(client: cli.Client, document: Document) -> Step:
    found = _listed(client, "/organisations", "path", document.name)
    if found is None:
        made = Request("POST", "/organisations", _organisation_body(document))
        return Step(None, (made,), ("path", "name", "kind"))
    kind = document.spec.get("kind")
    if kind not in {None, found["kind"]}:
        raise NotPossible("kind", f"is {found['kind']}: what an organisation is does not change")
    seen = _get(client, f"/organisations/{found['id']}")
    tag = seen[1] if seen else ""
    renamed = Request(
        "PATCH", f"/organisations/{found['id']}", {"name": document.spec.get("name")},
        {"If-Match": tag},
    )  # fmt: skip
    return Step(found, (renamed,), ("name",))


def _above(document: Document) -> tuple[tuple[str, str], ...]:
    above = document.name.rstrip("/").rpartition("/")[0] + "/"
    return (("Organisation", above),)


def _quota(client: cli.Client, document: Document) -> Step:
    path = f"/tenancies/{_segment(document.name)}"
    if document.name.startswith("/"):
        organisation = _listed(client, "/organisations", "path", document.name)
        path = f"/organisations/{organisation['id'] if organisation else 'none'}"
    found = _get(client, f"{path}/quota")
    limits = document.spec.get("limits") or {}

    def shown(answer: Any) -> Any:  # noqa: ANN401 - JSON
        levels = {one["resource"]: one["limit"] for one in answer["levels"][-1]["quotas"]}
        return {"limits": {name: levels.get(name) for name in limits}}

    before = shown(found[0]) if found else None
    return Step(before, (Request("PATCH", f"{path}/quota", document.spec, shown=shown),))


# --- regions and blueprints


def _region(client: cli.Client, document: Document) -> Step:
    found = _get(client, f"/regions/{_segment(document.name)}")
    body = {**document.spec, "slug": document.name}
    fields = tuple(name for name in document.spec if name != "credentials")
    if found is not None:
        before = found[0]
        different = [n for n in fields if _settled(before.get(n)) != _settled(document.spec[n])]
        if different:
            raise NotPossible(
                different[0], "is otherwise in the region that is there, which apply cannot change"
            )
        return Step(before, ())
    return Step(None, (Request("POST", "/regions", body),), fields)


def _settled(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A value without what makes no difference: the order of names, 1 and "1"."""
    if isinstance(value, list):
        return sorted(str(one) for one in value)
    if isinstance(value, Mapping):
        return {name: _settled(item) for name, item in value.items()}
    return value if isinstance(value, bool) or value is None else str(value)


def _files(document: Document) -> dict[str, str]:
    """The files of a blueprint's folder, as the API takes them."""
    folder = document.folder / str(document.spec["folder"])
    if not (folder / "blueprint.yaml").is_file():
        raise NotPossible("folder", f"{folder} has no blueprint.yaml")
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and "__pycache__" not in relative.parts and not path.is_symlink():
            found[relative.as_posix()] = path.read_bytes()
    if sum(map(len, found.values())) > _LARGEST_BLUEPRINT:
        raise NotPossible("folder", f"{folder} is too large")
    return {name: base64.b64encode(content).decode() for name, content in found.items()}


def _blueprint(client: cli.Client, document: Document) -> Step:
    files = {"files": _files(document)}
    told = client.post("/blueprint-validations", files)
    if not told["ok"]:
        wrong = "; ".join(f"{one['field']}: {one['message']}" for one in told["problems"])
        wrong = wrong or "; ".join(one["message"]["en"] for one in told["findings"])
        raise NotPossible("folder", f"cannot be published: {wrong}")
    if told["name"] != document.name:
        raise NotPossible("folder", f"holds the blueprint {told['name']}")
    published = _get(client, f"/blueprints/{document.name}/revisions/{told['version']}")
    if published is not None and published[0]["digest"] == told["digest"]:
        return Step(published[0], ())
    if published is not None:
        raise NotPossible("folder", f"version {told['version']} is published with other content")
    newest = _get(client, f"/blueprints/{document.name}")
    before = None if newest is None else newest[0]
    made = Request("POST", "/blueprints", files, rehearse=False)
    return Step(before, (made,), ("version", "digest"))


def _pack(client: cli.Client, document: Document) -> Step:
    """A pack of policies; its next version, when it is to be otherwise."""
    found = _get(client, f"/policy-packs/{_segment(document.name)}")
    before = found[0]["document"] if found else None
    fields = tuple(document.spec)
    # What a document does not say is nothing, and what the pack has besides goes with it.
    gone = [name for name in before or {} if name not in {*fields, "name", "version"}]
    if before is not None and not gone and all(before.get(n) == document.spec[n] for n in fields):
        return Step(before, ())
    version = before["version"] + 1 if before else 1
    body = {"pack": {**document.spec, "name": document.name, "version": version}}

    def shown(answer: Any) -> Any:  # noqa: ANN401 - JSON
        return {**dict.fromkeys(gone), **answer["document"]}

    request = Request("POST", "/policy-packs", body, shown=shown)
    return Step(before, (request,), (*fields, *gone))


def _pack_body(document: Document) -> Spec:
    return {"pack": dict(document.spec)}


# --- catalogue and procurement


def _put(path: str, listed: str, key: str) -> Callable[[cli.Client, Document], Step]:
    """Things that one PUT brings about; they are looked for in a list."""

    def plan(client: cli.Client, document: Document) -> Step:
        found = _in_list(client, listed, key, document.name)
        return Step(found, (Request("PUT", f"{path}/{_segment(document.name)}", document.spec),))

    return plan


def _contract(client: cli.Client, document: Document) -> Step:
    found = _get(client, f"/contracts/{_segment(document.name)}")
    spec = dict(document.spec)
    reason = spec.pop("reason", None)
    if found is None:
        return Step(None, (Request("POST", "/contracts", {**spec, "number": document.name}),))
    before, tag = found
    for name, now in (("framework", before["framework"]), ("organisation", before["path"])):
        if spec.pop(name, now) not in {now, before["organisation_id"]}:
            raise NotPossible(name, f"is {now}, which does not change")
    body = {**spec, "reason": reason or "declared"}
    amended = Request("PUT", f"/contracts/{before['id']}", body, {"If-Match": tag})
    return Step(before, (amended,), tuple(spec))


def _price_book(client: cli.Client, document: Document) -> Step:
    found = _in_list(client, "/price-books", "slug", document.name)
    declared = list(document.spec.get("prices") or ())
    head = {k: v for k, v in document.spec.items() if k != "prices"} | {"slug": document.name}
    there = client.get(f"/price-books/{document.name}/prices")["items"] if found else []
    known = {_price(one) for one in there}
    new = [one for one in declared if _price(one) not in known]
    requests = [Request("POST", "/price-books", head)]
    if new:
        path = f"/price-books/{document.name}/prices"
        # Of a book that is not there yet, no price can be rehearsed.
        requests.append(Request("POST", path, {"prices": new}, rehearse=found is not None))
    before = None if found is None else {**found, "prices": len(there)}
    return Step(before, tuple(requests), ("title", "currency"))


def _price(one: Mapping[str, Any]) -> tuple[str, ...]:
    from decimal import Decimal, InvalidOperation  # noqa: PLC0415

    try:
        amount = f"{Decimal(str(one.get('unit_price'))).normalize():f}"
    except InvalidOperation:
        amount = str(one.get("unit_price"))
    dimensions = sorted((one.get("dimensions") or {}).items())
    start = str(one.get("starts")).replace("+00:00", "Z").replace(".000000", "")
    return str(one.get("meter")), str(dimensions), amount, start


def _policy(client: cli.Client, document: Document) -> Step:
    if document.name != "standard":
        raise NotPossible("", "the approval policy is called standard")
    found = _get(client, "/approval-policy")
    version = found[0]["version"] if found else 0
    body = {**document.spec, "version": version + 1}
    return Step(found[0] if found else None, (Request("PUT", "/approval-policy", body),))


def _policy_body(document: Document) -> Spec:
    return {**document.spec, "version": 1}


def _plain(document: Document) -> Spec:
    return document.spec


def _contract_body(document: Document) -> Spec:
    spec = {k: v for k, v in document.spec.items() if k != "reason"}
    return {**spec, "number": document.name}


def _book_body(document: Document) -> Spec:
    spec = {k: v for k, v in document.spec.items() if k != "prices"}
    return {**spec, "slug": document.name}


def _slugged(document: Document) -> Spec:
    return {**document.spec, "slug": document.name}


def _offering_needs(document: Document) -> tuple[tuple[str, str], ...]:
    spec = document.spec
    return ("Category", str(spec.get("category"))), ("Blueprint", str(spec.get("blueprint")))


def _contract_needs(document: Document) -> tuple[tuple[str, str], ...]:
    spec = document.spec
    return ("Framework", str(spec.get("framework"))), (
        "Organisation",
        str(spec.get("organisation")),
    )


def _framework_needs(document: Document) -> tuple[tuple[str, str], ...]:
    lots = document.spec.get("lots")
    categories = [("Category", str(lot)) for lot in lots] if isinstance(lots, list) else []
    return ("PriceBook", str(document.spec.get("price_book"))), *categories


#: In the order in which they are brought about: nothing rests on what comes after it.
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("Organisation", "OrganisationCreate", _organisation_body, _organisation, _above),
        Kind("Quota", "QuotaChange", _plain, _quota,
             lambda document: (("Organisation", document.name),)),
        Kind("Region", "RegionCreate", _slugged, _region),
        Kind("PolicyPack", "PackInput", _pack_body, _pack),
        Kind("Blueprint", "", _plain, _blueprint),
        Kind("Category", "CategoryBody", _plain, _put("/categories", "/categories", "slug")),
        Kind("Offering", "OfferingBody", _plain, _put("/offerings", "/offerings", "slug"),
             _offering_needs),
        Kind("PriceBook", "PriceBookIn", _book_body, _price_book),
        Kind("Framework", "FrameworkBody", _plain, _put("/frameworks", "/frameworks", "number"),
             _framework_needs),
        Kind("Contract", "ContractSign", _contract_body, _contract, _contract_needs),
        Kind("ApprovalPolicy", "PolicyBody", _policy_body, _policy),
    )
}  # fmt: skip


def blueprint_folder(document: Document) -> str | None:
    """What is wrong with a blueprint's spec; None when nothing is."""
    folder = document.spec.get("folder")
    if not isinstance(folder, str) or not folder:
        return "is required"
    return None if Path(document.folder / folder).is_dir() else f"{folder} is no folder"
