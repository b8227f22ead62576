"""attach.py private|system CARD: a guest that someone else started, with CARD and virtio-net on one bridge and a third card elsewhere.
`anynic attach` finds the pair, takes over its links without a break, moves them as the drivers come and go; `detach` leaves them."""
import os
import shutil
import subprocess
import time

import lab as machine
from cards import CARDS
from guest import GuestError
from harness import main, story
from qmp import Qmp

MAC = "52:54:00:00:01:0a"


class Attached:
    """A running `anynic attach`; it has a log, a control socket and an end."""

    def __init__(self, lab, guest, *words):
        self.path = lab.folder + "/attach.log"
        with open(self.path, "w") as log:
            self.process = subprocess.Popen([machine.anynic(), "attach", "--qmp", lab.folder + "/second", *words],
                                            stdout=log, stderr=log)
        self.name = guest.name
        end = time.monotonic() + 20
        while True:
            try:
                self.qmp = Qmp(f"{lab.folder}/anynic/{self.name}.qmp", 0.2)
                break
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise GuestError(f"attach: {self.log()}") from error

    def log(self):
        return open(self.path).read()

    def status(self, nic):
        return self.qmp.command("query-guest-driver-status", nic=nic)[0]["status"]

    def wait_status(self, nic, wanted):
        end = time.monotonic() + 30
        while self.status(nic) != wanted:
            if time.monotonic() > end:
                raise GuestError(f"{nic}: {self.status(nic)}, not {wanted}")
            time.sleep(0.05)


def start(lab, which, driver):
    if which == "system":
        os.environ["ANYNIC_QEMU"] = shutil.which("qemu-system-x86_64")
    spec = CARDS[driver].spec.split(",")[0]
    machine.ip("link", "add", "br0", "type", "bridge")
    machine.ip("addr", "add", "10.7.0.1/24", "dev", "br0")
    machine.ip("link", "set", "br0", "up")
    for tap in ("tap0", "tap1"):
        machine.make_tap(tap, address=None)
        machine.ip("link", "set", tap, "master", "br0")
    words = ["-qmp", f"unix:{lab.folder}/second,server=on,wait=off", "-name", "bob"]
    for number, (device, extra, netdev) in enumerate([
            (spec, f",id=old,mac={MAC}", "tap,ifname=tap0,script=no,downscript=no"),
            ("virtio-net-pci", f",mac={MAC}", "tap,ifname=tap1,script=no,downscript=no"),
            ("e1000", ",id=other,mac=52:54:00:00:01:0b", "user")]):
        words += ["-netdev", f"{netdev},id=h{number}", "-device", f"pcie-root-port,id=rp{number},chassis={number + 1}",
                  "-device", f"{device},netdev=h{number},bus=rp{number}{extra}"]
    return lab.guest(nics=None, qemu=words, name="bob")


def scenario(lab, which, driver="8139cp"):
    guest = start(lab, which, driver)
    new = "virtio-net-pci.0"
    legacy = guest.sh(f"bring_up {driver} 1")
    fast = guest.sh("bring_up virtio_net")
    guest.sh(f"await 5 carrier {legacy} && await 5 carrier {fast} && static {fast} 10.7.0.2/24 && answers 10.7.0.1")

    flips = guest.sh(f"cat /sys/class/net/{fast}/carrier_changes")
    attached = Attached(lab, guest)
    for nic in ("old", new):
        attached.wait_status(nic, "ready")
    guest.sh(f"await 5 no_carrier {legacy}; carrier {fast} && answers 10.7.0.1")
    lab.until(lambda: [p["active"] for p in attached.qmp.command("query-ports") if p["port"] == "port0"] == [new], "the fast one is active")
    lab.equal(guest.sh(f"cat /sys/class/net/{fast}/carrier_changes"), flips, "the card that works kept its link all the time")
    ports = {port["port"]: port for port in attached.qmp.command("query-ports")}
    lab.equal(sorted(ports), ["other", "port0"], "a pair and a single card were found")
    lab.equal([(n["nic"], n["role"], n["place"], n["link"]) for n in ports["port0"]["nics"]],
              [("old", "legacy", "qemu", "down"), (new, "performant", "qemu", "up")], "the pair")
    lab.equal((ports["port0"]["active"], ports["port0"]["backend"]["type"], ports["port0"]["backend"]["br"]),
              (new, "tap", "br0"), "what is known of it")
    lab.check("br0" in attached.log(), "attach says why they are a pair")

    mark = attached.qmp.mark()
    guest.sh("rmmod virtio_net; await 5 carrier " + legacy)
    attached.qmp.wait("PORT_LINK_SWITCHED", since=mark)
    lab.equal(story(attached.qmp.events[mark:]),
              [f"{new} lost", f"{new} down", "old up", f"port0: {new} -> old (performant-lost)"], "the link moves to the old card")
    guest.sh(f"static {legacy} 10.7.0.2/24; answers 10.7.0.1")

    why = subprocess.run([machine.anynic(), "why", "bob", "port0"], capture_output=True, text=True, check=True).stdout
    lab.check("old" in why or "rtl8139" in why, f"why: {why.strip()}")
    done = subprocess.run([machine.anynic(), "link", "bob", "other", "down"], capture_output=True, text=True)
    lab.equal(done.returncode, 0, "a single card's link is set when somebody says so")

    flips = guest.sh(f"cat /sys/class/net/{legacy}/carrier_changes")
    done = subprocess.run([machine.anynic(), "detach", "bob"], capture_output=True, text=True)
    lab.equal((done.returncode, done.stderr), (0, ""), "detach")
    lab.equal(attached.process.wait(30), 0, "attach ends well")
    time.sleep(0.5)
    lab.equal(guest.sh(f"cat /sys/class/net/{legacy}/carrier_changes"), flips, "detach leaves the links as they are")
    guest.sh("answers 10.7.0.1")

    attached = Attached(lab, guest, "--nic", f"old,{new}")
    attached.wait_status("old", "ready")
    lab.equal([p["port"] for p in attached.qmp.command("query-ports")], ["port0"], "--nic takes these two alone")
    lab.until(lambda: attached.qmp.command("query-ports")[0]["active"] == "old", "it is active")
    lab.equal(guest.sh(f"cat /sys/class/net/{legacy}/carrier_changes"), flips, "attached again, still without a break")
    mark = attached.qmp.mark()
    guest.sh("bring_up virtio_net")
    attached.qmp.wait("PORT_LINK_SWITCHED", since=mark)
    lab.equal(story(attached.qmp.events[mark:]),
              [f"{new} ready", "old down", f"{new} up", f"port0: old -> {new} (performant-ready)"], "and back")

    monitor = guest.monitor()
    mark = attached.qmp.mark()
    monitor.command("system_reset")
    guest.wait_boot(2)
    attached.qmp.wait("RESET", since=mark)
    attached.wait_status("old", "none")
    lab.say("ok: a reset is told and clears the drivers")
    monitor.command("quit")
    code = attached.process.wait(30)
    lab.check(code in (0, 1) and attached.process.poll() is not None, "attach ends with the guest")
    lab.say(attached.log().splitlines()[-1])


main(scenario)
