"""What a process costs, from /proc: CPU time, sleeps, memory of its own."""
import os
import pathlib
import time

TICK = os.sysconf("SC_CLK_TCK")


def children(pid):
    """pid -> name, of all processes below one."""
    found = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found[int(child)] = pathlib.Path(f"/proc/{child}/comm").read_text().strip()
            found.update(children(int(child)))
    return found


def datapath_of(anynic):
    return next(pid for pid, name in children(anynic).items() if name == "anynic-datapath")


def qemu_of(anynic):
    """The one that is none of ours: a private QEMU runs under the name of its loader."""
    return next(pid for pid, name in children(anynic).items() if not name.startswith("anynic"))


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def wakeups(pid):
    """How often any thread of the process went to sleep of its own will."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def private_dirty_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty"):
            return int(line.split()[1])
    raise LookupError(f"/proc/{pid}/smaps_rollup has no Private_Dirty")


class Meter:
    """CPU of named processes over a `with` block; `text` afterwards: per cent of one core each."""

    def __init__(self, **pids):
        self._pids = pids
        self.percent = {}

    def __enter__(self):
        self._start = time.monotonic()
        self._before = {name: cpu_seconds(pid) for name, pid in self._pids.items()}
        return self

    def __exit__(self, *error):
        took = time.monotonic() - self._start
        self.percent = {name: 100 * (cpu_seconds(pid) - self._before[name]) / took for name, pid in self._pids.items()}
