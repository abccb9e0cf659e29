"""What docs/api.md tells people to type works as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import ROOT, Stack

pytestmark = [pytest.mark.processes, pytest.mark.timeout(180)]

# Language (none is the shell) and content of each block of code.
BLOCKS = re.findall(
    r"^```(\w*)\n(.*?)^```$", (ROOT / "docs" / "api.md").read_text(), re.DOTALL | re.MULTILINE
)


def with_our(stack: Stack, code: str) -> str:
    """The code for the test's address and key."""
    code = re.sub(r"^export KEY=.*$", f"export KEY={stack.keys['ada']}", code, flags=re.MULTILINE)
    return code.replace("127.0.0.1:8000", f"127.0.0.1:{stack.ports['web']}")


def run(command: list[str], folder: Path, **env: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq")
def test_the_lines_for_the_shell_work_and_leave_a_picture(stack: Stack, tmp_path: Path) -> None:
    script = "".join(with_our(stack, code) for language, code in BLOCKS if not language)
    said = run(["bash", "-e", "-u", "-o", "pipefail", "-c", script], tmp_path)
    assert said.count("event: finished") == 2  # the streamed chat's and the image's
    assert '"error":' not in said
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_the_script_for_the_websocket_prints_an_answer(stack: Stack, tmp_path: Path) -> None:
    (script,) = (with_our(stack, code) for language, code in BLOCKS if language == "python")
    said = run([sys.executable, "-c", script], tmp_path, KEY=stack.keys["ada"])
    answer, _, end = said.rpartition("\nfinished: ")
    assert answer.strip()
    assert "completion_tokens" in end
