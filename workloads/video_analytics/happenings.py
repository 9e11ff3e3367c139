"""The part of the composition root that wires events and the timeline."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from foundation.kernel.outbox import Outbox
from foundation.operations.jobs import Receiver, Schedule, relay
from foundation.serving.base import Base
from workloads.video_analytics.cameras.devices import Devices
from workloads.video_analytics.cameras.service import Cameras
from workloads.video_analytics.departments.store import PostgresDepartments
from workloads.video_analytics.events import jobs
from workloads.video_analytics.events.books import DeviceActions, RegistryCameras, RegistryRules
from workloads.video_analytics.events.files import FolderEvidence
from workloads.video_analytics.events.linkage.service import Linkages
from workloads.video_analytics.events.linkage.store import PostgresLinkages
from workloads.video_analytics.events.notification.model import ReceiverKind
from workloads.video_analytics.events.notification.ports import Sender
from workloads.video_analytics.events.notification.senders import Mail, MailSettings, WebHooks
from workloads.video_analytics.events.notification.service import Receivers
from workloads.video_analytics.events.notification.store import PostgresReceivers
from workloads.video_analytics.events.ports import Fence, Fenced, Fences
from workloads.video_analytics.events.privacy.exports import Exports
from workloads.video_analytics.events.privacy.faces import FolderFaces
from workloads.video_analytics.events.privacy.retention import Retaining
from workloads.video_analytics.events.privacy.store import PostgresPrivacy
from workloads.video_analytics.events.service import Events
from workloads.video_analytics.events.store import PostgresEvents
from workloads.video_analytics.rules.service import Rules
from workloads.video_analytics.settings import Settings
from workloads.video_analytics.timeline.reads import Digester
from workloads.video_analytics.timeline.service import Timeline
from workloads.video_analytics.timeline.store import PostgresTimeline


class NoShards:
    """A process that holds no shard: it reports nothing."""

    def check(self, fence: Fence) -> None:
        """Refuse.

        Raises:
            Fenced: always.
        """
        raise Fenced(f"this process holds no shard ({fence.shard})")

    def current(self, fences: Collection[Fence]) -> set[Fence]:
        """None of them."""
        del fences
        return set()


@dataclass(frozen=True, slots=True)
class Happenings:
    """The services of events and the timeline in one process."""

    files: FolderEvidence
    events: Events
    timeline: Timeline
    receivers: Receivers
    linkages: Linkages
    exports: Exports
    retaining: Retaining
    outbox: Outbox
    base: Base

    @property
    def services(self) -> tuple[object, ...]:
        """What endpoints and pages ask for by class."""
        return (
            self.events, self.timeline, self.receivers, self.linkages, self.exports, self.retaining,
        )  # fmt: skip

    def schedules(self, others: Sequence[Receiver] = ()) -> list[Schedule]:
        """What a worker of the foundation does for them again and again, the relay among it.

        Args:
            others: who else hears what the relay hands on.
        """
        hearers = [*jobs.hearers(self.receivers, self.linkages), *others]
        told = relay(self.outbox, self.base.database, hearers)
        own = jobs.schedules(self.receivers, self.linkages, self.exports, self.retaining)
        return [told, *own]


def build_happenings(
    settings: Settings,
    base: Base,
    cameras: Cameras,
    devices: Devices,
    rules: Rules,
    places: PostgresDepartments,
    fences: Fences | None = None,
) -> Happenings:
    """Wire them; ``fences`` are those of a worker."""
    database, clock, audit = base.database, base.clock, base.audit
    book, outbox = RegistryCameras(cameras), Outbox(database, clock)
    files = FolderEvidence(settings.home / "evidence")
    store, guard = PostgresEvents(database), fences or NoShards()
    tracks, privacy = PostgresTimeline(database), PostgresPrivacy(database)
    timeline = Timeline(
        tracks, database, clock, guard, book, places, files, audit,
        Digester(base.secrets.derive("video reads")),
    )  # fmt: skip
    events = Events(
        store, database, clock, guard, book, RegistryRules(rules), files, outbox, audit,
        [timeline.hear],
    )  # fmt: skip
    senders: dict[ReceiverKind, Sender] = {
        ReceiverKind.WEBHOOK: WebHooks(base.secrets, settings.receiver_private_hosts.split(",")),
        ReceiverKind.MAIL: Mail(_mail(settings)),
    }
    addressees = PostgresReceivers(database)
    receivers = Receivers(addressees, store, database, clock, audit, base.secrets, senders)
    linkages = Linkages(
        PostgresLinkages(database), store, addressees, receivers, book, DeviceActions(devices),
        database, clock, audit,
    )  # fmt: skip
    users: Sequence[PostgresPrivacy | PostgresTimeline] = (privacy, tracks)
    return Happenings(
        files, events, timeline, receivers, linkages,
        Exports(
            privacy, store, book, files, database, clock, audit,
            FolderFaces(settings.models_folder),
        ),
        Retaining(privacy, store, book, files, database, clock, audit, users, [tracks]),
        outbox, base,
    )  # fmt: skip


def _mail(settings: Settings) -> MailSettings:
    return MailSettings(
        settings.mail_host, settings.mail_port, settings.mail_security, settings.mail_user,
        settings.mail_password, settings.mail_sender,
    )  # fmt: skip
