"""What the registry needs from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from control_plane.provisioning.registry.model import (
    Impact,
    ImpactRow,
    Origin,
    Reading,
    ReferenceKind,
    Source,
    User,
)
from foundation.kernel.errors import Conflict
from foundation.kernel.paging import Page, PageRequest


class UserStore(Protocol):
    """Which deployments run which revision."""

    def users(
        self, blueprint: str, paths: Sequence[str], request: PageRequest, *, version: str = ""
    ) -> Page[User]:
        """The living deployments of a blueprint below paths, by id.

        Args:
            blueprint: name.
            paths: prefixes of organisations' paths.
            request: which page.
            version: only those that run it; empty for all.
        """
        ...

    def counts(self, blueprint: str, paths: Sequence[str]) -> dict[str, int]:
        """How many living deployments below paths run each version."""
        ...


class ImpactStore(Protocol):
    """Reports of what a revision would change."""

    def put_impact(self, impact: Impact, rows: Sequence[ImpactRow]) -> None:
        """Keep a report; the same one again changes nothing."""
        ...

    def impact(self, revision: str) -> Impact | None:
        """The newest report of a revision."""
        ...

    def impact_rows(self, impact_id: str, request: PageRequest) -> Page[ImpactRow]:
        """Its rows, those that cannot take the revision first."""
        ...


class SourceError(Conflict):
    """A source cannot be read, or what it holds may not be published."""

    code = "source_failed"


@dataclass(frozen=True, slots=True)
class SourceAccess:
    """What reading a source needs.

    Attributes:
        password: **in clear**: it is handed to the program that reads, and kept nowhere.
    """

    url: str
    kind: ReferenceKind
    reference: str
    folder: str
    user: str
    allowed_signers: str
    signed: bool
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder with a blueprint.

    Attributes:
        path: in the repository; ``.`` is its root.
        problem: why its files are none of a blueprint; empty otherwise.
    """

    path: str
    content: Mapping[str, bytes]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A repository's blueprints at one commit; see ``Reading``."""

    commit: str
    committed_at: datetime
    signer: str
    signed: str
    folders: tuple[Folder, ...]


class Repositories(Protocol):
    """Reads repositories. Nothing of theirs is ever run."""

    def check(self, url: str) -> None:
        """Refuse an address that can never be one; asks nobody.

        Raises:
            Invalid: says why.
        """
        ...

    def read(self, source: SourceAccess) -> Checkout:
        """The blueprints of a repository as they are now. No transaction may be open.

        Raises:
            SourceError: it may not be asked, is too large, holds no blueprint, lacks a demanded
                signature, or cannot be read.
            Unavailable: it does not answer.
        """
        ...


class SourceStore(Protocol):
    """Sources, and where revisions came from."""

    def add_source(self, source: Source, sealed_password: str | None) -> bool:
        """Keep a new source; False when its name is taken."""
        ...

    def source(self, reference: str) -> Source | None:
        """By id or slug."""
        ...

    def sources(self, request: PageRequest) -> Page[Source]:
        """All, by slug."""
        ...

    def sealed_password(self, source_id: str) -> str | None: ...

    def put_reading(self, source_id: str, reading: Reading) -> None:
        """Keep the outcome of a reading, unless a later one is there."""
        ...

    def remove_source(self, source_id: str) -> None: ...

    def add_origin(self, origin: Origin) -> None:
        """Say where a revision came from; the first word counts."""
        ...

    def origins(self, blueprint: str) -> dict[str, Origin]:
        """By digest, of the revisions that came from a source."""
        ...


class RegistryStore(UserStore, ImpactStore, SourceStore, Protocol):
    """All that the registry keeps."""
