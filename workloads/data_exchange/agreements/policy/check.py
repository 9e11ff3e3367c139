"""Whether a policy keeps to the information model of ODRL.

Source: ODRL Information Model 2.2, W3C Recommendation of 15 February 2018
(https://www.w3.org/TR/odrl-model/), sections 2.1 to 2.7, and the shapes of its working group
(w3c/poe, semantics/shacl/shapesv2.ttl); every cardinality of the two is here. Policies are read as
JSON-LD in the terms of ODRL's context. What neither ODRL nor a profile that the policy names and we
know defines is refused: a system that does not understand a profile must not go on (2.1).

Rules are atomic: one action and one target each (2.7.2 says how to come to that). Parties, target
and action may stand at the policy and then hold for each rule without its own (2.7.1).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from foundation.kernel.errors import Collector
from workloads.data_exchange.agreements.policy import vocabulary as odrl
from workloads.data_exchange.agreements.policy.vocabulary import term

#: How deep rules may hang below each other, and how many of a kind may stand side by side.
DEPTH = 4
MOST = 1000
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`\x00-\x20]+")
_KINDS = {"permission": "duty", "prohibition": "remedy", "obligation": "consequence"}
_TYPES = {"permission": "Permission", "prohibition": "Prohibition"}
_SHARED = ("target", "action", "assigner", "assignee")
_CONSTRAINT = frozenset({
    "uid", "leftOperand", "operator", "rightOperand", "rightOperandReference", "dataType", "unit",
    "status",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profile:
    """What a profile adds to ODRL.

    Attributes:
        iri: its name.
        left_operand: whether it defines a left operand.
        actions: that it defines.
    """

    iri: str
    left_operand: Callable[[str], bool]
    actions: frozenset[str] = frozenset()


def check(policy: object, *profiles: Profile) -> None:
    """Refuse what is no ODRL policy.

    Args:
        policy: JSON.
        profiles: those that the caller understands.

    Raises:
        Invalid: names every wrong field.
    """
    found = _Check({one.iri: one for one in profiles})
    found.policy(policy)
    found.wrong.finish()


class _Check:
    def __init__(self, known: Mapping[str, Profile]) -> None:
        self.wrong = Collector()
        self._known = known
        self._used: list[Profile] = []

    def policy(self, given: object) -> None:
        policy = self._object(given, "", "must be a JSON object")
        if policy is None:
            return
        self._context(policy.get("@context"))
        kind = term(str(policy.get("@type", "")))
        self.wrong.check(kind in odrl.POLICIES, "@type", "is no class of policies", "unknown")
        self._iri(policy.get("uid"), "uid")
        self._profiles(policy)
        if "conflict" in policy:
            self.wrong.check(
                self._name(policy["conflict"]) in odrl.CONFLICTS,
                "conflict",
                "must be perm, prohibit or invalid",
                "unknown",
            )
        for n, one in self._several(policy, "inheritFrom"):
            self._iri(one, n)
        shared = {name for name in _SHARED if name in policy}
        self._ends(policy, "")
        rules = [(name, at, rule) for name in _KINDS for at, rule in self._several(policy, name)]
        self.wrong.check(
            rules, "permission", "or prohibition or obligation is required", "required"
        )
        needs = {"Agreement": {"assigner", "assignee"}, "Offer": {"assigner"}}.get(kind, set())
        for name, at, rule in rules:
            self._rule(rule, at, name, needs - shared, shared, 1)
        self._only(
            policy, "", {"@context", "@type", "uid", "profile", "conflict", "inheritFrom",
                         *_KINDS, *_SHARED, *odrl.PARTIES},
        )  # fmt: skip

    def _context(self, given: object) -> None:
        several = given if isinstance(given, list) else [given]
        self.wrong.check(
            any(isinstance(one, str) and one in odrl.CONTEXTS for one in several),
            "@context",
            "must hold http://www.w3.org/ns/odrl.jsonld",
        )

    def _profiles(self, policy: Mapping[str, Any]) -> None:
        for at, one in self._several(policy, "profile"):
            if self._iri(one, at):
                profile = self._known.get(self._name(one))
                if self.wrong.check(
                    profile is not None, at, "is a profile that is not understood", "unknown"
                ):
                    assert profile is not None  # noqa: S101 - checked
                    self._used.append(profile)

    def _rule(
        self, given: object, at: str, name: str, needs: set[str], shared: set[str], depth: int
    ) -> None:
        rule = self._object(given, at, "must be a rule")
        if rule is None:
            return
        duty = name not in _TYPES
        kind = _TYPES.get(name, "Duty")
        if "@type" in rule:
            self.wrong.check(term(str(rule["@type"])) == kind, f"{at}.@type", f"must be {kind}")
        if "uid" in rule:
            self._iri(rule["uid"], f"{at}.uid")
        required = {"action"} if duty else {"action", "target"}
        for part in sorted((required - shared) | needs):
            self.wrong.check(part in rule, f"{at}.{part}", "is required", "required")
        self._ends(rule, at)
        for where, one in self._several(rule, "constraint", at):
            self._constraint(one, where)
        # What follows when it is not kept; a remedy has no consequence of its own (2.6.7).
        below = {"permission": "duty", "prohibition": "remedy"}.get(name, "consequence")
        for where, one in self._several(rule, below, at):
            deep = name == "remedy" or depth >= DEPTH
            if self.wrong.check(not deep, where, "has no place here, or lies too deep"):
                self._rule(one, where, below, set(), shared, depth + 1)
        self._only(
            rule,
            at,
            {"@type", "uid", "constraint", *_SHARED, *odrl.PARTIES, below},
        )

    def _ends(self, rule: Mapping[str, Any], at: str) -> None:
        """Action, target and parties, of a rule or of all rules of a policy."""
        dot = f"{at}." if at else ""
        if "action" in rule:
            self._action(rule["action"], f"{dot}action")
        if "target" in rule:
            self._thing(rule["target"], f"{dot}target", "Asset")
        for name in sorted(odrl.PARTIES & set(rule)):
            self._thing(rule[name], f"{dot}{name}", "Party")

    def _action(self, given: object, at: str) -> None:
        one = self._single(given, at)
        if isinstance(one, Mapping) and ("rdf:value" in one or "refinement" in one):
            self._action_name(one.get("rdf:value"), f"{at}.rdf:value")
            refined = self._several(one, "refinement", at)
            self.wrong.check(refined, f"{at}.refinement", "is required", "required")
            for where, constraint in refined:
                self._constraint(constraint, where)
            self._only(one, at, {"rdf:value", "refinement"})
        else:
            self._action_name(one, at)

    def _action_name(self, given: object, at: str) -> None:
        name = self._name(given)
        own = any(name in profile.actions for profile in self._used)
        self.wrong.check(
            name in odrl.ACTIONS or own, at, "is no action of ODRL or the profile", "unknown"
        )

    def _thing(self, given: object, at: str, kind: str) -> None:
        """An asset or a party, or a collection of them, which refinements make smaller (2.2.2)."""
        one = self._single(given, at)
        if isinstance(one, str) or (isinstance(one, Mapping) and set(one) == {"@id"}):
            self._iri(one, at)
            return
        thing = self._object(one, at, f"must be an IRI or a {kind}")
        if thing is None:
            return
        named = term(str(thing.get("@type", kind)))
        self.wrong.check(
            named in {kind, f"{kind}Collection"},
            f"{at}.@type",
            f"must be {kind} or {kind}Collection",
        )
        refined = self._several(thing, "refinement", at)
        if refined or "source" in thing:
            self.wrong.check(
                named == f"{kind}Collection", f"{at}.@type", "must be a collection to be refined"
            )
            self._iri(thing.get("source"), f"{at}.source")
            self.wrong.check(refined, f"{at}.refinement", "is required beside source", "required")
            self.wrong.check("uid" not in thing, f"{at}.uid", "does not stand beside source")
        else:
            self._iri(thing.get("uid"), f"{at}.uid")
        for where, constraint in refined:
            self._constraint(constraint, where)
        for name in ("partOf", "hasPolicy"):
            for where, iri in self._several(thing, name, at):
                self._iri(iri, where)
        self._only(thing, at, {"@type", "uid", "source", "refinement", "partOf", "hasPolicy"})

    def _constraint(self, given: object, at: str) -> None:
        one = self._object(given, at, "must be a constraint")
        if one is None:
            return
        logical = sorted(odrl.LOGICAL & set(one))
        if logical:
            self._logical(one, logical, at)
            return
        if "@type" in one:
            self.wrong.check(
                term(str(one["@type"])) == "Constraint", f"{at}.@type", "must be Constraint"
            )
        if "uid" in one:
            self._iri(one["uid"], f"{at}.uid")
        name = self._name(one.get("leftOperand"))
        own = any(profile.left_operand(name) for profile in self._used)
        self.wrong.check(
            name in odrl.LEFT_OPERANDS or own,
            f"{at}.leftOperand",
            "is no left operand of ODRL or the profile",
            "unknown",
        )
        operator = self._name(one.get("operator"))
        self.wrong.check(
            operator in odrl.OPERATORS, f"{at}.operator", "is no operator of ODRL", "unknown"
        )
        self._right(one, operator, at)
        for part in ("dataType", "unit"):
            if part in one:
                self._iri(one[part], f"{at}.{part}")
        self._only(one, at, {"@type", *_CONSTRAINT})

    def _right(self, one: Mapping[str, Any], operator: str, at: str) -> None:
        given = [part for part in ("rightOperand", "rightOperandReference") if part in one]
        if not self.wrong.check(
            len(given) == 1, f"{at}.rightOperand", "or rightOperandReference is required, not both"
        ):
            return
        value, where = one[given[0]], f"{at}.{given[0]}"
        if isinstance(value, Mapping) and set(value) == {"@list"}:
            value = value["@list"]
        several = isinstance(value, list)
        if several and operator in odrl.ONE:
            self.wrong.check(False, where, f"must be one value for {operator}")
        values = value if isinstance(value, list) else [value]
        self.wrong.check(0 < len(values) <= MOST, where, f"must be 1 to {MOST} values")
        for n, operand in enumerate(values[:MOST]):
            place = f"{where}.{n}" if several else where
            if given[0] == "rightOperandReference":
                self._iri(operand, place)
            else:
                self._value(operand, place)

    def _value(self, given: object, at: str) -> None:
        if isinstance(given, Mapping):
            keys = set(given)
            if keys == {"@id"}:
                self._iri(given, at)
                return
            plain = keys <= {"@value", "@type", "@language"} and "@value" in keys
            self.wrong.check(plain, at, "must be a value, {@id} or {@value, @type}")
            given = given.get("@value")
        self.wrong.check(
            isinstance(given, str | int | float | bool),
            at,
            "must be a value, {@id} or {@value, @type}",
        )

    def _logical(self, one: Mapping[str, Any], names: list[str], at: str) -> None:
        self.wrong.check(len(names) == 1, at, "has one logical operand", "several")
        value = one[names[0]]
        if isinstance(value, Mapping) and set(value) == {"@list"}:
            value = value["@list"]
        listed = value if isinstance(value, list) else [value]
        self.wrong.check(0 < len(listed) <= MOST, f"{at}.{names[0]}", "must hold constraints")
        for n, operand in enumerate(listed[:MOST]):
            where = f"{at}.{names[0]}.{n}"
            # Operands are constraints, not logical ones again (2.5.2).
            if isinstance(operand, Mapping) and odrl.LOGICAL & set(operand):
                self.wrong.check(False, where, "must be a constraint, not a logical one")
            elif isinstance(operand, str):
                self._iri(operand, where)
            else:
                self._constraint(operand, where)
        self._only(one, at, {"@type", "uid", *names})

    def _only(self, one: Mapping[str, Any], at: str, known: set[str]) -> None:
        """What ODRL does not define must carry the prefix of who does."""
        for name in sorted(map(str, one)):
            self.wrong.check(
                name in known or (":" in name and not name.startswith("odrl:")),
                f"{at}.{name}" if at else name,
                "is no property that ODRL has here",
                "unknown",
            )

    def _several(self, of: Mapping[str, Any], name: str, at: str = "") -> list[tuple[str, Any]]:
        where = f"{at}.{name}" if at else name
        if name not in of:
            return []
        value = of[name]
        if not isinstance(value, list):
            return [(where, value)]
        self.wrong.check(0 < len(value) <= MOST, where, f"must be 1 to {MOST} of them")
        return [(f"{where}.{n}", one) for n, one in enumerate(value[:MOST])]

    def _single(self, given: object, at: str) -> object:
        if not isinstance(given, list):
            return given
        self.wrong.check(len(given) == 1, at, "must be one: write a rule for each", "several")
        return given[0] if given else None

    def _object(self, given: object, at: str, message: str) -> Mapping[str, Any] | None:
        if not isinstance(given, Mapping):
            self.wrong.check(False, at or "policy", message)
            return None
        found: dict[str, Any] = {}
        for name, value in given.items():
            short = {"type": "@type", "@id": "uid", "id": "uid"}.get(term(name), term(name))
            self.wrong.check(
                short not in found, f"{at}.{name}" if at else name, "is said twice", "twice"
            )
            found[short] = value
        return found

    def _name(self, given: object) -> str:
        if isinstance(given, Mapping) and set(given) == {"@id"}:
            given = given["@id"]
        return term(given) if isinstance(given, str) else ""

    def _iri(self, given: object, at: str) -> bool:
        if isinstance(given, Mapping) and set(given) == {"@id"}:
            given = given["@id"]
        return self.wrong.check(
            isinstance(given, str) and _IRI.fullmatch(given), at, "must be an IRI"
        )
