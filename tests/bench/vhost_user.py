"""Our vhost-user server against DPDK's (testpmd with net_vhost), in turns, with the same client: testpmd with virtio-user.

One queue pair, one core each. Both servers return every frame; the client forwards what comes back (io), so that a fixed number of
frames goes round. What counts is how many the client receives a second. A core that others want too makes a run worthless: the
busiest part of each run is kept, and how much of its core the server really had is shown beside it."""
import os
import pathlib
import re
import signal
import statistics
import subprocess
import time

import lab as machine
from processes import children, datapath_of
from table import Row

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
SIZES = (64, 1500)
RINGS = {"split": 0, "packed": 1}
CLIENT_CPU, SERVER_CPU = 0, 1
BURSTS = 6  # of 32 frames, under way at a time; the ring has 256 places
HUGE = pathlib.Path("/dev/hugepages-anynic")


def huge_words():
    """Huge pages where this machine has some: a mount of our own, in this run's mount namespace or as root."""
    free = re.search(r"HugePages_Free:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    if os.geteuid() != 0 or not free or int(free.group(1)) < 2 * 24:
        return ["--no-huge", "-m", "256"], "4 KiB pages"
    HUGE.mkdir(exist_ok=True)
    if not os.path.ismount(HUGE):
        subprocess.run(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "none", HUGE], check=True)
    return ["--huge-dir", str(HUGE), "-m", "48", "--single-file-segments"], "2 MiB pages"


def go_first(pid):
    """Its whole session comes before what else the machine does, where we may say so."""
    group = pathlib.Path(f"/proc/{pid}/autogroup")
    if os.geteuid() == 0 and group.exists():
        group.write_text("-20")


class Testpmd:
    """One testpmd whose prompt is ours. Core 0 of it only talks; core 1 forwards."""

    def __init__(self, name, cpu, vdev, words=()):
        huge, self.pages = huge_words()
        self._process = subprocess.Popen(
            ["stdbuf", "-o0", "dpdk-testpmd", "--lcores", f"0@{1 - cpu},1@{cpu}", "--no-pci", "--no-telemetry", "--file-prefix", name,
             "--iova-mode=va", *huge, "--vdev", vdev, "--", "-i", "--total-num-mbufs=4096", "--forward-mode=io",
             "--rxd=256", "--txd=256", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        go_first(self._process.pid)
        self._text = ""
        os.set_blocking(self._process.stdout.fileno(), False)
        self.until("testpmd> ", 60)

    @property
    def pid(self):
        return self._process.pid

    def until(self, what, seconds=20):
        end = time.monotonic() + seconds
        while what not in self._text:
            self._text += (self._process.stdout.read() or b"").decode(errors="replace")
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"testpmd does not say {what!r}:\n{self._text[-3000:]}")
            time.sleep(0.01)
        found, self._text = self._text.split(what, 1)
        return found

    def say(self, line):
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def received(self):
        self.say("show port stats 0")
        self.until("RX-packets:")
        return int(self.until("\n").split()[0])

    def stop(self):
        try:
            self.say("quit")
            self._process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()


class Ours:
    def __init__(self, folder, packed):
        self.path = folder / "ours.sock"
        self._process = subprocess.Popen(
            [machine.anynic(), "serve", "--nic",
             f"virtio-net,transport=vhost-user,backend=loop,link=up,packed={'on' if packed else 'off'}",
             "--socket", str(self.path), "--cpu", str(SERVER_CPU)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        go_first(self._process.pid)
        end = time.monotonic() + 10
        while not self.path.exists() or "anynic-datapath" not in children(self._process.pid).values():
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError("anynic serve does not start")
            time.sleep(0.02)
        self.pid = datapath_of(self._process.pid)

    def stop(self):
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)


class Theirs:
    def __init__(self, folder, _packed):
        self.path = folder / "theirs.sock"
        self._testpmd = Testpmd("vhost", SERVER_CPU, f"net_vhost0,iface={self.path},queues=1")
        self._testpmd.say("start")
        self.pid = self._testpmd.pid

    def stop(self):
        self._testpmd.stop()


def on_cpu(pid):
    """Seconds that each thread of a process has had a core."""
    return {task.name: int((task / "schedstat").read_text().split()[0]) / 1e9 for task in pathlib.Path(f"/proc/{pid}/task").iterdir()}


def busiest(before, after):
    return max(after[task] - before.get(task, 0) for task in after)


def one_run(side, folder, packed, size):
    """Mpps, per cent of a core that the server had, and nanoseconds of it for a frame."""
    server = side(folder, packed)
    client = None
    try:
        client = Testpmd("client", CLIENT_CPU,
                         f"net_virtio_user0,path={server.path},queues=1,queue_size=256,packed_vq={int(packed)},mrg_rxbuf=1,in_order=0")
        client.say(f"set txpkts {size}")
        client.say(f"start tx_first {BURSTS}")
        time.sleep(0.3)
        best = (0, 0, 0)
        for _ in range(max(1, round(SECONDS))):
            frames, cpu, began = client.received(), on_cpu(server.pid), time.monotonic()
            time.sleep(1)
            frames, cpu = client.received() - frames, busiest(cpu, on_cpu(server.pid))
            took = time.monotonic() - began
            best = max(best, (frames / took / 1e6, 100 * cpu / took, 1e9 * cpu / max(frames, 1)))
        return best, client.pages
    finally:
        if client:
            client.stop()
        server.stop()


def measure(lab):
    folder, rows = pathlib.Path(lab.folder), []
    for ring, packed in RINGS.items():
        for size in SIZES:
            seen = {Ours: [], Theirs: []}
            for _ in range(ROUNDS):
                for side in seen:
                    result, pages = one_run(side, folder, packed, size)
                    seen[side].append(result)
                    lab.say(f"{ring} {size} B {side.__name__.lower()}: {result[0]:.2f} Mpps, {result[1]:.0f} % of a core, "
                            f"{result[2]:.0f} ns each")
            cpu = " | ".join(f"{statistics.median(r[1] for r in runs):.0f} %, {statistics.median(r[2] for r in runs):.0f} ns/frame"
                             for runs in seen.values())
            rows.append(Row(f"vhost-user loop, {ring} ring, {size} B ({pages}), against testpmd's net_vhost", "Mpps",
                            [r[0] for r in seen[Ours]], [r[0] for r in seen[Theirs]], digits=2, cpu=cpu).aim(0.7, ">= 0.7"))
    return rows
