"""qemu_links.py SCENARIO: links of the host behind QEMU's own cards, on a real QEMU whose guest does not run: what status tells of them,
and what it advises when they go."""
import os
import pathlib
import subprocess
import sys

import lab as machine
from harness import main
from host_links import MAC, await_, bridge, field
from host_links import Service as Serve
from qmp import Qmp


class Run(Serve):
    """`anynic run` of a QEMU that stays stopped."""

    def __init__(self, lab, spec, name="one"):
        self.lab, self.name = lab, name
        self.log = pathlib.Path(lab.folder) / f"{name}.log"
        words = [machine.anynic(), "run", "--name", name, "--nic", f"{spec},mac={MAC}", "--qmp", f"{lab.folder}/{name}.control", "--",
                 machine.qemu(), "-M", "q35", "-accel", "tcg", "-m", "64M", "-display", "none", "-S"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        Serve.running.append(self.process)
        try:
            self.qmp = Qmp(f"{lab.folder}/{name}.control", 20)
        except OSError as error:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(self.log.read_text()) from error

    def text(self):
        return subprocess.run([machine.anynic(), "status", self.name], capture_output=True, text=True, check=True).stdout

    def stop(self):
        self.qmp.command("quit")
        self.process.wait(20)
        self.qmp.close()


def two_taps(lab):
    bridge()
    one = Run(lab, "auto,place=qemu,backend=bridge,br=br0")
    taps = [nic["ifname"] for nic in one.port()["nics"]]
    lab.equal(taps, ["anynic0", "anynic1"], "query-ports names the tap of each card")
    lab.equal([field(tap, "master") for tap in taps], ["br0", "br0"], "both are on the bridge")
    lab.check("bridge anynic0, anynic1 on br0" in one.text(), "and so does status")
    one.stop()


SCENARIOS = [two_taps]


def scenario(lab, which):
    if os.geteuid() != 0:
        raise machine.Skip("bridges and taps are made by root only")
    machine.own_sysfs()
    try:
        {s.__name__: s for s in SCENARIOS}[which](lab)
    finally:
        for process in Serve.running:  # after a failure
            if process.poll() is None:
                process.terminate()
                process.wait(20)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("one of " + " ".join(s.__name__ for s in SCENARIOS))
    main(scenario)
