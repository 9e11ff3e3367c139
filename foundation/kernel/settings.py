"""Settings: the one module that reads the environment.

A setting is a field of a dataclass; its environment variable is the program's prefix and the name
in capitals (``BOROUGH_PORT``). What every product has stands here, and each product's own class
adds to it. The programs' ``config`` verbs print them with their meaning, and the reference in
``docs/`` is made from them.
"""

import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from foundation.kernel.errors import Collector

#: Variables of the command line, which is a client: they are no settings of a platform.
_CLIENT = ("URL", "TOKEN", "CONTEXT", "OIDC_TOKEN")
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


@dataclass(frozen=True, slots=True)
class Program:
    """A console program: what its variables and folders are called.

    Attributes:
        name: as it is typed, such as ``borough``.
        others: beginnings of variables that another program reads.
    """

    name: str
    others: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """How its variables begin: ``BOROUGH_``."""
        return self.name.upper().replace("-", "_") + "_"

    def home(self) -> Path:
        """Where its platform keeps files when nobody says otherwise."""
        return Path(platformdirs.user_data_dir(self.name))


def setting(default: Any, doc: str, *, secret: bool = False) -> Any:  # noqa: ANN401
    """A field of a settings class.

    Args:
        default: its value when the environment has none.
        doc: its meaning, a sentence for operators.
        secret: its value is never shown.
    """
    return field(default=default, metadata={"doc": doc, "secret": secret})


@dataclass(frozen=True, slots=True)
class CommonSettings:
    """What every product can be told. Each has its own class with its own home below this one."""

    home: Path = setting(
        Path(),
        "Folder of the platform's own files: embedded database, keys, run files.",
    )
    database_url: str = setting(
        "",
        "PostgreSQL to use, postgresql://user:password@host/name. "
        "Empty: an embedded server in the home folder.",
        secret=True,
    )
    database_pool: int = setting(5, "Database connections kept open per process.")
    secret_keys: str = setting(
        "",
        "Key ring that encrypts secrets at rest: base64 keys of 32 bytes, newest first, "
        "separated by commas. Empty: the file named by secret_key_file.",
        secret=True,
    )
    secret_key_file: str = setting(
        "", "File with the key ring, one key a line. Empty: keys/ring in the home folder."
    )
    host: str = setting("127.0.0.1", "Address on which `borough serve` listens.")
    port: int = setting(8080, "Port on which `borough serve` listens; 0 takes a free one.")
    public_url: str = setting("", "Address under which people reach the platform.")
    web_threads: int = setting(16, "Threads of one web process.")
    worker_concurrency: int = setting(4, "Operations that one worker runs at once.")
    worker_id: str = setting("", "Stable name of the worker. Empty: host name and process id.")
    heartbeat_seconds: int = setting(3, "How often a worker says that it lives.")
    lease_seconds: int = setting(12, "After how long without a heartbeat a worker counts as dead.")
    session_hours: int = setting(12, "How long a web session lasts without use.")
    token_days: int = setting(90, "Longest life of an API token.")
    trust_proxy: bool = setting(
        False, "Believe X-Forwarded-For, -Proto and -Host: set it behind exactly one proxy."
    )
    identity_private_hosts: str = setting(
        "",
        "Hosts of trusted OIDC issuers that may lie on private addresses, separated by commas; "
        "one on this machine may be asked by http.",
    )
    cookie_secure: bool = setting(False, "Mark cookies Secure (set it behind TLS).")
    city_name: str = setting("", "Name of the city's cloud in the header of pages, in English.")
    city_name_zh: str = setting("", "The same in Chinese; each stands for both alone.")
    city_accent: str = setting(
        "", "The one colour of pages, #rrggbb, dark enough to read white on it (4.5 : 1)."
    )
    log_level: str = setting("INFO", "DEBUG, INFO, WARNING or ERROR.")
    simulated_time: bool = setting(
        False,
        "Allow the platform's clock to be shifted (for demonstrations). Never in production.",
    )

    @property
    def ring_file(self) -> Path:
        """Where the key ring is read from (and made, when the default file is missing)."""
        return Path(self.secret_key_file) if self.secret_key_file else self.home / "keys" / "ring"


@dataclass(frozen=True, slots=True)
class OrderedSettings(CommonSettings):
    """What a product can be told that may have been ordered from a platform."""

    administrator: str = setting("administrator", "Login of the first administrator.")
    administrator_password: str = setting(
        "", "Their password; with it they are added when there is nobody yet.", secret=True
    )
    platform_url: str = setting(
        "", "Address of the platform that this service was ordered from, which is told of its use."
    )
    platform_token: str = setting("", "The token that is shown to it.", secret=True)
    platform_token_file: str = setting(
        "", "File with that token, read each time; it wins over platform_token."
    )
    platform_resource: str = setting("", "What this service is called there.")
    usage_seconds: int = setting(300, "How often what was counted is told to the platform.")


S = TypeVar("S", bound=CommonSettings)


def read(kind: type[S], program: Program, environment: Mapping[str, str] | None = None) -> S:
    """The settings of this process.

    Raises:
        Invalid: a value of the wrong type, or an unknown variable with the program's prefix (which
            would be a silent typo); names all of them.
    """
    source = os.environ if environment is None else environment
    found = Collector()
    values: dict[str, Any] = {}
    known = {f"{program.prefix}{f.name.upper()}": f for f in fields(kind)}
    passed = {f"{program.prefix}{name}" for name in _CLIENT}
    for name, text in source.items():
        if not name.startswith(program.prefix) or name.startswith(program.others or ("\0",)):
            continue
        if name in passed:
            continue
        if not found.check(name in known, name, "is not a setting"):
            continue
        target = known[name]
        try:
            values[target.name] = _convert(target, text)
        except ValueError as error:
            found.check(False, name, str(error))
    found.finish()
    return kind(**values)


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What the command line, a client of the API, takes from the environment.

    Attributes:
        url: ``…_URL``, address of a platform; it wins over the contexts.
        token: ``…_TOKEN``, an API token; it wins over the context's.
        context: ``…_CONTEXT``, the context to use instead of the current one.
        folder: where the contexts are kept (the platform's folder for users' configuration).
        home: where a platform on this machine keeps its run file.
        language: ``zh`` when the terminal's locale is Chinese, else ``en``.
        program: whose settings they are.
    """

    url: str
    token: str
    context: str
    folder: Path
    home: Path
    language: str
    program: Program


def client_from_environment(
    program: Program, environment: Mapping[str, str] | None = None
) -> ClientSettings:
    """The client's settings of this process."""
    source = os.environ if environment is None else environment
    locale = source.get("LC_ALL") or source.get("LC_MESSAGES") or source.get("LANG") or ""
    home = source.get(f"{program.prefix}HOME")
    return ClientSettings(
        url=source.get(f"{program.prefix}URL", ""),
        token=source.get(f"{program.prefix}TOKEN", ""),
        context=source.get(f"{program.prefix}CONTEXT", ""),
        folder=Path(platformdirs.user_config_dir(program.name)),
        home=_convert_path(home) if home else program.home(),
        language="zh" if locale.lower().startswith("zh") else "en",
        program=program,
    )


def _convert_path(text: str) -> Path:
    return Path(text).expanduser().resolve()


def _convert(target: Field[Any], text: str) -> Any:  # noqa: ANN401
    if target.type is bool:
        if text.lower() in _TRUE:
            return True
        if text.lower() in _FALSE:
            return False
        raise ValueError("must be true or false")
    if target.type is int:
        if not text.lstrip("-").isdigit():
            raise ValueError("must be a whole number")
        return int(text)
    if target.type is Path:
        return _convert_path(text)
    return text


def describe(settings: CommonSettings, program: Program) -> list[tuple[str, str, str]]:
    """Each setting as (environment variable, value, meaning); secrets are masked."""
    rows = []
    for f in fields(settings):
        value = getattr(settings, f.name)
        shown = "********" if f.metadata["secret"] and value else str(value)
        rows.append((f"{program.prefix}{f.name.upper()}", shown, f.metadata["doc"]))
    return rows
