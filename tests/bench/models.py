"""What each model costs apart from any guest: CPU for one more packet (model_cost.c)."""
import os
import re
import subprocess

import lab as machine
from table import Row

LINE = re.compile(r"(\S+), (.*?)(?: \((.*?)\))?:((?: (?:anynic|QEMU|bare) [-\d.]+ ns \([-\d.]+ to [-\d.]+\))+)$")
VALUE = re.compile(r"(anynic|QEMU|bare) ([-\d.]+) ns")
AIMS = {  # figure -> limit of the ratio, text
    "TX without a backend": (0.6, "<= 0.6, aim 0.25"),
    "TX to a tap": (0.8, "<= 0.8, aim 0.6"),
    "RX from a tap": (0.8, "<= 0.8, aim 0.5"),
    "TCP stream to a tap, a segment": (0.4, "<= 0.4, aim 0.2"),
    # QEMU's e1000 segments in software, its other cards hand large packets on as we do
    "TCP stream with TSO to a tap, a segment": (1.0, "<= 1.0"),
}
E1000_TSO = (0.4, "<= 0.4, aim 0.2")


def row(model, figure, remark, values):
    """None when one side is missing."""
    if "anynic" not in values or "QEMU" not in values:
        return None
    bare = f"the system call alone {values['bare']:.0f} ns" if "bare" in values else ""
    name = f"{model}, {figure}" + (f" ({remark})" if remark else "")
    aim = E1000_TSO if model == "e1000" and "TSO" in figure else AIMS[figure]
    return Row(name, "ns CPU", values["anynic"], values["QEMU"], higher=False, cpu=bare).aim(*aim)


def measure(lab, *models):
    command = [machine.BUILD / "tests/bench/bench-model-cost", machine.BUILD / "src/datapath/anynic-datapath", machine.qemu(),
               os.environ.get("BENCH_ROUNDS", "5"), os.environ.get("BENCH_REPEATS", "200"), *models]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    rows = []
    for line in done.stdout.splitlines():
        lab.say(line)
        found = LINE.match(line)
        if found:
            rows.append(row(*found.group(1, 2, 3), {who: float(ns) for who, ns in VALUE.findall(found.group(4))}))
    return [r for r in rows if r]
