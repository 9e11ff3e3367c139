"""The terms of ODRL 2.2.

Source: ODRL Vocabulary & Expression 2.2, W3C Recommendation of 15 February 2018
(https://www.w3.org/TR/odrl-vocab/): its core vocabulary and, where a policy needs actions and left
operands at all, its common one.
"""

NAMESPACE = "http://www.w3.org/ns/odrl/2/"
CONTEXTS = frozenset({
    "http://www.w3.org/ns/odrl.jsonld", "https://www.w3.org/ns/odrl.jsonld",
    "https://w3id.org/dspace/2025/1/context.jsonld",
})  # fmt: skip
POLICIES = frozenset({
    "Policy", "Set", "Offer", "Agreement", "Assertion", "Privacy", "Request", "Ticket",
})  # fmt: skip
CONFLICTS = frozenset({"perm", "prohibit", "invalid"})
#: Operators that compare one value, and those that take several.
ORDERING = frozenset({"gt", "gteq", "lt", "lteq"})
ONE = ORDERING | {"eq", "neq", "isA", "hasPart", "isPartOf"}
SEVERAL = frozenset({"isAllOf", "isAnyOf", "isNoneOf"})
OPERATORS = ONE | SEVERAL
LOGICAL = frozenset({"and", "or", "xone", "andSequence"})
LEFT_OPERANDS = frozenset({
    "absolutePosition", "absoluteSize", "absoluteSpatialPosition", "absoluteTemporalPosition",
    "count", "dateTime", "delayPeriod", "deliveryChannel", "device", "elapsedTime", "event",
    "fileFormat", "industry", "language", "media", "meteredTime", "payAmount", "percentage",
    "product", "purpose", "recipient", "relativePosition", "relativeSize",
    "relativeSpatialPosition", "relativeTemporalPosition", "resolution", "spatial",
    "spatialCoordinates", "system", "systemDevice", "timeInterval", "unitOfCount", "version",
    "virtualLocation",
})  # fmt: skip
ACTIONS = frozenset({
    "use", "transfer", "acceptTracking", "aggregate", "annotate", "anonymize", "archive",
    "attribute", "compensate", "concurrentUse", "delete", "derive", "digitize", "display",
    "distribute", "ensureExclusivity", "execute", "extract", "give", "grantUse", "include",
    "index", "inform", "install", "modify", "move", "nextPolicy", "obtainConsent", "play",
    "present", "print", "read", "reproduce", "reviewPolicy", "sell", "stream", "synchronize",
    "textToSpeech", "transform", "translate", "uninstall", "watermark",
    "cc:Attribution", "cc:CommericalUse", "cc:DerivativeWorks", "cc:Distribution", "cc:Notice",
    "cc:Reproduction", "cc:ShareAlike", "cc:Sharing", "cc:SourceCode",
})  # fmt: skip
#: Parties of rules; all but the first two come from the common vocabulary.
PARTIES = frozenset({
    "assigner", "assignee", "attributedParty", "attributingParty", "compensatedParty",
    "compensatingParty", "consentedParty", "consentingParty", "contractedParty",
    "contractingParty", "informedParty", "informingParty", "trackedParty", "trackingParty",
})  # fmt: skip


def term(text: str) -> str:
    """A term without ODRL's namespace or prefix; others stay as they are."""
    return text.removeprefix(NAMESPACE).removeprefix("odrl:")
