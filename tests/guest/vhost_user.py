"""vhost_user.py PART: QEMU's virtio-net in front of our vhost-user server.

restart, restart-packed: `anynic serve` is killed and started twenty times under TCP both ways; QEMU connects again, the guest's
rings go on, and every byte is right.
life: what `anynic run` tells of a guest that is stopped, goes on, unloads its driver, loads it and starts anew; the link moves."""
import os
import pathlib
import signal
import subprocess
import threading
import time

import lab as machine
import servers
from cards import GUEST, HOST
from harness import main

SIZE = 24 << 20
RESTARTS = 20
MEMORY = ("-m", "256M", "-object", "memory-backend-memfd,id=ram,size=256M,share=on", "-M", "q35,memory-backend=ram")


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
            try:
                self._process.wait(0.2)
            except subprocess.TimeoutExpired:
                return
        raise RuntimeError("anynic serve does not start")

    def kill(self):
        """All of it, and until the tap is free again."""
        tasks = pathlib.Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        while any(list_fds(pid) for pid in tasks):
            time.sleep(0.01)

    def stop(self):
        self._process.terminate()
        self._process.wait(20)


def list_fds(pid):
    try:
        return os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return []


def restart(lab, packed):
    folder = pathlib.Path(lab.folder)
    machine.make_tap()
    served = Served(folder, f"virtio-net,transport=vhost-user,backend=tap,ifname=tap0,packed={'on' if packed else 'off'}")
    try:
        source, sink = servers.Source(SIZE), servers.Sink()
        reconnect = ("-chardev", f"socket,id=char0,path={folder}/nic.sock,reconnect-ms=100", "-netdev",
                     "vhost-user,id=net0,chardev=char0", "-device", f"virtio-net-pci,netdev=net0{',packed=on' if packed else ''}")
        while not (folder / "nic.sock").exists():
            time.sleep(0.05)
        guest = lab.guest(nics=None, memory=(), machine=MEMORY[-1], qemu=[*MEMORY[:4], *reconnect])
        guest.sh("modprobe virtio_pci; modprobe virtio_net; await 10 has_nic virtio_net")
        nic = guest.sh("nic virtio_net")
        bits = guest.sh("cat /sys/bus/virtio/devices/virtio0/features")
        lab.equal(bits[34], str(int(packed)), "packed ring")
        guest.sh(f"up {nic}; await 10 carrier {nic}; static {nic} {GUEST}/24; await 5 answers {HOST}")
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
        guest.sh(f"await 5 answers {HOST}")
        lab.check(guest.sh("dmesg | grep -ciE 'bad gso|id [0-9]+ out of range|is not a head|missing' || true") == "0",
                  f"the guest's driver saw nothing wrong in {RESTARTS} restarts")
    finally:
        served.stop()


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


def scenario(lab, part):
    if part == "life":
        life(lab)
    else:
        restart(lab, part == "restart-packed")


if __name__ == "__main__":
    main(scenario)
