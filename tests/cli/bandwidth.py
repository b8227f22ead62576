"""bandwidth.py [both]: <bandwidth> of XML on a bridge's tap, a tap of the user's, a macvtap and a portgroup, with a guest that does not run: what
tc shows of them, also of a tap that comes again; what is left after the end and after a kill; who may not. both: on a kernel that can also
drop what is too much (the lab host); else only what the interface sends has a limit."""
import json
import os
import pathlib
import subprocess
import time

import lab as machine
from harness import main
from qmp import Qmp

IN, OUT = "<inbound average='1000' peak='2000' burst='100'/>", "<outbound average='500'/>"
LIMITED = ("8Mbit", "16Mbit")  # as tc says it

NETWORK = """<network><name>blue</name><forward mode='bridge'/><bridge name='br0'/>
  <portgroup name='slow' default='yes'><bandwidth><inbound average='30'/></bandwidth></portgroup></network>
"""


def interfaces(both):
    tap, macvtap = (IN + OUT, IN + OUT) if both else (IN, OUT)
    return f"""<devices xmlns:anynic='https://anynic.org/xml/1'>
<interface type='bridge'><source bridge='br0'/><model type='virtio'/><driver name='qemu'/>
  <bandwidth>{tap}</bandwidth>
  <anynic:place>hosted</anynic:place></interface>
<interface type='ethernet'><target dev='mine' managed='no'/><model type='virtio'/><bandwidth>{tap}</bandwidth></interface>
<interface type='direct'><source dev='wire0' mode='bridge'/><model type='virtio'/><bandwidth>{macvtap}</bandwidth></interface>
<interface type='network'><source network='blue'/><model type='e1000'/></interface>
</devices>
"""


def tc(*words):
    return subprocess.run(["tc", *words], capture_output=True, text=True, check=False).stdout.split()


def after(words, name):
    return words[words.index(name) + 1] if name in words else None


def rates(device):
    """Of its class, average and peak; None without one."""
    words = tc("class", "show", "dev", device)
    return (after(words, "rate"), after(words, "ceil")) if "htb" in words else None


def policed(device):
    """The rate; None without."""
    return after(tc("filter", "show", "dev", device, "parent", "ffff:"), "rate")


def await_(lab, holds, text):
    end = time.monotonic() + 30
    while not holds():
        if time.monotonic() > end:
            lab.check(False, text)
        time.sleep(0.05)
    lab.say(f"ok: {text}")


class Service:
    def __init__(self, lab, folder, line):
        self.folder = folder
        with (folder / "log").open("a") as log:
            self.process = subprocess.Popen([machine.anynic(), "run", "--name", "vm", "--qmp", str(folder / "vm.qmp"), *line],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        await_(lab, self.reachable, "the guest is there")
        self.qmp = Qmp(folder / "vm.qmp", 20)

    def reachable(self):
        if self.process.poll() is not None:
            raise RuntimeError((self.folder / "log").read_text())
        return (self.folder / "vm.qmp").exists()

    def taps(self):
        return [p["backend"].get("ifname") or "" for p in self.qmp.command("query-ports")]

    def end(self, how="terminate"):
        self.qmp.close()
        getattr(self.process, how)()
        self.process.wait(30)


def check_ports(lab, taps, both):
    for name, tap, wanted in zip(("bridge", "a tap of the user's", "macvtap", "portgroup"), taps,
                                 (LIMITED, LIMITED, ("4Mbit", "4Mbit"), ("240Kbit", "240Kbit"))):
        lab.equal(rates(tap), wanted, f"{name}: {tap} sends at most so much")
    if both:
        lab.equal([policed(tap) for tap in taps], ["4Mbit", "4Mbit", "8Mbit", None], "and they receive at most so much")


def check_plan(lab, line):
    plan = subprocess.run([machine.anynic(), "plan", *line], capture_output=True, text=True, check=False)
    lab.check("br0, in 1000 kB/s (peak 2000, burst 100 KiB)" in plan.stdout, f"plan says it{plan.stderr}")
    found = json.loads(subprocess.run([machine.anynic(), "plan", "-j", *line], capture_output=True, text=True, check=True).stdout)
    lab.equal([p["backend"].get("inbound") for p in found["ports"]][::3],
              [{"average": 1000, "peak": 2000, "burst": 100}, {"average": 30}], "and its JSON does")


def check_user(lab, folder, line):
    """An ordinary user: before anything is made."""
    folder.chmod(0o755)
    run = folder / "user"
    run.mkdir()
    os.chown(run, 65534, 65534)
    for verb in ("plan", "run"):
        done = subprocess.run([machine.anynic(), verb, *line], capture_output=True, text=True, timeout=60, check=False, user=65534,
                              group=65534, extra_groups=[], env={**os.environ, "XDG_RUNTIME_DIR": str(run), "ANYNIC_HELPER": ""})
        lab.check("limits (<bandwidth>) are root's to set" in done.stderr, f"{verb} of an ordinary user: {done.stderr.strip()}")


def scenario(lab, how="one"):
    if os.geteuid() != 0:
        raise machine.Skip("bridges, taps and macvtaps are made by root only")
    machine.own_sysfs()
    both = how == "both"
    folder = pathlib.Path(lab.folder)
    (folder / "vm.xml").write_text(interfaces(both))
    (folder / "blue.xml").write_text(NETWORK)
    machine.ip("link", "add", "br0", "type", "bridge")
    machine.ip("link", "set", "br0", "up")
    machine.ip("link", "add", "wire0", "type", "veth", "peer", "name", "wire1")
    machine.ip("link", "set", "wire0", "up")
    machine.ip("tuntap", "add", "mine", "mode", "tap")
    machine.ip("link", "set", "mine", "up")
    line = ["--interfaces", str(folder / "vm.xml"), "--networks", str(folder / "blue.xml"), "--",
            machine.qemu(), "-M", "q35", "-accel", "tcg", "-display", "none", "-nodefaults", "-S"]
    subprocess.run([machine.qemu(), "--version"], stdout=subprocess.DEVNULL, check=True)  # from a cold disk it takes long, once
    check_plan(lab, line)
    guest = Service(lab, folder, line)
    taps = guest.taps()
    check_ports(lab, taps, both)
    at = guest.qmp.mark()
    machine.ip("link", "del", taps[0])
    guest.qmp.wait("BACKEND_STATUS_CHANGED", 20, at, port="net0", up=True)
    await_(lab, lambda: rates(guest.taps()[0]) == LIMITED, "a tap that is made again has them again")
    guest.end()
    lab.equal((rates("mine"), policed("mine")), (None, None), "the user's own tap has none after the end")
    guest = Service(lab, folder, line)
    lab.equal(rates("mine"), LIMITED, "it has them with the next start")
    guest.end("kill")
    await_(lab, lambda: rates("mine") is None, "and a killed anynic leaves none")
    check_user(lab, folder, line)


main(scenario)
