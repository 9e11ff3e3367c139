"""ONVIF devices: found, asked, imported as cameras, and turned.

All of this speaks to the outside, so none of it runs inside a transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Conflict, Forbidden, Invalid, Problem
from workloads.video_analytics.cameras.model import Camera, Device, Settings, SourceKind
from workloads.video_analytics.cameras.onvif.model import Found, Preset, Profile, Report
from workloads.video_analytics.cameras.ports import (
    Audit,
    DeviceClient,
    DeviceClients,
    Probes,
)
from workloads.video_analytics.cameras.service import Cameras, SourceWish


@dataclass(frozen=True, slots=True)
class DeviceLogin:
    """A device and how it is entered.

    Attributes:
        address: of its device service, such as ``http://10.1.2.3/onvif/device_service``.
    """

    address: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


class Devices:
    """What is done with ONVIF devices."""

    def __init__(
        self,
        cameras: Cameras,
        clients: DeviceClients,
        probes: Probes,
        db: UnitOfWork,
        audit: Audit,
    ) -> None:
        self._cameras = cameras
        self._clients = clients
        self._probes = probes
        self._db = db
        self._audit = audit

    def discover(self, actor: Actor, host: str = "") -> Sequence[Found]:
        """The devices that answer a probe.

        Args:
            actor: who asks.
            host: ask this one alone; empty asks everybody on the configured interfaces.

        Raises:
            Invalid: the host may not be asked, or no interface is configured.
            Forbidden: the actor manages no cameras.
        """
        self._require(actor)
        self._db.assert_no_transaction()
        return self._probes.probe(host)

    def report(self, actor: Actor, login: DeviceLogin) -> Report:
        """Everything about a device.

        Raises:
            Invalid: the address may not be opened.
            Unavailable: it does not answer.
            Conflict: it refuses, or is no ONVIF device.
            Forbidden: the actor manages no cameras.
        """
        self._require(actor)
        self._db.assert_no_transaction()
        return self._open(login).report()

    def import_profile(
        self, actor: Actor, login: DeviceLogin, token: str, settings: Settings
    ) -> Camera:
        """Enter a profile of a device as a camera; maker and model are the device's if not given.

        Raises:
            Invalid: names every wrong field.
            NotFound: the department is none of the actor's business.
            Unavailable: the device does not answer.
            Conflict: it refuses, or another camera has the code.
        """
        policy.require(actor, "camera.manage", settings.path, "department")
        self._db.assert_no_transaction()
        report = self._open(login).report()
        profile = _profile(report, token)
        told = replace(
            settings,
            vendor=settings.vendor or report.information.manufacturer,
            model=settings.model or report.information.model,
        )
        source = SourceWish(
            SourceKind.RTSP, profile.url, login.username, login.password,
            Device(report.address, profile.token),
        )  # fmt: skip
        return self._cameras.create(actor, told, source)

    def presets(self, actor: Actor, camera_id: str) -> Sequence[Preset]:
        """The kept positions of a camera that turns.

        Raises:
            NotFound: there is none, or none that the actor may know of.
            Unavailable: its device does not answer.
            Conflict: it has no device, or that refuses.
        """
        client, device, _ = self._of(actor, camera_id)
        return client.presets(device.profile)

    def go_to(self, actor: Actor, camera_id: str, preset: str) -> None:
        """Turn a camera to a kept position.

        Raises:
            NotFound: there is none, or none that the actor may know of.
            Unavailable: its device does not answer.
            Conflict: it has no device, or that refuses.
        """
        client, device, camera = self._of(actor, camera_id)
        client.go_to(device.profile, preset)
        with self._db.transaction():
            self._audit.record(
                actor, "camera.turn", subject=camera.id, path=camera.path,
                details={"preset": preset},
            )  # fmt: skip

    def _of(self, actor: Actor, camera_id: str) -> tuple[DeviceClient, Device, Camera]:
        camera, access = self._cameras.access(actor, camera_id)
        self._db.assert_no_transaction()
        if camera.device is None:
            raise Conflict("the camera has no ONVIF device")
        client = self._clients(camera.device.address, access.username, access.password)
        client.clock_offset()  # signs what follows
        return client, camera.device, camera

    def _open(self, login: DeviceLogin) -> DeviceClient:
        return self._clients(login.address, login.username, login.password)

    def _require(self, actor: Actor) -> None:
        if not policy.may_somewhere(actor, "camera.manage"):
            raise Forbidden("this needs the permission camera.manage")


def _profile(report: Report, token: str) -> Profile:
    for one in report.profiles:
        if one.token == token and one.url:
            return one
    raise Invalid([Problem("profile", "is not a profile of the device with a stream")])
