"""A register read over vfio-user against a bare server that answers the same number of bytes (register_read.c)."""
import re
import subprocess

import lab as machine
from table import Row

LINE = re.compile(r"register read, (.*?): .*? (\d+) ns, bare server (\d+) ns, .*?CPU (\d+) ns and (\d+) ns")


def measure(lab):
    done = subprocess.run([machine.BUILD / "tests/bench/bench-register-read", "5000", "11"], stdout=subprocess.PIPE, text=True,
                          check=False)  # its status says whether the ratio is met: the table says so, too
    rows = []
    for where, ours, bare, cpu, bare_cpu in LINE.findall(done.stdout):
        row = Row(f"register read, {where}", "ns", float(ours), float(bare), higher=False,
                  cpu=f"{cpu} ns a read | {bare_cpu} ns")
        rows.append(row.aim(1.2, "<= 1.2") if where == "any CPU" else row)
        lab.say(f"register read, {where}: {ours} ns against {bare} ns")
    if not rows:
        raise RuntimeError(f"register_read said nothing that is known:\n{done.stdout}")
    return rows
