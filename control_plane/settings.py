"""The control plane's settings; ``borough config`` prints them with their meaning."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from foundation.kernel import settings as kernel
from foundation.kernel.settings import CommonSettings, Program, setting

#: The variables of the workloads and of the tests' clouds are not ours to judge.
PROGRAM = Program("borough", ("BOROUGH_DEVCLOUD_", "BOROUGH_VIDEO_", "BOROUGH_EXCHANGE_"))


@dataclass(frozen=True, slots=True)
class Settings(CommonSettings):
    """All settings, typed. Unknown ``BOROUGH_`` variables are an error, not a silent typo."""

    home: Path = setting(
        PROGRAM.home(), "Folder of the platform's own files: embedded database, keys, run files."
    )
    blueprint_paths: str = setting(
        "", "Folders with blueprints, separated by colons. Empty: the bundled ones."
    )
    source_networks: str = setting(
        "",
        "Networks, separated by commas (10.20.0.0/16), in which Git repositories of blueprints may "
        "be beyond public addresses; there by http too.",
    )
    source_folders: str = setting(
        "",
        "Folders, separated by colons, below which Git repositories of blueprints may be read "
        "(file:///...).",
    )
    engine_memory_mb: int = setting(1024, "Memory limit of a blueprint's program, MB.")
    engine_timeout_seconds: int = setting(1800, "Longest time for one apply or destroy.")
    engine_parallel: int = setting(8, "Resources that one operation works on at once.")
    engine_service_parallel: int = setting(
        4, "Resources of one OpenStack service that one operation makes at once."
    )
    region_operations: int = setting(
        4, "Operations that change one region at once; a region may say operations_at_once itself."
    )
    evaluate_timeout_seconds: int = setting(20, "Longest time to evaluate a blueprint's program.")
    pulumi_path: str = setting(
        "", "Folders, separated by colons, with the Pulumi CLI and plugins; PATH comes after."
    )
    pulumi_install: bool = setting(
        True, "Download the Pulumi CLI and plugins when a region needs them and they are missing."
    )
    playbook_path: str = setting("", "Folder with the playbooks. Empty: the bundled ones.")
    playbook_runs: int = setting(2, "Runs of playbooks that are worked on at once.")
    playbook_timeout_minutes: int = setting(
        60, "Longest time for one wave of a playbook's run that does not say so itself."
    )
    playbook_secret_days: int = setting(
        7, "How many days the secrets of a run that failed are kept, sealed, for another try."
    )
    ansible_path: str = setting(
        "", "Folders, separated by colons, with ansible-playbook; PATH comes after."
    )
    ansible_install: bool = setting(
        True, "Install the pinned Ansible from the package index when it is missing."
    )
    late_usage_days: int = setting(45, "How many days after the fact a usage event is accepted.")
    drift_minutes: int = setting(
        60, "How often each deployment is compared with its region, in minutes; 0 for never."
    )
    currency: str = setting("CNY", "Currency of prices and contracts (ISO 4217).")


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process.

    Raises:
        Invalid: a value of the wrong type or an unknown ``BOROUGH_`` variable; names all of them.
    """
    return kernel.read(Settings, PROGRAM, environment)
