"""What ./check says of programs that could test nothing: tests/tally, and ctest's part."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from built import BUILD

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOG = """1/2 Testing: unit.{name}
1/2 Test: unit.{name}
Command: "/somewhere/test_{name}"
Directory: /somewhere
"unit.{name}" start time: Nov 29 16:17 UTC
Output:
----------------------------------------------------------
{said}<end of output>
Test time =   0.00 sec
----------------------------------------------------------
Test Passed.
"unit.{name}" end time: Nov 29 16:17 UTC
"unit.{name}" time elapsed: 00:00:00
----------------------------------------------------------

"""
RAN = "[ RUN      ] test_a\n[       OK ] test_a\n"


def tally(folder):
    return subprocess.run([ROOT / "tests/tally", folder], capture_output=True, text=True)


def test_a_program_that_tested_nothing_is_left_out_aloud(tmp_path):
    (tmp_path / "dev.ctest").write_text(
        LOG.format(name="none", said="SKIPPED: no network namespaces\n") + LOG.format(name="some", said=RAN))
    r = tally(tmp_path)
    assert "dev unit.none, the whole program: SKIPPED: no network namespaces\n" in r.stdout
    assert r.stdout.endswith("1 passed, 0 failed, 1 skipped\n") and r.returncode == 0


def test_nothing_but_skips_is_no_success(tmp_path):
    (tmp_path / "dev.ctest").write_text(LOG.format(name="none", said=""))
    r = tally(tmp_path)
    assert r.stdout.endswith("0 passed, 0 failed, 1 skipped\n") and r.returncode == 1


def test_one_reason_of_one_file_is_one_line(tmp_path):
    case = '<testcase classname="tests.e2e.test_x" name="test_{}"><skipped message="{}"/></testcase>'
    cases = [case.format(i, "too slow") for i in range(5)] + [case.format(9, "other")]
    (tmp_path / "asan.xml").write_text(f"<testsuite>{''.join(cases)}</testsuite>")
    (tmp_path / "structure.step").write_text("passed it\n")
    r = tally(tmp_path)
    assert r.stdout == ("Left out:\n  asan tests.e2e.test_x: test_0, test_1 and 3 more: too slow\n"
                        "  asan tests.e2e.test_x: test_9: other\n1 passed, 0 failed, 6 skipped\n")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can take its own rights away")
def test_without_namespaces_ctest_says_skipped(tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    tests = BUILD / "tests/unit/probes"
    lines = [li for li in (tests / "CTestTestfile.cmake").read_text().splitlines() if re.search(r"unit\.probes_echo\b", li)]
    (tree / "CTestTestfile.cmake").write_text("\n".join(lines))
    r = subprocess.run(["setpriv", "--bounding-set=-sys_admin", "ctest", "--test-dir", tree],
                       capture_output=True, text=True)
    assert re.search(r"unit\.probes_echo \.*\*\*\*Skipped", r.stdout), r.stdout
