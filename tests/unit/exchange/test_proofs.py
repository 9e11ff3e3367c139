"""Keys, signatures and Merkle trees against the texts that define them."""

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.data_exchange.proofs import jws, merkle
from workloads.data_exchange.proofs.keys import (
    PrivateKey,
    ProofError,
    PublicKey,
    decoded,
    encoded,
)

#: RFC 8037, appendix A.1 to A.3.
SEED = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_key_of_the_standard() -> None:
    key = PrivateKey(decoded(SEED))
    assert encoded(key.public.x) == X
    assert key.kid == THUMBPRINT
    assert SEED not in repr(key)
    # A.4: the signature of the example, over its own header and payload.
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    expected = (
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )
    assert encoded(key.sign(signed)) == expected
    assert key.public.verify(decoded(expected), signed)


#: The order of Ed25519's group (RFC 8032, 5.1).
ORDER = 2**252 + 27742317777372353535851937790883648493


def test_one_signature_has_one_text() -> None:
    """A number that is larger by the order of the group says the same (RFC 8032, 5.1.7)."""
    key = PrivateKey(decoded(SEED))
    made = key.sign(b"text")
    larger = int.from_bytes(made[32:], "little") + ORDER
    assert key.public.verify(made, b"text")
    assert not key.public.verify(made[:32] + larger.to_bytes(32, "little"), b"text")


@pytest.mark.parametrize(
    "x", [bytes([1]) + bytes(31), bytes(32), bytes([0xEC]) + b"\xff" * 30 + b"\x7f"]
)
def test_a_key_of_small_order_signs_nothing(x: bytes) -> None:
    """Under such a key one signature would be that of many texts."""
    for text in (b"", b"one", b"another"):
        assert not PublicKey(x).verify(x + bytes(32), text)
        assert not PublicKey(x).verify(bytes([1]) + bytes(63), text)


@settings(deadline=None)
@given(st.binary(max_size=300), st.binary(min_size=32, max_size=32), st.integers(0, 511))
def test_libsodium_and_openssl_agree(text: bytes, seed: bytes, bit: int) -> None:
    key = PrivateKey(seed)
    made = bytearray(key.sign(text))
    assert key.public.verify(bytes(made), text)
    made[bit // 8] ^= 1 << bit % 8
    assert not key.public.verify(bytes(made), text)
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(key.public.x).verify(bytes(made), text)


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "RSA", "n": "a", "e": "AQAB"},
        {"kty": "OKP", "crv": "X25519", "x": X},
        {"kty": "OKP", "crv": "Ed25519", "x": X[:-2]},
        {"kty": "OKP", "crv": "Ed25519", "x": 7},
        {"kty": "OKP", "crv": "Ed25519", "x": X, "d": SEED},
    ],
)
def test_what_is_no_public_key_is_refused(jwk: dict[str, object]) -> None:
    with pytest.raises(ProofError):
        PublicKey.of_jwk(jwk)


def test_a_signature_is_for_one_purpose_and_one_key() -> None:
    key, other = PrivateKey.generate(), PrivateKey.generate()
    made = jws.sign({"b": 1, "a": "ü"}, key, "example+jws")
    assert jws.parse(made).verify(key.public, "example+jws") == {"a": "ü", "b": 1}
    with pytest.raises(ProofError, match="signed as"):
        jws.parse(made).verify(key.public, "grant+jws")
    with pytest.raises(ProofError, match="not that of the key"):
        jws.parse(made).verify(other.public, "example+jws")


@pytest.mark.parametrize("part", [0, 1, 2])
def test_any_other_character_is_no_signature(part: int) -> None:
    key = PrivateKey.generate()
    made = jws.sign({"a": 1}, key, "t")
    start = sum(len(one) + 1 for one in made.split(".")[:part])
    for at in range(start, start + len(made.split(".")[part])):
        for character in "A_b9":
            changed = made[:at] + character + made[at + 1 :]
            if changed == made:
                continue
            with pytest.raises(ProofError):
                jws.parse(changed).verify(key.public, "t")


@pytest.mark.parametrize(
    "header",
    [
        '{"alg":"none","kid":"%s","typ":"t"}',
        '{"alg":"HS256","kid":"%s","typ":"t"}',
        '{"alg":"EdDSA","kid":"%s","typ":"t","crit":["b64"],"b64":false}',
        '{"alg":"EdDSA","alg":"none","kid":"%s","typ":"t"}',
        '["EdDSA"]',
        "nothing",
    ],
)
def test_headers_that_mean_something_else_are_refused(header: str) -> None:
    key = PrivateKey.generate()
    head = encoded((header % key.kid if "%" in header else header).encode())
    signed = f"{head}.{encoded(b'{}')}"
    with pytest.raises(ProofError):
        jws.parse(f"{signed}.{encoded(key.sign(signed.encode()))}").verify(key.public, "t")


def test_roots_of_certificate_transparency() -> None:
    """The leaves and roots that Certificate Transparency implementations are tested with."""
    leaves = [
        bytes.fromhex(one)
        for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                    "606162636465666768696a6b6c6d6e6f")
    ]  # fmt: skip
    roots = (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
    hashes = [merkle.leaf(one) for one in leaves]
    tree = merkle.Tree()
    assert tree.root == merkle.root([]) == hashlib.sha256().digest()
    for size, expected in enumerate(roots, start=1):
        tree.add(hashes[size - 1])
        assert tree.root.hex() == merkle.root(hashes[:size]).hex() == expected


@given(st.integers(1, 70), st.data())
def test_proofs_hold_and_no_other_does(size: int, data: st.DataObject) -> None:
    leaves = [merkle.leaf(bytes([n])) for n in range(size)]
    top, index = merkle.root(leaves), data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion(leaves, index)
    assert merkle.included(leaves[index], index, size, proof, top)
    assert not merkle.included(merkle.leaf(b"x"), index, size, proof, top)
    assert not merkle.included(leaves[index], index, size, [*proof, top], top)
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        assert not merkle.included(leaves[index], other, size, proof, top)
    first = data.draw(st.integers(1, size))
    before, way = merkle.root(leaves[:first]), merkle.consistency(leaves, first)
    assert merkle.consistent(first, size, way, before, top)
    if first != size:
        assert not merkle.consistent(first, size, way, merkle.leaf(b"y"), top)
        assert not merkle.consistent(first, size, way[:-1], before, top)
    with pytest.raises(IndexError):
        merkle.inclusion(leaves, size)
    with pytest.raises(IndexError):
        merkle.consistency(leaves, size + 1)
