"""The examples of RFC 9901, section 5, with the signatures of their issuer and holder (ES256)."""

from datetime import UTC, datetime

import pytest

from workloads.data_exchange.proofs import jws, sdjwt
from workloads.data_exchange.proofs.keys import ProofError
from workloads.data_exchange.proofs.others import P256PublicKey, key_of
from workloads.data_exchange.proofs.sdjwt import Binding

#: Appendix A.5.
ISSUER = {
    "kty": "EC", "crv": "P-256", "x": "b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ",
    "y": "Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8",
}  # fmt: skip
#: Section 5.1: the JWT, and the disclosures that section 5.2 shows.
SIGNED = (
    "eyJhbGciOiAiRVMyNTYiLCAidHlwIjogImV4YW1wbGUrc2Qtand0In0."
    "eyJfc2QiOiBbIkNyUWU3UzVrcUJBSHQtbk1ZWGdjNmJkdDJTSDVhVFkxc1VfTS1QZ2tq"
    "UEkiLCAiSnpZakg0c3ZsaUgwUjNQeUVNZmVadTZKdDY5dTVxZWhabzdGN0VQWWxTRSIs"
    "ICJQb3JGYnBLdVZ1Nnh5bUphZ3ZrRnNGWEFiUm9jMkpHbEFVQTJCQTRvN2NJIiwgIlRH"
    "ZjRvTGJnd2Q1SlFhSHlLVlFaVTlVZEdFMHc1cnREc3JaemZVYW9tTG8iLCAiWFFfM2tQ"
    "S3QxWHlYN0tBTmtxVlI2eVoyVmE1TnJQSXZQWWJ5TXZSS0JNTSIsICJYekZyendzY002"
    "R242Q0pEYzZ2Vks4QmtNbmZHOHZPU0tmcFBJWmRBZmRFIiwgImdiT3NJNEVkcTJ4Mkt3"
    "LXc1d1BFemFrb2I5aFYxY1JEMEFUTjNvUUw5Sk0iLCAianN1OXlWdWx3UVFsaEZsTV8z"
    "Smx6TWFTRnpnbGhRRzBEcGZheVF3TFVLNCJdLCAiaXNzIjogImh0dHBzOi8vaXNzdWVy"
    "LmV4YW1wbGUuY29tIiwgImlhdCI6IDE2ODMwMDAwMDAsICJleHAiOiAxODgzMDAwMDAw"
    "LCAic3ViIjogInVzZXJfNDIiLCAibmF0aW9uYWxpdGllcyI6IFt7Ii4uLiI6ICJwRm5k"
    "amtaX1ZDem15VGE2VWpsWm8zZGgta284YUlLUWM5RGxHemhhVllvIn0sIHsiLi4uIjog"
    "IjdDZjZKa1B1ZHJ5M2xjYndIZ2VaOGtoQXYxVTFPU2xlclAwVmtCSnJXWjAifV0sICJf"
    "c2RfYWxnIjogInNoYS0yNTYiLCAiY25mIjogeyJqd2siOiB7Imt0eSI6ICJFQyIsICJj"
    "cnYiOiAiUC0yNTYiLCAieCI6ICJUQ0FFUjE5WnZ1M09IRjRqNFc0dmZTVm9ISVAxSUxp"
    "bERsczd2Q2VHZW1jIiwgInkiOiAiWnhqaVdXYlpNUUdIVldLVlE0aGJTSWlyc1ZmdWVj"
    "Q0U2dDRqVDlGMkhaUSJ9fX0."
    "MczwjBFGtzf-6WMT-hIvYbkb11NrV1WMO-jTijpMPNbswNzZ87wY2uHz"
    "-CXo6R04b7jYrpj9mNRAvVssXou1iw"
)
SHOWN = (
    "WyJlbHVWNU9nM2dTTklJOEVZbnN4QV9BIiwgImZhbWlseV9uYW1lIiwgIkRvZSJd",
    (
        "WyJBSngtMDk1VlBycFR0TjRRTU9xUk9BIiwgImFkZHJlc3MiLCB7InN0cmVldF9hZGRyZXNzIjogIjEyMyBNYWluIFN0"
        "IiwgImxvY2FsaXR5IjogIkFueXRvd24iLCAicmVnaW9uIjogIkFueXN0YXRlIiwgImNvdW50cnkiOiAiVVMifV0"
    ),
    "WyIyR0xDNDJzS1F2ZUNmR2ZyeU5STjl3IiwgImdpdmVuX25hbWUiLCAiSm9obiJd",
    "WyJsa2x4RjVqTVlsR1RQVW92TU5JdkNBIiwgIlVTIl0",
)
BINDING = (
    "eyJhbGciOiAiRVMyNTYiLCAidHlwIjogImtiK2p3dCJ9."
    "eyJub25jZSI6ICIxMjM0NTY3ODkwIiwgImF1ZCI6ICJodHRwczovL3ZlcmlmaWVyLmV4YW1wbGUub3JnIiwgImlhdCI6"
    "IDE3NDg1MzcyNDQsICJzZF9oYXNoIjogIjBfQWYtMkItRWhMV1g1eWRoX3cyeHp3bU82aU02NkJfMlFDRWFuSTRmVVki"
    "fQ."
    "T3SIus2OidNl41nmVkTZVCKKhOAX97aOldMyHFiYjHm261eLiJ1YiuONFiMN8QlCmYzDlBLAdPvrXh52KaLgUQ"
)
PRESENTED = "~".join([SIGNED, *SHOWN, BINDING])
WANTED = Binding("1234567890", "https://verifier.example.org")
AT = datetime.fromtimestamp(1748537244, UTC)


@pytest.fixture(autouse=True)
def other_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example is no credential: it says ``example+sd-jwt``, and names no ``vct``."""
    monkeypatch.setattr(sdjwt, "CREDENTIAL", "example+sd-jwt")


def test_the_presentation_of_section_5_holds_as_far_as_its_type() -> None:
    issuer = key_of(ISSUER)
    payload = jws.parse(SIGNED).told_by(issuer, "example+sd-jwt")
    claims = sdjwt.disclosed(payload, SHOWN)
    assert (claims["given_name"], claims["nationalities"]) == ("John", ["US"])
    # All holds but that it is no credential: signatures, disclosures, binding.
    with pytest.raises(ProofError, match="names its type"):
        sdjwt.verified(PRESENTED, issuer, at=AT, binding=WANTED)
    sdjwt.bound(sdjwt.parse(PRESENTED), claims, AT, WANTED)
    for wanted in (Binding("1", WANTED.aud), Binding(WANTED.nonce, "https://other.example")):
        with pytest.raises(ProofError, match="another nonce"):
            sdjwt.bound(sdjwt.parse(PRESENTED), claims, AT, wanted)


@pytest.mark.parametrize("at", [len(SIGNED) - 2, len(SIGNED) - 40, 200])
def test_no_other_signature_holds(at: int) -> None:
    other = "A" if SIGNED[at] != "A" else "B"
    with pytest.raises(ProofError):
        jws.parse(SIGNED[:at] + other + SIGNED[at + 1 :]).told_by(key_of(ISSUER), "example+sd-jwt")


def test_keys_that_are_none() -> None:
    swapped = {**ISSUER, "x": ISSUER["y"]}
    for jwk in (
        {**ISSUER, "d": "secret"}, {**ISSUER, "crv": "P-384"}, swapped, {"kty": "RSA"},
        {**ISSUER, "y": "AA"}, {**ISSUER, "y": None}, {**ISSUER, "use": "enc"},
        {**ISSUER, "alg": "EdDSA"}, {"kty": "oct", "k": ISSUER["x"]},
    ):  # fmt: skip
        with pytest.raises(ProofError):
            key_of(jwk)
    key = key_of(ISSUER)
    assert isinstance(key, P256PublicKey)
    assert not key.verify(b"", b"")
    assert not key.verify(bytes(64), b"")
