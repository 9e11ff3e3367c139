"""Settings: the one module that reads the environment.

Each setting is a field below; its environment variable is ``BOROUGH_`` and the name in capitals.
``borough config`` prints them with their meaning, and the reference in ``docs/`` is made from them.
"""

import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

import platformdirs

from control_plane.kernel.errors import Collector

#: Variables of the command line, which is a client: they are no settings of the platform.
_CLIENT = {"BOROUGH_URL", "BOROUGH_TOKEN", "BOROUGH_CONTEXT", "BOROUGH_OIDC_TOKEN"}
_TRUE = {"1", "true", "yes", "on"}
_HOME = Path(platformdirs.user_data_dir("borough"))
_FALSE = {"0", "false", "no", "off", ""}


def _setting(default: Any, doc: str, *, secret: bool = False) -> Any:  # noqa: ANN401
    return field(default=default, metadata={"doc": doc, "secret": secret})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, typed. Unknown ``BOROUGH_`` variables are an error, not a silent typo."""

    home: Path = _setting(
        _HOME,
        "Folder of the platform's own files: embedded database, keys, run files.",
    )
    database_url: str = _setting(
        "",
        "PostgreSQL to use, postgresql://user:password@host/name. "
        "Empty: an embedded server in the home folder.",
        secret=True,
    )
    database_pool: int = _setting(5, "Database connections kept open per process.")
    secret_keys: str = _setting(
        "",
        "Key ring that encrypts secrets at rest: base64 keys of 32 bytes, newest first, "
        "separated by commas. Empty: the file named by secret_key_file.",
        secret=True,
    )
    secret_key_file: str = _setting(
        "", "File with the key ring, one key a line. Empty: keys/ring in the home folder."
    )
    host: str = _setting("127.0.0.1", "Address on which `borough serve` listens.")
    port: int = _setting(8080, "Port on which `borough serve` listens; 0 takes a free one.")
    public_url: str = _setting("", "Address under which people reach the platform.")
    web_threads: int = _setting(16, "Threads of one web process.")
    worker_concurrency: int = _setting(4, "Operations that one worker runs at once.")
    worker_id: str = _setting("", "Stable name of the worker. Empty: host name and process id.")
    heartbeat_seconds: int = _setting(3, "How often a worker says that it lives.")
    lease_seconds: int = _setting(12, "After how long without a heartbeat a worker counts as dead.")
    session_hours: int = _setting(12, "How long a web session lasts without use.")
    token_days: int = _setting(90, "Longest life of an API token.")
    trust_proxy: bool = _setting(
        False, "Believe X-Forwarded-For, -Proto and -Host: set it behind exactly one proxy."
    )
    identity_private_hosts: str = _setting(
        "",
        "Hosts of trusted OIDC issuers that may lie on private addresses, separated by commas; "
        "one on this machine may be asked by http.",
    )
    cookie_secure: bool = _setting(False, "Mark cookies Secure (set it behind TLS).")
    blueprint_paths: str = _setting(
        "", "Folders with blueprints, separated by colons. Empty: the bundled ones."
    )
    source_networks: str = _setting(
        "",
        "Networks, separated by commas (10.20.0.0/16), in which Git repositories of blueprints may "
        "be beyond public addresses; there by http too.",
    )
    source_folders: str = _setting(
        "",
        "Folders, separated by colons, below which Git repositories of blueprints may be read "
        "(file:///...).",
    )
    engine_memory_mb: int = _setting(1024, "Memory limit of a blueprint's program, MB.")
    engine_timeout_seconds: int = _setting(1800, "Longest time for one apply or destroy.")
    engine_parallel: int = _setting(8, "Resources that one operation works on at once.")
    engine_service_parallel: int = _setting(
        4, "Resources of one OpenStack service that one operation makes at once."
    )
    region_operations: int = _setting(
        4, "Operations that change one region at once; a region may say operations_at_once itself."
    )
    evaluate_timeout_seconds: int = _setting(20, "Longest time to evaluate a blueprint's program.")
    pulumi_path: str = _setting(
        "", "Folders, separated by colons, with the Pulumi CLI and plugins; PATH comes after."
    )
    pulumi_install: bool = _setting(
        True, "Download the Pulumi CLI and plugins when a region needs them and they are missing."
    )
    late_usage_days: int = _setting(45, "How many days after the fact a usage event is accepted.")
    drift_minutes: int = _setting(
        60, "How often each deployment is compared with its region, in minutes; 0 for never."
    )
    city_name: str = _setting("", "Name of the city's cloud in the header of pages, in English.")
    city_name_zh: str = _setting("", "The same in Chinese; each stands for both alone.")
    city_accent: str = _setting(
        "", "The one colour of pages, #rrggbb, dark enough to read white on it (4.5 : 1)."
    )
    currency: str = _setting("CNY", "Currency of prices and contracts (ISO 4217).")
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR.")
    simulated_time: bool = _setting(
        False,
        "Allow the platform's clock to be shifted (for demonstrations). Never in production.",
    )

    @property
    def ring_file(self) -> Path:
        """Where the key ring is read from (and made, when the default file is missing)."""
        return Path(self.secret_key_file) if self.secret_key_file else self.home / "keys" / "ring"


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process.

    Raises:
        Invalid: a value of the wrong type or an unknown ``BOROUGH_`` variable; names all of them.
    """
    source = os.environ if environment is None else environment
    found = Collector()
    values: dict[str, Any] = {}
    known = {f"BOROUGH_{f.name.upper()}": f for f in fields(Settings)}
    for name, text in source.items():
        if not name.startswith("BOROUGH_") or name.startswith("BOROUGH_DEVCLOUD_"):
            continue
        if name in _CLIENT:
            continue
        if not found.check(name in known, name, "is not a setting"):
            continue
        target = known[name]
        try:
            values[target.name] = _convert(target, text)
        except ValueError as error:
            found.check(False, name, str(error))
    found.finish()
    return Settings(**values)


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What the command line, a client of the API, takes from the environment.

    Attributes:
        url: BOROUGH_URL, address of a platform; it wins over the contexts.
        token: BOROUGH_TOKEN, an API token; it wins over the context's.
        context: BOROUGH_CONTEXT, the context to use instead of the current one.
        folder: where the contexts are kept (the platform's folder for users' configuration).
        home: where a platform on this machine keeps its run file.
        language: ``zh`` when the terminal's locale is Chinese, else ``en``.
    """

    url: str
    token: str
    context: str
    folder: Path
    home: Path
    language: str


def client_from_environment(environment: Mapping[str, str] | None = None) -> ClientSettings:
    """The client's settings of this process."""
    source = os.environ if environment is None else environment
    locale = source.get("LC_ALL") or source.get("LC_MESSAGES") or source.get("LANG") or ""
    home = source.get("BOROUGH_HOME")
    return ClientSettings(
        url=source.get("BOROUGH_URL", ""),
        token=source.get("BOROUGH_TOKEN", ""),
        context=source.get("BOROUGH_CONTEXT", ""),
        folder=Path(platformdirs.user_config_dir("borough")),
        home=_convert_path(home) if home else Path(platformdirs.user_data_dir("borough")),
        language="zh" if locale.lower().startswith("zh") else "en",
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


def describe(settings: Settings) -> list[tuple[str, str, str]]:
    """Each setting as (environment variable, value, meaning); secrets are masked."""
    rows = []
    for f in fields(Settings):
        value = getattr(settings, f.name)
        shown = "********" if f.metadata["secret"] and value else str(value)
        rows.append((f"BOROUGH_{f.name.upper()}", shown, f.metadata["doc"]))
    return rows
