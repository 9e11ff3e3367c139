"""Frameworks, contracts and approval policies over HTTP."""

from decimal import Decimal
from typing import Annotated

from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.kernel.errors import NotFound
from foundation.kernel.time import Interval
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    DecimalText,
    Input,
    Instant,
    Line,
    MoneyBody,
    PageOut,
    PageQuery,
    Schema,
    Slug,
    TextBody,
    check_match,
    created,
    current_actor,
    etag,
    idempotent,
    rehearsable,
    requires,
    requires_match,
    use,
    with_etag,
)
from marketplace.model import (
    STANDARD,
    Contract,
    ContractTerms,
    Entry,
    Framework,
    Policy,
    PolicyStep,
    Supplier,
)
from marketplace.service import ContractView, Marketplace

api = ApiBlueprint("procurement", __name__, tag="Contracts")


class TermBody(Schema):
    """Half-open: from ``start`` until before ``end``."""

    start: Instant
    end: Instant | None = None


class SupplierBody(Schema):
    """Who delivers."""

    slug: str
    name: TextBody


class FrameworkBody(Input):
    """A central procurement."""

    name: TextBody
    suppliers: Annotated[list[SupplierBody], Field(min_length=1, max_length=100)]
    lots: Annotated[list[str], Field(min_length=1, max_length=100)]
    term: TermBody
    ceiling: MoneyBody
    price_book: Line

    def value(self, number: str) -> Framework:
        """The feature's value."""
        return Framework(
            number,
            self.name.value(),
            tuple(Supplier(s.slug, s.name.value()) for s in self.suppliers),
            tuple(self.lots),
            Interval(self.term.start, self.term.end),
            self.ceiling.value(),
            self.price_book,
        )


class FrameworkOut(Schema):
    """A central procurement, under which departments call off contracts."""

    number: str
    name: TextBody
    suppliers: list[SupplierBody]
    lots: list[str] = Field(description="Slugs of the categories that it covers.")
    term: TermBody
    ceiling: MoneyBody
    price_book: str


class FrameworksOut(Schema):
    """All frameworks."""

    items: list[FrameworkOut]


class ContractTermsBody(Input):
    """What is agreed."""

    name: TextBody
    term: TermBody
    ceiling: MoneyBody
    service_level: TextBody
    discount: DecimalText = Decimal(0)

    def value(self) -> ContractTerms:
        """The feature's value."""
        return ContractTerms(
            self.name.value(),
            Interval(self.term.start, self.term.end),
            self.ceiling.value(),
            self.service_level.value(),
            self.discount,
        )


class ContractSign(ContractTermsBody):
    """A department's new contract."""

    number: Line
    framework: Line
    organisation: Annotated[str, Field(min_length=1, max_length=400)]


class ContractAmend(ContractTermsBody):
    """A new version of a contract: all of its terms."""

    reason: Line
    effective: Instant | None = Field(None, description="A full hour; null is the next one.")


class BalanceOut(Schema):
    """The sums of the contract's ledger against its ceiling."""

    ceiling: MoneyBody
    encumbered: MoneyBody
    committed: MoneyBody
    remaining: MoneyBody


class ContractVersionOut(Schema):
    """What one version says."""

    version: int
    name: TextBody
    term: TermBody
    ceiling: MoneyBody
    service_level: TextBody
    discount: DecimalText
    effective: Instant
    signed_by: str
    signed_at: Instant
    reason: str


class ContractOut(ContractVersionOut):
    """A department's contract in its newest version, and how its money stands."""

    id: str
    number: str
    framework: str
    organisation_id: str
    path: str
    in_force: bool
    balance: BalanceOut


class ContractDetailOut(ContractOut):
    """A contract with all its versions."""

    versions: list[ContractVersionOut]


class LedgerEntryOut(Schema):
    """One line of a contract's ledger."""

    key: str
    order_id: str
    instance_id: str
    entry: Entry
    encumbered: MoneyBody
    committed: MoneyBody
    at: Instant


class PolicyStepOut(Schema):
    """One approval that an order needs."""

    slug: str
    name: TextBody
    role: str
    organisation: str = Field(description="A path, or department for the contract's.")
    from_monthly: DecimalText | None
    data_classes: list[str]


class PolicyStepBody(Input):
    """One approval that an order needs."""

    slug: Slug
    name: TextBody
    role: Line
    organisation: Annotated[Line, Field(description="A path, or department.")]
    from_monthly: DecimalText | None = None
    data_classes: list[str] = Field([], max_length=10)


class PolicyBody(Input):
    """The next version of the policy."""

    version: Annotated[int, Field(ge=1, le=100_000)]
    name: TextBody
    steps: Annotated[list[PolicyStepBody], Field(min_length=1, max_length=20)]
    deadline_days: Annotated[int, Field(ge=1, le=365)] = 30

    def value(self) -> Policy:
        """The feature's value."""
        return Policy(
            STANDARD,
            self.version,
            self.name.value(),
            tuple(
                PolicyStep(
                    s.slug, s.name.value(), s.role, s.organisation, s.from_monthly,
                    tuple(s.data_classes),
                )
                for s in self.steps
            ),
            self.deadline_days,
        )  # fmt: skip


class PolicyOut(Schema):
    """Who must approve orders, one step after another."""

    slug: str
    version: int
    name: TextBody
    steps: list[PolicyStepOut]
    deadline_days: int


def _version(contract: Contract) -> dict[str, object]:
    terms = contract.terms
    return {
        "version": contract.version,
        "name": terms.name,
        "term": terms.term,
        "ceiling": terms.ceiling,
        "service_level": terms.service_level,
        "discount": terms.discount,
        "effective": contract.effective,
        "signed_by": contract.signed_by,
        "signed_at": contract.signed_at,
        "reason": contract.reason,
    }


def _body(view: ContractView) -> dict[str, object]:
    contract = view.contract
    return {
        **_version(contract),
        "id": contract.id,
        "number": contract.number,
        "framework": contract.framework,
        "organisation_id": contract.organisation_id,
        "path": contract.path,
        "in_force": view.in_force,
        "balance": view.balance,
        "versions": [_version(one) for one in view.versions],
    }


def _tag(contract: Contract) -> str:
    return etag(contract.id, contract.version)


@api.get("/frameworks")
@requires("catalog.view")
@api.output(FrameworksOut)
def list_frameworks() -> Answer:
    """The city's frameworks."""
    return {"items": use(Marketplace).frameworks(current_actor())}


@api.put("/frameworks/<number>")
@requires("contract.manage")
@rehearsable
@api.input(FrameworkBody)
@api.output(FrameworkOut)
def put_framework(number: str, json_data: FrameworkBody) -> Answer:
    """Enter a framework, or change it where no contract contradicts that."""
    return use(Marketplace).define_framework(current_actor(), json_data.value(number))


@api.get("/contracts")
@requires("contract.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[ContractOut])
def list_contracts(query_data: PageQuery) -> Answer:
    """The contracts that you may see, by number."""
    return use(Marketplace).contracts(current_actor(), query_data.page()).map(_body)


@api.post("/contracts")
@requires("contract.manage")
@rehearsable
@idempotent
@api.input(ContractSign)
@api.output(ContractDetailOut, 201)
def sign_contract(json_data: ContractSign) -> ResponseReturnValue:
    """Call off a department's contract under a framework."""
    market, actor = use(Marketplace), current_actor()
    made = market.sign_contract(
        actor,
        number=json_data.number,
        framework=json_data.framework,
        organisation=json_data.organisation,
        terms=json_data.value(),
    )
    body = _body(market.contract(actor, made.id))
    return created(body, f"/api/v1/contracts/{made.id}", _tag(made))


@api.get("/contracts/<id>")
@requires("contract.view")
@api.output(ContractDetailOut)
def get_contract(id: str) -> Answer:  # noqa: A002 - the name in the address
    """One contract by id or number, with its versions and its money."""
    view = use(Marketplace).contract(current_actor(), id)
    return with_etag(_body(view), _tag(view.contract))


@api.put("/contracts/<id>")
@requires("contract.manage")
@rehearsable
@requires_match
@api.input(ContractAmend)
@api.output(ContractDetailOut)
def amend_contract(id: str, json_data: ContractAmend) -> Answer:  # noqa: A002
    """Agree a new version; ending it early is a term that ends earlier."""
    market, actor = use(Marketplace), current_actor()
    check_match(_tag(market.contract(actor, id).contract))
    made = market.amend_contract(
        actor,
        id,
        terms=json_data.value(),
        reason=json_data.reason,
        effective=json_data.effective,
    )
    return with_etag(_body(market.contract(actor, made.id)), _tag(made))


@api.get("/contracts/<id>/ledger")
@requires("contract.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[LedgerEntryOut])
def list_ledger(id: str, query_data: PageQuery) -> Answer:  # noqa: A002
    """What was encumbered, committed and given back, newest first."""
    return use(Marketplace).ledger(current_actor(), id, query_data.page())


@api.get("/approval-policy")
@requires("catalog.view")
@api.output(PolicyOut)
def get_approval_policy() -> Answer:
    """The policy that new orders are under."""
    found = use(Marketplace).approval_policy(current_actor())
    if found is None:
        raise NotFound("no approval policy is set")
    return found


@api.put("/approval-policy")
@requires("catalog.manage")
@rehearsable
@api.input(PolicyBody)
@api.output(PolicyOut)
def set_approval_policy(json_data: PolicyBody) -> Answer:
    """Enter the next version; orders that are planned already keep theirs."""
    return use(Marketplace).set_policy(current_actor(), json_data.value())
