"""A guest that stands still: what it is doing, and whose fault it is.

On the lab host a guest runs under KVM on the SVM that QEMU's TCG emulates. There VMRUN leaves the vector of an interrupt that it injects
behind as the exception that comes next (helper_vmrun, SVM_EVTINJ_TYPE_INTR). If the processor is called away for anything but an interrupt
before the guest has left it by itself (the memory map changes, as with each BAR that a function's driver turns on or off), that interrupt is
delivered once more, whatever the guest is doing: where it holds a spinlock that the interrupt's handler wants, it stands for ever.
tests/lab/kicked.py shows it in seconds. The end of an interrupt takes the guest out of VMRUN, unless KVM and the guest have agreed to do
without, so nested guests have no such agreement (CPU); that makes it rare, and nothing here makes it impossible. Another one was seen whose
guest had the registers that its host has behind VMRUN; why is not known.

The same command lines start the guests of tests/guest without KVM, and of those none ever stood still. So a nested guest that says nothing for
SILENT_SECONDS, although QEMU says that it runs and its processors are in KVM, is started anew before the first step of its scenario:
told, counted, and no more than ANEW times in a scenario. One that stands still later fails its scenario, which tests/lab/together.py
carries out once more, on another host; so does one that was reset without a word on its console: a triple fault."""
import json
import os
import pathlib
import re
import time

from qmp import connect

SILENT_SECONDS, ANEW = 150, 2
NUDGE_SECONDS = 20
ALIVE_SECONDS = 60  # in which a guest answers that does nothing else
CPU = ("-cpu", "qemu64,kvm-pv-eoi=off")  # of nested guests
# what tests/lab/together.py looks for
NEVER_BEGAN = "--- a nested guest never began"
STANDS = "--- a nested guest stands still, though QEMU runs it and all its processors are in KVM"
WAS_RESET = "--- a nested guest was reset, and said nothing before"
WORDS_OF_AN_END = re.compile("Kernel panic|Oops|BUG|Restarting system")  # Linux's own
KVM_RUN = "0xae80"


def monitor_says(path, texts, seconds=10):
    """QEMU's answers to a person's commands; no wait is longer than so many seconds, unlike Qmp's for the greeting."""
    with connect(path, seconds) as sock:
        sock.settimeout(seconds)
        with sock.makefile("rw", encoding="utf-8") as file:
            def ask(name, **arguments):
                file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
                file.flush()
                while "event" in (reply := json.loads(file.readline())):
                    pass
                return reply.get("return")
            file.readline()
            ask("qmp_capabilities")
            # of a processor the general registers are enough
            return [str(ask("human-monitor-command", **{"command-line": text})).split("FCW=")[0].strip() for text in texts]


def threads_below(pid):
    """Each thread of a process and its descendants: state, processor time, where it waits in the kernel."""
    lines = []
    for task in sorted(pathlib.Path(f"/proc/{pid}/task").glob("*")):
        try:
            name, rest = (task / "stat").read_text().rsplit(")", 1)
            fields = rest.split()
            where = (task / "stack").read_text().splitlines()[:8] if os.geteuid() == 0 else [f"- {(task / 'wchan').read_text()}"]
            lines.append(f"{name}) {fields[0]}, {fields[11]}+{fields[12]} ticks: {' '.join(line.split()[1] for line in where)}")
            children = (task / "children").read_text().split()
        except OSError:
            continue
        for child in children:
            lines += threads_below(child)
    return lines


def told(monitor_path, pid):
    """QEMU's own answers, the registers twice (do they change?), and each thread's place in the kernel."""
    try:
        lines = monitor_says(monitor_path, ["info status", "info cpus", "info registers", "info registers"])
    except (OSError, ValueError) as error:  # QEMU itself may be what stands still
        lines = [f"QEMU's monitor: {error}"]
    return "\n".join(lines + threads_below(pid))


def processors_below(pid):
    """The threads of a QEMU that are the guest's processors."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        try:
            if (task / "comm").read_text().startswith("CPU "):
                found.append(task)
            for child in (task / "children").read_text().split():
                found += processors_below(child)
        except OSError:
            continue
    return found


def is_in_kvm(tasks, seconds=10):
    """Whether each processor is in KVM_RUN within that time: at rest there, or with time of the guest's own. One that waits for a card of
    another process is in neither."""
    begin = {task: guest_time(task) for task in tasks}
    there = set()
    end = time.monotonic() + seconds
    while len(there) < len(begin) and time.monotonic() < end:
        there |= {task for task in tasks if (task / "syscall").read_text().split()[2:3] == [KVM_RUN] or guest_time(task) > begin[task]}
        time.sleep(0.2)
    return bool(tasks) and len(there) == len(begin)


def guest_time(task):
    return int((task / "stat").read_text().rsplit(")", 1)[1].split()[40])


def is_the_guests(monitor_path, pid):
    """Nobody holds it: QEMU runs it, and each of its processors is in KVM."""
    try:
        return monitor_says(monitor_path, ["info status"])[0].startswith("VM status: running") and is_in_kvm(processors_below(pid))
    except (OSError, ValueError):
        return False
