"""recover.py SCENARIO: a backend whose process or other side goes, and comes back by itself: what is told meanwhile, how often it is
tried, and that nothing else waits for it. On the real program; no guest is needed."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import lab as machine
from harness import main
from host_links import Service, await_

# passt as the scenario wants it: a file beside it says how it behaves from now on, another one counts
WRAPPER = """#!/bin/sh
here=$(dirname "$0")
echo start >>"$here/starts"
[ ! -e "$here/broken" ] || { echo 'the network is broken' >&2; exit 1; }
[ ! -e "$here/silent" ] || exec sleep 1000
exec REAL "$@"
"""


def network():
    """What passt copies for its guest: an address and a default route."""
    machine.ip("link", "set", "lo", "up")
    machine.ip("link", "add", "out0", "type", "veth", "peer", "name", "out1")
    for name in ("out0", "out1"):
        machine.ip("link", "set", name, "up")
    machine.ip("addr", "add", "10.77.0.2/24", "dev", "out0")
    machine.ip("route", "add", "default", "via", "10.77.0.1")


def wrapped_passt(lab):
    network()
    real = shutil.which("passt")
    if not real:
        raise machine.Skip("no passt here; tools/setup check installs it")
    folder = pathlib.Path(lab.folder) / "bin"
    folder.mkdir()
    (folder / "passt").write_text(WRAPPER.replace("REAL", real))
    for path in (folder, folder / "passt", pathlib.Path(lab.folder)):
        path.chmod(0o755)
    os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
    return folder


def starts(folder):
    return len((folder / "starts").read_text().split())


def child(service, *names):
    await_(lambda: set(names) & set(service.children()), f"one of {names}")
    found = service.children()
    return next(found[name] for name in names if name in found)


def greets(port):
    """Somebody listens there."""
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def killed_again_and_again(lab, one, port, *names):
    for turn in range(3):
        before = child(one, *names)
        mark = one.qmp.mark()
        os.kill(before, signal.SIGKILL)
        one.qmp.wait("BACKEND_STATUS_CHANGED", 60, mark, port="net0", up=False)
        one.qmp.wait("BACKEND_STATUS_CHANGED", 60, mark, port="net0", up=True)
        lab.check(child(one, *names) != before and one.backend()["up"], f"kill {turn + 1}: another one is there")
        await_(lambda: greets(port), "its forwarded port is open again")
    lab.check("signal 9" in one.log.read_text(), "the log says what happened")


def user_killed(lab):
    machine.ip("link", "set", "lo", "up")
    one = Service(lab, "backend=user,hostfwd=tcp:127.0.0.1:2222-:22")
    await_(lambda: greets(2222), "the forwarded port is open")
    killed_again_and_again(lab, one, 2222, "anynic-user")
    one.stop()
    lab.check(not greets(2222), "the port goes with it")


def passt_killed(lab):
    wrapped_passt(lab)
    one = Service(lab, "backend=passt,hostfwd=tcp:127.0.0.1:2222-:22")
    lab.equal((one.backend()["type"], one.backend()["up"]), ("passt", True), "status names the backend")
    await_(lambda: greets(2222), "the forwarded port is open")
    pid = child(one, "passt", "passt.avx2")
    words = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    lab.equal(words[words.index("-m") + 1], "1500", "an MTU that every card can have")
    killed_again_and_again(lab, one, 2222, "passt", "passt.avx2")
    one.stop()
    await_(lambda: not greets(2222), "passt goes with the port")


def passt_that_fails_for_a_while(lab):
    folder = wrapped_passt(lab)
    one = Service(lab, "backend=passt")
    (folder / "broken").touch()
    mark, before, begin = one.qmp.mark(), starts(folder), time.monotonic()
    os.kill(child(one, "passt", "passt.avx2"), signal.SIGKILL)
    one.qmp.wait("BACKEND_STATUS_CHANGED", 60, mark, port="net0", up=False)
    await_(lambda: "the network is broken" in one.backend()["reason"], "status tells passt's own words")
    lab.check("wait" in one.why()["next-step"], f"why: {one.why()['text']}; {one.why()['next-step']}")
    await_(lambda: starts(folder) - before >= 4, "it is tried again")
    tried, passed = starts(folder) - before, time.monotonic() - begin
    # after 0, 0.1, 0.3, 0.7, 1.5 s ...: the next one can not have been sooner
    lab.check(passed > 0.1 * (2 ** (tried - 1) - 1) - 0.01, f"tried {tried} times in {passed:.1f} s: the pauses grow")
    lab.equal(one.log.read_text().count("broken"), 1, "the log has it once")
    (folder / "broken").unlink()
    one.qmp.wait("BACKEND_STATUS_CHANGED", 60, mark, port="net0", up=True)
    lab.equal(len(one.qmp.events[mark:]), 2, "one event down, one up")
    one.stop()


def passt_that_never_answers(lab):
    folder = wrapped_passt(lab)
    one = Service(lab, "backend=passt")
    (folder / "silent").touch()
    mark = one.qmp.mark()
    os.kill(child(one, "passt", "passt.avx2"), signal.SIGKILL)
    one.qmp.wait("BACKEND_STATUS_CHANGED", 60, mark, port="net0", up=False)
    await_(lambda: "sleep" in one.children(), "the next one hangs")
    one.port()
    lab.check("sleep" in one.children() and "become ready" not in one.log.read_text(), "control does not wait for it")
    (folder / "silent").unlink()
    one.qmp.wait("BACKEND_STATUS_CHANGED", 60, mark, port="net0", up=True)
    lab.check("does not become ready" in one.log.read_text(), "it was left after ten seconds")
    await_(lambda: "sleep" not in one.children(), "and ended")
    one.stop()


def a_killed_anynic_leaves_no_process(lab):
    wrapped_passt(lab)
    for backend in ("passt", "user"):
        one = Service(lab, f"backend={backend}", name=f"guest-{backend}")
        one.kill(tidy=True)


def passt_is_not_there(lab):
    os.environ["PATH"] = lab.folder
    for words, says in (("backend=passt", "apt-get install passt"),):
        done = subprocess.run([machine.anynic(), "serve", "--nic", f"virtio-net,{words}", "--socket", f"{lab.folder}/x.sock"],
                              capture_output=True, text=True, timeout=30, check=False)
        lab.equal(done.returncode, 4, done.stderr.strip())
        lab.check(says in done.stderr, f"which says: {says}")


class Peer:
    """Who listens on the socket of a stream."""

    def __init__(self, path):
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(4)
        self.listener.settimeout(60)
        self.connection = None

    def take(self):
        self.connection = self.listener.accept()[0]

    def leave(self):
        for s in (self.connection, self.listener):
            if s:
                s.close()
        os.unlink(self.path)


def stream_peer_comes_and_goes(lab, words="backend=stream"):
    path = f"{lab.folder}/peer"
    peer = Peer(path)
    one = Service(lab, f"{words},path={path}")
    peer.take()
    for turn in range(3):
        mark = one.qmp.mark()
        peer.connection.close()  # it goes on listening
        peer.take()
        one.qmp.wait("BACKEND_STATUS_CHANGED", 60, mark, port="net0", up=True)
        lab.equal([e["data"]["up"] for e in one.qmp.events[mark:]], [False, True], f"turn {turn + 1}: lost and connected again")
    mark = one.qmp.mark()
    peer.leave()
    one.qmp.wait("BACKEND_STATUS_CHANGED", 60, mark, port="net0", up=False)
    await_(lambda: "nobody listens" in one.backend()["reason"], "status says that nobody listens")
    lab.check("mend the other side" in one.why()["next-step"], f"why: {one.why()['text']}")
    time.sleep(1)
    again = Peer(path)
    again.take()
    one.qmp.wait("BACKEND_STATUS_CHANGED", 60, mark, port="net0", up=True)
    # what no frame can be ends the connection; the next one is as good as new
    mark = one.qmp.mark()
    again.connection.sendall(b"\xff" * 100)
    event = one.qmp.wait("BACKEND_STATUS_CHANGED", 60, mark, port="net0", up=False)
    lab.check("longer than any frame" in event["data"]["reason"], event["data"]["reason"])
    again.take()
    one.qmp.wait("BACKEND_STATUS_CHANGED", 60, mark, port="net0", up=True)
    one.stop()
    again.leave()


def passt_elsewhere_comes_and_goes(lab):
    """path= names a passt that is there; here something that listens is enough."""
    stream_peer_comes_and_goes(lab, "backend=passt")


SCENARIOS = [user_killed, passt_killed, passt_that_fails_for_a_while, passt_that_never_answers, a_killed_anynic_leaves_no_process,
             passt_is_not_there, stream_peer_comes_and_goes, passt_elsewhere_comes_and_goes]

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("one of " + " ".join(s.__name__ for s in SCENARIOS))
    main(lambda lab, which: {s.__name__: s for s in SCENARIOS}[which](lab))
