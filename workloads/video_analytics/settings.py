"""The settings of Borough Video; ``borough-video config`` prints them with their meaning."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from foundation.kernel import settings as kernel
from foundation.kernel.settings import OrderedSettings, Program, setting

PROGRAM = Program("borough-video")


@dataclass(frozen=True, slots=True)
class Settings(OrderedSettings):
    """All settings, typed. Unknown ``BOROUGH_VIDEO_`` variables are an error, not a silent typo."""

    home: Path = setting(
        PROGRAM.home(), "Folder of its own files: embedded database, keys, evidence, run files."
    )
    port: int = setting(8090, "Port on which `borough-video serve` listens; 0 takes a free one.")
    most_cameras: int = setting(0, "Cameras that may be registered; 0 for as many as you like.")
    highest_tier: str = setting(
        "advanced", "The closest that a camera may be watched: access, basic or advanced."
    )
    lanes: int = setting(
        0, "Processes of one worker that analyse, each with a decoder; 0 for one a core."
    )
    leases: str = setting(
        "postgres", "Where workers agree on who watches what: postgres or kubernetes."
    )
    leases_namespace: str = setting(
        "", "Kubernetes namespace of the Lease objects; empty: the one of this pod."
    )
    decoder_memory_mb: int = setting(6144, "Most memory of one decoder, MB; 0 for no limit.")
    open_seconds: int = setting(10, "How long a camera may take until its first picture.")
    opens_per_second: int = setting(
        20,
        "Cameras of the network that one worker connects to in a second at most; 0 for no limit.",
    )
    read_seconds: int = setting(10, "How long a camera may be silent before it is asked anew.")
    confine: str = setting(
        "always",
        "Whether cameras of the network are opened where the kernel cannot hold a decoder's "
        "connections to what they may reach (seccomp user notification, Linux 5.5): always (they "
        "are not opened there) or if_possible.",
    )
    clip_seconds: int = setting(5, "Seconds of a clip before and after the event.")
    memory_seconds: int = setting(
        60, "How often what the analysis knows of a camera is saved for other workers."
    )
    file_pace: str = setting(
        "loop",
        "How cameras that are files are played: loop (in real time, again and again), once (in "
        "real time) or fast (as fast as possible, once; for tests).",
    )
    camera_networks: str = setting(
        "",
        "Networks in which cameras may lie, such as 10.20.0.0/16, separated by commas. Empty: all "
        "but this machine itself, link-local, multicast and reserved addresses.",
    )
    camera_folders: str = setting(
        "", "Folders below which files may be sources of cameras, separated by commas."
    )
    onvif_interfaces: str = setting(
        "",
        "IPv4 addresses of this machine's interfaces on which ONVIF devices are searched, "
        "separated by commas. Empty: only addresses that people give are asked.",
    )
    receiver_private_hosts: str = setting(
        "",
        "Hosts of web-hooks that may lie on private addresses, separated by commas; they may also "
        "be asked by http. All others must be public and be asked by https.",
    )
    mail_host: str = setting("", "Mail server for notification; empty: no mail is sent.")
    mail_port: int = setting(587, "Its port.")
    mail_security: str = setting(
        "starttls", "starttls, tls, or none, which only a server on this machine may be asked with."
    )
    mail_user: str = setting("", "Its user; empty: none.")
    mail_password: str = setting("", "The user's password.", secret=True)
    mail_sender: str = setting("", "Address from which mail is sent.")
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
