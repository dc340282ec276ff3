"""An error in a YAML file names the line, also where YAML itself cannot read a value."""

import pytest
from pydantic import BaseModel

from shared.yamlfile import ConfigError, parse_yaml


class File(BaseModel):
    """Any file of two keys."""

    a: int
    b: list[object] = []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [x, {c: 2022-02-30}]\n", 2),
        ("a: 2022-01-31\nb:\n  - 2022-13-01\n", 3),
        ("a: 1\n2022-02-30: 4\n", 2),
        ("a: one\n", 1),
        ("a: " + "[" * 5000 + "]" * 5000, 1),
    ],
)
def test_the_line_of_what_cannot_be_read_is_named(text: str, line: int) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_yaml(text, File, source="f.yaml")
    assert str(refused.value).startswith(f"f.yaml:{line}: ")
