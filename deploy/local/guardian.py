"""Two tiny programs that see to it that no child outlives its parent. Run as files, with the standard library only.

`guardian.py exec PARENT_PID CMD…`: asks the kernel to kill this process when its parent dies, then becomes CMD.
`guardian.py watch`: reads `+PGID`, `-PGID` and `!JSON-ARGV` lines; when the pipe closes, which it does however the
parent ends, kills the process groups that are still on the list (grandchildren too) and runs the commands.
"""

import json
import os
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1


def _exec(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the request was in place
        os._exit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        os._exit(127)


def _watch() -> None:
    groups: set[int] = set()
    commands: list[list[str]] = []
    for line in sys.stdin:
        mark, rest = line[0], line[1:].strip()
        if mark == "+":
            groups.add(int(rest))
        elif mark == "-":
            groups.discard(int(rest))
        elif mark == "!":
            commands.append(json.loads(rest))
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except OSError:
            continue
    for command in commands:
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    if sys.argv[1] == "exec":
        _exec(int(sys.argv[2]), sys.argv[3:])
    else:
        _watch()
