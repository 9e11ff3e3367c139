"""The settings of Borough Video; ``borough-video config`` prints them with their meaning."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from foundation.kernel import settings as kernel
from foundation.kernel.settings import CommonSettings, Program, setting

PROGRAM = Program("borough-video")


@dataclass(frozen=True, slots=True)
class Settings(CommonSettings):
    """All settings, typed. Unknown ``BOROUGH_VIDEO_`` variables are an error, not a silent typo."""

    home: Path = setting(
        PROGRAM.home(), "Folder of its own files: embedded database, keys, evidence, run files."
    )
    port: int = setting(8090, "Port on which `borough-video serve` listens; 0 takes a free one.")
    administrator: str = setting("administrator", "Login of the first administrator.")
    administrator_password: str = setting(
        "", "Their password; with it they are added when there is nobody yet.", secret=True
    )
    most_cameras: int = setting(0, "Cameras that may be registered; 0 for as many as you like.")
    highest_tier: str = setting(
        "advanced", "The closest that a camera may be watched: access, basic or advanced."
    )
    platform_url: str = setting(
        "", "Address of the platform that this service was ordered from, which is told of its use."
    )
    platform_token: str = setting("", "The token that is shown to it.", secret=True)
    platform_resource: str = setting("", "What this service is called there.")
    models: str = setting(
        "", "Folder of the optional models (`borough-video models fetch`). Empty: models in home."
    )

    @property
    def models_folder(self) -> Path:
        """Where the optional models are looked for."""
        return Path(self.models).expanduser() if self.models else self.home / "models"


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process.

    Raises:
        Invalid: a value of the wrong type or an unknown variable; names all of them.
    """
    return kernel.read(Settings, PROGRAM, environment)
