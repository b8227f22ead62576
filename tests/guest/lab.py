"""Where things are, how fast a guest can run here, and network namespaces."""
import ctypes
import os
import pathlib
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = TOP / ".cache" / "guest"
BUILD = pathlib.Path(os.environ.get("ANYNIC_BUILD", TOP / "build")).resolve()
INSIDE = "ANYNIC_TEST_NAMESPACE"


class Skip(Exception):
    """This machine cannot run the scenario; the text says why."""


def tool(name, *arguments):
    """The last line that one of tools/ prints."""
    done = subprocess.run([str(TOP / "tools" / name), *arguments], stdout=subprocess.PIPE, check=False, text=True)
    if done.returncode:
        sys.exit(f"tools/{name} failed; a scenario has no network, next: tools/{' '.join([name, *arguments])}")
    return done.stdout.strip().splitlines()[-1]


def anynic():
    found = os.environ.get("ANYNIC") or next(
        (str(p) for p in (BUILD / "src/cli/anynic", BUILD / "anynic") if p.exists()), None)
    if not found:
        sys.exit(f"no anynic in {BUILD}: run make first")
    return found


@dataclass(frozen=True)
class Target:
    """What a kind of guest needs to start; `arch` is Debian's name for it."""
    arch: str
    home: pathlib.Path  # of its kernels and tools
    image: str
    console: str
    probe: str
    machine: str
    words: tuple = ()


TARGETS = {
    "x86_64": Target("amd64", CACHE, "vmlinux", "ttyS0", "probe", "q35"),
    "aarch64": Target("arm64", CACHE / "arm64", "vmlinuz", "ttyAMA0", "probe-aarch64", "virt", ("-cpu", "cortex-a57")),
}


def qemu(target="x86_64"):
    if target == "x86_64" and os.environ.get("ANYNIC_QEMU"):
        return os.environ["ANYNIC_QEMU"]
    return tool("get-qemu", target)


def kernel(version, target="x86_64"):
    folder = TARGETS[target].home / version
    if not (folder / "layout").exists():
        tool("make-guest", "--arch", TARGETS[target].arch, version)
    return folder


def accelerator(target="x86_64"):
    """kvm only where a guest really boots under it; elsewhere, when told so, and for another processor, tcg."""
    if target != "x86_64":
        return "tcg"
    return os.environ.get("ANYNIC_ACCEL") or tool("probe-kvm")


def enter_namespace():
    """Runs the script anew in a network namespace of its own, so that scenarios cannot meet: each has its own loopback
    and its own tap0. An ordinary user gets one together with a user namespace."""
    if os.environ.get(INSIDE):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    command = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.call(command + ["true"], stderr=subprocess.DEVNULL) != 0:
        raise Skip("this machine does not allow network namespaces")
    os.execvpe(command[0], command + [sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})


def own_sysfs():
    """/sys tells of this namespace's links. Nodes in /dev are the machine's: where another scenario's macvtap has the same number,
    its node has the name, and only /sys says which device is ours."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x00020000) != 0:  # CLONE_NEWNS
        raise Skip("this machine does not allow mount namespaces")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)


def wait_until(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not after {seconds} s")
        time.sleep(0.02)


def ip(*words):
    """One `ip` command; a failing one is a failing scenario."""
    subprocess.run(["ip", *map(str, words)], check=True)


def make_tap(name="tap0", address="10.7.0.1/24", mtu=1500, queues=1):
    multi = ["multi_queue"] if queues > 1 else []
    ip("tuntap", "add", name, "mode", "tap", "vnet_hdr", *multi)
    ip("link", "set", name, "mtu", mtu, "up")
    if address:
        ip("addr", "add", address, "dev", name)
    # the scenario's frames only: no neighbour discovery of the host's own while links come and go
    pathlib.Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
    return name
