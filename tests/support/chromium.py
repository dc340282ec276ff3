"""A Chromium for the browser tests: as a program, try to install one where there is none."""

import os
import shutil
import subprocess
import sys

from deploy.bench.chromium import find


def _try(*commands: list[str]) -> bool:
    try:
        for command in commands:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def main() -> None:
    """Install Chromium and a Chinese font where this machine allows it; the tests skip, and say so, where not."""
    if find():
        return
    print("no Chromium yet: installing one for the browser tests …", flush=True)
    debian = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get")
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-noto-cjk"]
    if debian and _try(["apt-get", "update", "-qq"], install):
        return
    if not _try([sys.executable, "-m", "playwright", "install", "chromium"]):
        print("no Chromium could be had: the browser tests will be skipped")


if __name__ == "__main__":
    main()
