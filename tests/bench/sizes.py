"""What a card costs that does nothing: saved state, and memory of its own. Ours by model_size.c, with a driver up; QEMU's with so
many cards more in a QEMU without a CPU, where no driver is."""
import pathlib
import re
import subprocess
import time

import lab as machine
import tcp
from processes import private_dirty_kib
from qmp import Qmp
from table import Row

LINE = re.compile(r"(\S+), (saved state|private memory): ([\d.]+) (?:bytes|KiB)(?:, at most (\d+) bytes)?$")
MORE = {"igb": 1}  # its virtual functions take other slots of the bus


def patiently(attempt, seconds=20):
    end = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def qemu_with(lab, device, count):
    """(private KiB, bytes of a migration stream) of a QEMU with so many cards."""
    folder = pathlib.Path(lab.folder)
    path, stream = folder / "sizes.qmp", folder / "sizes.state"
    words = [machine.qemu(), "-accel", "qtest", "-qtest", f"unix:{folder}/sizes.qtest,server=on,wait=off", "-qtest-log",
             "/dev/null", "-M", "q35", "-m", "16", "-nodefaults", "-display", "none", "-qmp",
             f"unix:{path},server=on,wait=off"]
    for i in range(count):
        words += ["-device", f"{device},addr={i + 4},romfile="]  # ours has no ROM either
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    try:
        qmp = patiently(lambda: Qmp(path))
        memory = private_dirty_kib(process.pid)
        qmp.command("migrate", uri=f"file:{stream}")
        while (state := qmp.command("query-migrate").get("status")) != "completed":
            if state == "failed":
                raise RuntimeError(f"QEMU cannot save {device}")
            time.sleep(0.05)
        return memory, stream.stat().st_size
    finally:
        process.kill()
        process.wait()
        stream.unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def qemu_each(lab, device):
    """The same for one card more; the smaller of two runs, since the first one of a program is larger."""
    count = MORE.get(device, 8)
    without, with_cards = ([min(both) for both in zip(qemu_with(lab, device, n), qemu_with(lab, device, n))]
                           for n in (0, count))
    return [(more - less) / count for less, more in zip(without, with_cards)]


def measure(lab):
    command = [machine.BUILD / "tests/bench/bench-model-size", machine.BUILD / "src/datapath/anynic-datapath"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seen = {}
    for line in done.stdout.splitlines():
        lab.say(line)
        found = LINE.match(line)
        if found:
            seen.setdefault(found.group(1), {})[found.group(2)] = found.group(3, 4)
    rows = []
    for name, figures in seen.items():
        model = tcp.MODELS[name]
        memory, saved = qemu_each(lab, model.device)
        state, most = figures["saved state"]
        rows.append(Row(f"saved state of one {model.title}", "bytes", float(state), saved, higher=False, digits=0,
                        cpu=f"with every register changed {most}", wanted="<= 8192", good=float(state) <= 8192))
        kib = float(figures["private memory"][0])
        rows.append(Row(f"private memory of one more idle {model.title}", "KiB", kib, memory, higher=False, digits=1,
                        wanted="<= 64", good=kib <= 64))
    return rows
