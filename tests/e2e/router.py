"""The static agents for routers, for tests: built by packaging/static/build, and run by
qemu-user where the machine is another. armhf is built whatever it takes; the others when
their libraries are there already (./check --extended builds those, too)."""
import dataclasses
import os
import pathlib
import platform
import shutil
import subprocess

import pytest
from built import ROOT

BUILD = ROOT / "packaging/static/build"
OUT = ROOT / "build/static"
# Name, its qemu-user, and what readelf calls the machine and its class.
TARGETS = {
    "armhf": ("qemu-arm-static", "ARM", "ELF32"),
    "arm64": ("qemu-aarch64-static", "AArch64", "ELF64"),
    "amd64": (None, "Advanced Micro Devices X86-64", "ELF64"),
}


@dataclasses.dataclass
class Router:
    """One static agent: `program` is how it is started here."""
    arch: str
    agent: pathlib.Path
    program: list
    machine: str
    elf_class: str
    archives: list

    def run(self, *args, code=0, timeout=60, **kwargs):
        done = subprocess.run([*self.program, *map(str, args)], capture_output=True, text=True,
                              timeout=timeout, **kwargs)
        assert done.returncode == code, f"{args}: {done.returncode} {done.stdout}{done.stderr}"
        return done.stdout


def build(arch):
    """The static agent of `arch`, built if need be; skips the test when it is not to be built
    here and says why."""
    emulator, machine, elf_class = TARGETS[arch]
    if emulator and not shutil.which(emulator):
        pytest.skip(f"needs {emulator} (qemu-user-static)")
    if not emulator and platform.machine() != "x86_64":
        pytest.skip("runs on an amd64 machine alone")
    whatever = arch == "armhf" or os.environ.get("HATANG_CHECK") == "extended"
    done = subprocess.run(["nice", BUILD, *([] if whatever else ["--if-kept"]), arch],
                          capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    if "left out" in done.stderr:
        pytest.skip(f"libraries for {arch} are not built: ./check --extended, or "
                    f"packaging/static/build {arch}")
    agent = OUT / arch / "hatang-agent"
    return Router(arch, agent, [*([emulator] if emulator else []), str(agent)], machine,
                  elf_class, sorted(OUT.glob(f"hatang-agent-*-{arch}.tar.*")))
