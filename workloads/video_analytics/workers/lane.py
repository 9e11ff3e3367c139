"""A lane: the process that analyses a worker's cameras on one core, beside a decoder of its own.

It knows neither database nor network: frames come from its decoder, findings go to the worker, both
through pipes. When the worker is slow to take them, the lane waits; then the decoder's frames are
replaced by newer ones and counted. So nothing grows but the share of frames that are not seen.
"""

import contextlib
import logging
import math
import os
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2

from workloads.video_analytics.cameras.reach import Reach
from workloads.video_analytics.vision.model import (
    Analyser,
    Analysis,
    CameraView,
    Frame,
    Phase,
    RuleSpec,
    Tier,
)
from workloads.video_analytics.workers import wire
from workloads.video_analytics.workers.lists import Lists
from workloads.video_analytics.workers.model import (
    Feed,
    Governor,
    Pace,
    Ranked,
    Step,
    Strain,
    Watch,
    degradations,
    first_step,
    look,
)
from workloads.video_analytics.workers.reading import Reading, looked_at, write_live
from workloads.video_analytics.workers.watched import Camera, Counted, Shown, Waiting, small_jpeg
from workloads.video_analytics.workers.wire import Header

_log = logging.getLogger("borough.video.lane")
_TICK = 0.25
_PICTURE_SECONDS = 3.0
_HEALTH_SECONDS = 15.0
_STRAIN_SECONDS = 2.0
_LOOKED_SECONDS = 10.0
_STRIKES = 2
_STRIKES_SECONDS = 300.0

Factory = Callable[[CameraView, tuple[RuleSpec, ...], Tier], Analyser]


@dataclass(frozen=True, slots=True)
class LaneOptions:
    """What a lane is told when it begins.

    Attributes:
        analyser: ``module:name`` of what makes the analysis of a camera.
        live: folder of live pictures; empty for none.
        models: folder of the optional models; empty for none.
        decoder: command that begins another decoder (for tests).
        decoder_mb: limit of the decoder's memory; 0 is none.
        before, after: seconds of a clip around the event.
        memory_seconds: how often what is known of a camera is saved.
        calm_seconds: see ``Governor``.
        confine: open nothing of the network where connections cannot be held to their reach.
        opens_per_second: cameras of the network that are connected to; 0 is as many as there are.
    """

    analyser: str = "workloads.video_analytics.workers.analysis:make"
    live: str = ""
    models: str = ""
    decoder: tuple[str, ...] = ()
    decoder_mb: int = 6144
    open_seconds: float = 10.0
    read_seconds: float = 10.0
    first_retry: float = 1.0
    longest_retry: float = 60.0
    before: float = 5.0
    after: float = 5.0
    ring_bytes: int = 4 * 2**20
    memory_seconds: float = 60.0
    calm_seconds: float = 10.0
    degrade: bool = True
    confine: bool = True
    opens_per_second: float = 10.0

    @staticmethod
    def of(value: Mapping[str, Any]) -> "LaneOptions":
        """From JSON."""
        known = {f.name for f in fields(LaneOptions)}
        given = {name: each for name, each in value.items() if name in known}
        return LaneOptions(**{**given, "decoder": tuple(given.get("decoder", ()))})


def _feed(order: Header) -> Feed:
    reach = order.get("reach")
    return Feed(
        order["url"], order["kind"], Pace(order["pace"]), None if reach is None else Reach.of(reach)
    )


class Lane:
    """Analyses cameras until the worker is gone.

    Args:
        inbox: where the worker's orders come from.
        outbox: where findings go.
        options: as the worker says.
    """

    def __init__(self, inbox: int, outbox: int, options: LaneOptions) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._options = options
        self._lists = Lists()
        module, _, name = options.analyser.partition(":")
        found = import_module(module)
        self._make: Factory = getattr(found, name)
        if hasattr(found, "begin"):
            found.begin(options.models, self._lists.of)
        self._reading = Reading(None, options.decoder_mb, options.decoder or None)
        self._cameras: dict[str, Camera] = {}
        self._slots: set[int] = set()
        self._clips: dict[int, tuple[str, list[list[Any]]]] = {}
        self._number = 0
        self._governor = Governor(calm_seconds=options.calm_seconds)
        self._busy = self._cpu = 0.0
        self._ticked = self._strained = self._beaten = time.monotonic()
        self._total = Counted()

    def run(self) -> None:
        """Work until the worker is gone."""
        self._reading.start()
        try:
            while True:
                decoder = self._reading.child
                handles = [self._inbox, *([decoder.handle] if decoder else [])]
                ready = wire.readable(handles, _TICK)
                if self._inbox in ready:
                    message = wire.read(self._inbox)
                    if message is None or message.header["do"] == "end":
                        return
                    self._obey(message.header, message.parts)
                if decoder is not None and decoder.handle in ready:
                    self._listen()
                now = time.monotonic()
                if now - self._ticked >= _TICK:
                    self._ticked = now
                    self._tick(now)
        finally:
            self._reading.close()

    # What the worker says ---------------------------------------------------------------------

    def _obey(self, order: Header, parts: tuple[memoryview, ...]) -> None:
        camera = self._cameras.get(order.get("camera", ""))
        match order["do"]:
            case "watch":
                self._watch(order, bytes(parts[0]) if parts else b"")
            case "change" if camera is not None:
                rules = tuple(wire.rule_in(rule) for rule in order["rules"])
                camera.watch = Watch(
                    camera.watch.camera, camera.watch.feed, Tier(order["tier"]), order["priority"],
                    order["version"], camera.watch.masks, rules,
                )  # fmt: skip
                camera.step = first_step(camera.watch.tier)
                self._strain_again()
                self._turn(camera)
            case "list" | "lists":
                self._lists.take(order, parts)
            case "drop" if camera is not None:
                self._drop(camera, close=order["close"])
            case "drop":
                self._say({"is": "dropped", "camera": order["camera"], "memory": None})
            case _:
                pass  # for a camera that is gone

    def _watch(self, order: Header, memory: bytes) -> None:
        view = wire.view_in(order["view"])
        rules = tuple(wire.rule_in(rule) for rule in order["rules"])
        tier = Tier(order["tier"])
        watch = Watch(
            view.id, _feed(order), tier,
            order["priority"], order["version"], view.masks, rules,
        )  # fmt: skip
        known = self._cameras.pop(view.id, None)
        progress = order.get("progress") or {}
        if known is not None:
            # It is seen otherwise from now on; what this lane knows of it is newer than the store.
            memory, progress = known.analyser.memory(), known.progress()
            self._slots.discard(known.slot)
        slot = next(n for n in range(len(self._slots) + 1) if n not in self._slots)
        self._slots.add(slot)
        camera = Camera(watch, self._make(view, rules, tier), slot)
        camera.recall(memory, progress)
        jitter = random.random()  # noqa: S311
        camera.saved_at = time.monotonic() + jitter * self._options.memory_seconds
        self._cameras[view.id] = camera
        self._strain_again()
        self._open(camera)
        self._tell_health(camera, time.monotonic())

    def _open(self, camera: Camera) -> None:
        watch, options = camera.watch, self._options
        if camera.ended or camera.quarantined_until is not None:
            return
        self._reading.tell({
            "do": "watch", "camera": watch.camera, "url": watch.feed.url, "kind": watch.feed.kind,
            "reach": watch.feed.reach and watch.feed.reach.plain(), "confine": options.confine,
            "pace": watch.feed.pace.value, "slot": camera.slot, "masks": watch.masks,
            "look": asdict(look(watch.tier, camera.step, watch.rules)),
            "open_seconds": options.open_seconds, "read_seconds": options.read_seconds,
            "first_retry": options.first_retry, "longest_retry": options.longest_retry,
            "opens_per_second": options.opens_per_second,
            "position": camera.position, "epoch": camera.epoch,
            "ring_seconds": options.before + options.after + 5, "ring_bytes": options.ring_bytes,
        })  # fmt: skip

    def _drop(self, camera: Camera, *, close: bool) -> None:
        """Watch it no more: its events end, or another worker goes on with what is known of it."""
        name = camera.watch.camera
        self._reading.tell({"do": "drop", "camera": name})
        while camera.waiting:
            self._send(camera.waiting.popleft())
        memory = None
        if close and camera.last_at is not None:
            self._take(camera, None, camera.analyser.close(camera.last_at))
        elif not close:
            memory = camera.analyser.memory()
        header = {
            "is": "dropped", "camera": name, "progress": camera.progress(),
            "memory": None if memory is None else 0,
        }  # fmt: skip
        self._say(header, *([] if memory is None else [memory]))
        self._slots.discard(camera.slot)
        self._cameras.pop(name, None)

    def _turn(self, camera: Camera) -> None:
        """Its rules or its step are others."""
        watch = camera.watch
        self._take(camera, None, camera.change(watch.rules))
        orders = asdict(look(watch.tier, camera.step, watch.rules))
        self._reading.tell({"do": "look", "camera": watch.camera, "look": orders})

    # What the decoder says --------------------------------------------------------------------

    def _listen(self) -> None:  # noqa: C901 - one branch a message
        message = self._reading.hear()
        if message is None:
            self._bury()
            return
        header = message.header
        camera = self._cameras.get(header.get("camera", ""))
        match header["is"]:
            case "frame" if camera is not None:
                began = time.monotonic()
                self._look(camera, header, message.parts)
                self._busy += time.monotonic() - began
            case "state" if camera is not None:
                camera.state = (header["state"], header["detail"])
                if camera.ended:
                    self._save(camera)
                self._tell_health(camera, time.monotonic())
            case "answer" if camera is not None:
                self._answered(camera, header["number"], message.parts)
            case "live" if camera is not None and self._options.live and message.parts:
                with contextlib.suppress(OSError):
                    write_live(Path(self._options.live), header["camera"], message.parts[0])
            case "beat":
                self._reading.beat()
                if header["hung"]:
                    self._bury(set(header["hung"]))
            case _:
                pass  # of a camera that is gone

    def _look(self, camera: Camera, header: Header, parts: tuple[memoryview, ...]) -> None:
        try:
            frame, found = camera.feed(header, parts[0])
        except Exception:  # noqa: BLE001 - one camera's frame must not cost the others theirs
            _log.exception("a frame of camera %s was passed over", camera.watch.camera)
            return
        if camera.state[0] != "online":
            camera.state = ("online", "")
        camera.now.lag = max(camera.now.lag, header["lag"] + time.time() - header["sent"])
        self._take(camera, frame, found)

    def _take(self, camera: Camera, frame: Frame | None, found: Analysis) -> None:
        signals = [one for one in found.signals if one.phase is not Phase.CANDIDATE]
        if not signals and not found.tracks:
            return
        report, parts = camera.report(signals, found.tracks)
        begun = [one for one in signals if one.phase is Phase.ACTIVE]
        if begun and frame is not None:
            number = self._ask(camera, frame.at.timestamp(), None)
            fallback = small_jpeg(frame.colour if frame.colour is not None else frame.luma)
            until = time.monotonic() + _PICTURE_SECONDS
            camera.waiting.append(Waiting(number, until, report, parts, fallback))
            at = frame.at.timestamp()
            clip = self._ask(camera, at - self._options.before, at + self._options.after)
            keys = [[one.rule, one.version, one.key, one.began.isoformat()] for one in begun]
            self._clips[clip] = (camera.watch.camera, keys)
        elif camera.waiting:
            # In their order: what became of an event never comes before its beginning.
            camera.waiting.append(Waiting(-1, math.inf, report, parts, b""))
        else:
            self._say(report, *parts)

    def _ask(self, camera: Camera, since: float, until: float | None) -> int:
        self._number += 1
        seconds = _PICTURE_SECONDS if until is None else until - since + 30
        self._reading.tell({
            "do": "ask", "camera": camera.watch.camera, "number": self._number, "since": since,
            "until": until, "seconds": seconds,
        })  # fmt: skip
        return self._number

    def _answered(self, camera: Camera, number: int, parts: tuple[memoryview, ...]) -> None:
        clip = self._clips.pop(number, None)
        if clip is not None:
            if parts:
                self._say({"is": "clip", "camera": clip[0], "events": clip[1]}, parts[0])
            return
        for waiting in camera.waiting:
            if waiting.number == number:
                waiting.number = -1
                waiting.until = math.inf
                waiting.fallback = bytes(parts[0]) if parts else waiting.fallback
        self._flush(camera, time.monotonic())

    def _flush(self, camera: Camera, now: float) -> None:
        while camera.waiting:
            first = camera.waiting[0]
            if first.number >= 0 and now < first.until:
                return
            self._send(camera.waiting.popleft())

    def _send(self, waiting: Waiting) -> None:
        if waiting.fallback:
            for signal in waiting.report["signals"]:
                if signal["phase"] == Phase.ACTIVE.value:
                    signal["picture"] = len(waiting.parts)
            waiting.parts.append(waiting.fallback)
        self._say(waiting.report, *waiting.parts)

    # When a decoder dies ----------------------------------------------------------------------

    def _bury(self, hung: set[str] | None = None) -> None:
        now = time.monotonic()
        code, found, certain = self._reading.bury(
            lambda: {name: camera.slot for name, camera in self._cameras.items()}
        )
        if hung:
            found, certain = hung & self._cameras.keys(), True
        _log.error(
            "the decoder has ended with %d (%s); cause: %s", code,
            "crashed" if hung is None else "hung", ", ".join(sorted(found)) or "unknown",
        )  # fmt: skip
        for name in found:
            self._strike(self._cameras[name], now, certain=certain, hung=hung is not None)
        self._clips.clear()
        self._reading.start()
        for camera in self._cameras.values():
            for waiting in camera.waiting:
                waiting.number = -1
            self._flush(camera, now)
            self._open(camera)

    def _strike(self, camera: Camera, now: float, *, certain: bool, hung: bool) -> None:
        camera.strikes = [at for at in camera.strikes if now - at < _STRIKES_SECONDS] + [now]
        if not certain and len(camera.strikes) < _STRIKES:
            return
        wait = camera.quarantine.wait(random.random())  # noqa: S311 - jitter
        camera.quarantined_until = now + wait
        what = "its pictures held up the decoder" if hung else "its pictures crashed the decoder"
        camera.state = ("broken", what)
        self._tell_health(camera, now)

    # Time -------------------------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        if self._reading.silent():
            self._bury(set())
        for camera in list(self._cameras.values()):
            self._flush(camera, now)
            if camera.quarantined_until is not None and now >= camera.quarantined_until:
                camera.quarantined_until = None
                self._open(camera)
            if camera.fed and now - camera.saved_at > self._options.memory_seconds:
                self._save(camera)
            if now - camera.told_at > _HEALTH_SECONDS:
                self._tell_health(camera, now)
        if now - self._strained >= _STRAIN_SECONDS:
            self._strain(now)

    def _save(self, camera: Camera) -> None:
        camera.saved_at = time.monotonic()
        camera.fed = False
        self._say(
            {"is": "memory", "camera": camera.watch.camera, "progress": camera.progress()},
            camera.analyser.memory(),
        )

    def _tell_health(self, camera: Camera, now: float) -> None:
        header = camera.health()
        brief = (header["state"], header["detail"], header["tier_now"])
        if brief == camera.told and now - camera.told_at < _HEALTH_SECONDS:
            return
        camera.told, camera.told_at = brief, now
        self._say(header)

    def _strain(self, now: float) -> None:
        seconds = now - self._strained
        self._strained = now
        cameras = list(self._cameras.values())
        live = [c for c in cameras if c.watch.feed.pace is not Pace.FAST and c.state[0] == "online"]
        frames = sum(c.now.frames for c in live)
        dropped = sum(c.now.dropped for c in live)
        lags = sorted(c.now.lag for c in live if c.now.frames)
        lag = lags[int(0.9 * (len(lags) - 1))] if lags else 0.0
        busy, self._busy = self._busy / seconds, 0.0
        strain = Strain(lag, dropped / max(1, frames + dropped), busy)
        possible = self._possible()
        if self._options.degrade:
            self._governor.observe(strain, len(possible), now)
            self._apply(possible[: self._governor.pressure])
        for camera in cameras:
            camera.shown = Shown(camera.now.frames / seconds, camera.now.lag)
            self._tell_health(camera, now)
            camera.now = Counted()
        self._see_who_looks()
        used, before = self._used(), self._cpu
        self._cpu = used
        self._say({
            "is": "beat", "cpu": round(max(0.0, used - before), 4),
            "seen": sum(c.step is first_step(c.watch.tier) for c in live),
            "busy": round(busy, 3), "cameras": len(cameras), "lag": round(lag, 3),
            "degraded": sum(c.step is not first_step(c.watch.tier) for c in cameras),
            "pressure": self._governor.pressure, "possible": len(possible),
            "frames": frames, "dropped": dropped, "seconds": seconds,
            "deaths": self._reading.deaths,
            "decoder": self._reading.child.pid if self._reading.child else 0,
        })  # fmt: skip

    def _used(self) -> float:
        """Seconds of processor of this process and its decoder."""
        return time.process_time() + self._reading.used()

    def _see_who_looks(self) -> None:
        if not self._options.live:
            return
        wanted = looked_at(Path(self._options.live), time.time(), _LOOKED_SECONDS)
        mine = [name for name in wanted if name in self._cameras]
        if mine:
            self._reading.tell({"do": "live", "cameras": mine, "seconds": 2 * _STRAIN_SECONDS})

    def _possible(self) -> list[tuple[str, Step]]:
        return degradations([
            Ranked(name, one.watch.tier, one.watch.priority) for name, one in self._cameras.items()
            if one.watch.feed.pace is not Pace.FAST
        ])  # fmt: skip

    def _strain_again(self) -> None:
        self._apply(self._possible()[: self._governor.pressure])

    def _apply(self, given_up: list[tuple[str, Step]]) -> None:
        steps = dict(given_up)
        for name, camera in self._cameras.items():
            step = steps.get(name, first_step(camera.watch.tier))
            if step is not camera.step:
                camera.step = step
                self._turn(camera)

    def _say(self, header: Header, *parts: bytes | memoryview) -> None:
        wire.write(self._outbox, header, *parts)


def main() -> None:
    """``python -m workloads.video_analytics.workers.lane``; the first message holds the options."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
    # Whatever a library prints must not come between the messages.
    outbox = os.dup(1)
    os.dup2(2, 1)
    cv2.setNumThreads(1)
    first = wire.read(0)
    if first is not None:
        with contextlib.suppress(BrokenPipeError):
            Lane(0, outbox, LaneOptions.of(first.header["options"])).run()


if __name__ == "__main__":
    main()
