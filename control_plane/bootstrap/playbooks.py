"""Playbooks, wired to their content and to Ansible."""

from pathlib import Path

from control_plane.adapters.ansible.installation import Installation
from control_plane.adapters.ansible.runner import AnsibleRunner
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.provisioning.playbooks.catalogue import Catalogue
from control_plane.provisioning.playbooks.service import Limits, Needs, PlaybookRuns
from control_plane.provisioning.playbooks.store import PostgresRuns
from control_plane.provisioning.service import Provisioning
from control_plane.settings import Settings
from control_plane.tenancy.service import TenancyService
from foundation.kernel.database import Database
from foundation.serving.base import Base

_BUNDLED = Path(__file__).parents[2] / "playbooks"


def catalogue(settings: Settings) -> Catalogue:
    """The playbooks of this platform."""
    return Catalogue(Path(settings.playbook_path) if settings.playbook_path else _BUNDLED)


def build_playbooks(
    settings: Settings,
    database: Database,
    base: Base,
    tenancy: TenancyService,
    provisioning: Provisioning,
    programs: ProgramHost,
    content: Catalogue,
) -> PlaybookRuns:
    """The service of this process."""
    installation = Installation(
        settings.home / "ansible",
        search_path=settings.ansible_path,
        install=settings.ansible_install,
    )
    return PlaybookRuns(
        Needs(
            store=PostgresRuns(database),
            db=database,
            clock=base.clock,
            audit=base.audit,
            secrets=base.secrets,
            operations=base.operations,
            provisioning=provisioning,
            tenancy=tenancy,
            playbooks=content,
            runner=AnsibleRunner(programs, installation),
            limits=Limits(
                at_once=settings.playbook_runs,
                minutes=settings.playbook_timeout_minutes,
                keep_days=settings.playbook_secret_days,
            ),
        )
    )
