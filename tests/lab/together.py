"""together.py SCENARIO[:PARAMETER]...: several scenarios on one lab host, one after the other, each in a network namespace of its own:
the host starts once. Fails when one fails; the others run all the same.

The host's KVM is on SVM as QEMU emulates it, which delivers some interrupts twice (tests/guest/standstill.py): a nested guest stands still
or is reset, and the host's kernel was seen to panic in a vCPU's thread ("corrupted stack end"). It is told, and what the host had not finished,
or the scenario whose guest stood still, goes to another host, HOSTS in all; what fails otherwise fails."""
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "guest"))
import standstill  # pylint: disable=wrong-import-position
LAB_HOST = HERE.parent.parent / "tools/lab-host"
DIED = 125
HOSTS = 3


def run(words):
    name, *parameters = words.split(":")
    start = time.monotonic()
    print(f"--- {words}", flush=True)
    code = subprocess.run([sys.executable, HERE / f"{name}.py", *parameters], check=False).returncode
    print(f"--- {words}: {'ok' if code == 0 else f'FAILED, status {code}'} ({time.monotonic() - start:.0f} s)", flush=True)
    return code == 0


def run_all(scenarios):
    failed = [words for words in scenarios if not run(words)]
    if failed:
        print(f"FAILED: {' '.join(failed)}")
    return 1 if failed else 0


class Host:
    """What came of the scenarios of one lab host."""

    def __init__(self, scenarios):
        self.ended, self.stood, self.panic, self.anew, self._now = {}, set(), False, 0, None
        with subprocess.Popen([LAB_HOST, sys.executable, __file__, *scenarios], stdout=subprocess.PIPE, text=True, errors="replace") as process:
            for line in process.stdout:
                print(line, end="", flush=True)
                self._see(line)
        self.code = process.returncode
        self.panic &= self.code == DIED
        if self.anew:
            print(f"--- nested guests that never began, and were started anew: {self.anew}", flush=True)

    def _see(self, line):
        self.panic |= "Kernel panic" in line
        self.anew += line.startswith(standstill.NEVER_BEGAN)
        if found := re.match(r"--- (\S+)(: ok|: FAILED|$)", line):
            self._now = found[1]
            if found[2]:
                self.ended[found[1]] = found[2] == ": ok"
        elif line.startswith((standstill.STANDS, standstill.WAS_RESET)):
            self.stood.add(self._now)

    def left(self, scenarios):
        """Those that it owes an answer."""
        return [words for words in scenarios if not self.ended.get(words) and (words in self.stood or (self.panic and words not in self.ended))]


def go_there(scenarios):
    failed = False
    for turn in range(1, HOSTS + 1):
        there = Host(scenarios)
        left = there.left(scenarios) if there.code and turn < HOSTS else []
        if not left:
            break
        failed |= not all(there.ended.get(words) for words in scenarios if words not in left)
        print(f"--- {'the kernel of the lab host panicked' if there.panic else 'a nested guest stood still or was reset'}; on another host: {' '.join(left)}", flush=True)
        scenarios = left
    return there.code or int(failed)


sys.exit((run_all if os.environ.get("ANYNIC_LAB_HOST") else go_there)(sys.argv[1:]))
