"""helper.py SCENARIO: anynic-helper and its users, in a network namespace of the scenario's. Users are ids of no account: NOBODY and
OTHER. Some talk to the helper themselves, as anybody can; some are the real program."""
import array
import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

import host_links
import lab as machine
from harness import main
from host_links import await_, bridge, exists, field, wire

NOBODY, OTHER = 65534, 65533
MAGIC, VERSION = 0x68796e61, 1
TAP, BRIDGE, DIRECT, REJOIN = range(4)
REQUEST = struct.Struct("=IIIII6s2x16s16s16s64s40s")
ANSWER = struct.Struct("=IIiIIII16s160s512s")
MACS = [bytes.fromhex(f"5254000a0b{n:02x}") for n in range(8)]
EVERYBODY = b"\xff" * 6
TUNSETPERSIST = 0x400454cb
VNET_HEADER = bytes(10)
SUDOERS = "#{} ALL=(root) NOPASSWD: {} --stdio\n"


def helper_program():
    found = [p for p in (machine.BUILD / "src/helper/anynic-helper", machine.BUILD / "anynic-helper") if p.exists()]
    return str(found[0])


INSTALLED = machine.TOP / "src/helper/install"


class Helper:
    """anynic-helper --socket, or the same with a listening socket that it is given: activated="systemd" by systemd's own tool, else by
    us with the same protocol."""

    def __init__(self, lab, rules, activated=False):
        self.lab, self.folder = lab, pathlib.Path(lab.folder)
        self.folder.chmod(0o755)
        self.socket, self.rules, self.log = (self.folder / name for name in ("helper.sock", "helper.conf", "helper.log"))
        self.write(rules)
        self.activated = activated
        self.start()

    def write(self, rules):
        self.rules.write_text(rules)
        self.rules.chmod(0o644)

    def start(self):
        words = [helper_program(), "--config", str(self.rules), "--state", str(self.folder / "state")]
        self.before = self.log.read_text().count("listens") if self.log.exists() else 0
        with self.log.open("a") as log:
            if self.activated:
                self.process = (self._systemd if self.activated == "systemd" else self._activate)(words, log)
                return
            self.process = subprocess.Popen([*words, "--socket", str(self.socket)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        await_(self._listens, "the helper listens")

    def _listens(self):
        if self.process.poll() is not None:
            raise RuntimeError(self.log.read_text())
        return self.log.read_text().count("listens") > self.before

    def _systemd(self, words, log):
        """As the installed socket unit says. It becomes the helper with the first connection."""
        unit = dict(line.split("=", 1) for line in (INSTALLED / "anynic-helper.socket").read_text().splitlines() if "=" in line)
        kind = ["--seqpacket"] if "ListenSequentialPacket" in unit else []
        process = subprocess.Popen(["systemd-socket-activate", *kind, "--listen", str(self.socket), "-E", "JOURNAL_STREAM=8:1", *words],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        await_(self.socket.exists, "systemd-socket-activate listens")
        self.socket.chmod(int(unit["SocketMode"], 8))
        return process

    def _activate(self, words, log):
        """As systemd does it."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(str(self.socket))
        self.socket.chmod(0o666)
        listener.listen(8)
        script = 'exec 3<&"$1" || exit 9; shift; LISTEN_PID=$$ LISTEN_FDS=1 JOURNAL_STREAM=8:1 exec "$@"'
        return subprocess.Popen(["bash", "-c", script, "sh", str(listener.fileno()), *words], stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log, pass_fds=[listener.fileno()])

    def sessions(self):
        pid = self.process.pid
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def said(self, text):
        return text in self.log.read_text()

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def as_user(uid, call):
    """The kernel notes the effective ids of whoever connects."""
    os.setegid(uid)
    os.seteuid(uid)
    try:
        return call()
    finally:
        os.seteuid(0)
        os.setegid(0)


def text(raw):
    return raw.split(b"\0", 1)[0].decode()


class Client:
    """One connection to the helper, without any of anynic's code."""

    def __init__(self, helper, uid=NOBODY, sock=None):
        def connect():
            made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            made.connect(str(helper.socket))
            return made

        self.sock = sock or as_user(uid, connect)
        self.sock.settimeout(60)
        self.fds = []

    def send(self, data, fds=()):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([data], rights)

    def answer(self):
        """None: the connection is closed."""
        try:
            data, fds, _, _ = socket.recv_fds(self.sock, ANSWER.size + 1, 32)
        except ConnectionError:
            return None
        if not data:
            return None
        magic, version, code, count, self.ifindex, self.below, self.mtu, name, reason, words = ANSWER.unpack(data)
        assert (magic, version, count) == (MAGIC, VERSION, len(fds)), "the answer is none of this version"
        self.fds += fds
        self.name, self.reason, self.text = text(name), text(reason), text(words)
        return code

    def ask(self, what, link=b"", ifname=b"", mode=b"", mac=MACS[0], queues=1, mtu=0, guest=b"vm", port=b"net0"):
        self.send(REQUEST.pack(MAGIC, VERSION, what, queues, mtu, mac if what in (BRIDGE, DIRECT) else bytes(6), link, ifname, mode,
                               guest, port))
        return self.answer()

    def close(self):
        self.sock.close()

    def close_fds(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []


def frame(to, source, number):
    return to + source + b"\x88\xb5" + bytes([number]) * 46


def gets(fd, number, seconds=20.0):
    """Whether our frame of this number comes out of a tap."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            data = os.read(fd, 2000)
        except BlockingIOError:
            time.sleep(0.01)
            continue
        if data[22:25] == b"\x88\xb5" + bytes([number]):
            return True
    return False


class Watcher:
    """Sees frames on a device of the host."""

    def __init__(self, name):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
        self.sock.bind((name, 0x88b5))
        self.sock.settimeout(20)

    def gets(self, number):
        try:
            while self.sock.recv(2000)[12:15] != b"\x88\xb5" + bytes([number]):
                pass
        except TimeoutError:
            return False
        return True


class UserService(host_links.Service):
    """`anynic serve` as an ordinary user."""

    def __init__(self, lab, helper, backend, name="one", uid=NOBODY):
        folder = pathlib.Path(lab.folder) / f"user{uid}"
        folder.mkdir(mode=0o700, exist_ok=True)
        os.chown(folder, uid, uid)
        before = ["env", f"XDG_RUNTIME_DIR={folder}", *([f"ANYNIC_HELPER={helper.socket}"] if helper else []),
                  "setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"]
        super().__init__(lab, backend, name, before=before, folder=folder)


def refused(lab, helper, backend, *says, uid=NOBODY):
    """What an ordinary user reads when a port cannot be had."""
    try:
        service = UserService(lab, helper, backend, "refused", uid)
    except RuntimeError as error:
        for words in says:
            lab.check(words in str(error), f"{backend}: refused, which says: {words}\n{error}")
        return
    service.stop()
    raise RuntimeError(f"{backend} was not refused")


# --- what it makes

def bridge_with_two_taps(lab):
    bridge()
    helper = Helper(lab, "allow br0\n")
    one, two = Client(helper), Client(helper, OTHER)
    lab.equal(one.ask(BRIDGE, b"br0", mac=MACS[1], queues=2, mtu=2000), 0, "a tap on the bridge for one user")
    lab.equal(two.ask(BRIDGE, b"br0", mac=MACS[2]), 0, "and one for another")
    lab.equal((len(one.fds), len(two.fds)), (2, 1), "with a descriptor for each queue")
    lab.equal((field(one.name, "master"), field(one.name, "link/ether")), ("br0", "fe:54:00:0a:0b:01"), "a port as root's would be")
    lab.equal(field(one.name, "mtu"), "2000", "with the MTU that was asked for")
    alias = pathlib.Path(f"/sys/class/net/{one.name}/ifalias").read_text().strip()
    lab.equal(alias, f"anynic {NOBODY}:vm/net0", "whose alias names the user")
    for fd in one.fds + two.fds:
        os.set_blocking(fd, False)
    os.write(two.fds[0], VNET_HEADER + frame(EVERYBODY, MACS[2], 1))
    # the kernel chooses the queue
    await_(lambda: gets(one.fds[0], 1, 0.1) or gets(one.fds[1], 1, 0.1), "a frame of one reaches the other")
    fcntl.ioctl(one.fds[0], TUNSETPERSIST, 1)
    name = one.name
    one.close()
    await_(lambda: not exists(name), "the tap goes with the connection")
    lab.say("ok: a tap goes with its connection, although a descriptor is open and it was made persistent")
    await_(lambda: helper.said(f"user {NOBODY} ") and helper.said(f"got {name} on br0"), "the log says who got what")
    await_(lambda: helper.said(f"gave back {name}"), "and who gave it back")
    helper.stop()
    lab.equal(exists(two.name), True, "a helper that ends takes nothing from its users")
    name = two.name
    two.close()
    two.close_fds()
    await_(lambda: not exists(name), "the session takes it back all the same")


def bridge_port(lab):
    bridge()
    helper = Helper(lab, "allow bridge br0 user nobody\n")
    one = UserService(lab, helper, "backend=bridge,br=br0")
    backend = one.backend()
    tap = backend["ifname"]
    lab.equal((backend["type"], backend["br"], backend["up"]), ("bridge", "br0", True), "status is as for root")
    at = one.qmp.mark()
    machine.ip("link", "del", "br0")
    one.expect(at, False, "bridge br0 is gone", "the bridge is deleted")
    at = one.qmp.mark()
    bridge()
    one.expect(at, True, "", "a bridge of that name is made")
    lab.equal(field(tap, "master"), "br0", "the helper has put the tap back")
    at = one.qmp.mark()
    machine.ip("link", "del", tap)
    one.qmp.wait("BACKEND_STATUS_CHANGED", 60, at, port="net0", up=False)
    one.qmp.wait("BACKEND_STATUS_CHANGED", 60, at, port="net0", up=True)
    tap = one.backend()["ifname"]
    lab.equal(field(tap, "master"), "br0", "the tap is deleted: the helper has made another one")
    at = one.qmp.mark()
    machine.ip("link", "del", "br0")
    one.expect(at, False, "bridge br0 is gone", "the bridge is deleted again")
    helper.write("deny all\n")
    bridge()
    await_(lambda: helper.said("denies bridge br0"), "asked again")
    lab.equal(field(tap, "master"), None, "but not when the rules forbid it by now")
    helper.write("allow br0\n")
    one.stop()
    await_(lambda: not exists(tap), "the tap has gone")
    two = UserService(lab, helper, "backend=bridge,br=br0")
    tap = two.backend()["ifname"]
    two.kill(tidy=True)
    await_(lambda: not exists(tap), "a killed one leaves no tap")
    lab.equal(list((pathlib.Path(lab.folder) / "state").glob("*.undo")), [], "nor a journal")
    helper.stop()


def direct_modes(lab):
    """Each mode, on the user's anynic and with frames."""
    wire()
    own = field("wire0", "link/ether")
    helper = Helper(lab, "allow direct wire0 vepa bridge private passthrough\n")
    far = Watcher("wire1")
    for number, mode in enumerate(("vepa", "bridge", "private", "passthrough")):
        one = Client(helper)
        lab.equal(one.ask(DIRECT, b"wire0", mode=mode.encode(), mac=MACS[3], queues=2), 0, f"a macvtap of mode {mode}")
        lab.equal((field(one.name, "link/ether"), len(one.fds)), (MACS[3].hex(":"), 2), "with the port's MAC and two queues")
        os.write(one.fds[0], VNET_HEADER + frame(EVERYBODY, MACS[3], 40 + number))
        lab.check(far.gets(40 + number), "its frame is on the wire")
        name = one.name
        one.close()
        await_(lambda: not exists(name), "it goes with the connection")
        one.close_fds()
        lab.equal(field("wire0", "link/ether"), own, "the device is as it was")
    service = UserService(lab, helper, "backend=direct,dev=wire0,mode=passthrough")
    backend = service.backend()
    lab.equal((backend["dev"], backend["mode"], backend["up"]), ("wire0", "passthrough", True), "the real program has it too")
    lab.equal(field("wire0", "link/ether"), host_links.MAC, "the device has the port's MAC")
    service.kill(tidy=True)
    await_(lambda: not exists(backend["ifname"]) and field("wire0", "link/ether") == own, "given back")
    lab.say("ok: kill -9 of the user's anynic: the macvtap is gone, the device has its MAC again")
    helper.stop()


def tap_port(lab):
    helper = Helper(lab, "allow tap vm*\n")
    machine.ip("tuntap", "add", "mine", "mode", "tap", "user", str(NOBODY), "vnet_hdr")
    machine.ip("tuntap", "add", "vmroot", "mode", "tap", "user", "0", "multi_queue", "vnet_hdr")
    one = UserService(lab, helper, "backend=tap,ifname=vm1")
    lab.equal((one.backend()["ifname"], field("vm1", "state")), ("vm1", "UNKNOWN"), "a new tap, up")
    lab.equal(len(helper.sessions()), 1, "by the helper")
    one.stop()
    await_(lambda: not exists("vm1"), "gone")
    one = UserService(lab, helper, "backend=tap,ifname=mine")
    lab.equal(helper.sessions(), [], "the user's own tap is nobody else's business")
    one.stop()
    lab.equal(exists("mine"), True, "and stays")
    client = Client(helper)
    lab.equal(client.ask(TAP, ifname=b"vmroot"), -17, f"another's tap is not touched: {client.text}")
    refused(lab, helper, "backend=tap,ifname=vmroot", "belongs to another user")
    refused(lab, helper, "backend=tap,ifname=eth9", "does not allow tap eth9", "add the line: allow tap eth9 user 65534")
    helper.stop()


def open_vswitch(lab):
    from ovs import Switch  # pylint: disable=import-outside-toplevel  # which other scenarios need not have
    switch = Switch(lab.folder)
    try:
        switch.add_bridge("ovs0")
        helper = Helper(lab, "allow ovs0\n")
        one = UserService(lab, helper, "backend=bridge,br=ovs0")
        tap = one.backend()["ifname"]
        lab.equal(switch.ports("ovs0"), [tap], "a port of Open vSwitch for an ordinary user")
        one.kill(tidy=True)
        await_(lambda: switch.ports("ovs0") == [] and not exists(tap), "gone with him")
        lab.say("ok: kill -9 leaves no port in its database")
        helper.stop()
    finally:
        switch.stop()


# --- who may not

def refusals(lab):
    bridge()
    wire()
    helper = Helper(lab, "allow br0 user 65534\nallow direct wire0\ndeny tap wg*\nallow tap *\n")
    rows = [(Client(helper, OTHER), (BRIDGE, b"br0"), "does not allow bridge br0 to user 65533"),
            (Client(helper), (BRIDGE, b"br1"), "does not allow bridge br1"),
            (Client(helper), (BRIDGE, b"br0", b"wg0"), "helper.conf:3 denies tap wg0"),
            (Client(helper), (BRIDGE, b"br0", b"wire1"), "there is such an interface already"),
            (Client(helper), (DIRECT, b"wire0", b"", b"passthrough"), "does not allow direct wire0 mode=passthrough"),
            (Client(helper), (DIRECT, b"br0"), "does not allow direct br0"),
            (Client(helper), (TAP, b"", b"wire0"), "there is such an interface already"),
            (Client(helper), (REJOIN,), "nothing to join again"),
            (Client(helper), (BRIDGE, b"../br0"), "no legal bridge"),
            (Client(helper), (BRIDGE, b"sixteen_letters_"), "no legal bridge"),
            (Client(helper), (BRIDGE, b"br0", b"a/b"), "no legal ifname"),
            (Client(helper), (TAP, b"", b"tap%d"), "no legal ifname"),
            (Client(helper), (TAP, b"", b"a\x1b[2Jb"), "no legal ifname"),
            (Client(helper), (DIRECT, b"wire0", b"", b"bridge\0x"), "no legal mode"),
            (Client(helper), (77,), "asks for nothing known")]
    before = sorted(os.listdir("/sys/class/net"))
    for client, words, says in rows:
        code = client.ask(*words)
        lab.check(code < 0 and says in client.text, f"{words}: {client.text}")
        lab.equal((client.fds, client.answer()), ([], None), "no descriptor, and the end")
    lab.equal(sorted(os.listdir("/sys/class/net")), before, "nothing was made")
    lab.check(helper.said("was refused: "), "the log says so")
    helper.stop()


def hostile(lab):
    """Packets that are no requests; nothing of it harms another user."""
    bridge()
    helper = Helper(lab, "allow br0\n")
    good = REQUEST.pack(MAGIC, VERSION, BRIDGE, 1, 0, MACS[1], b"br0", b"", b"", b"vm", b"net0")
    for name, data in {"empty": b"", "short": good[:-1], "long": good + b"x", "huge": good * 200, "zeros": bytes(REQUEST.size),
                       "ones": b"\xff" * REQUEST.size}.items():
        client = Client(helper)
        client.send(data)
        code = client.answer()
        lab.check(code is None or code < 0, f"{name}: {'the end' if code is None else client.text}")
        client.close()
    client = Client(helper)
    client.send(good, fds=[0, 1, 2] * 10)
    lab.equal(client.answer(), 0, "descriptors that come along are thrown away")
    await_(lambda: len(helper.sessions()) == 1, "the others have ended")
    (session,) = helper.sessions()
    lab.check(len(os.listdir(f"/proc/{session}/fd")) < 10, "and not kept")
    lab.check(client.ask(BRIDGE, b"br0") < 0 and "already" in client.text, f"a second request: {client.text}")
    client.send(good[:-1])
    lab.equal((exists(client.name) or True, client.answer()), (True, None), "a packet of another size ends the connection")
    client.close_fds()
    crowd = [Client(helper) for _ in range(40)]
    other = Client(helper, OTHER)
    lab.equal(other.ask(BRIDGE, b"br0"), 0, "a user with 40 connections keeps no other one out")
    lab.check(len(helper.sessions()) <= 16 + 4 + 1, f"and has {len(helper.sessions()) - 1} processes")
    lab.check(helper.said("has too many connections"), "which the log says")
    lab.equal(helper.process.poll(), None, "the helper lives")
    lab.equal(crowd[0].answer(), None, "whoever asks nothing is sent away")
    helper.stop()


def quota(lab):
    bridge()
    helper = Helper(lab, "allow br0\nquota 2\nquota 3 user 65533\n")
    clients = [Client(helper) for _ in range(3)]
    lab.equal([c.ask(BRIDGE, b"br0") for c in clients[:2]], [0, 0], "two for a user")
    lab.equal(clients[2].ask(BRIDGE, b"br0"), -122, f"and no third: {clients[2].text}")
    lab.equal([Client(helper, OTHER).ask(BRIDGE, b"br0") for _ in range(3)], [0] * 3, "another has his own")
    helper.stop()
    helper.start()
    again = Client(helper)
    lab.equal(again.ask(BRIDGE, b"br0"), -122, "a new helper counts what the old one gave")
    name = clients[0].name
    clients[0].close()
    await_(lambda: not exists(name), "one goes")
    await_(lambda: Client(helper).ask(BRIDGE, b"br0") == 0, "then there is room")
    lab.say("ok: then there is room")
    helper.stop()


def rules_reread(lab):
    bridge()
    helper = Helper(lab, "# nothing yet\n")

    def ask():
        client = Client(helper)
        return client.ask(BRIDGE, b"br0"), client

    code, client = ask()
    lab.check(code < 0 and "add the line: allow bridge br0 user 65534" in client.text, client.text)
    helper.write("allow br0\n")
    code, kept = ask()
    lab.equal(code, 0, "a line that was added counts at once")
    helper.write("allow br0\n\nalow br1\n")
    code, client = ask()
    lab.check(code < 0 and "helper.conf:3: a line begins with" in client.text, client.text)
    helper.write("allow br0\n")
    helper.rules.chmod(0o666)
    code, client = ask()
    lab.check(code < 0 and "can be written by others than root" in client.text, client.text)
    helper.rules.unlink()
    code, client = ask()
    lab.check(code < 0 and "there is no" in client.text and "make it" in client.text, client.text)
    lab.equal(exists(kept.name), True, "who has something keeps it")
    done = subprocess.run([helper_program(), "--check", "--config", str(helper.rules)], capture_output=True, text=True, check=False)
    lab.check(done.returncode == 1 and "No such file" in done.stderr, done.stderr.strip())
    helper.write("allow br0\n")
    done = subprocess.run([helper_program(), "--check", "--config", str(helper.rules)], capture_output=True, text=True, check=False)
    lab.check(done.returncode == 0 and "1 lines" in done.stdout, done.stdout.strip())
    helper.stop()


# --- its end, and its privileges

def helper_killed(lab):
    wire()
    own = field("wire0", "link/ether")
    helper = Helper(lab, "allow direct wire0 passthrough vepa\n")
    one = UserService(lab, helper, "backend=direct,dev=wire0,mode=passthrough")
    link = one.backend()["ifname"]
    for pid in [*helper.sessions(), helper.process.pid]:
        os.kill(pid, signal.SIGKILL)
    helper.process.wait()
    time.sleep(0.3)
    lab.equal((exists(link), one.backend()["up"]), (True, True), "a killed helper takes no guest's network")
    helper.start()
    two = Client(helper, OTHER)
    lab.check(two.ask(DIRECT, b"wire0") < 0 and "taken whole" in two.text, f"a new one leaves it alone: {two.text}")
    lab.equal(exists(link), True, "it is there still")
    one.kill(tidy=True)
    await_(lambda: not exists(link) and field("wire0", "link/ether") == own, "put in order")
    lab.say("ok: when its user ends, the new helper puts in order what the old one left")
    three = Client(helper)
    lab.equal(three.ask(DIRECT, b"wire0"), 0, "a session that is killed alone")
    name = three.name
    os.kill(helper.sessions()[0], signal.SIGKILL)
    await_(lambda: helper.said("a session ended by signal 9"), "is noticed")
    lab.equal(exists(name), True, "its user lives, and keeps what he got")
    helper.stop()


def sandboxed(lab):
    bridge()
    helper = Helper(lab, "allow br0\n")
    client = Client(helper)
    client.ask(BRIDGE, b"br0")
    for pid, filters in ((helper.process.pid, "1"), (helper.sessions()[0], "2")):
        words = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
        lab.equal([words[f"Cap{which}"] for which in ("Prm", "Eff", "Bnd", "Inh", "Amb")],
                  ["0000000008001000"] * 3 + ["0000000000000000"] * 2, "CAP_NET_ADMIN and CAP_MKNOD, no more")
        lab.equal((words["NoNewPrivs"], words["Seccomp"], words["Seccomp_filters"]), ("1", "2", filters), "no_new_privs, filters")
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        lab.check("Max core file size        0 " in limits, "no core, limits")
    helper.stop()
    for words, says in (([], "no service manager gave a socket"), (["--stdio"], "standard input is no connected socket"),
                        (["--socket", "x" * 200], "longer than a socket's path"), (["what"], "not an option")):
        done = subprocess.run([helper_program(), *words, "--state", f"{lab.folder}/state"], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=20, check=False)
        lab.check(done.returncode != 0 and says in done.stderr, f"{words}: {done.stderr.splitlines()[0]}")
    done = subprocess.run(["setpriv", "--bounding-set=-net_admin", helper_program(), "--socket", f"{lab.folder}/y", "--state",
                           f"{lab.folder}/state"], capture_output=True, text=True, timeout=20, check=False)
    lab.check(done.returncode == 1 and "needs CAP_NET_ADMIN" in done.stderr, done.stderr.strip())


def marked_setuid(lab):
    """Whoever could start it with rights could choose its rules."""
    copy = pathlib.Path(lab.folder) / "marked"
    pathlib.Path(lab.folder).chmod(0o755)
    shutil.copy(helper_program(), copy)
    copy.chmod(0o4755)
    done = subprocess.run(["setpriv", f"--reuid={NOBODY}", "--clear-groups", str(copy), "--socket", "/tmp/anynic-never"],
                          capture_output=True, text=True, timeout=20, check=False)
    lab.check(done.returncode == 1 and "neither setuid" in done.stderr, done.stderr.strip())


# --- the other ways to it

def activated(lab):
    bridge()
    helper = Helper(lab, "allow br0\n", activated="as systemd")
    one = UserService(lab, helper, "backend=bridge,br=br0")
    lab.equal(one.backend()["up"], True, "a helper that was given its socket")
    one.stop()
    lab.check(helper.said(f"<6>user {NOBODY}"), "logs with the journal's priorities")
    helper.stop()


def units(lab):
    """What is installed for systemd, as its own checker reads it."""
    if not shutil.which("systemd-analyze"):
        raise machine.Skip("this machine has no systemd")
    folder = pathlib.Path(lab.folder)
    service = (machine.BUILD / "src/helper/anynic-helper.service").read_text()
    (start,) = [line for line in service.splitlines() if line.startswith("ExecStart=")]
    lab.check(start.endswith("/libexec/anynic/anynic-helper"), start)
    (folder / "anynic-helper.service").write_text(service.replace(start, f"ExecStart={helper_program()}"))
    shutil.copy(INSTALLED / "anynic-helper.socket", folder)
    for unit in ("anynic-helper.service", "anynic-helper.socket"):
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(folder / unit)], capture_output=True, text=True,
                              timeout=60, check=False)
        ours = [line for line in (done.stdout + done.stderr).splitlines() if "anynic" in line]
        lab.equal((done.returncode, ours), (0, []), f"systemd finds nothing wrong with {unit}")
    example = (INSTALLED / "helper.conf.example").read_text()
    (folder / "helper.conf").write_text("".join(line.lstrip("#") if line.startswith("#a") else line
                                                for line in example.replace("group kvm", "group root").replace(
                                                    "user alice", "user root").splitlines(keepends=True)))
    done = subprocess.run([helper_program(), "--check", "--config", str(folder / "helper.conf")], check=False, capture_output=True,
                          text=True)
    lab.check(done.returncode == 0 and "5 lines" in done.stdout, f"the example is right: {done.stdout.strip()}{done.stderr}")


def by_standard_input(lab):
    """As sudo and pkexec start it."""
    bridge()
    helper = Helper(lab, "allow br0 user 65534\n")
    helper.stop()
    words = [helper_program(), "--stdio", "--config", str(helper.rules), "--state", f"{lab.folder}/state"]
    for uid, code in ((NOBODY, 0), (OTHER, -1)):
        ours, its = as_user(uid, lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        process = subprocess.Popen(words, stdin=its)
        its.close()
        client = Client(None, sock=ours)
        lab.equal(client.ask(BRIDGE, b"br0"), code, f"user {uid}: {client.text}")
        if code == 0:
            process.terminate()
            time.sleep(0.2)
            lab.equal((process.poll(), exists(client.name)), (None, True), "a signal does not end it")
        name = client.name
        client.close()
        lab.equal(process.wait(30), 0, "it ends with its connection")
        lab.equal(exists(name) if name else False, False, "and leaves nothing")


def by_sudo(lab):
    """The real sudo, with a file of its own in a mount namespace of this scenario."""
    if not shutil.which("sudo"):
        raise machine.Skip("sudo is not installed; tools/setup check installs it")
    pathlib.Path(lab.folder).chmod(0o755)
    etc = pathlib.Path(lab.folder) / "etc"
    subprocess.run(["cp", "-a", "/etc", str(etc)], check=True)
    (etc / "sudoers").chmod(0o600)
    (etc / "sudoers").write_text(SUDOERS.format(NOBODY, helper_program()))
    (etc / "sudoers").chmod(0o440)
    (etc / "anynic").mkdir(exist_ok=True)
    (etc / "anynic/helper.conf").write_text("allow br0 user nobody\n")
    subprocess.run(["mount", "--bind", str(etc), "/etc"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    bridge()
    one = UserService(lab, None, "backend=bridge,br=br0")
    tap = one.backend()["ifname"]
    lab.equal(field(tap, "master"), "br0", "a bridge port through sudo")
    one.kill(tidy=True)
    await_(lambda: not exists(tap), "gone")
    lab.say("ok: kill -9 leaves nothing")


class Polkit:
    """The real polkitd on a bus of its own, with our action and our rule, in a mount namespace of this scenario."""

    def __init__(self, lab, members):
        folder = pathlib.Path(lab.folder)
        folder.chmod(0o755)
        self.log = folder / "polkitd.log"
        etc, actions = folder / "etc", folder / "actions"
        subprocess.run(["cp", "-a", "/etc", str(etc)], check=True)
        groups = [line for line in (etc / "group").read_text().splitlines() if not line.startswith("kvm:")]
        (etc / "group").write_text("\n".join([*groups, f"kvm:x:64000:{members}", ""]))
        (etc / "anynic").mkdir(exist_ok=True)
        (etc / "anynic/helper.conf").write_text("allow br0\n")
        shutil.copytree("/usr/share/polkit-1/actions", actions)
        policy = (machine.BUILD / "src/helper/anynic-helper.policy").read_text()
        (path,) = re.findall(r'exec.path">(.*)</annotate>', policy)
        lab.check(path.endswith("/libexec/anynic/anynic-helper"), path)
        (actions / "anynic-helper.policy").write_text(policy.replace(path, helper_program()))
        shutil.copy(INSTALLED / "50-anynic-helper.rules", etc / "polkit-1/rules.d")
        for ours, place in ((etc, "/etc"), (actions, "/usr/share/polkit-1/actions")):
            subprocess.run(["mount", "--bind", str(ours), place], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
        pathlib.Path("/run/dbus").mkdir()
        self.processes = [self._start("dbus-daemon", "--system", "--nofork", "--nopidfile")]
        await_(pathlib.Path("/run/dbus/system_bus_socket").exists, "a bus")
        self.processes.append(self._start("/usr/lib/polkit-1/polkitd"))
        await_(lambda: "Acquired the name org.freedesktop.PolicyKit1" in self.log.read_text(), "polkitd is on the bus")

    def _start(self, *words):
        with self.log.open("a") as log:
            return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(30)


def by_pkexec(lab):
    """Members of the group kvm, and nobody else, as the installed examples say."""
    missing = [tool for tool in ("pkexec", "pkaction", "dbus-daemon") if not shutil.which(tool)]
    if missing:
        raise machine.Skip(f"{' '.join(missing)} is not installed; tools/setup check installs it")
    polkit = Polkit(lab, "nobody")
    try:
        said = subprocess.run(["pkaction", "--verbose", "--action-id", "anynic.helper"], capture_output=True, text=True, timeout=20,
                              check=True).stdout
        lab.check(re.search(r"implicit any:\s+no\n.*implicit active:\s+no\n", said, re.DOTALL), f"polkit knows the action: {said}")
        log = polkit.log.read_text()
        lab.check("Finished loading, compiling" in log and "50-anynic-helper.rules" not in log, f"and finds nothing wrong with its rule: {log}")
        bridge()
        (pathlib.Path("/etc") / "sudoers").unlink(missing_ok=True)  # sudo is asked first, and knows of nothing
        one = UserService(lab, None, "backend=bridge,br=br0")
        tap = one.backend()["ifname"]
        lab.equal(field(tap, "master"), "br0", "a bridge port through pkexec")
        one.kill(tidy=True)
        await_(lambda: not exists(tap), "gone")
        lab.say("ok: kill -9 leaves nothing")
        refused(lab, None, "backend=bridge,br=br0", "needs CAP_NET_ADMIN", uid=OTHER)
    finally:
        polkit.stop()


def nobody_to_ask(lab):
    bridge()
    wire()
    helper = Helper(lab, "allow br0\n")
    helper.stop()
    helper.socket.unlink(missing_ok=True)
    refused(lab, helper, "backend=bridge,br=br0", "making a tap on bridge br0 needs CAP_NET_ADMIN", "no anynic-helper answers",
            "systemctl enable --now anynic-helper.socket", "allow bridge br0 user 65534")
    refused(lab, helper, "backend=direct,dev=wire0,mode=passthrough", "making a macvtap on wire0", "allow direct wire0 passthrough user")
    refused(lab, helper, "backend=tap,ifname=vm1", "making a tap needs", "allow tap vm1 user 65534")
    refused(lab, helper, "backend=bridge,br=br7", "there is no bridge br7")
    service = host_links.Service(lab, "backend=bridge,br=br0")
    lab.equal(service.backend()["up"], True, "root needs none")
    service.stop()


SCENARIOS = [bridge_with_two_taps, bridge_port, direct_modes, tap_port, open_vswitch, refusals, hostile, quota, rules_reread,
             helper_killed, sandboxed, marked_setuid, activated, units, by_standard_input, by_sudo, by_pkexec, nobody_to_ask]


def scenario(lab, which):
    if os.geteuid() != 0:
        raise machine.Skip("anynic-helper is started by root only")
    # /sys shows the namespace of whoever mounted it
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)
    {s.__name__: s for s in SCENARIOS}[which](lab)


def own_mounts():
    """Beside the network namespace that every scenario gets."""
    if os.geteuid() == 0 and not os.environ.get("ANYNIC_TEST_MOUNTS"):
        os.execvpe("unshare", ["unshare", "--mount", sys.executable, *sys.argv], {**os.environ, "ANYNIC_TEST_MOUNTS": "1"})


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("one of " + " ".join(s.__name__ for s in SCENARIOS))
    own_mounts()
    main(scenario)
