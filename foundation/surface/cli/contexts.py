"""Contexts: the platforms that a person talks to, each an address and a token.

They are kept in ``contexts.json`` in the folder for users' configuration, readable by their owner
only. ``BOROUGH_URL`` and ``BOROUGH_TOKEN`` win over them, ``BOROUGH_CONTEXT`` chooses another one.
Without any, the platform that runs on this machine is used (its run file says where).
"""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from foundation.kernel.settings import ClientSettings
from foundation.surface.cli.exits import NOT_FOUND, USAGE, Failure

_FILE = "contexts.json"
#: Written by ``borough serve`` into the home folder, with the address that it listens on.
RUN_FILE = "run/serve.json"


@dataclass(frozen=True, slots=True)
class Context:
    """A platform and how to speak to it."""

    name: str
    url: str
    token: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Contexts:
    """All contexts of a person and which of them is in use."""

    file: Path
    current: str
    known: tuple[Context, ...]

    @staticmethod
    def load(settings: ClientSettings) -> "Contexts":
        """Read them; none when the file is missing.

        Raises:
            Failure: the file is damaged.
        """
        file = settings.folder / _FILE
        try:
            document = json.loads(file.read_text())
            known = tuple(Context(**entry) for entry in document["contexts"])
            return Contexts(file, document["current"], known)
        except FileNotFoundError:
            return Contexts(file, "", ())
        except (ValueError, KeyError, TypeError) as error:
            raise Failure(f"{file} is damaged ({error}); remove it and sign in again") from None

    def get(self, name: str) -> Context:
        """The context of that name.

        Raises:
            Failure: there is none.
        """
        for context in self.known:
            if context.name == name:
                return context
        names = ", ".join(context.name for context in self.known) or "none yet"
        raise Failure(f"there is no context {name!r} (known: {names})", NOT_FOUND)

    def put(self, context: Context) -> "Contexts":
        """With that context added or replaced, and in use."""
        others = tuple(known for known in self.known if known.name != context.name)
        return replace(self, current=context.name, known=(*others, context))

    def use(self, name: str) -> "Contexts":
        """With another one in use."""
        return replace(self, current=self.get(name).name)

    def without(self, name: str) -> "Contexts":
        """Without that one; if it was in use, none is."""
        gone = self.get(name)
        current = "" if self.current == name else self.current
        return replace(self, current=current, known=tuple(c for c in self.known if c != gone))

    def save(self) -> None:
        """Write them, whole or not at all, for their owner's eyes only."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        draft = self.file.with_name(f"{_FILE}.{os.getpid()}")
        document = {"current": self.current, "contexts": [asdict(item) for item in self.known]}
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(document, file, indent=2)
        draft.replace(self.file)


def resolve(settings: ClientSettings, *, name: str = "", url: str = "") -> Context:
    """The platform to speak to: options first, then the environment, then the contexts.

    A context's token is sent to that context's address alone: another address given by option or
    variable gets the token of the environment, or none.

    Raises:
        Failure: no platform is known, or the context is not.
    """
    address = url or ("" if name else settings.url)
    if address:
        return Context("", _checked(address), settings.token)
    contexts = Contexts.load(settings)
    chosen = name or settings.context or contexts.current
    if chosen:
        context = contexts.get(chosen)
        return replace(context, token=settings.token or context.token)
    local = local_url(settings)
    if local:
        return Context("", local, settings.token)
    program = settings.program
    known = f"`{program.name} login --url URL`, or set {program.prefix}URL"
    raise Failure(f"no platform is known: {known}", USAGE)


def local_url(settings: ClientSettings) -> str:
    """The address of the platform that runs on this machine, or nothing."""
    try:
        document = json.loads((settings.home / RUN_FILE).read_text())
        return str(document["url"])
    except (OSError, ValueError, KeyError):
        return ""


def _checked(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise Failure(f"{url!r} is not an address: it begins with http:// or https://", USAGE)
    return url.rstrip("/")
