import pytest
import yaml

from foundation.kernel import yaml_text


def test_a_document_is_read() -> None:
    text = "a: [1, 2]\nb: {c: 2026-01-31, d: 'x'}\n"
    assert yaml_text.read(text) == yaml_text.read_strangers(text) == yaml.safe_load(text)


def test_aliases_are_taken_of_ours_only() -> None:
    text = "a: &x [1]\nb: *x\n"
    assert yaml_text.read(text) == {"a": [1], "b": [1]}
    with pytest.raises(yaml_text.AliasesError):
        yaml_text.read_strangers(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 50_000,
        "[" * 101 + "]" * 101,
        "a: [",
        "!!python/name:os.system x",
    ],
)
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        yaml_text.read_strangers(text)


def test_a_hundred_levels_are_read() -> None:
    assert yaml_text.read_strangers("[" * 100 + "]" * 100)
