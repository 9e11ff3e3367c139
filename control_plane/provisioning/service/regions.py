"""Use cases of regions."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from control_plane.provisioning.inputs import checked
from control_plane.provisioning.model import (
    DATA_CLASSES,
    KINDS,
    EngineKind,
    Reachability,
    Region,
    RegionId,
    RegionState,
)
from control_plane.provisioning.ports import RegionAccess
from control_plane.provisioning.service.core import Core
from control_plane.tenancy.model import RESOURCES, check_slug, parse_amount
from foundation.access import policy
from foundation.kernel import canonical, ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, Invalid
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.text import Text

_ANY_OBJECT: dict[str, Any] = {"type": "object", "additionalProperties": True}
#: What the real engine must know to sign in.
_NEEDED = {
    "openstack": (("auth_url",), ("user_name", "password", "project_name")),
    "kubernetes": ((), ("kubeconfig",)),
}


class Regions(Core):
    """Where things can be made."""

    def add_region(  # noqa: PLR0913 - all by name
        self,
        actor: Actor,
        *,
        slug: str,
        title: Text,
        kinds: Iterable[str],
        engine: str,
        config: Mapping[str, Any] | None = None,
        credentials: Mapping[str, Any] | None = None,
        capacity: Mapping[str, Any] | None = None,
        data_classes: Iterable[str] = ("public", "internal"),
    ) -> Region:
        """Add a region; the same again answers the one that is there.

        Args:
            actor: who asks.
            slug: unique name.
            title: as people read it.
            kinds: ``openstack``, ``kubernetes`` or both.
            engine: ``embedded`` (simulated) or ``pulumi``.
            config: plain facts per kind, as ``RegionAccess.config``.
            credentials: secrets per kind; they are sealed and never shown again.
            capacity: how much there is, by quota resource; what is left out is not bounded.
            data_classes: what data may be kept there.

        Raises:
            Invalid: names every wrong field.
            Conflict: another region has the slug.
        """
        policy.require(actor, "region.add", policy.ROOT)
        found = Collector()
        check_slug(found, slug)
        chosen_kinds = _subset(found, "kinds", kinds, KINDS)
        chosen_classes = _subset(found, "data_classes", data_classes, DATA_CLASSES)
        amounts = _capacity(found, capacity or {})
        facts = _per_kind(found, "config", config, chosen_kinds)
        secrets = _per_kind(found, "credentials", credentials, chosen_kinds)
        kind = _engine(found, engine)
        if kind is EngineKind.PULUMI:
            _check_access(found, chosen_kinds, facts, secrets)
        found.finish()
        made = Region(
            RegionId(ids.new("reg")), slug, title, chosen_kinds, kind,
            kind is EngineKind.EMBEDDED, facts, amounts, chosen_classes, RegionState.ACTIVE,
            frozenset(name for name in secrets if secrets[name]), self._clock.now(),
        )  # fmt: skip
        sealed = None
        if secrets:
            plain = json.dumps(secrets).encode()
            sealed = self._secrets.seal(plain, f"provisioning_region:{made.id}")
        with self._db.transaction():
            if self._store.add_region(made, sealed):
                self._note(
                    actor, "region.add", made.id, policy.ROOT, {"slug": slug, "engine": kind.value}
                )
                return made
            there = self._region(slug)
        if not self._same(made, secrets, there):
            raise Conflict(f"there is another region {slug}", id=there.id)
        return there

    def _same(self, made: Region, secrets: Mapping[str, Any], there: Region) -> bool:
        alike = replace(made, id=there.id, created_at=there.created_at)
        kept = self._access(there).credentials
        return canonical.plain(alike) == canonical.plain(there) and dict(kept) == dict(secrets)

    def region(self, actor: Actor, reference: str) -> Region:
        """One region by id or slug.

        Raises:
            NotFound: there is none.
        """
        policy.require(actor, "region.view", policy.ROOT)
        with self._db.transaction():
            return self._region(reference)

    def regions(self, actor: Actor, request: PageRequest) -> Page[Region]:
        """All regions, by slug."""
        policy.require(actor, "region.view", policy.ROOT)
        with self._db.transaction():
            return self._store.regions(request)

    def held(self, actor: Actor, reference: str) -> dict[str, Decimal]:
        """What the deployments of a region hold together, by quota resource."""
        policy.require(actor, "region.view", policy.ROOT)
        with self._db.transaction():
            return self._store.held(self._region(reference).id)

    def check_region(self, actor: Actor, reference: str) -> tuple[Reachability, ...]:
        """Ask a region whether it answers: one answer per kind.

        Raises:
            NotFound: there is no such region.
        """
        policy.require(actor, "region.add", policy.ROOT)
        with self._db.transaction():
            region = self._region(reference)
        if region.engine is EngineKind.EMBEDDED:
            message = "simulated: it lives in the platform's own database"
            return tuple(Reachability(kind, True, message) for kind in sorted(region.kinds))
        access = self._access(region)
        self._db.assert_no_transaction()
        probes = self._with.probes
        return tuple(
            probes[kind].check(access)
            if kind in probes
            else Reachability(kind, False, "nothing on this machine can ask it")
            for kind in sorted(region.kinds)
        )

    def region_access(self, reference: str) -> RegionAccess:
        """A region with its credentials in clear, for collectors; no transaction may be open.

        Raises:
            NotFound: there is none.
        """
        with self._db.transaction():
            region = self._region(reference)
        return self._access(region)


def _subset(
    found: Collector, field: str, values: Iterable[str], known: Iterable[str]
) -> frozenset[str]:
    chosen = frozenset(values)
    found.check(chosen, field, "must name at least one")
    for value in sorted(chosen - set(known)):
        found.check(False, field, f"does not know {value}")
    return chosen


def _engine(found: Collector, value: str) -> EngineKind:
    if found.check(value in set(EngineKind), "engine", "must be embedded or pulumi"):
        return EngineKind(value)
    return EngineKind.EMBEDDED


def _capacity(found: Collector, capacity: Mapping[str, Any]) -> dict[str, Decimal]:
    amounts = {}
    for name, value in capacity.items():
        field = f"capacity.{name}"
        if found.check(name in RESOURCES, field, "is not a resource that quotas know"):
            try:
                amounts[name] = parse_amount(value, field)
            except Invalid as error:
                found.include(error)
    return amounts


def _per_kind(
    found: Collector, field: str, values: Mapping[str, Any] | None, kinds: frozenset[str]
) -> dict[str, Any]:
    try:
        checked(_ANY_OBJECT, values or {}, field)
    except Invalid as error:
        found.include(error)
    for name, value in (values or {}).items():
        found.check(name in kinds, f"{field}.{name}", "is not a kind of this region")
        found.check(isinstance(value, Mapping), f"{field}.{name}", "must be an object")
    return dict(values or {})


def _check_access(
    found: Collector,
    kinds: frozenset[str],
    config: Mapping[str, Any],
    credentials: Mapping[str, Any],
) -> None:
    for kind in sorted(kinds & KINDS):
        plain, secret = _NEEDED[kind]
        for part, values, names in (
            ("config", config.get(kind), plain),
            ("credentials", credentials.get(kind), secret),
        ):
            given = values if isinstance(values, Mapping) else {}
            for name in names:
                text = given.get(name)
                ok = isinstance(text, str) and text.strip()
                found.check(ok, f"{part}.{kind}.{name}", "is required")
