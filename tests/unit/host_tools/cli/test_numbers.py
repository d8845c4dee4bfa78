"""Numbers of every command: `nan` is none, however a range is written."""

from __future__ import annotations

import click
import pytest

from tests.meta.test_hostile_files import COMMANDS

RANGES = [
    pytest.param(parameter, id=f"{name} {parameter.opts[0]}")
    for name, command in COMMANDS.items()
    for parameter in command.params
    if isinstance(parameter.type, (click.FloatRange, click.types.FloatParamType))
]


def test_there_are_numbers_to_check() -> None:
    assert len(RANGES) > 5


@pytest.mark.parametrize("parameter", RANGES)
@pytest.mark.parametrize("text", ["nan", "-NaN"])
def test_nan_is_no_number(parameter: click.Parameter, text: str) -> None:
    with pytest.raises(click.BadParameter, match="not a number in the range"):
        parameter.type(text, parameter)


@pytest.mark.parametrize("parameter", RANGES)
def test_bounds_are_in_the_range(parameter: click.Parameter) -> None:
    assert isinstance(parameter.type, click.FloatRange)
    assert parameter.type.min is not None
    assert parameter.type(str(parameter.type.min), parameter) == parameter.type.min
