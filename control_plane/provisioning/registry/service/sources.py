"""Use cases of sources: Git repositories whose blueprints are published as they change."""

import re
from collections.abc import Mapping
from typing import Any

from control_plane.provisioning import content as contents
from control_plane.provisioning.model import TENANCY_BLUEPRINT
from control_plane.provisioning.ports import EngineError, ProgramError
from control_plane.provisioning.registry.model import (
    Origin,
    Reading,
    ReferenceKind,
    Source,
    SyncOutcome,
    SyncResult,
)
from control_plane.provisioning.registry.ports import (
    Checkout,
    Folder,
    SourceAccess,
    SourceError,
)
from control_plane.provisioning.registry.service.core import Core
from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import BoroughError, Collector, Conflict, Invalid, NotFound
from foundation.kernel.paging import Page, PageRequest, everything
from foundation.kernel.time import format_instant
from foundation.operations.model import Operation

SYNC = "registry.sync"
_SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LONGEST_SLUG, _LONGEST_NAME, _LONGEST_TEXT = 40, 200, 16_384
_MOST_MINUTES = 7 * 24 * 60
_MOST_PROBLEMS = 20
_SAMPLE_SIGNER = re.compile(r"\S+ (?:\S+ )?(?:ssh|sk-ssh|ecdsa|sk-ecdsa)-[a-z0-9@.-]+ \S+.*")


class Sources(Core):
    """Where blueprints come from."""

    def add_source(  # noqa: PLR0913 - all by name
        self,
        actor: Actor,
        *,
        slug: str,
        url: str,
        kind: str = "branch",
        reference: str = "main",
        folder: str = "",
        user: str = "",
        password: str = "",
        allowed_signers: str = "",
        signed: bool = False,
        minutes: int = 0,
    ) -> Source:
        """Register a repository; nothing is read yet. The password is sealed and never shown.

        Raises:
            Invalid: names every wrong field.
            Conflict: the name is taken.
        """
        policy.require(actor, "source.manage", policy.ROOT)
        found = Collector()
        self._check_place(found, slug, url, kind, reference, folder)
        _check_trust(found, user, password, allowed_signers, signed=signed)
        found.check(
            0 <= minutes <= _MOST_MINUTES, "minutes", f"must be between 0 and {_MOST_MINUTES}"
        )
        found.finish()
        made = Source(
            ids.new("src"), slug, url, ReferenceKind(kind), reference, folder.strip("/"), user,
            bool(password), allowed_signers, signed, minutes, self._clock.now(), actor.id,
        )  # fmt: skip
        sealed = None
        if password:
            sealed = self._needs.secrets.seal(password.encode(), _context(made.id))
        with self._db.transaction():
            if not self._store.add_source(made, sealed):
                raise Conflict(f"there is a source {slug} already")
            details = {"url": url, "kind": kind, "reference": reference, "signed": signed}
            self._note(actor, "source.add", made.id, policy.ROOT, details)
        return made

    def sources(self, actor: Actor, request: PageRequest) -> Page[Source]:
        """All sources, by name."""
        policy.require(actor, "source.view", policy.ROOT)
        with self._db.transaction():
            return self._store.sources(request)

    def source(self, actor: Actor, reference: str) -> Source:
        """One source by id or name.

        Raises:
            NotFound: there is none.
        """
        policy.require(actor, "source.view", policy.ROOT)
        with self._db.transaction():
            return self._source(reference)

    def remove_source(self, actor: Actor, reference: str) -> None:
        """Forget a source and its password; what it published stays.

        Raises:
            NotFound: there is none.
        """
        policy.require(actor, "source.manage", policy.ROOT)
        with self._db.transaction():
            there = self._source(reference)
            self._store.remove_source(there.id)
            self._note(actor, "source.remove", there.id, policy.ROOT, {"url": there.url})

    def request_sync(self, actor: Actor, reference: str) -> Operation:
        """Start reading a source and publishing what is new in it.

        Raises:
            NotFound: there is none.
        """
        policy.require(actor, "source.sync", policy.ROOT)
        with self._db.transaction():
            there = self._source(reference)
            return self._start(actor, there, None)

    def origins(self, actor: Actor, blueprint: str) -> Mapping[str, Origin]:
        """Where the revisions of a blueprint came from, by digest; not those of a folder."""
        policy.require(actor, "blueprint.view", policy.ROOT)
        with self._db.transaction():
            return self._store.origins(blueprint)

    def origin(self, actor: Actor, blueprint: str, version: str) -> Origin:
        """Where one revision came from.

        Raises:
            NotFound: no such revision, or it came from a folder.
        """
        revision = self._provisioning.revision(actor, blueprint, version)
        found = self.origins(actor, blueprint).get(revision.digest)
        if found is None:
            raise NotFound(f"{blueprint} {version} did not come from a source")
        return found

    # For operations and schedules, which were authorised ------------------------------------------

    def sync_due(self) -> None:
        """Start reading every source whose time has come; once for each time."""
        actor = Actor.system("registry")
        with self._db.transaction():
            for each in everything(self._store.sources):
                if each.is_due(self._clock.now()):
                    last = format_instant(each.last.at) if each.last else "first"
                    self._start(actor, each, f"{SYNC}:{each.id}:{last}")

    def sync(self, source_id: str) -> dict[str, Any]:
        """Read a source and publish what is new; again, it changes nothing.

        Raises:
            SourceError: it could not be read.
            NotFound: it was removed meanwhile.
        """
        self._db.assert_no_transaction()
        with self._db.transaction():
            there = self._source(source_id)
            access = self._access(there)
        at = self._clock.now()
        try:
            found = self._needs.repositories.read(access)
            _check_commit(there, found)
        except BoroughError as error:
            with self._db.transaction():
                self._store.put_reading(there.id, Reading(at, error=error.message))
            raise
        results = tuple(self._publish(there, found, each) for each in found.folders)
        reading = Reading(
            at, found.commit, found.committed_at, found.signer, found.signed, "", results
        )
        self._keep(there, reading)
        return {
            "commit": found.commit,
            "signer": found.signer,
            "blueprints": [result.document() for result in results],
        }

    # Inside -------------------------------------------------------------------------------------

    def _source(self, reference: str) -> Source:
        found = self._store.source(reference)
        if found is None:
            raise NotFound("there is no such source")
        return found

    def _start(self, actor: Actor, source: Source, key: str | None) -> Operation:
        return self._needs.operations.start(
            SYNC, subject=source.id, path=policy.ROOT, inputs={"source": source.id}, actor=actor,
            key=key,
        )  # fmt: skip

    def _access(self, source: Source) -> SourceAccess:
        sealed = self._store.sealed_password(source.id)
        password = ""
        if sealed is not None:
            password = self._needs.secrets.open(sealed, _context(source.id)).decode()
        return SourceAccess(
            source.url, source.kind, source.reference, source.folder, source.user,
            source.allowed_signers, source.signed, password,
        )  # fmt: skip

    def _publish(self, source: Source, found: Checkout, folder: Folder) -> SyncResult:
        if folder.problem:
            return SyncResult(folder.path, "", "", "", SyncOutcome.REFUSED, (folder.problem,))
        actor = Actor.system(f"source-{source.slug}")
        try:
            files = contents.check(folder.content)
            digest = contents.digest(files)
            try:
                there = self._provisioning.find_revision(digest)
            except NotFound:
                name = self._provisioning.name_of(files)
                self._check_owner(source, name)
                made = self._provisioning.publish(actor, files)
            else:
                return SyncResult(
                    folder.path, there.blueprint, there.version, digest, SyncOutcome.UNCHANGED
                )
        except (Invalid, Conflict, ProgramError, EngineError) as error:
            return SyncResult(folder.path, "", "", "", SyncOutcome.REFUSED, _problems(error))
        origin = Origin(
            made.digest, source.slug, source.url, found.commit, found.signer, found.signed,
            self._clock.now(),
        )  # fmt: skip
        with self._db.transaction():
            self._store.add_origin(origin)
        return SyncResult(
            folder.path, made.blueprint, made.version, made.digest, SyncOutcome.PUBLISHED
        )

    def _check_owner(self, source: Source, name: str) -> None:
        """A source publishes new blueprints and its own, never newer versions of others'."""
        if name == TENANCY_BLUEPRINT:
            raise SourceError("the tenancies' own blueprint does not come from a source")
        try:
            newest = self._provisioning.find_revision(name)
        except NotFound:
            return
        with self._db.transaction():
            origin = self._store.origins(name).get(newest.digest)
        if origin is None or origin.url != source.url:
            raise SourceError(f"{name} is published from elsewhere: a source has names of its own")

    def _keep(self, source: Source, reading: Reading) -> None:
        published = [r for r in reading.results if r.outcome is SyncOutcome.PUBLISHED]
        with self._db.transaction():
            self._store.put_reading(source.id, reading)
            if published:
                details = {
                    "commit": reading.commit, "signer": reading.signer,
                    "published": [f"{r.blueprint} {r.version}" for r in published],
                }  # fmt: skip
                actor = Actor.system(f"source-{source.slug}")
                self._note(actor, "source.sync", source.id, policy.ROOT, details)

    def _check_place(
        self, found: Collector, slug: str, url: str, kind: str, reference: str, folder: str
    ) -> None:
        fits = _SLUG.fullmatch(slug) and len(slug) <= _LONGEST_SLUG
        found.check(
            fits, "slug",
            f"must be 1 to {_LONGEST_SLUG} lower-case letters, digits and inner hyphens",
        )  # fmt: skip
        try:
            self._needs.repositories.check(url)
        except Invalid as error:
            found.include(error)
        if found.check(kind in list(ReferenceKind), "kind", "must be branch, tag or commit"):
            _check_reference(found, ReferenceKind(kind), reference)
        inner = folder.strip("/")
        found.check(not inner or _is_plain(inner), "folder", "is not a plain path")


def _is_plain(path: str) -> bool:
    fits = _NAME.fullmatch(path) and len(path) <= _LONGEST_NAME
    return bool(fits) and not {"", ".", ".."}.intersection(path.split("/"))


def _check_reference(found: Collector, kind: ReferenceKind, reference: str) -> None:
    if kind is ReferenceKind.COMMIT:
        found.check(
            _COMMIT.fullmatch(reference), "reference", "must be a commit's 40 hexadecimal digits"
        )
        return
    parts = reference.split("/")
    plain = _is_plain(reference) and ".." not in reference
    plain = plain and not any(part.endswith((".lock", ".")) for part in parts)
    found.check(plain, "reference", f"is not the name of a {kind.value}")


def _check_trust(found: Collector, user: str, password: str, signers: str, *, signed: bool) -> None:
    found.check(not password or user, "user", "is required beside a password", "required")
    for field, value in (("user", user), ("password", password)):
        plain = value.isprintable() and len(value) <= _LONGEST_TEXT
        found.check(plain, field, "must be one line of text")
    found.check(
        not signed or signers.strip(), "allowed_signers",
        "is required when only signed commits are taken", "required",
    )  # fmt: skip
    if not found.check(len(signers) <= _LONGEST_TEXT, "allowed_signers", "is too long"):
        return
    for number, line in enumerate(signers.splitlines(), start=1):
        text = line.strip()
        found.check(
            not text or text.startswith("#") or _SAMPLE_SIGNER.fullmatch(text),
            "allowed_signers", f"line {number} is not of the form: address key-type key",
        )  # fmt: skip


def _check_commit(source: Source, found: Checkout) -> None:
    if source.kind is ReferenceKind.COMMIT and found.commit != source.reference:
        raise SourceError(f"the repository answered {found.commit} instead of the pinned commit")


def _context(source_id: str) -> str:
    return f"provisioning_source:{source_id}"


def _problems(error: BoroughError) -> tuple[str, ...]:
    if isinstance(error, Invalid):
        said = [f"{p.field}: {p.message}" for p in error.problems]
        more = len(said) - _MOST_PROBLEMS
        return (*said[:_MOST_PROBLEMS], *([f"and {more} more"] if more > 0 else []))
    return (error.message,)
