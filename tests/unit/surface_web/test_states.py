"""How states look: every word of the features' enumerations, and no others."""

import re
from enum import StrEnum

import pytest

from control_plane.billing.model import StatementState
from control_plane.provisioning.campaigns.model import CampaignState, MemberState
from control_plane.provisioning.drift.model import FindingState, LookOutcome
from control_plane.provisioning.drift.pages import DEVIATION, UNDECIDED
from control_plane.provisioning.graph import Op, ResourceState
from control_plane.provisioning.model import DeploymentState, InventoryState, RegionState, Severity
from control_plane.provisioning.playbooks.model import ControlState, HostState, RunState
from control_plane.provisioning.policies.model import WaiverState
from control_plane.provisioning.registry.model import SampleState, SyncOutcome
from control_plane.provisioning.standing import StandingKind
from control_plane.tenancy.migration.model import MigrationState, TargetState
from control_plane.tenancy.model import TenancyState
from foundation.access.model import PrincipalState
from foundation.access.pages import OUTCOMES
from foundation.operations.model import OperationState, StepState
from foundation.operations.pages import DONE, UNDER_WAY
from foundation.surface.web import messages
from foundation.surface.web.states import LOOKS, look
from marketplace.model import Availability, Decision, InstanceState, Maturity, OrderState

ENUMERATIONS: tuple[type[StrEnum], ...] = (
    Availability,
    CampaignState,
    ControlState,
    Decision,
    DeploymentState,
    FindingState,
    HostState,
    InstanceState,
    InventoryState,
    Maturity,
    MemberState,
    MigrationState,
    Op,
    OperationState,
    OrderState,
    PrincipalState,
    RegionState,
    ResourceState,
    RunState,
    SampleState,
    Severity,
    StandingKind,
    StatementState,
    StepState,
    SyncOutcome,
    TenancyState,
    WaiverState,
)


@pytest.mark.parametrize("enumeration", ENUMERATIONS, ids=lambda e: e.__name__)
def test_every_state_has_a_look(enumeration: type[StrEnum]) -> None:
    assert {state.value for state in enumeration} - LOOKS.keys() == set()


def test_no_look_is_left_over() -> None:
    named = {state.value for enumeration in ENUMERATIONS for state in enumeration}
    named |= {f"target_{state.value}" for state in TargetState}
    named |= {*OUTCOMES.values(), *UNDER_WAY.values(), *DONE.values()}
    named |= {UNDECIDED, DEVIATION, *(o.value for o in LookOutcome if o is not LookOutcome.BUSY)}
    for root in ("foundation", "control_plane", "marketplace"):
        for path in (messages.ROOT / root).rglob("*.html"):
            text = path.read_text()
            named |= set(re.findall(r'"([a-z_]+)"\s*\|\s*state', text))
            named |= set(re.findall(r'state="([a-z_]+)"', text))
            for group in re.findall(r"\(([^()]*(?:\([^()]*\))?[^()]*)\)\|state", text):
                named |= set(re.findall(r'"([a-z_]+)"', group))
    assert LOOKS.keys() - named == set()


def test_a_word_that_nobody_knows_is_shown_as_it_is() -> None:
    assert look("half_done").word == "half done"
    assert look(OrderState.IN_APPROVAL).word == "in approval"
