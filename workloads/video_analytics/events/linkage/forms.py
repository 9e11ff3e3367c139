"""The form of a linkage rule: drawn, and read."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from flask_babel import gettext
from werkzeug.datastructures import MultiDict

from foundation.kernel.errors import Collector, Invalid, Problem
from foundation.surface.web.forms import Field, Form, Option
from workloads.video_analytics.events import looks
from workloads.video_analytics.events.linkage.model import (
    ACTIONS_MAX,
    Action,
    ActionKind,
    Linkage,
)
from workloads.video_analytics.events.model import Severity
from workloads.video_analytics.events.notification.model import Hours, Matching
from workloads.video_analytics.vision.model import RuleKind

T = TypeVar("T")
#: So many places for actions are drawn, and one more than there are.
_PLACES = 3
_HAS = {
    ActionKind.WEBHOOK: ("receiver",),
    ActionKind.PTZ: ("camera", "preset"),
    ActionKind.INCIDENT: ("title",),
}

Sent = MultiDict[str, str]


class Wish:
    """What was sent.

    Raises:
        Invalid: a field that is none.
    """

    def __init__(self, sent: Sent) -> None:
        found = Collector()
        pause = sent.get("pause_seconds", "60").strip()
        found.check(pause.isdecimal() and len(pause) <= 6, "pause_seconds", "must be 0 to 86400")  # noqa: PLR2004
        found.finish()
        self.path = sent.get("path", "")
        self.name = sent.get("name", "")
        self.pause = int(pause)
        hours = None
        if sent.get("start") or sent.get("end"):
            given = {n: sent.get(n) for n in ("start", "end", "timezone") if sent.get(n)}
            hours = Hours.parse(given, "hours")
        self.when = Matching(
            _chosen(RuleKind, sent.getlist("kinds")), _chosen(Severity, sent.getlist("severities")),
            tuple(sent.getlist("rules")), tuple(sent.getlist("cameras")), hours,
        )  # fmt: skip
        #: The places of the form that hold an action.
        self.places = [n for n in range(ACTIONS_MAX) if sent.get(f"then.{n}.kind")]
        self.then = [_action(sent, n) for n in self.places]

    def placed(self, problems: Iterable[Problem]) -> list[Problem]:
        """Problems of actions where the form has them; of hours at their beginning."""
        return [Problem(self._field(one.field), one.message, one.code) for one in problems]

    def _field(self, name: str) -> str:
        if name.startswith(("hours", "when.hours")):
            return "start"
        if name == "then":
            return "then.0.kind"
        parts = name.split(".")
        if parts[0] == "then" and len(parts) > 1 and int(parts[1]) < len(self.places):
            parts[1] = str(self.places[int(parts[1])])
        return ".".join(parts)


def _action(sent: Sent, n: int) -> Action:
    """The action of a place; of its fields those that its kind has."""
    kind = next((one for one in ActionKind if one == sent.get(f"then.{n}.kind")), None)
    if kind is None:
        raise Invalid([Problem(f"then.{n}.kind", "is not an action")])
    values = {name: sent.get(f"then.{n}.{name}", "").strip() for name in _HAS[kind]}
    return Action(kind, **values)


def _chosen(kinds: Iterable[T], given: Sequence[str]) -> tuple[T, ...]:
    return tuple(one for one in kinds if str(one) in given)


def values_of(linkage: Linkage | None) -> Sent:
    """A rule as its form sends it."""
    if linkage is None:
        return MultiDict({"pause_seconds": "60"})
    hours = linkage.when.hours
    pairs: list[tuple[str, Any]] = [
        ("path", linkage.path), ("name", linkage.name),
        ("pause_seconds", str(linkage.pause_seconds)),
        *(("kinds", str(one)) for one in linkage.when.kinds),
        *(("severities", str(one)) for one in linkage.when.severities),
        *(("rules", one) for one in linkage.when.rules),
        *(("cameras", one) for one in linkage.when.cameras),
    ]  # fmt: skip
    if hours is not None:
        pairs += [
            ("start", f"{hours.start:%H:%M}"),
            ("end", f"{hours.end:%H:%M}"),
            ("timezone", hours.timezone),
        ]
    for n, action in enumerate(linkage.then):
        pairs += [
            (f"then.{n}.{name}", str(getattr(action, name)))
            for name in ("kind", "receiver", "camera", "preset", "title")
        ]
    return MultiDict(pairs)


class Drawn:
    """The form in its parts: the rule, when it acts, and a form for each action.

    Args:
        sent: values, as sent or of the rule.
        problems: what is wrong with them.
        places, receivers, cameras: what may be chosen: departments, receivers and cameras.
        kept: the department stays what it is.
    """

    def __init__(
        self, sent: Sent, problems: Sequence[Problem], *, places: Sequence[Option],
        receivers: Sequence[Option], cameras: Sequence[Option], kept: bool,
    ) -> None:  # fmt: skip
        kinds = tuple(Option(str(k), looks.kind_word(k)) for k in RuleKind)
        grave = tuple(Option(str(s), looks.word("severity", s)) for s in Severity)
        first = [] if kept else [
            Field("path", gettext("Department"), "select", sent.get("path", ""), required=True,
                  options=tuple(places), help=gettext("Events of it and below are meant.")),
        ]  # fmt: skip
        own = [
            *first,
            Field("name", gettext("Name"), value=sent.get("name", ""), required=True,
                  max_length=200),
            Field("kinds", gettext("Only these kinds"), "checkboxes", sent.getlist("kinds"),
                  options=kinds),
            Field("severities", gettext("Only these severities"), "checkboxes",
                  sent.getlist("severities"), options=grave),
            Field("cameras", gettext("Only these cameras"), "checkboxes", sent.getlist("cameras"),
                  options=tuple(cameras)),
            Field("start", gettext("Only from (HH:MM)"), value=sent.get("start", "")),
            Field("end", gettext("until (HH:MM)"), value=sent.get("end", "")),
            Field("pause_seconds", gettext("Pause for the same camera"), "number",
                  sent.get("pause_seconds", ""), required=True, minimum=0, maximum=86400,
                  unit="s"),
        ]  # fmt: skip
        used = [n for n in range(ACTIONS_MAX) if sent.get(f"then.{n}.kind")]
        count = min(ACTIONS_MAX, max(_PLACES, max(used, default=-1) + 2))
        actions = [_fields(sent, n, receivers, cameras) for n in range(count)]
        self.form = Form.of([*own, *(one for fields in actions for one in fields)], problems)
        self.own = self.form.fields[: len(own)]
        each = len(actions[0])
        self.actions = [
            self.form.fields[len(own) + n * each : len(own) + (n + 1) * each] for n in range(count)
        ]


def _fields(
    sent: Sent, n: int, receivers: Sequence[Option], cameras: Sequence[Option]
) -> list[Field]:
    nothing = Option("", gettext("nothing"))

    def at(name: str) -> tuple[str, str]:
        return f"then.{n}.{name}", sent.get(f"then.{n}.{name}", "")

    (kind, chosen), (receiver, who), (camera, which) = at("kind"), at("receiver"), at("camera")
    (preset, where), (title, words) = at("preset"), at("title")
    return [
        Field(kind, gettext("Do this"), "select", chosen, options=(
            nothing, Option("incident", gettext("open an incident")),
            Option("webhook", gettext("tell a receiver")),
            Option("ptz", gettext("turn a camera")),
        )),
        Field(title, gettext("Title of the incident"), value=words, max_length=200,
              help=gettext("Empty: the event's.")),
        Field(receiver, gettext("Receiver"), "select", who, options=(nothing, *receivers)),
        Field(camera, gettext("Camera"), "select", which, options=(nothing, *cameras)),
        Field(preset, gettext("Kept position"), value=where, max_length=64,
              help=gettext("The token of the preset.")),
    ]  # fmt: skip
