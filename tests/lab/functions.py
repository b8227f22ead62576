"""The card with virtual functions of the lab host, and what anynic says of its functions."""
import json
import pathlib
import subprocess
import time

import host  # pylint: disable=unused-import  # the harness of tests/guest is found
import lab as machine

SECONDS = 60
MAC = "52:54:00:aa:bb:0c"
NETWORKS = pathlib.Path("/etc/libvirt/qemu/networks")


def pool(*words, code=0):
    """anynic pool; the JSON document, or what it said when it must fail."""
    done = subprocess.run([machine.anynic(), "pool", *words, "-j"], capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode != code:
        raise RuntimeError(f"pool {words}: status {done.returncode}: {done.stderr}{done.stdout}")
    return json.loads(done.stdout) if code == 0 else done.stderr


def settings(dev):
    """What the card's driver tells of each function."""
    told = subprocess.run(["ip", "-j", "-d", "link", "show", dev], capture_output=True, text=True, check=True).stdout
    return [(vf["address"], vf.get("vlan_list", [{}])[0].get("vlan", 0), vf.get("spoofchk"))
            for vf in json.loads(told)[0].get("vfinfo_list", [])]


def state(dev):
    return [(f["driver"], f["state"]) for f in pool("show", dev)]


def until(lab, holds, text, seconds=SECONDS):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            break
        time.sleep(0.2)
    lab.check(holds(), text)


def card(lab, load=True):
    """The card with all its functions, bound to their own driver."""
    (found,) = pool("list")
    dev = found["pool"]
    if found["vfs"]:  # of the scenario before
        pool("create", dev, "--vfs", "0")
        (found,) = pool("list")
    lab.equal((found["vfs"], found["driver"]), (0, "igb"), f"{dev} has no functions, and can have {found['vfs-max']}")
    machine.ip("link", "set", dev, "up")
    pool("create", dev, "--vfs", "7")
    if load or pathlib.Path("/sys/module/igbvf").exists():  # by a scenario before
        subprocess.run(["modprobe", "igbvf"], check=True)
        until(lab, lambda: all(f["dev"] for f in pool("show", dev)), "seven functions, each with a device of its own driver")
    return dev


def network(dev):
    """A network of libvirt's, "fast", that hands on the card's functions."""
    NETWORKS.mkdir(parents=True, exist_ok=True)
    (NETWORKS / "fast.xml").write_text(f"<network><name>fast</name><forward mode='hostdev' managed='yes'><pf dev='{dev}'/>"
                                       "</forward></network>\n")


class Still:
    """anynic run with a QEMU that never runs its guest."""

    def __init__(self, lab, name, *ports):
        self.log_path = pathlib.Path(lab.folder) / f"{name}.log"
        self.name = name
        words = [machine.anynic(), "run", "--name", name, *ports, "--", machine.qemu(), "-S", "-M", "q35", "-m", "64M",
                 "-accel", "kvm", "-nodefaults", "-display", "none"]
        with self.log_path.open("w") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def log(self):
        return self.log_path.read_text()

    def port(self):
        """Once QEMU has its card."""
        end = time.monotonic() + SECONDS
        while True:
            done = subprocess.run([machine.anynic(), "status", self.name, "-j"], capture_output=True, text=True, check=False)
            if done.returncode == 0 and "vfio" in self.open_files():
                return json.loads(done.stdout)
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.name}: {self.log()}{done.stderr}")
            time.sleep(0.2)

    def open_files(self):
        """Of the QEMU below it."""
        links = []
        for pid in subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False).stdout.split():
            for fd in pathlib.Path(f"/proc/{pid}/fd").glob("*"):
                try:
                    links.append(str(fd.readlink()))
                except OSError:
                    continue
        return " ".join(links)

    def stop(self):
        self.process.terminate()
        self.process.wait(SECONDS)
