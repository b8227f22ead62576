"""What a scenario for the lab host starts with: on this machine it goes there, with its parameters; there it finds the harness of
tests/guest, whose guests are nested ones under KVM."""
import os
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "guest"))

if not os.environ.get("ANYNIC_LAB_HOST"):
    os.execv(TOP / "tools/lab-host", [str(TOP / "tools/lab-host"), sys.executable, *sys.argv])
os.environ["ANYNIC_ACCEL"] = "kvm"

NODE = "/dev/vhost-net"


def load_vhost(mode=0o600):
    subprocess.run(["modprobe", "vhost_net"], check=True)
    os.chmod(NODE, mode)


def vhost_threads(pid):
    """Those of the kernel's that work for a process and its descendants: folder under /proc of each."""
    found = []
    for task in pathlib.Path("/proc").glob("[0-9]*/task/[0-9]*"):
        try:
            if (task / "comm").read_text().startswith("vhost-") and descends(int(task.parts[2]), pid):
                found.append(task)
        except OSError:
            continue
    return found


def descends(pid, ancestor):
    while pid > 1:
        if pid == ancestor:
            return True
        pid = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return False


def work_of(threads):
    """Nanoseconds of a processor that they have used."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in threads)
