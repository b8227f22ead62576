"""vhost_user.py PART [system]: QEMU's virtio-net in front of our vhost-user server; `system` is the distribution's older QEMU.

restart, restart-packed: `anynic serve` is killed and started twenty times under TCP both ways; QEMU connects again, the guest's
rings go on, and every byte is right.
drops: the same under datagrams, at the places where a QEMU without a server drops frames in the midst of a packed ring.
life: what `anynic run` tells of a guest that is stopped (also when anynic is late), goes on, unloads its driver, loads it and starts anew; the link moves.
switch: the policy with this card as the performant one: forth, back, by hand, and a reboot."""
import mmap
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import lab as machine
import servers
from cards import GUEST, HOST
from harness import BACK_TO_LEGACY, LEGACY, LEGACY_UP, PERFORMANT, TO_PERFORMANT, main

SIZE = 24 << 20
RESTARTS = 20
MEMORY = 256 << 20


class Served:
    """`anynic serve` as its user's shell would start it."""

    def __init__(self, folder, spec):
        self._words = [machine.anynic(), "serve", "--nic", spec, "--socket", str(folder / "nic.sock")]
        self._log = (folder / "serve.log").open("w")
        self.start()

    def start(self):
        """A tap or a socket may be held for a moment by what is left of a killed one: then as a service manager does it, again."""
        for _ in range(20):
            self._process = subprocess.Popen(self._words, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
                                             start_new_session=True)
            while self._process.poll() is None:
                if self._serves():
                    return
                time.sleep(0.02)
        raise RuntimeError("anynic serve does not start")

    def _serves(self):
        """Its process for the cards is there, and the socket is its own: listening, by what the kernel tells of it."""
        tasks = pathlib.Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        inodes = {line.split()[6] for line in open("/proc/net/unix", encoding="ascii")
                  if line.split()[-1] == self._words[-1] and line.split()[3] == "00010000"}
        try:
            return any(f"socket:[{inode}]" in links(pid) for inode in inodes for pid in [self._process.pid, *tasks.read_text().split()])
        except OSError:  # it has ended
            return False

    def kill(self):
        """All of it, and until the tap is free again."""
        tasks = pathlib.Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        while any(list_fds(f"{pid}/task/{thread}") for pid in tasks for thread in list_threads(pid)):
            time.sleep(0.01)

    def stop(self):
        self._process.terminate()
        self._process.wait(60)


def links(pid):
    """What the descriptors of a process are."""
    found = set()
    for fd in list_fds(pid):
        try:
            found.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            continue
    return found


def list_fds(pid):
    try:
        return os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return []


def list_threads(pid):
    """Of a process whose first thread has ended the others may still hold what it had open."""
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def words_of(kind, size=MEMORY):
    """Of a guest whose memory the server can map."""
    return ("-m", f"{size >> 20}M", "-object", f"memory-backend-{kind},id=ram,size={size >> 20}M,share=on")


def start_guest(lab, served, memory, packed):
    """One whose QEMU connects again, with its network up: the guest and the name of its NIC."""
    folder = pathlib.Path(lab.folder)
    reconnect = ("-chardev", f"socket,id=char0,path={folder}/nic.sock,reconnect-ms=100", "-netdev", "vhost-user,id=net0,chardev=char0",
                 "-device", f"virtio-net-pci,netdev=net0{',packed=on' if packed else ''}")
    guest = lab.guest(nics=None, memory=(), machine="q35,memory-backend=ram", qemu=[*memory, *reconnect])
    guest.sh("modprobe virtio_pci; modprobe virtio_net; await 10 has_nic virtio_net")
    nic = guest.sh("nic virtio_net")
    bits = guest.sh("cat /sys/bus/virtio/devices/virtio0/features")
    lab.equal(bits[34], str(int(packed)), "packed ring")
    guest.sh(f"up {nic}; await 10 carrier {nic}; static {nic} {GUEST}/24; await 5 answers {HOST}")
    return guest


def serve(lab, packed):
    machine.make_tap()
    served = Served(pathlib.Path(lab.folder),
                    f"virtio-net,transport=vhost-user,backend=tap,ifname=tap0,packed={'on' if packed else 'off'}")
    while not (pathlib.Path(lab.folder) / "nic.sock").exists():
        time.sleep(0.05)
    return served


def check_driver(lab, guest, restarts):
    guest.sh(f"await 5 answers {HOST}")
    lab.check(guest.sh("dmesg | grep -ciE 'bad gso|id [0-9]+ out of range|is not a head|missing' || true") == "0",
              f"the guest's driver saw nothing wrong in {restarts} restarts")


def restart(lab, packed):
    folder = pathlib.Path(lab.folder)
    served = serve(lab, packed)
    try:
        source, sink = servers.Source(SIZE), servers.Sink()
        guest = start_guest(lab, served, words_of("memfd"), packed)
        results = {}

        def transfer():
            results["in"] = [guest.probe("tcp-get", HOST, source.port, timeout=300)]
            results["out"] = guest.probe("tcp-put", HOST, sink.port, SIZE, timeout=300)
            while restarts < RESTARTS:
                results["in"].append(guest.probe("tcp-get", HOST, source.port, timeout=300))

        restarts = 0
        thread = threading.Thread(target=transfer)
        thread.start()
        while restarts < RESTARTS:
            time.sleep(0.7)
            served.kill()
            served.start()
            restarts += 1
            guest_back(lab, folder, restarts)
        thread.join()
        for got in results["in"]:
            lab.equal(got["crc"], f"{source.crc:08x}", "24 MiB to the guest")
        lab.equal(results["out"]["crc"], results["out"]["seen"], "24 MiB from the guest")
        check_driver(lab, guest, RESTARTS)
    finally:
        served.stop()


class SendRing:
    """The packed ring of what the guest sends, where it lies in the guest's memory (virtio 1.x, 2.8)."""

    def __init__(self, guest, memory):
        monitor = guest.monitor()
        (card,) = [device["path"] for device in monitor.command("x-query-virtio") if device["name"] == "virtio-net"]
        ring = monitor.command("x-query-virtio-queue-status", path=card, queue=1)
        self._at, self._size = ring["vring-desc"], ring["vring-num"]
        self._memory = mmap.mmap(memory.fileno(), MEMORY, prot=mmap.PROT_READ)

    def _used(self, slot):
        return self._memory[self._at + 16 * slot + 15] >> 7

    def await_end(self, slots, seconds):
        """The server is about to come to slot 0, where QEMU believes that it is, and where the driver's next frames are."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self._used(0) and not self._used(self._size - slots) and self._used(self._size - 1):
                return

    def is_dropped_from(self):
        """Frames are done with behind some that wait."""
        used = [self._used(slot) for slot in range(self._size)]
        return sum(a != b for a, b in zip(used, used[1:])) > 1


def drops(lab):
    """Until QEMU dropped some, which it does when the guest kicks while nobody serves; seldom twice."""
    served = serve(lab, True)
    try:
        with tempfile.NamedTemporaryFile(prefix="anynic-test-", dir="/dev/shm") as memory:
            guest = start_guest(lab, served, words_of(f"file,mem-path={memory.name}"), True)
            ring = SendRing(guest, memory)
        guest.send(f"probe udp-flood {HOST} 9 100 600")
        restarts, dropped = 0, False
        while restarts < RESTARTS and not dropped:
            ring.await_end(8, 2)
            served.kill()
            time.sleep(0.3)
            dropped = ring.is_dropped_from()
            served.start()
            restarts += 1
            guest_back(lab, pathlib.Path(lab.folder), restarts)
            lab.until(lambda: answers(GUEST), f"restart {restarts}: the guest answers")
        lab.say(f"QEMU {'dropped frames' if dropped else 'dropped none'} in the midst of the ring")
    finally:
        served.stop()


def answers(address):
    return subprocess.run(["ping", "-c", "1", "-W", "1", address], stdout=subprocess.DEVNULL).returncode == 0


def guest_back(lab, folder, number):
    """QEMU is connected again."""
    end = time.monotonic() + 20
    while (folder / "serve.log").read_text().count(" ready ") <= number:
        if time.monotonic() > end:
            raise RuntimeError(f"restart {number}: the guest did not come back:\n{(folder / 'serve.log').read_text()[-2000:]}")
        time.sleep(0.05)


def life(lab):
    machine.make_tap()
    guest = lab.guest(nics=["virtio-net,transport=vhost-user,backend=tap,ifname=tap0"])
    guest.sh("modprobe virtio_pci; modprobe virtio_net; await 10 has_nic virtio_net")
    nic = guest.sh("nic virtio_net")
    guest.sh(f"up {nic}; await 10 carrier {nic}; static {nic} {GUEST}/24; await 5 answers {HOST}")
    guest.check_status("net0", "ready")
    mark = guest.qmp.mark()
    guest.qmp.command("set_link", name="net0", up=False)
    guest.sh(f"await 5 no_carrier {nic}")
    guest.qmp.command("set_link", name="net0", up=True)
    guest.sh(f"await 5 carrier {nic}; await 5 answers {HOST}")
    lab.story(guest, mark, ["net0 down", "net0: net0 -> None (manual)", "net0 up", "net0: None -> net0 (manual)"],
              "the link moves, and the driver stays ready")
    mark = guest.qmp.mark()
    monitor = guest.monitor()
    monitor.command("stop")
    guest.qmp.wait("STOP", since=mark)
    time.sleep(0.5)
    monitor.command("cont")
    guest.qmp.wait("RESUME", since=mark)
    guest.sh(f"await 5 answers {HOST}")
    lab.story(guest, mark, ["STOP", "RESUME"], "a guest that is stopped keeps its driver")
    mark = guest.qmp.mark()
    guest.process.send_signal(signal.SIGSTOP)  # as one that gets no processor: the rings stop, and the card hears much later why
    try:
        monitor.command("stop")
        time.sleep(0.5)
    finally:
        guest.process.send_signal(signal.SIGCONT)
    guest.qmp.wait("STOP", since=mark)
    monitor.command("cont")
    guest.qmp.wait("RESUME", since=mark)
    guest.sh(f"await 5 answers {HOST}")
    lab.story(guest, mark, ["STOP", "RESUME"], "also when anynic is late")
    guest.sh("modprobe -r virtio_net")
    guest.check_status("net0", "none")
    guest.sh("modprobe virtio_net; await 10 has_nic virtio_net")
    guest.sh(f"up {nic}; await 10 carrier {nic}; static {nic} {GUEST}/24; await 5 answers {HOST}")
    guest.check_status("net0", "ready")
    mark = guest.qmp.mark()
    boots = guest.boots
    monitor.command("system_reset")
    guest.qmp.wait("RESET", since=mark)
    guest.wait_boot(boots + 1)
    guest.check_status("net0", "none")


def switch(lab):
    guest = lab.guest(nics=["auto,transport=vhost-user"])
    ports = guest.port()
    lab.equal([nic["model"] for nic in ports["nics"]], ["rtl8139", "virtio-net"], "the port has both cards")
    mark = guest.qmp.mark()
    legacy = guest.sh("bring_up 8139cp")
    lab.story(guest, mark, LEGACY_UP, "the legacy link comes up by the timer", settle=1)
    guest.sh(f"await 5 carrier {legacy} && dhcp {legacy} && answers 10.0.2.2")
    mark = guest.qmp.mark()
    performant = guest.sh("bring_up virtio_net")
    lab.story(guest, mark, TO_PERFORMANT, "virtio_net takes over in one step", settle=1)
    guest.sh(f"await 5 carrier {performant} && await 5 no_carrier {legacy} && dhcp {performant} && answers 10.0.2.2")
    mark = guest.qmp.mark()
    subprocess.run([machine.anynic(), "link", guest.name, "net0/legacy", "up"], check=True, stdout=subprocess.DEVNULL)
    lab.story(guest, mark, [f"{PERFORMANT} down", f"{LEGACY} up", f"net0: {PERFORMANT} -> {LEGACY} (manual)"],
              "by hand the legacy card has the link, and the driver of the other stays ready", settle=2)
    lab.equal(guest.status(PERFORMANT), "ready", "so says its status")
    guest.sh(f"await 5 carrier {legacy} && await 5 no_carrier {performant}")
    mark = guest.qmp.mark()
    subprocess.run([machine.anynic(), "link", guest.name, "net0", "auto"], check=True, stdout=subprocess.DEVNULL)
    lab.story(guest, mark, [f"{LEGACY} down", f"{PERFORMANT} up", f"net0: {LEGACY} -> {PERFORMANT} (manual)"],
              "given back to the policy, the performant card has it again", settle=1)
    guest.sh(f"await 5 carrier {performant} && answers 10.0.2.2")
    mark = guest.qmp.mark()
    guest.sh("modprobe -r virtio_net")
    lab.story(guest, mark, BACK_TO_LEGACY, "without virtio_net the legacy card is back", settle=1)
    guest.sh(f"await 5 carrier {legacy} && dhcp {legacy} && answers 10.0.2.2")
    boots = guest.boots
    guest.monitor().command("system_reset")
    guest.wait_boot(boots + 1)
    for nic in (LEGACY, PERFORMANT):
        guest.check_status(nic, "none")
    mark = guest.qmp.mark()
    guest.sh("bring_up virtio_net")
    lab.story(guest, mark, [f"{PERFORMANT} ready", f"{PERFORMANT} up", f"net0: None -> {PERFORMANT} (performant-ready)"],
              "after a reboot with virtio_net alone its link comes up at once", settle=1)


def scenario(lab, part, which="private"):
    if which == "system":
        os.environ["ANYNIC_QEMU"] = shutil.which("qemu-system-x86_64")  # tools/setup installs it
    if part == "life":
        life(lab)
    elif part == "switch":
        switch(lab)
    elif part == "drops":
        drops(lab)
    else:
        restart(lab, part == "restart-packed")


if __name__ == "__main__":
    main(scenario)
