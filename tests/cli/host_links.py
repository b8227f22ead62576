"""host_links.py SCENARIO: backends that are links of the host, on the real program in a network namespace: what `serve` makes, what it
notices, what it tells, and what is left when it was killed. No guest is needed: a port's backend is there before its guest."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import lab as machine
import ovs
from harness import main
from qmp import Qmp

MAC = "52:54:00:0a:0b:0c"
OWN = "52:54:00:00:00:02"  # of wire0
HOST_SIDE = "fe:54:00:0a:0b:0c"


def exists(link):
    return subprocess.run(["ip", "link", "show", link], capture_output=True, check=False).returncode == 0


def field(link, word):
    """The word after `word` in what ip tells of a link."""
    words = subprocess.run(["ip", "-d", "link", "show", link], capture_output=True, text=True, check=True).stdout.split()
    return words[words.index(word) + 1] if word in words else None


def wire():
    """wire0 is the host's device, wire1 the other end of its cable."""
    machine.ip("link", "add", "wire0", "address", OWN, "type", "veth", "peer", "name", "wire1")
    for name in ("wire0", "wire1"):
        machine.ip("link", "set", name, "up")


def bridge(name="br0"):
    machine.ip("link", "add", name, "type", "bridge")
    machine.ip("link", "set", name, "up")


class Service:
    """`anynic serve` with one port, until stop() or kill(). `before`: words in front, as of setpriv; `folder`: where its sockets are."""

    running = []

    def __init__(self, lab, backend, name="one", nic="virtio-net", before=(), folder=None):
        self.lab, self.name = lab, name
        folder = folder or lab.folder
        self.log = pathlib.Path(lab.folder) / f"{name}.log"
        words = [*before, machine.anynic(), "serve", "-v", "--name", name, "--nic", f"{nic},{backend},mac={MAC}",
                 "--socket", f"{folder}/{name}.sock", "--qmp", f"{folder}/{name}.control"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        Service.running.append(self.process)
        self.qmp = self._connect(f"{folder}/{name}.control", 60)

    def _connect(self, path, seconds):
        """A program that has ended already will not listen."""
        end = time.monotonic() + seconds
        while True:
            ended = self.process.poll() is not None
            try:
                return Qmp(path, 0)
            except OSError as error:
                if ended or time.monotonic() > end:
                    self.process.kill()
                    self.process.wait()
                    raise RuntimeError(self.log.read_text()) from error
                time.sleep(0.02)

    def port(self):
        (found,) = self.qmp.command("query-ports")
        return found

    def backend(self):
        return self.port()["backend"]

    def why(self):
        (found,) = self.qmp.command("query-why")
        return found

    def expect(self, since, up, reason, text):
        """The event, and the same in status and why."""
        event = self.qmp.wait("BACKEND_STATUS_CHANGED", 60, since, port="net0", up=up)
        self.lab.check(reason in event["data"]["reason"], f"{text}: {event['data']['reason'] or 'up again'}")
        self.lab.equal(self.backend()["up"], up, "status says so too")
        if not up:
            why = self.why()
            self.lab.equal(why["verdict"], "backend-down", "and why")
            self.lab.check(why["next-step"], f"with a next step: {why['next-step']}")

    def children(self):
        """By name: the datapath, tidy."""
        found = {}
        for pid in pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                found[pathlib.Path(f"/proc/{pid}/comm").read_text().strip()] = int(pid)
        return found

    def stop(self):
        self.qmp.close()
        self.process.terminate()
        self.process.wait(60)
        self.lab.equal(self.process.returncode, 0, f"{self.name} ended in order")

    def kill(self, tidy):
        """As the kernel's out-of-memory killer would; with `tidy`, the process that would tidy up goes first."""
        await_(lambda: "anynic-tidy" in self.children(), "it has given itself its name")
        children = self.children()
        if tidy:
            os.kill(children["anynic-tidy"], signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.qmp.close()
        await_(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for name, pid in children.items()
                               if name != "anynic-tidy"), "its processes end")


def await_(holds, text, seconds=30):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"not in {seconds} s: {text}")
        time.sleep(0.02)


def says_the_same(lab, planned, done):
    if planned.returncode == 0:
        lab.equal(planned.stderr, done.stderr.replace("anynic: ", "anynic: run would fail: ", 1), "plan names the problem")
    else:
        lab.equal((planned.returncode, planned.stdout, planned.stderr), (done.returncode, "", done.stderr), "plan says the same")


def fails(lab, backend, code, *says):
    """`serve` refuses it, and `plan` says the same before: what is wrong as it stands is an error, what this host lacks a problem."""
    nic = ["--nic", f"virtio-net,{backend}"]
    done, planned = (subprocess.run([machine.anynic(), *words], capture_output=True, text=True, timeout=30, check=False)
                     for words in (["serve", *nic, "--socket", f"{lab.folder}/x.sock"], ["plan", *nic]))
    lab.equal(done.returncode, code, f"{backend}: {done.stderr.strip()}")
    for text in says:
        lab.check(text in done.stderr, f"which says: {text}")
    says_the_same(lab, planned, done)


def bridge_port(lab):
    bridge()
    machine.ip("link", "set", "br0", "mtu", "1400")
    one = Service(lab, "backend=bridge,br=br0")
    backend = one.backend()
    tap = backend["ifname"]
    lab.equal((backend["type"], backend["br"], backend["up"]), ("bridge", "br0", True), "status names the bridge")
    lab.equal((field(tap, "master"), field(tap, "mtu"), field(tap, "link/ether")), ("br0", "1400", HOST_SIDE),
              "a tap with the bridge's MTU and a MAC that no bridge takes for its own")
    lab.equal(field(tap, "alias"), "anynic", "its alias says whose it is")
    one.stop()
    lab.equal(exists(tap), False, "the tap has gone")
    two = Service(lab, "backend=bridge,br=br0,ifname=mine")
    lab.equal(two.backend()["ifname"], "mine", "ifname= names the tap")
    two.kill(tidy=True)
    await_(lambda: not exists("mine"), "a killed one leaves no tap")
    lab.say("ok: a killed one leaves no tap")


def bridge_changes(lab):
    bridge()
    one = Service(lab, "backend=bridge,br=br0")
    tap, qmp = one.backend()["ifname"], one.qmp
    at = qmp.mark()
    machine.ip("link", "set", tap, "down")
    one.expect(at, False, f"{tap} is down", "the tap is set down")
    at = qmp.mark()
    machine.ip("link", "set", tap, "up")
    one.expect(at, True, "", "the tap is set up")
    at = qmp.mark()
    machine.ip("link", "del", "br0")
    one.expect(at, False, "bridge br0 is gone", "the bridge is deleted")
    at = qmp.mark()
    bridge()
    one.expect(at, True, "", "a bridge of that name is made")
    lab.equal(field(tap, "master"), "br0", "the tap has joined it by itself")
    at = qmp.mark()
    machine.ip("link", "set", tap, "nomaster")
    one.expect(at, False, "taken out of bridge br0", "somebody takes the tap out")
    at = qmp.mark()
    machine.ip("link", "set", tap, "master", "br0")
    one.expect(at, True, "", "somebody puts it back")
    at = qmp.mark()
    machine.ip("link", "set", "br0", "down")
    one.expect(at, False, "bridge br0 is down", "the bridge is set down")
    at = qmp.mark()
    machine.ip("link", "set", "br0", "up")
    one.expect(at, True, "", "the bridge is set up")
    for i in range(50):  # a busy host: news of others change nothing
        machine.ip("link", "add", f"busy{i}", "type", "bridge")
    lab.equal(qmp.events[at + 1:], [], "links of others are no news")
    one.stop()


def delete(one, link, reason, text):
    """A link goes under a port; the mark of before that."""
    at = one.qmp.mark()
    machine.ip("link", "del", link)
    if "next: wait" in reason:  # it may be back before status is asked
        event = one.qmp.wait("BACKEND_STATUS_CHANGED", 60, at, port="net0", up=False)
        one.lab.check(reason in event["data"]["reason"], f"{text}: {event['data']['reason']}")
    else:
        one.expect(at, False, reason, text)
    return at


def returned(one, at, text):
    """The port is up again: one event for each way, and its interface there."""
    one.qmp.wait("BACKEND_STATUS_CHANGED", 60, at, port="net0", up=True)
    backend = one.backend()
    one.lab.equal((backend["up"], exists(backend["ifname"])), (True, True), f"{text}: up, with {backend['ifname']}")
    time.sleep(0.3)
    one.lab.equal([e["data"]["up"] for e in one.qmp.events[at:]], [False, True], "one event down, one up")
    one.lab.equal(one.why()["verdict"], "no-driver", "why has no complaint of the backend")
    return backend["ifname"]


def a_tap_comes_back(lab):
    """Deleted under a port: one of ours is made again, one that was there before is waited for."""
    bridge()
    one = Service(lab, "backend=bridge,br=br0,ifname=mine", nic="virtio-net,queues=2")
    for turn in range(3):
        at = delete(one, "mine", "mine is gone; next: wait, it is made again", f"turn {turn + 1}: our tap is deleted")
        returned(one, at, "it is made again")
        lab.equal((field("mine", "master"), field("mine", "link/ether"), field("mine", "alias")), ("br0", HOST_SIDE, "anynic"),
                  "on the bridge, as before")
    at = delete(one, "br0", "bridge br0 is gone", "the bridge is deleted")
    machine.ip("link", "del", "mine")
    await_(lambda: "and bridge br0" in one.backend()["reason"], "and its tap: status names both")
    time.sleep(1)
    bridge()
    returned(one, at, "the bridge is made again")
    lab.equal(field("mine", "master"), "br0", "both are there again")
    lab.equal(one.log.read_text().count("it is tried again until it is back"), 4, "the log has each loss once")
    one.stop()
    lab.equal(exists("mine"), False, "the tap goes with the port")

    machine.make_tap("tap0", None, queues=2)
    one = Service(lab, "backend=tap,ifname=tap0", nic="virtio-net,queues=2")
    at = delete(one, "tap0", "tap0 is gone; next: ip tuntap add dev tap0 mode tap", "a tap of the user's is deleted")
    time.sleep(1)
    lab.equal(exists("tap0"), False, "nobody makes it but the user")
    lab.check("the port goes on by itself" in one.why()["next-step"], one.why()["next-step"])
    machine.ip("link", "add", "tap0", "type", "bridge")
    await_(lambda: "tap0 is no tap interface" in one.backend()["reason"], "something else has its name: status says so")
    machine.ip("link", "del", "tap0")
    await_(lambda: "tap0 is gone" in one.backend()["reason"], "and that it went")
    machine.make_tap("tap0", None)
    returned(one, at, "the user makes it again, with one queue")
    one.stop()
    lab.equal(exists("tap0"), True, "it stays")

    one = Service(lab, "backend=tap,ifname=new0")
    at = delete(one, "new0", "new0 is gone; next: wait", "a tap that did not exist before the port is deleted")
    returned(one, at, "it is made again")
    two = Service(lab, "backend=null", name="two")
    lab.equal(two.backend()["up"], True, "other ports go on")
    two.stop()
    one.stop()


def a_tap_comes_back_to_a_late_datapath(lab):
    """One that has no processor meanwhile hears of the old tap's end and of the new one at once: the port is up when it has the new one."""
    bridge()
    one = Service(lab, "backend=bridge,br=br0,ifname=mine")
    os.kill(one.children()["anynic-datapath"], signal.SIGSTOP)
    try:
        at = one.qmp.mark()
        machine.ip("link", "del", "mine")
        one.qmp.wait("BACKEND_STATUS_CHANGED", 60, at, port="net0", up=False)
        await_(lambda: exists("mine") and field("mine", "master") == "br0", "it is made again")
        await_(lambda: "LOWER_UP" in subprocess.run(["ip", "link", "show", "mine"], capture_output=True, text=True, check=True).stdout, "and up")
        time.sleep(1)
        lab.equal([e["data"]["up"] for e in one.qmp.events[at:]], [False], "while the datapath stands, the port is not up")
    finally:
        os.kill(one.children()["anynic-datapath"], signal.SIGCONT)
    returned(one, at, "the datapath has it")
    one.stop()


def a_device_comes_back(lab):
    """The device below a macvtap is unplugged and plugged in again; the macvtap is deleted while it stays."""
    for mode in ("bridge", "passthrough"):
        wire()
        one = Service(lab, f"backend=direct,dev=wire0,mode={mode}")
        link = one.backend()["ifname"]
        at = delete(one, link, f"{link} is gone; next: wait", f"{mode}: the macvtap is deleted")
        link = returned(one, at, "it is made again")
        lab.equal((field(link, "link/ether"), field("wire0", "link/ether")), (MAC, MAC if mode == "passthrough" else OWN),
                  "with the port's MAC")
        at = delete(one, "wire0", f"wire0 is gone, and {link} on it; next: bring wire0 back", "the device is unplugged")
        time.sleep(1)
        wire()
        link = returned(one, at, "it is plugged in again")
        one.stop()
        lab.equal((exists(link), field("wire0", "link/ether")), (False, OWN), "at the end the device is as it came")
        left = [p.name for p in (pathlib.Path(lab.folder) / "anynic").glob("one.undo")]
        lab.equal(left, [], "and the journal is empty")
        machine.ip("link", "del", "wire0")
    wire()
    one = Service(lab, "backend=direct,dev=wire0,mode=passthrough")
    machine.ip("link", "del", "wire0")
    await_(lambda: not one.backend()["up"], "unplugged")
    machine.ip("link", "add", "spare0", "type", "veth", "peer", "name", "wire1")
    machine.ip("link", "add", "rival", "link", "spare0", "type", "macvtap", "mode", "bridge")
    machine.ip("link", "set", "spare0", "name", "wire0")
    machine.ip("link", "set", "wire1", "up")
    await_(lambda: "cannot be passed through: macvtap rival" in one.backend()["reason"], "somebody else was faster: status says who")
    lab.check("next: another dev=" in one.backend()["reason"], one.backend()["reason"])
    machine.ip("link", "del", "rival")
    await_(lambda: one.backend()["up"], "it goes, and the port has its device")
    one.stop()
    one = Service(lab, "backend=direct,dev=wire0")
    machine.ip("link", "del", "wire0")
    await_(lambda: not one.backend()["up"], "unplugged")
    one.kill(tidy=True)
    two = Service(lab, "backend=null", name="two")
    two.stop()
    lab.check("cannot" not in two.log.read_text(), "killed meanwhile: the next start has nothing to complain of")


def a_bridge_that_is_down(lab):
    """It was so before the port came."""
    machine.ip("link", "add", "br0", "type", "bridge")
    one = Service(lab, "backend=bridge,br=br0")
    lab.equal(one.backend()["up"], False, "the port says from the start that frames get nowhere")
    lab.check("bridge br0 is down" in one.backend()["reason"], one.backend()["reason"])
    one.stop()


def tap_changes(lab):
    machine.make_tap("tap0", None)
    one = Service(lab, "backend=tap,ifname=tap0")
    at = one.qmp.mark()
    machine.ip("link", "set", "tap0", "down")
    one.expect(at, False, "tap0 is down", "a tap that was there before is set down")
    at = one.qmp.mark()
    machine.ip("link", "set", "tap0", "up")
    one.expect(at, True, "", "and up")
    one.stop()


def direct_port(lab):
    wire()
    one = Service(lab, "backend=direct,dev=wire0,mode=bridge")
    backend, qmp = one.backend(), one.qmp
    link = backend["ifname"]
    lab.equal((backend["type"], backend["dev"], backend["mode"]), ("direct", "wire0", "bridge"), "status names the device")
    lab.check("host cannot reach the guest" in backend["reason"], f"and its limit: {backend['reason']}")
    lab.equal((field(link, "mode"), field(link, "link/ether")), ("DEFAULT", MAC), "a macvtap with the port's MAC")
    lab.equal(field(link, "macvtap"), "mode", "of the mode")
    at = qmp.mark()
    machine.ip("link", "set", "wire1", "down")
    one.expect(at, False, "wire0 has no carrier", "the other end goes")
    at = qmp.mark()
    machine.ip("link", "set", "wire1", "up")
    one.expect(at, True, "", "the other end comes")
    at = qmp.mark()
    machine.ip("link", "set", "wire0", "down")
    one.expect(at, False, "wire0 is down", "the device is set down")
    at = qmp.mark()
    machine.ip("link", "set", "wire0", "up")
    one.expect(at, True, "", "the device is set up")
    at = qmp.mark()
    machine.ip("link", "del", "wire0")
    one.expect(at, False, "wire0 is gone", "the device is unplugged")
    one.stop()


def passthrough(lab):
    wire()
    own = field("wire0", "link/ether")
    one = Service(lab, "backend=direct,dev=wire0,mode=passthrough")
    link = one.backend()["ifname"]
    lab.equal(field("wire0", "link/ether"), MAC, "the device has the port's MAC")
    fails(lab, "backend=direct,dev=wire0", 1, "wire0 is taken whole", "of anynic one/net0")
    one.stop()
    lab.equal((field("wire0", "link/ether"), exists(link)), (own, False), "at the end it has its own again")

    one = Service(lab, "backend=direct,dev=wire0,mode=passthrough")
    one.kill(tidy=False)
    await_(lambda: not exists(link) and field("wire0", "link/ether") == own, "tidied up")
    lab.say("ok: killed: anynic-tidy gives the device back")

    one = Service(lab, "backend=direct,dev=wire0,mode=passthrough")
    one.kill(tidy=True)
    lab.equal((field("wire0", "link/ether"), exists(link)), (MAC, True), "killed with tidy: everything is left")
    two = Service(lab, "backend=null", name="two")
    lab.equal((field("wire0", "link/ether"), exists(link)), (own, False), "the next start of any guest puts it in order")
    lab.check("had left" in two.log.read_text(), "and says so")
    left = sorted(p.name for p in (pathlib.Path(lab.folder) / "anynic").iterdir() if p.name.startswith("one"))
    lab.equal(left, [], "no file of the dead guest is left")
    two.stop()


def killed_and_taken_over(lab):
    """What a dead guest left is not touched once somebody else has made it theirs; a living one's neither."""
    wire()
    one = Service(lab, "backend=direct,dev=wire0")
    link = one.backend()["ifname"]
    two = Service(lab, "backend=null", name="two")
    lab.equal(exists(link), True, "a start beside a living guest leaves its macvtap alone")
    two.stop()
    one.kill(tidy=True)
    machine.ip("link", "set", link, "alias", "adopted")
    two = Service(lab, "backend=null", name="two")
    lab.equal(exists(link), True, "a macvtap that somebody adopted stays")
    two.stop()


def killed_at_any_time(lab):
    """Control and tidy die together at some moment of a start, a device being taken: the next start finds out how far it came.
    How long a start takes is this machine's business: the moments lie between 0 and where six of them were late enough."""
    wire()
    own = field("wire0", "link/ether")
    machine.ip("link", "set", "wire0", "down")
    taken = kills = 0
    most = 0.02
    while kills < 40 or (taken <= 5 and kills < 400):
        kills += 1
        if kills % 10 == 0 and taken <= kills // 10:
            most *= 2
        words = [machine.anynic(), "serve", "--name", "one", "--nic",
                 f"virtio-net,backend=direct,dev=wire0,mode=passthrough,mac={MAC}", "--socket", f"{lab.folder}/one.sock"]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(most * (kills % 10) / 10)
            for pid in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
                with contextlib.suppress(OSError):
                    if pathlib.Path(f"/proc/{pid}/comm").read_text().startswith("anynic"):
                        os.kill(int(pid), signal.SIGKILL)
            process.kill()
        taken += field("wire0", "link/ether") == MAC
        two = Service(lab, "backend=null", name="two")
        if exists("anynic0") or field("wire0", "link/ether") != own or field("wire0", "state") != "DOWN":
            raise RuntimeError(f"kill {kills} left: {subprocess.check_output(['ip', '-d', 'link'], text=True)}")
        two.stop()
    lab.check(taken > 5, f"killed {kills} times, {taken} times with the device taken: each time the next start gave it back")


def as_an_ordinary_user(lab):
    """What only root can make is refused with what to do instead."""
    wire()
    bridge()
    machine.ip("tuntap", "add", "theirs", "mode", "tap", "user", "1234")
    folder = pathlib.Path(lab.folder)
    folder.chmod(0o755)
    run = folder / "user"
    run.mkdir()
    os.chown(run, 65534, 65534)
    for backend, text in (("backend=bridge,br=br0", "anynic-helper"), ("backend=direct,dev=wire0", "anynic-helper"),
                          ("backend=tap,ifname=new0", "anynic-helper"), ("backend=tap,ifname=theirs", "belongs to another user"),
                          ("backend=auto,dev=br0", "anynic-helper")):
        done = subprocess.run([machine.anynic(), "serve", "--nic", f"virtio-net,{backend}", "--socket", f"{run}/x.sock"],
                              capture_output=True, text=True, timeout=30, check=False, user=65534, group=65534, extra_groups=[],
                              env={**os.environ, "XDG_RUNTIME_DIR": str(run), "ANYNIC_HELPER": ""})
        planned = subprocess.run([machine.anynic(), "plan", "--nic", f"virtio-net,{backend}"], capture_output=True, text=True,
                                 check=False, user=65534, group=65534, extra_groups=[],
                                 env={**os.environ, "XDG_RUNTIME_DIR": str(run), "ANYNIC_HELPER": ""})
        says_the_same(lab, planned, done)
        lab.check(done.returncode == 1 and "next, as root: " in done.stderr and text in done.stderr,
                  f"{backend}: exit {done.returncode}: {done.stderr.strip()}")
        lab.equal([p.name for p in run.rglob("*") if p.is_file()], [], "nothing is left")
    listed = subprocess.run([machine.anynic(), "backends"], capture_output=True, text=True, check=True, user=65534, group=65534,
                            extra_groups=[], env={**os.environ, "ANYNIC_HELPER": ""}).stdout
    lab.check("not here: making a macvtap needs root" in listed, "`anynic backends` says so before")


def bad_words(lab):
    wire()
    bridge("br7")
    fails(lab, "backend=bridge", 2, "needs br=", "br7")
    fails(lab, "backend=bridge,br=br0", 3, "port net0: there is no bridge br0", "bridges: br7", "ip link add br0 type bridge")
    fails(lab, "backend=bridge,br=wire0", 1, "wire0 is no bridge", "backend=direct,dev=wire0")
    fails(lab, "backend=bridge,br=br7,ifname=wire1", 1, "there is such an interface already")
    fails(lab, "backend=bridge,br=../br7", 2, "br=../br7 is not legal")
    fails(lab, "backend=bridge,br=br7,ifname=sixteen_letters_", 2, "at most 15")
    fails(lab, "backend=direct,dev=nobody", 3, "there is no network device nobody")
    fails(lab, "backend=direct,dev=../x", 2, "dev=../x is not legal")
    fails(lab, "backend=direct,dev=sixteen_letters_", 2, "at most 15")
    fails(lab, "backend=direct,dev=wire0,mode=hub", 2, "vepa, bridge, private, passthrough")
    fails(lab, "backend=direct,dev=lo", 2, "no Ethernet device")
    machine.ip("link", "set", "wire0", "master", "br7")
    fails(lab, "backend=direct,dev=wire0", 1, "belongs to bridge br7", "backend=bridge,br=br7")
    lab.equal((exists("wire0"), exists("wire1"), field("wire0", "master")), (True, True, "br7"), "nothing was harmed")


def plan(backend):
    done = subprocess.run([machine.anynic(), "plan", "-j", "--nic", f"virtio-net,{backend}"], capture_output=True, text=True,
                          timeout=30, check=True)
    (port,) = json.loads(done.stdout)["ports"]
    return port["backend"]


def taken(lab):
    """Taps that somebody has, that are another's, or that two ports want."""
    machine.make_tap("tap0", None)
    machine.make_tap("many", None, queues=2)
    machine.ip("tuntap", "add", "theirs", "mode", "tap", "user", "1234")
    machine.ip("tuntap", "add", "tun0", "mode", "tun")
    one = Service(lab, "backend=tap,ifname=tap0")
    fails(lab, "backend=tap,ifname=tap0", 1, "tap tap0 is in use by another program", "choose another ifname=")
    fails(lab, "backend=auto,dev=tap0", 1, "tap tap0 is in use by another program")
    machine.ip("link", "set", "tap0", "down")
    fails(lab, "backend=tap,ifname=tap0", 1, "tap tap0 is in use by another program")
    fails(lab, "backend=tap,ifname=tun0", 2, "tun0 is no tap interface")
    fails(lab, "backend=tap,ifname=lo", 2, "lo is no tap interface")
    one.stop()
    wire()
    for spec, text in (("backend=tap,ifname=tap0", "ifname=tap0 is used by two ports, net0 and net1"),
                       ("backend=tap,ifname=many", "ifname=many is used by two ports"),
                       ("backend=direct,dev=wire0,mode=passthrough", "mode=passthrough takes it whole"),
                       ("backend=auto,dev=tap0", "ifname=tap0 is used by two ports")):
        for verb in (["plan"], ["serve", "--socket", f"{lab.folder}/two"]):
            done = subprocess.run([machine.anynic(), *verb, "--nic", f"igc,{spec}", "--nic", f"igc,{spec}"], capture_output=True,
                                  text=True, timeout=30, check=False)
            lab.check(done.returncode == 2 and text in done.stderr, f"{verb[0]}: exit {done.returncode}: {done.stderr.strip()}")
    two = Service(lab, "backend=tap,ifname=many", name="two", nic="virtio-net,queues=2")
    lab.equal(two.backend()["up"], True, "a tap of several queues, with all of them")
    two.stop()
    done = subprocess.run([machine.anynic(), "plan", "--assume", "kvm", "--nic", "igc,backend=bridge,br=br9"], capture_output=True,
                          text=True, timeout=30, check=False)
    lab.equal(done.returncode, 0, "with --assume it is a plan for a host that has what it takes")


def auto(lab):
    """backend=auto finds out what dev= is; plan says the same without making anything."""
    wire()
    bridge()
    cases = [("br0", "bridge", "br0 is a Linux bridge"), ("wire0", "direct", "the host cannot reach the guest")]
    for dev, kind, reason in cases:
        planned = plan(f"backend=auto,dev={dev}")
        lab.equal(planned["type"], kind, f"plan: dev={dev} is served by backend={kind}: {planned['chosen']}")
        one = Service(lab, f"backend=auto,dev={dev}")
        backend = one.backend()
        lab.equal(backend["type"], kind, f"dev={dev} is served by backend={kind}")
        lab.check(reason in backend["reason"], f"and status says why: {backend['reason']}")
        lab.check("info: port net0: backend=" in one.log.read_text(), "and the log")
        one.stop()
    machine.make_tap("tap0", None)
    lab.equal(plan("backend=auto,dev=tap0")["ifname"], "tap0", "a tap is taken as it is")
    fails(lab, "backend=auto", 2, "needs dev=")
    fails(lab, "backend=auto,dev=nobody", 3, "no libvirt network")
    fails(lab, "backend=auto,dev=br0,mode=vepa", 2, "mode= has no meaning for backend=bridge")
    fails(lab, "backend=auto,dev=../../etc/passwd", 3, "no libvirt network")


def open_vswitch(lab):
    """A port of an Open vSwitch bridge has the ids that a controller binds it by, and goes: at the end, after a kill, and when the
    database was away at the end."""
    switch = ovs.Switch(lab.folder)
    try:
        switch.add_bridge("ovs0")
        one = Service(lab, "backend=bridge,br=ovs0")
        tap = one.backend()["ifname"]
        lab.equal(switch.ports("ovs0"), [tap], "the tap is a port of the bridge")
        ids = switch.ids(tap)
        lab.equal((ids["attached-mac"], sorted(ids)), (MAC, ["anynic-port", "attached-mac", "iface-id", "iface-status", "vm-id"]), f"its ids: {ids}")
        at = one.qmp.mark()
        machine.ip("link", "set", tap, "down")
        one.expect(at, False, f"{tap} is down", "the tap is set down")
        one.stop()
        lab.equal(switch.ports("ovs0"), [], "the port has gone")

        one = Service(lab, "backend=auto,dev=ovs0")
        lab.check("Open vSwitch" in one.backend()["reason"], one.backend()["reason"])
        one.kill(tidy=True)
        lab.equal(len(switch.ports("ovs0")), 1, "a killed one leaves its port")
        two = Service(lab, "backend=null", name="two")
        lab.equal(switch.ports("ovs0"), [], "the next start removes it")
        two.stop()

        one = Service(lab, "backend=bridge,br=ovs0")
        switch.stop_database()
        one.stop()
        switch.start_database()
        lab.equal(len(switch.ports("ovs0")), 1, "the database was away at the end")
        two = Service(lab, "backend=null", name="two")
        lab.equal(switch.ports("ovs0"), [], "the next start makes up for it")
        two.stop()
        fails(lab, "backend=bridge,br=ovs9", 3, "there is no bridge ovs9")
        switch.stop_database()
        fails(lab, "backend=bridge,br=ovs0", 4, "ovs0 is no Linux bridge, and Open vSwitch, whose it may be, does not answer",
              "next: systemctl start openvswitch-switch")
        switch.start_database()

        one = Service(lab, "backend=bridge,br=ovs0")
        at = one.qmp.mark()
        machine.ip("link", "del", one.backend()["ifname"])
        tap = returned(one, at, "its tap is deleted")
        lab.equal(switch.ports("ovs0"), [tap], "the new one is the switch's port")
        at = one.qmp.mark()
        switch.vsctl("del-br", "ovs0")
        one.expect(at, False, "bridge ovs0 is gone; next: ovs-vsctl add-br ovs0, then the port goes on", "the bridge is deleted")
        switch.add_bridge("ovs0")
        tap = returned(one, at, "it is made again")
        lab.equal(switch.ports("ovs0"), [tap], "and has its port")
        one.stop()
        lab.equal(switch.ports("ovs0"), [], "which goes at the end")
    finally:
        switch.stop()


SCENARIOS = [bridge_port, bridge_changes, a_tap_comes_back, a_tap_comes_back_to_a_late_datapath, a_device_comes_back, a_bridge_that_is_down, tap_changes, direct_port, passthrough, killed_and_taken_over,
             killed_at_any_time, as_an_ordinary_user, bad_words, taken, auto, open_vswitch]


def run(lab, which, scenarios):
    if os.geteuid() != 0:
        raise machine.Skip("bridges, taps and macvtaps are made by root only")
    machine.own_sysfs()
    try:
        {s.__name__: s for s in scenarios}[which](lab)
    finally:
        for process in Service.running:  # after a failure
            if process.poll() is None:
                process.terminate()
                process.wait(60)


def scenario(lab, which):
    run(lab, which, SCENARIOS)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("one of " + " ".join(s.__name__ for s in SCENARIOS))
    main(scenario)
