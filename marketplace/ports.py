"""What the marketplace needs from outside of itself.

``Provisioner`` and ``Pricing`` are the parts of the features below that it uses: the services
``Provisioning`` and ``Billing`` have these methods, and the fakes of the tests are held to the same
contract as they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from control_plane.billing.model import Estimate as Priced
from control_plane.billing.model import HourlyQuantity, Terms
from control_plane.metering.model import IntakeResult
from control_plane.provisioning.model import (
    Deployment,
    Estimate,
    Finding,
    Plan,
    Region,
    Resource,
    Revision,
)
from control_plane.provisioning.ports import Cancellation, OnEvent
from control_plane.provisioning.standing import Standing
from foundation.kernel.actor import Actor
from foundation.kernel.money import Money
from foundation.kernel.paging import Page, PageRequest
from marketplace.model import (
    Approval,
    Balance,
    Category,
    Contract,
    Fee,
    FeeKey,
    Framework,
    Instance,
    LeadTime,
    LedgerEntry,
    Offering,
    Order,
    OrderPlan,
    Policy,
    Transition,
)


class Provisioner(Protocol):
    """The part of provisioning that orders use."""

    def find_revision(self, reference: str, version: str | None = None) -> Revision:
        """A revision by digest, or the newest of a blueprint by its name.

        Raises:
            NotFound: there is none.
        """
        ...

    def standing_in_transaction(self, blueprint: str) -> Standing:
        """Where a blueprint is in its life; within the open transaction."""
        ...

    def region(self, actor: Actor, reference: str) -> Region:
        """A region by id or slug.

        Raises:
            NotFound: there is none.
        """
        ...

    def check_inputs(
        self, actor: Actor, *, blueprint: str, inputs: Mapping[str, Any], region: str
    ) -> None:
        """Whether a blueprint takes inputs in a region; its program is not run.

        Raises:
            Invalid: names every wrong input.
        """
        ...

    def evaluate(
        self,
        actor: Actor,
        *,
        blueprint: str,
        inputs: Mapping[str, Any],
        region: str,
        version: str | None = None,
        data_class: str = "",
        tenancy: str = "",
    ) -> Estimate:
        """What inputs come to, without asking the region; no transaction is open.

        With a tenancy its waivers count in what policies say.

        Raises:
            Invalid: names every wrong input.
        """
        ...

    def judge_price(
        self, *, tenancy: str, month: Money, deployment: str = ""
    ) -> tuple[Finding, ...]:
        """What policies say of what a service costs a month; within the open transaction."""
        ...

    def make_plan(  # noqa: PLR0913 - provisioning's own
        self,
        *,
        tenancy: str,
        action: str,
        region: str = "",
        blueprint: str = "",
        version: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        deployment: str | None = None,
        name: str = "",
        owner: str = "",
        tags: Mapping[str, str] | None = None,
        like: Plan | None = None,
    ) -> Plan:
        """What an apply would do now, from the region itself; no transaction is open.

        Raises:
            Invalid, Conflict, Unavailable: it cannot be planned.
        """
        ...

    def plan_in_transaction(self, reference: str) -> Plan:
        """A stored plan by id or digest; within the open transaction.

        Raises:
            NotFound: there is none.
        """
        ...

    def apply(
        self,
        plan: str,
        *,
        operation: str,
        digest: str | None = None,
        on_event: OnEvent | None = None,
        cancel: Cancellation | None = None,
    ) -> Deployment:
        """Make what a stored plan shows, its deletions included; no transaction is open.

        Called again by the same operation it completes what was cut off. A deployment that the
        region refused comes back ``failed`` with its ``error``.

        Raises:
            NeedsApproval: something else would be done now; nothing was touched.
        """
        ...

    def discard(self, deployment: str) -> None:
        """Forget a deployment that nothing was ever done for; within the open transaction.

        Raises:
            Conflict: something was done.
        """
        ...

    def deployments(
        self, actor: Actor, request: PageRequest, filters: Mapping[str, str] | None = None
    ) -> Page[Deployment]:
        """Deployments, newest first, by ``owner`` among others."""
        ...

    def deployment_in_transaction(self, deployment_id: str) -> Deployment:
        """One deployment; within the open transaction.

        Raises:
            NotFound: there is none.
        """
        ...

    def imported_in_transaction(self, deployment_id: str) -> Mapping[str, str]:
        """Ids of what a deployment took in that was made by hand, by URN."""
        ...

    def resources(self, actor: Actor, deployment_id: str) -> list[Resource]:
        """What a deployment has in its region, by URN."""
        ...

    def resolve_resources(self, names: Iterable[str]) -> Mapping[str, Resource]:
        """Resources by platform id or physical id, deleted ones too."""
        ...


class Pricing(Protocol):
    """The part of billing that contracts and orders use."""

    def set_terms(self, terms: Terms) -> None:
        """Let a contract's prices hold for an account, in the open transaction."""
        ...

    def estimate(
        self, path: str, hourly: Sequence[HourlyQuantity], at: datetime | None = None
    ) -> Priced:
        """What quantities would cost an organisation.

        Raises:
            Invalid: no contract's terms hold for the organisation at that instant.
        """
        ...


class UsageIntake(Protocol):
    """The part of metering that takes in fees."""

    def ingest(self, actor: Actor, events: Sequence[Any]) -> list[IntakeResult]:
        """Take in CloudEvents, in the open transaction; the same event again changes nothing."""
        ...


class Audit(Protocol):
    """Where every change is written down, in the transaction that makes it."""

    def record(
        self, actor: Actor, action: str, *, subject: str, path: str, details: Mapping[str, Any]
    ) -> None: ...


class Outbox(Protocol):
    """Where is written what others may want to hear of."""

    def publish(self, topic: str, payload: dict[str, Any]) -> str: ...


class CatalogueStore(Protocol):
    """Categories and offerings; every call joins the open transaction."""

    def put_category(self, category: Category) -> None: ...

    def categories(self) -> list[Category]:
        """All, as they stand on the page."""
        ...

    def put_offering(self, offering: Offering) -> None: ...

    def offering(self, slug: str) -> Offering | None: ...

    def offerings(self) -> list[Offering]:
        """All, as they stand on the page: a catalogue is small."""
        ...

    def lead_time(self, offering: str) -> LeadTime:
        """Of the latest orders that made an instance of it."""
        ...

    def active_instances(self, offering: str) -> int: ...


class ProcurementStore(Protocol):
    """Frameworks, contracts and their ledger; every call joins the open transaction."""

    def put_framework(self, framework: Framework) -> None: ...

    def framework(self, number: str, *, lock: bool = False) -> Framework | None: ...

    def frameworks(self) -> list[Framework]: ...

    def called_off(self, framework: str) -> Decimal:
        """The ceilings of all contracts under it together."""
        ...

    def add_contract(self, contract: Contract) -> bool:
        """Keep a new contract; False when its number is taken."""
        ...

    def add_contract_version(self, contract: Contract) -> None: ...

    def contract(self, reference: str, *, lock: bool = False) -> Contract | None:
        """By id or number, in its newest version; locked until the transaction ends if asked."""
        ...

    def contract_versions(self, contract_id: str) -> list[Contract]:
        """From the first to the newest."""
        ...

    def contracts(self, paths: Sequence[str], request: PageRequest) -> Page[Contract]:
        """Those of organisations at or below any of the paths, by number."""
        ...

    def contracts_above(self, path: str) -> list[Contract]:
        """Those that hold for an organisation: its own first, then those above."""
        ...

    def add_entry(self, entry: LedgerEntry) -> bool:
        """Add a line to the ledger; False when its key is there."""
        ...

    def has_entry(self, key: str) -> bool: ...

    def balance(self, contract: Contract) -> Balance: ...

    def entries(self, contract_id: str, request: PageRequest) -> Page[LedgerEntry]:
        """The ledger, newest line first."""
        ...

    def encumbered_by(self, order_id: str) -> Decimal:
        """What an order holds of its contract."""
        ...

    def committed_by(self, instance_id: str) -> Decimal:
        """What a service holds of its contract."""
        ...


class OrderStore(Protocol):
    """Policies, orders and what belongs to them; every call joins the open transaction."""

    def add_policy(self, policy: Policy, by: str, at: datetime) -> bool:
        """Keep a new version; False when it is there."""
        ...

    def policy(self, slug: str, version: int | None = None) -> Policy | None:
        """One version; None is the newest."""
        ...

    def add_order(self, order: Order) -> None: ...

    def order(self, order_id: str, *, lock: bool = False) -> Order | None: ...

    def save_order(self, order: Order) -> None: ...

    def orders(
        self,
        paths: Sequence[str],
        requester_id: str,
        filters: Mapping[str, str],
        request: PageRequest,
    ) -> Page[Order]:
        """Those of organisations at or below any of the paths, newest first.

        Args:
            paths: which organisations.
            requester_id: drafts are only listed for whoever writes them.
            filters: ``state``, ``kind``, ``tenancy_id``, ``offering``, ``instance_id``,
                ``requester_id``.
            request: which part.
        """
        ...

    def lock_name(self, tenancy_id: str, region_id: str, name: str) -> None:
        """Let nobody else declare a service of this name until the transaction ends."""
        ...

    def orders_named(self, tenancy_id: str, region_id: str, name: str) -> list[Order]:
        """Orders of a service by its name that neither took effect nor were taken back.

        Newest first.
        """
        ...

    def open_order(self, instance_id: str) -> Order | None:
        """The order that lays claim to an instance now."""
        ...

    def overdue(self, now: datetime) -> list[str]:
        """Ids of orders in approval whose deadline has passed."""
        ...

    def at_work(self) -> list[Order]:
        """Orders that an operation should be working on."""
        ...

    def add_transition(self, transition: Transition) -> None: ...

    def transitions(self, order_id: str) -> list[Transition]: ...

    def add_order_plan(self, plan: OrderPlan) -> None: ...

    def order_plan(self, plan_id: str) -> OrderPlan | None: ...

    def order_plan_of(self, order_id: str, digest: str) -> OrderPlan | None:
        """The newest of an order with that digest."""
        ...

    def add_approval(self, approval: Approval) -> None: ...

    def approvals(self, order_id: str) -> list[Approval]: ...

    def lapse_approvals(self, order_id: str, digest: str, at: datetime) -> None: ...


class InstanceStore(Protocol):
    """Service instances; every call joins the open transaction."""

    def add_instance(self, instance: Instance) -> bool:
        """Keep a new one; False when its id is there or its name is taken in its place."""
        ...

    def instance(self, instance_id: str, *, lock: bool = False) -> Instance | None: ...

    def instance_named(self, tenancy_id: str, region_id: str, name: str) -> Instance | None:
        """The living one of that name."""
        ...

    def instances_named(self, names: Sequence[str]) -> list[Instance]:
        """Those with these ids or deployments, as far as there are."""
        ...

    def instance_of(self, deployment_id: str) -> Instance | None: ...

    def save_instance(self, instance: Instance) -> None: ...

    def drop_instance(self, instance_id: str) -> None:
        """Forget one for which nothing was made."""
        ...

    def instances(
        self, paths: Sequence[str], filters: Mapping[str, str], request: PageRequest
    ) -> Page[Instance]:
        """Those of organisations at or below any of the paths, newest first."""
        ...


class FeeStore(Protocol):
    """Fees of services; every call joins the open transaction."""

    def add_fees(self, fees: Sequence[Fee]) -> None: ...

    def save_fees(self, fees: Sequence[Fee]) -> None:
        """Keep up to when each was charged, and when it ended."""
        ...

    def running_fees(self, instance_id: str) -> list[Fee]:
        """Those of a service that have no end, locked."""
        ...

    def fees_due(self, until: datetime, limit: int) -> list[Fee]:
        """Some of those that have no end and were not charged until then, locked."""
        ...

    def paid_once(self, instance_id: str) -> Mapping[FeeKey, Decimal]:
        """What was charged once of a service, by what it was for."""
        ...


class MarketplaceStore(
    CatalogueStore, ProcurementStore, OrderStore, InstanceStore, FeeStore, Protocol
):
    """All that the marketplace keeps."""
