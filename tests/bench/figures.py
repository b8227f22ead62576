#!/usr/bin/env python3
"""figures.py [PART]...: every figure that the README quotes, as one table and as bench.json in the build folder.

Parts: registers, models, sizes, idle, place, switch, team, tcp (all without a word); tcp-MODEL is one model of tcp;
vhost-user needs DPDK, and two cores.
BENCH_ROUNDS and BENCH_SECONDS make it longer or shorter.
A figure is a ratio of two things measured in turns on this machine, now; the bare numbers say little elsewhere.
"""
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "guest"))
sys.path.insert(0, str(HERE))

import idle  # noqa: E402
import lab as machine  # noqa: E402
import models  # noqa: E402
import registers  # noqa: E402
import sizes  # noqa: E402
import switching  # noqa: E402
import table  # noqa: E402
import tcp  # noqa: E402
import team_moves  # noqa: E402
import vhost_user  # noqa: E402
from harness import main  # noqa: E402

PARTS = {
    "registers": registers.measure,
    "models": models.measure,
    "sizes": sizes.measure,
    "idle": idle.measure,
    "place": idle.measure_polling,
    "switch": switching.measure,
    "team": team_moves.measure,
    "tcp": tcp.measure,
    "vhost-user": vhost_user.measure,
    **{f"tcp-{model}": lambda lab, model=model: tcp.measure(lab, (model,)) for model in tcp.MODELS},
}
USUAL = ("registers", "models", "sizes", "idle", "place", "switch", "team", "tcp")


def about():
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown CPU")
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": os.uname().release, "accelerator": machine.accelerator(),
            "rounds": tcp.ROUNDS, "seconds": tcp.SECONDS}


def scenario(lab, *parts):
    rows, facts = [], about()
    for part in parts or USUAL:
        lab.say(f"--- {part}")
        rows += PARTS[part](lab)
    print("\nMedians of runs in turns; " + ", ".join(f"{key} {value}" for key, value in facts.items()))
    print("A ratio is anynic / other: above 1 is better for Mbit/s, below 1 for times.\n")
    table.show(rows)
    table.save(rows, machine.BUILD / "bench.json", facts)


if set(sys.argv[1:]) - set(PARTS):
    sys.exit(__doc__)
main(scenario)
