"""attach_follow.py SCENARIO: `anynic attach` keeps up with a QEMU that changes: cards that come and go, a monitor that is closed for a
while. On a real QEMU with nothing but its firmware."""
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import threading
import time

import lab as machine
from harness import main
from host_links import await_
from qmp import Qmp

MAC = "52:54:00:00:01:0a"
STARTED = []


class Relay:
    """Between attach and QEMU's monitor; what attach is connected to can be closed, and opened again."""

    def __init__(self, path, to):
        self.path, self.to, self.pair, self.silent = path, to, (), False
        self.listen()

    def listen(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(4)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                near = listener.accept()[0]
            except OSError:
                return
            if self.silent:
                self.pair = (near,)
                continue
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.to)
            self.pair = (near, far)
            threading.Thread(target=self.carry, args=self.pair, daemon=True).start()

    def carry(self, near, far):
        while True:
            try:
                for s in select.select([near, far], [], [])[0]:
                    data = s.recv(65536)
                    (far if s is near else near).sendall(data)
                    if not data:
                        raise OSError
            except (OSError, ValueError):
                for s in (near, far):
                    s.close()
                return

    def cut(self):
        for s in self.pair:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        os.unlink(self.path)
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()


class Qemu:
    """Its slots let go of a card at once while nothing runs that could be asked."""

    def __init__(self, lab, *words):
        self.path = lab.folder + "/second"
        line = [machine.qemu(), "-M", "q35", "-accel", "tcg", "-m", "64M", "-display", "none", "-nodefaults", "-name", "bob",
                "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
                "-qmp", f"unix:{lab.folder}/first,server=on,wait=off", "-qmp", f"unix:{self.path},server=on,wait=off"]
        for number in range(3):
            line += ["-netdev", f"hubport,id=h{number},hubid={number // 2}", "-device",
                     f"pcie-root-port,id=rp{number},chassis={number + 1},slot={number + 1}"]
        self.process = subprocess.Popen([*line, *words], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        STARTED.append(self.process)
        self.qmp = Qmp(lab.folder + "/first", 20)
        self.mark = 0

    def add(self, driver, name, number, mac=MAC):
        self.qmp.command("device_add", driver=driver, id=name, bus=f"rp{number}", netdev=f"h{number}", mac=mac)

    def end(self):
        self.qmp.close()
        self.process.kill()
        self.process.wait()


class Attached:
    def __init__(self, lab, path, *words):
        self.log_path = pathlib.Path(lab.folder) / "attach.log"
        with self.log_path.open("w") as log:
            self.process = subprocess.Popen([machine.anynic(), "attach", "--qmp", path, *words], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        STARTED.append(self.process)
        try:
            self.qmp = Qmp(lab.folder + "/anynic/bob.qmp", 30)
        except OSError as error:
            self.process.kill()
            raise RuntimeError(self.log()) from error

    def log(self):
        return self.log_path.read_text()

    def ports(self):
        return {p["port"]: [n["nic"] for n in p["nics"]] for p in self.qmp.command("query-ports")}

    def evidence(self, nic):
        return self.qmp.command("query-guest-driver-status", nic=nic)[0]["evidence"]

    def why(self):
        return self.qmp.command("query-why")[0]


def cards_come(lab):
    qemu = Qemu(lab, "-device", f"rtl8139,id=old,bus=rp0,netdev=h0,mac={MAC}")
    one = Attached(lab, qemu.path)
    lab.equal(one.ports(), {"old": ["old"]}, "one card is there")
    qemu.add("e1000e", "alone", 2, "52:54:00:00:01:0b")
    await_(lambda: "alone" in one.ports(), "a card that comes later has a port")
    lab.equal(one.ports(), {"old": ["old"], "alone": ["alone"]}, "of its own")
    one.qmp.command("set_link", name="alone", up=False)
    lab.equal([p["nics"][0]["link"] for p in one.qmp.command("query-ports") if p["port"] == "alone"], ["down"], "its link can be set")
    qemu.add("virtio-net-pci", "new", 1)
    await_(lambda: one.ports().get("port0"), "one that shares a hub with a single card")
    lab.equal(one.ports(), {"port0": ["old", "new"], "alone": ["alone"]}, "makes a pair with it")
    lab.check("card new has come: port port0, a pair: both are on one hub" in one.log(), one.log().strip().split("\n")[-1])
    lab.equal([p["state"] for p in one.qmp.command("query-ports") if p["port"] == "alone"], ["manual"],
              "what was set by hand stays so")
    for turn in range(2):
        qemu.qmp.command("device_del", id="new")
        qemu.qmp.wait("DEVICE_DELETED", 60, qemu.mark, device="new")
        await_(lambda: "QEMU has no such card" in one.evidence("new"), f"turn {turn + 1}: a card goes: status says so")
        lab.equal(one.ports(), {"port0": ["old", "new"], "alone": ["alone"]}, "its port waits for it")
        qemu.mark = qemu.qmp.mark()
        qemu.add("virtio-net-pci", "new", 1)
        await_(lambda: "QEMU has no such card" not in one.evidence("new"), "it comes again")
        lab.equal(one.ports(), {"port0": ["old", "new"], "alone": ["alone"]}, "and has its place")
    os.kill(qemu.process.pid, signal.SIGKILL)
    lab.equal(one.process.wait(30), 1, "attach ends with QEMU")
    lab.check("has ended without a word" in one.log(), one.log().strip().split("\n")[-1])
    qemu.end()


def monitor_closes(lab):
    qemu = Qemu(lab, "-device", f"rtl8139,id=old,bus=rp0,netdev=h0,mac={MAC}",
                "-device", f"virtio-net-pci,id=new,bus=rp1,netdev=h1,mac={MAC}")
    relay = Relay(lab.folder + "/relay", qemu.path)
    one = Attached(lab, relay.path)
    lab.equal(one.ports(), {"port0": ["old", "new"]}, "a pair")
    for turn in range(3):
        relay.cut()
        await_(lambda: one.log().count("is tried again") == turn + 1, "the log says so")
        await_(lambda: "QEMU closed" not in one.why()["text"], "reached again")
        one.qmp.command("set-port-policy", port="port0", mode="auto")
        lab.say(f"ok: cut {turn + 1}: reached again")
    relay.close()
    await_(lambda: "QEMU closed its monitor" in one.why()["text"], "nobody listens")
    lab.check("tried again while the guest lives" in one.why()["next-step"], one.why()["next-step"])
    lab.check("monitor is closed" in one.evidence("old"), f"status: {one.evidence('old')}")
    time.sleep(1)
    lab.equal(one.process.poll(), None, "attach stays")
    qemu.add("e1000e", "alone", 2, "52:54:00:00:01:0b")
    relay.silent = True
    relay.listen()
    await_(lambda: "does not greet" in one.log(), "somebody who says nothing: the log says so")
    relay.silent = False
    await_(lambda: "alone" in one.ports(), "reached again; the card that came meanwhile is there", 15)
    lab.equal(one.ports(), {"port0": ["old", "new"], "alone": ["alone"]}, "beside the others")
    one.qmp.command("set_link", name="port0", up=True)
    await_(lambda: [n["link"] for n in one.qmp.command("query-ports")[0]["nics"]] == ["up", "down"], "links are set as ever")
    one.qmp.command("quit")
    lab.equal(one.process.wait(30), 0, "detached")
    named = Attached(lab, relay.path, "--nic", "old")
    qemu.qmp.command("query-status")
    relay.cut()
    await_(lambda: "is tried again" in named.log() and "QEMU closed" not in named.why()["text"], "the same with --nic")
    time.sleep(0.5)
    lab.equal(named.ports(), {"old": ["old"]}, "with --nic no other card is taken")
    named.qmp.command("quit")
    lab.equal(named.process.wait(30), 0, "detached")
    qemu.end()


SCENARIOS = [cards_come, monitor_closes]


def scenario(lab, which):
    try:
        {s.__name__: s for s in SCENARIOS}[which](lab)
    finally:
        for process in STARTED:
            process.kill()
            process.wait()

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("one of " + " ".join(s.__name__ for s in SCENARIOS))
    main(scenario)
