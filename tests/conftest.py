"""Fixtures that all tests share; the parts are in e2e/parts.py."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "e2e"))

EXTENDED = os.environ.get("HATANG_CHECK") == "extended"


@pytest.fixture
def office(tmp_path):
    """A broker with TLS and a hatang-server, both running; agents by office.agent()."""
    from parts import Office

    o = Office(tmp_path)
    try:
        yield o.start()
    finally:
        o.kill()


@pytest.fixture
def province(tmp_path):
    """What `hatang-server init` makes, running, over HTTPS and its own CA: province.py."""
    from province import Province

    p = Province(tmp_path)
    try:
        yield p.start()
    finally:
        p.kill()


@pytest.fixture(scope="session")
def extended():
    """Whether this is ./check --extended: more rounds, longer."""
    return EXTENDED
