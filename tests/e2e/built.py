"""Whose programs are tested: build/dev, or the build that HATANG_BUILD names."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HATANG_BUILD", ROOT / "build" / "dev")).absolute()
DRIVE = BUILD / "tests/unit/probes/probe_drive"  # one run of one probe
