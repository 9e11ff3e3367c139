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


def word(state: HealthState | None) -> str:
    """A state in the request's language."""
    return str(gettext(LOOKS[state].word))


def camera_state(state: HealthState | None) -> Markup:
    """A state as word and icon."""
    look = LOOKS[state]
    return Markup('<span class="bo-state bo-state--{}">{}{}</span>').format(
        look.tone, icon(look.icon), word(state)
    )
