"""The registry of blueprints, wired to its adapters."""

from control_plane.adapters.embedded.rules import forces
from control_plane.adapters.git.addresses import Reach
from control_plane.adapters.git.repositories import GitRepositories
from control_plane.provisioning.ports import Audit
from control_plane.provisioning.registry.service import Needs, Registry
from control_plane.provisioning.registry.store import PostgresRegistry
from control_plane.provisioning.service import Provisioning
from control_plane.settings import Settings
from foundation.kernel.database import Database
from foundation.kernel.secretbox import SecretBox
from foundation.kernel.time import Clock
from foundation.operations.service import Operations


def build_registry(
    settings: Settings,
    database: Database,
    clock: Clock,
    secrets: SecretBox,
    audit: Audit,
    operations: Operations,
    provisioning: Provisioning,
) -> Registry:
    """The registry of this process.

    Raises:
        Invalid: the settings name networks or folders of sources that are none.
    """
    reach = Reach.of(settings.source_networks, settings.source_folders)
    return Registry(
        Needs(
            store=PostgresRegistry(database),
            db=database,
            clock=clock,
            audit=audit,
            operations=operations,
            provisioning=provisioning,
            secrets=secrets,
            repositories=GitRepositories(reach),
            forces=forces,
        )
    )
