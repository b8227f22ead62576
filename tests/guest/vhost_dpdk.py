"""vhost_dpdk.py RING PAIRS: DPDK's virtio-user, a driver and a vhost-user client in one, on `anynic serve`; the wire is in this test's
hands. testpmd returns what it gets, so that every frame is seen twice by our server.

Frames of 60 bytes to 64 KiB come back as they went in; then the server is killed and started again twenty times while frames go
round. virtio-user listens and comes back to whoever connects, as our server does; a relay between the two hands messages and
descriptors on, and connects both ends again.

With packed rings testpmd's forwarding stands while it connects again: DPDK 22.11 wipes and fills these rings one millisecond after it
asked its forwarding thread to keep off (virtio_user_dev_reset_queues_packed), whether that thread has left them or not. On a busy
machine it has not always, and fills slots whose ids are still 0: the first frame is then handed on from a buffer that nobody wrote to,
and the others have none. Split rings stay as they are, and the forwarding goes on."""
import array
import os
import pathlib
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

import lab as machine
from harness import main
from vhost_user import Served
from dpdk import Wire

RESTARTS = 20
SIZES = (60, 64, 128, 1514, 2048, 9000, 30000, 65000)
BURST = 20


class Relay:
    """Between a client that listens and a server that listens: bytes and descriptors, both ways, until one end hangs up."""

    def __init__(self, client, server):
        self._client, self._server = client, server
        self.connections = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            with socket.socket(socket.AF_UNIX) as a, socket.socket(socket.AF_UNIX) as b:
                try:
                    b.connect(str(self._server))
                    a.connect(str(self._client))
                    self.connections += 1
                    self._pass_on(a, b)
                except OSError:
                    pass
            time.sleep(0.05)

    @staticmethod
    def _pass_on(a, b):
        while True:
            for one in select.select([a, b], [], [])[0]:
                # one message: a longer read would join the end of one with the descriptors of the next
                data, extra, _, _ = one.recvmsg(12, socket.CMSG_SPACE(4 * 16), socket.MSG_WAITALL)
                if len(data) < 12:
                    return
                (size,) = struct.unpack_from("=I", data, 8)
                data += one.recv(size, socket.MSG_WAITALL) if size else b""
                fds = array.array("i")
                for _, _, passed in extra:
                    fds.frombytes(passed[:len(passed) - len(passed) % fds.itemsize])
                (b if one is a else a).sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else [])
                for fd in fds:
                    os.close(fd)


def frame(size, number):
    head = bytes.fromhex("525400000a01525400000a02") + b"\x88\xb5" + struct.pack(">II", number, size)
    return (head + bytes((number + i) & 0xFF for i in range(256)) * (size // 256 + 1))[:size]


def exchange(wire, sizes, seconds=20.0):
    """Sends one frame of each size; how many came back, each of them one that was sent."""
    sent = {}
    for number, size in enumerate(sizes):
        sent[number] = frame(size, number)
        wire.send(sent[number])
    back = 0
    while back < len(sizes):
        got = wire.receive(seconds)
        if got is None:
            break
        if got not in sent.values() and not is_ours(got):
            raise RuntimeError(f"a frame of {len(got)} bytes came back as nobody sent it: {got[:32].hex()}")
        back += got in sent.values()
    return back


def is_ours(got):
    """One of an earlier turn, which a restart held up, is as whole as any."""
    number, size = struct.unpack_from(">II", got, 14)
    return size == len(got) and got == frame(size, number)


def connect(path, seconds=20):
    end = time.monotonic() + seconds
    while True:
        try:
            return Wire(str(path))
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def start_testpmd(folder, ring, pairs):
    vdev = (f"net_virtio_user0,path={folder}/client.sock,server=1,queues={pairs},queue_size=256,packed_vq={int(ring == 'packed')},"
            "mrg_rxbuf=1,in_order=0")
    words = ["dpdk-testpmd", "--lcores", "0@0-1,1@0-1", "--no-pci", "--no-telemetry", "--no-huge", "-m", "640", "--iova-mode=va",
             "--file-prefix", folder.name, "--vdev", vdev, "--", "-i", "--total-num-mbufs=4096", "--mbuf-size=65535",
             f"--rxq={pairs}", f"--txq={pairs}", "--forward-mode=io", "--auto-start",
             "--no-flush-rx"]  # else what comes before it forwards is thrown away, however ready its rings are
    log = (folder / "testpmd.log").open("w")
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT)


def forwarder(testpmd):
    """The state of the thread that forwards: it never sleeps while it does."""
    for task in pathlib.Path(f"/proc/{testpmd.pid}/task").iterdir():
        if "worker" in (task / "comm").read_text():
            return (task / "stat").read_text().rpartition(")")[2].split()[0]
    raise RuntimeError("testpmd has no thread that forwards")


def say(testpmd, word):
    testpmd.stdin.write(f"{word}\n".encode())
    testpmd.stdin.flush()


def stop_forwarding(lab, testpmd):
    say(testpmd, "stop")
    lab.until(lambda: forwarder(testpmd) == "S", "testpmd stands")


def scenario(lab, ring, pairs):
    if not shutil.which("dpdk-testpmd"):
        raise machine.Skip("no dpdk-testpmd here: apt-get install dpdk-dev")
    folder, pairs = pathlib.Path(lab.folder), int(pairs)
    served = Served(folder, f"virtio-net,transport=vhost-user,queues={pairs},packed={'on' if ring == 'packed' else 'off'},"
                            f"backend=stream,mode=server,path={folder}/wire.sock")
    relay = Relay(folder / "client.sock", folder / "nic.sock")
    testpmd = start_testpmd(folder, ring, pairs)
    try:
        ready(folder, 1)
        # its rings are ready before that: then it empties them once more
        lab.until(lambda: "testpmd> " in (folder / "testpmd.log").read_text(), "testpmd forwards")
        text = (folder / "serve.log").read_text()
        lab.check(("packed" in re.findall(r"features (\S+)", text)[-1]) == (ring == "packed"), f"{ring} ring")
        wire = connect(folder / "wire.sock")
        lab.equal(exchange(wire, SIZES), len(SIZES), f"frames of {SIZES} bytes went round")
        lab.equal(sum(exchange(wire, [200 + i] * BURST) for i in range(50)), 50 * BURST, "a thousand went round")
        for number in range(RESTARTS):
            if ring == "packed":
                stop_forwarding(lab, testpmd)
            served.kill()
            wire.close()
            served.start()
            ready(folder, number + 2)
            if ring == "packed":
                say(testpmd, "start")
            wire = connect(folder / "wire.sock")
            came = 0
            end = time.monotonic() + 60
            while came < BURST and time.monotonic() < end:
                came = exchange(wire, [100 * (number + 1)] * BURST, 1.0)
            lab.equal(came, BURST, f"restart {number + 1}: frames go round, none corrupted")
        lab.equal(exchange(wire, SIZES), len(SIZES), "all sizes once more")
        lab.check(testpmd.poll() is None and relay.connections > RESTARTS, "it was one and the same client")
    finally:
        print((folder / "serve.log").read_text()[-1500:] if sys.exc_info()[0] else "", end="")
        testpmd.kill()
        testpmd.wait()
        served.stop()


def ready(folder, times, seconds=60):
    end = time.monotonic() + seconds
    while (folder / "serve.log").read_text().count(" ready ") < times:
        if time.monotonic() > end:
            raise RuntimeError(f"DPDK's driver is not there:\n{(folder / 'serve.log').read_text()[-1500:]}\n"
                               f"{(folder / 'testpmd.log').read_text()[-1500:]}")
        time.sleep(0.05)


main(scenario)
