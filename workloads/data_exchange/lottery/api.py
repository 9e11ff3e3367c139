"""Lotteries over HTTP."""

from typing import Annotated, Any

from flask import Response
from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    Line,
    PageOut,
    PageQuery,
    Schema,
    TextBody,
    created,
    current_actor,
    idempotent,
    public,
    requires,
    use,
)
from workloads.data_exchange.lottery.drawing import Draws
from workloads.data_exchange.lottery.model import (
    CHANCES_MAX,
    HOURS_MAX,
    PARTIES_MAX,
    PARTIES_MIN,
    POOLS_MAX,
    TEXT_MAX,
    Application,
    Beacon,
    Lottery,
    LotteryState,
    Pool,
    Rules,
    Standing,
    Standstill,
)
from workloads.data_exchange.lottery.service import Lotteries

api = ApiBlueprint("lottery", __name__, tag="Lotteries")

Reference = Annotated[str, Field(min_length=1, max_length=500, description="Id or path.")]
Reason = Annotated[str, Field(min_length=1, max_length=500)]


class PoolBody(Input):
    """So many places for those who apply in it."""

    name: Line
    places: Annotated[int, Field(ge=1, le=5_000_000)]


class BeaconBody(Input):
    """A public source of randomness, and which of its values counts."""

    name: Line
    round: Line


class ScreeningBody(Input):
    """By which scenario of checks applicants are judged."""

    scenario: Line


class LotteryCreate(Input):
    """The rules of a lottery; they are fixed when it is opened."""

    agency: Reference
    name: TextBody
    conditions: Annotated[str, Field(max_length=TEXT_MAX)] = ""
    pools: Annotated[list[PoolBody], Field(min_length=1, max_length=POOLS_MAX)]
    parties: Annotated[
        list[Reference],
        Field(min_length=PARTIES_MIN, max_length=PARTIES_MAX, description="Who commit and reveal."),
    ]
    chances: Annotated[int, Field(ge=1, le=CHANCES_MAX)] = 1
    closes_at: Instant
    reveal_hours: Annotated[int, Field(ge=1, le=HOURS_MAX)] = 24
    beacon: BeaconBody | None = None
    check: Annotated[
        ScreeningBody | None, Field(description="Without one an officer judges applicants.")
    ] = None

    def rules(self) -> Rules:
        """As the service takes them."""
        return Rules(
            self.agency, self.name.value(), self.conditions,
            tuple(Pool(one.name, one.places) for one in self.pools), tuple(self.parties),
            self.chances, self.closes_at, self.reveal_hours,
            Beacon(self.beacon.name, self.beacon.round) if self.beacon else None,
            {"scenario": self.check.scenario} if self.check else None,
        )  # fmt: skip


class ApplicationCreate(Input):
    """Somebody applies; their identifier is turned into a pseudonym and not kept."""

    person: Annotated[str, Field(min_length=1, max_length=100)]
    pool: Line
    chances: Annotated[int, Field(ge=1, le=CHANCES_MAX)] = 1


class JudgementBody(Input):
    """Whether somebody takes part, and why."""

    qualified: bool
    reason: Reason


class ReasonBody(Input):
    """Why."""

    reason: Reason


class WordBody(Input):
    """What a party signed."""

    jws: Annotated[str, Field(min_length=1, max_length=10_000, description="Compact JWS.")]


class BeaconValue(Input):
    """The value that the source published."""

    value: Annotated[str, Field(min_length=1, max_length=500)]


class ApplicationQuery(PageQuery):
    """Which applications."""

    standing: Standing | None = None


class LotteryOut(Schema):
    """A lottery and what is still missing."""

    id: str
    agency: Annotated[str, Field(description="Path of the agency that holds it.")]
    name: TextBody
    state: LotteryState
    rules: dict[str, Any]
    digest: Annotated[str, Field(description="Of the rules.")]
    round: int
    missing_commitments: list[str]
    missing_reveals: list[str]
    reveal_until: Instant | None
    beacon: str
    reason: str
    created_at: Instant


class ApplicationOut(Schema):
    """An application."""

    pseudonym: str
    pool: str
    chances: int
    at: Instant
    standing: Standing
    reason: str
    judged_by: str


class AppliedOut(ApplicationOut):
    """An application and its receipt."""

    receipt: Annotated[str, Field(description="JWS of the exchange, for the applicant to keep.")]
    consent: Annotated[
        str,
        Field(description="The applicant's one-time code of consent to the check; empty for none."),
    ]


class RecordOut(Schema):
    """What is public while a lottery goes on: all that was signed, without the reveals."""

    lottery: str
    state: LotteryState
    rules: dict[str, Any]
    digest: str
    round: int
    opening: str
    commitments: list[str]
    frozen: Annotated[str, Field(description="The signed list; empty before it is frozen.")]
    applications: Annotated[
        list[list[str | int]], Field(description="Pseudonym, pool, chances; once frozen.")
    ]
    reveal_until: Instant | None
    voids: list[str]
    reason: str


class ProofOut(Schema):
    """Where one application stands, and its proof (RFC 9162, 2.1.3)."""

    pseudonym: str
    pool: str
    chances: int
    won: bool
    score: str
    cutoff: str
    index: int
    size: int
    proof: list[str]
    root: str


def _out(one: Lottery, missing: Standstill | None = None) -> dict[str, Any]:
    now = missing or Standstill(one)
    return {
        "id": one.id, "agency": one.path, "name": one.name, "state": one.state,
        "rules": one.rules, "digest": one.digest, "round": one.round,
        "missing_commitments": list(now.missing_commitments if missing else ()),
        "missing_reveals": list(now.missing_reveals if missing else ()),
        "reveal_until": one.reveal_until, "beacon": one.beacon, "reason": one.reason,
        "created_at": one.created_at,
    }  # fmt: skip


def _now(found: Standstill) -> dict[str, Any]:
    return _out(found.lottery, found)


def _applied(one: Application) -> dict[str, Any]:
    return {
        "pseudonym": one.pseudonym, "pool": one.pool, "chances": one.chances, "at": one.at,
        "standing": one.standing, "reason": one.reason, "judged_by": one.judged_by,
    }  # fmt: skip


@api.get("/lotteries")
@requires("lottery.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[LotteryOut])
def list_lotteries(query_data: PageQuery) -> Answer:
    """All lotteries, newest first; drafts only of your agencies."""
    found = use(Lotteries).lotteries(current_actor(), query_data.page())
    return Page(tuple(_out(one) for one in found.items), found.next)


@api.post("/lotteries")
@requires("lottery.manage")
@idempotent
@api.input(LotteryCreate)
@api.output(LotteryOut, 201)
def create_lottery(json_data: LotteryCreate) -> ResponseReturnValue:
    """Draft a lottery."""
    made = use(Lotteries).create(current_actor(), json_data.rules())
    return created(_out(made), f"/api/v1/lotteries/{made.id}")


@api.get("/lotteries/<lottery_id>")
@requires("lottery.view")
@api.output(LotteryOut)
def get_lottery(lottery_id: str) -> Answer:
    """One lottery, and which commitments and reveals are missing."""
    return _now(use(Lotteries).lottery(current_actor(), lottery_id))


@api.post("/lotteries/<lottery_id>/open")
@requires("lottery.manage")
@api.output(LotteryOut)
def open_lottery(lottery_id: str) -> Answer:
    """Fix the rules in public; applications and commitments are taken from now on."""
    return _out(use(Lotteries).open(current_actor(), lottery_id))


@api.post("/lotteries/<lottery_id>/freeze")
@requires("lottery.manage")
@api.output(LotteryOut)
def freeze_lottery(lottery_id: str) -> Answer:
    """Fix the list of those who take part; the parties reveal from now on."""
    return _out(use(Lotteries).freeze(current_actor(), lottery_id))


@api.post("/lotteries/<lottery_id>/abort")
@requires("lottery.manage")
@api.input(ReasonBody)
@api.output(LotteryOut)
def abort_lottery(lottery_id: str, json_data: ReasonBody) -> Answer:
    """End it without a draw, in public."""
    return _out(use(Lotteries).abort(current_actor(), lottery_id, reason=json_data.reason))


@api.post("/lotteries/<lottery_id>/beacon")
@requires("lottery.manage")
@api.input(BeaconValue)
@api.output(LotteryOut)
def draw_lottery(lottery_id: str, json_data: BeaconValue) -> Answer:
    """Draw with the value of the beacon that the rules name, when all have revealed."""
    return _now(use(Draws).give_beacon(current_actor(), lottery_id, json_data.value))


@api.get("/lotteries/<lottery_id>/applications")
@requires("lottery.judge")
@api.input(ApplicationQuery, location="query")
@api.output(PageOut[ApplicationOut])
def list_applications(lottery_id: str, query_data: ApplicationQuery) -> Answer:
    """The applications, by pseudonym."""
    found = use(Lotteries).applications(
        current_actor(), lottery_id, query_data.standing, query_data.page()
    )
    return Page(tuple(_applied(one) for one in found.items), found.next)


@api.post("/lotteries/<lottery_id>/applications")
@requires("lottery.apply")
@idempotent
@api.input(ApplicationCreate)
@api.output(AppliedOut, 201)
def apply_for(lottery_id: str, json_data: ApplicationCreate) -> ResponseReturnValue:
    """Take a person's application; answers the pseudonym and the applicant's receipt."""
    made, receipt = use(Lotteries).apply(
        current_actor(), lottery_id, person=json_data.person, pool=json_data.pool,
        chances=json_data.chances,
    )  # fmt: skip
    where = f"/api/v1/lotteries/{lottery_id}/proofs/{made.pseudonym}"
    body = {**_applied(made), "receipt": receipt, "consent": made.consent}
    return created(body, where)


@api.post("/lotteries/<lottery_id>/applications/<pseudonym>/judge")
@requires("lottery.judge")
@api.input(JudgementBody)
@api.output(ApplicationOut)
def judge_application(lottery_id: str, pseudonym: str, json_data: JudgementBody) -> Answer:
    """Say whether somebody takes part, and why; until the list is frozen."""
    made = use(Lotteries).judge(
        current_actor(), lottery_id, pseudonym, qualified=json_data.qualified,
        reason=json_data.reason,
    )  # fmt: skip
    return _applied(made)


@api.post("/lotteries/<lottery_id>/commitments")
@requires("lottery.take_part")
@api.input(WordBody)
@api.output(LotteryOut)
def commit_to_lottery(lottery_id: str, json_data: WordBody) -> Answer:
    """Hand in a party's commitment (exchange-lottery-commitment+jws)."""
    return _now(use(Draws).commit(current_actor(), lottery_id, json_data.jws))


@api.post("/lotteries/<lottery_id>/reveals")
@requires("lottery.take_part")
@api.input(WordBody)
@api.output(LotteryOut)
def reveal_to_lottery(lottery_id: str, json_data: WordBody) -> Answer:
    """Hand in what a party committed to (exchange-lottery-reveal+jws); the last one draws."""
    return _now(use(Draws).reveal(current_actor(), lottery_id, json_data.jws))


@api.get("/lotteries/<lottery_id>/record")
@public
@api.output(RecordOut)
def get_record(lottery_id: str) -> Answer:
    """What is public while a lottery goes on; also what a party looks at before it reveals."""
    return use(Draws).record(lottery_id)


@api.get("/lotteries/<lottery_id>/bundle")
@public
def get_bundle(lottery_id: str) -> Response:
    """The bundle of a drawn lottery, from which anybody recomputes it."""
    data = use(Draws).bundle(lottery_id)
    name = f'attachment; filename="{lottery_id}.json"'
    return Response(data, mimetype="application/json", headers={"Content-Disposition": name})


@api.get("/lotteries/<lottery_id>/proofs/<pseudonym>")
@public
@api.output(ProofOut)
def get_proof(lottery_id: str, pseudonym: str) -> Answer:
    """Where one application stands in a drawn lottery."""
    found = use(Draws).proof(lottery_id, pseudonym)
    return {
        "pseudonym": found.entry.pseudonym, "pool": found.entry.pool,
        "chances": found.entry.chances, "won": found.won, "score": found.score,
        "cutoff": found.cutoff, "index": found.index, "size": found.size,
        "proof": list(found.proof), "root": found.root,
    }  # fmt: skip
