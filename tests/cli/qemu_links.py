"""qemu_links.py SCENARIO: links of the host behind QEMU's own cards, on a real QEMU whose guest does not run: what status tells of them,
and what it advises when they go."""
import pathlib
import subprocess
import sys

import lab as machine
from harness import main
from host_links import MAC, await_, bridge, field, run
from host_links import Service as Serve
from qmp import Qmp


class Run(Serve):
    """`anynic run` of a QEMU that stays stopped."""

    def __init__(self, lab, spec, name="one"):
        self.lab, self.name = lab, name
        self.log = pathlib.Path(lab.folder) / f"{name}.log"
        words = [machine.anynic(), "run", "--name", name, "--nic", f"{spec},mac={MAC}", "--qmp", f"{lab.folder}/{name}.control", "--",
                 machine.qemu(), "-M", "q35", "-accel", "tcg", "-m", "64M", "-display", "none", "-S",
                 "-qmp", f"unix:{lab.folder}/{name}.second,server=on,wait=off"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        Serve.running.append(self.process)
        try:
            self.qmp = Qmp(f"{lab.folder}/{name}.control", 60)
            self.qemu = Qmp(f"{lab.folder}/{name}.second", 60)  # it answers when it has its cards
        except OSError as error:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(self.log.read_text()) from error

    def text(self):
        return subprocess.run([machine.anynic(), "status", self.name], capture_output=True, text=True, check=True).stdout

    def stop(self):
        self.qmp.command("quit")
        self.process.wait(60)
        self.qmp.close()


def two_taps(lab):
    bridge()
    one = Run(lab, "auto,place=qemu,backend=bridge,br=br0")
    taps = [nic["ifname"] for nic in one.port()["nics"]]
    lab.equal(taps, ["anynic0", "anynic1"], "query-ports names the tap of each card")
    lab.equal([field(tap, "master") for tap in taps], ["br0", "br0"], "both are on the bridge")
    lab.check("bridge anynic0, anynic1 on br0" in one.text(), "and so does status")
    one.stop()


def a_tap_that_qemu_has(lab):
    """QEMU cannot take another one in its place: what is said is what a person has to do."""
    bridge()
    one = Run(lab, "auto,place=qemu,backend=bridge,br=br0")
    at = one.qmp.mark()
    machine.ip("link", "del", "anynic1")
    one.expect(at, False, "anynic1 is gone; next: start the guest again", "the tap of one card is deleted")
    lab.check("down: anynic1 is gone" in one.text(), "status says which")
    one.stop()
    machine.make_tap("tap0", None)
    one = Run(lab, "virtio-net,place=qemu,backend=tap,ifname=tap0")
    at = one.qmp.mark()
    machine.ip("link", "del", "tap0")
    one.expect(at, False, "tap0 is gone; next: ip tuntap add", "a tap of the user's is deleted")
    lab.check("then start the guest again" in one.why()["next-step"], "the guest has to be started again")
    one.stop()
    machine.ip("link", "add", "wire0", "type", "veth", "peer", "name", "wire1")
    machine.ip("link", "set", "wire0", "up")
    machine.ip("link", "set", "wire1", "up")
    one = Run(lab, "virtio-net,place=qemu,backend=direct,dev=wire0")
    at = one.qmp.mark()
    machine.ip("link", "del", "wire0")
    one.expect(at, False, "bring wire0 back, then start the guest again", "the device below is unplugged")
    one.stop()


SCENARIOS = [two_taps, a_tap_that_qemu_has]


def scenario(lab, which):
    run(lab, which, SCENARIOS)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("one of " + " ".join(s.__name__ for s in SCENARIOS))
    main(scenario)
