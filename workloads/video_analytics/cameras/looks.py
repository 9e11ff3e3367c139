"""How the state of a camera is shown: always a word with an icon, never a colour alone."""

from flask_babel import gettext
from markupsafe import Markup

from foundation.surface.web.i18n import N_
from foundation.surface.web.show import icon
from foundation.surface.web.states import Look
from workloads.video_analytics.cameras.model import HealthState

LOOKS: dict[HealthState | None, Look] = {
    HealthState.ONLINE: Look(N_("online"), "check_circle", "good"),
    HealthState.LATE: Look(N_("late"), "schedule", "warn"),
    HealthState.DARK: Look(N_("too dark"), "warning", "warn"),
    HealthState.BLURRED: Look(N_("blurred"), "warning", "warn"),
    HealthState.MOVED: Look(N_("moved out of place"), "warning", "warn"),
    HealthState.FROZEN: Look(N_("frozen"), "warning", "warn"),
    HealthState.NO_SIGNAL: Look(N_("no signal"), "error", "bad"),
    HealthState.BROKEN: Look(N_("unreadable"), "error", "bad"),
    HealthState.DEGRADED: Look(N_("watched less closely"), "remove_circle", "warn"),
    HealthState.OFF: Look(N_("off"), "do_not_disturb", "idle"),
    None: Look(N_("not watched yet"), "hourglass_empty", "idle"),
}

#: What workers say of a state, word for word; what FFmpeg and devices say stays as it is.
DETAILS = (
    N_("not connected yet"), N_("played to the end"), N_("fewer frames"), N_("key frames only"),
    N_("health only"), N_("its pictures crashed the decoder"),
    N_("its pictures held up the decoder"), N_("its pictures cannot be decoded"),
    N_("it holds no pictures"), N_("it holds no video"), N_("its codec is not known"),
    N_("the stream has ended"), N_("it leads to an address at which no camera may lie"),
    N_("this system cannot hold connections back (setting confine)"),
    N_("Connection refused"), N_("Connection timed out"), N_("it did not answer in time"),
    N_("Server returned 401 Unauthorized (authorization failed)"),
    N_("Server returned 404 Not Found"), N_("No route to host"), N_("Network is unreachable"),
    N_("Invalid data found when processing input"), N_("Input/output error"),
    N_("End of file"), N_("No such file or directory"),
)  # fmt: skip


def camera_detail(text: str) -> str:
    """What is said of a state, as far as it is known, in the request's language."""
    return "; ".join(str(gettext(part)) if part in DETAILS else part for part in text.split("; "))


def word(state: HealthState | None) -> str:
    """A state in the request's language."""
    return str(gettext(LOOKS[state].word))


def camera_state(state: HealthState | None) -> Markup:
    """A state as word and icon."""
    look = LOOKS[state]
    return Markup('<span class="bo-state bo-state--{}">{}{}</span>').format(
        look.tone, icon(look.icon), word(state)
    )
