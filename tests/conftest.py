"""Fixtures that all tests share; the parts are in e2e/parts.py."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "e2e"))

from built import BUILD  # noqa: E402

EXTENDED = os.environ.get("HATANG_CHECK") == "extended"
SANITIZED = BUILD.name == "asan"

MARKS = """\
long: takes long: begins first, so that no worker ends late
alone: measures time; ./check runs it when nothing else runs
once(reason): not run again on the build with sanitizers; the reason says why
xdist_group(name): tests of one group run in one worker"""


def pytest_configure(config):
    for line in MARKS.splitlines():
        config.addinivalue_line("markers", line)


def pytest_collection_modifyitems(items):
    for item in items:
        once = item.get_closest_marker("once")
        if SANITIZED and once:
            item.add_marker(pytest.mark.skip(reason=f"not again with sanitizers: {once.args[0]}"))
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


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
