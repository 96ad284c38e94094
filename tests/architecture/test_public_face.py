"""The public face: short, sorted, real. Its types are proven by `tests/typed_use.py`, which mypy reads."""

import powerloop


def test_the_public_names_are_sorted_and_few_and_there():
    names = powerloop.__all__
    assert names == sorted(names)
    assert len(names) <= 40
    assert all(hasattr(powerloop, name) for name in names)


def test_every_public_name_is_documented():
    assert [name for name in powerloop.__all__ if not (getattr(powerloop, name).__doc__ or "").strip()] == []
