"""oracle.py ANYNIC FILE...: the cards of each file as a real libvirtd would give them to QEMU, compared with `anynic plan --interfaces`.

A libvirtd of our own runs in a mount and a network namespace, with folders, users, /dev and /sys of its own; nothing of the host's is touched.
Its emulator answers what libvirt asks of QEMU, and for a guest says nothing and ends: the line that libvirt logged before is all that is wanted.
A file is a <devices> or an <interface>; the <domain> around it is made here. Its name says what is special: "pc-" that machine, else q35;
"kvm-" a guest on KVM. Files with elements of anynic's own, and whole domains, are passed over.
Not compared are: numbers of descriptors (how many there are is), addresses that libvirt allots and MACs that it makes where the file has
none, the path of passt's socket. Exits 77 where a libvirtd cannot run.
"""
import ctypes
import glob
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

QEMU = "/usr/bin/qemu-system-x86_64"
SKIP = 77
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
NODES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0), "net/tun": (10, 200)}
FOLDERS = ["/run", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt", "/etc/libvirt"]
NETWORKS = """
<network><name>default</name><forward mode='bridge'/><bridge name='virbr0'/><portgroup name='fast'/></network>
<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network>
<network><name>wire</name><forward mode='bridge'><interface dev='wire1'/></forward><portgroup name='fast'/></network>
"""
QEMU_CONF = """user = "root"\ngroup = "root"\ndynamic_ownership = 0\nremember_owner = 0\nnamespaces = []
cgroup_controllers = []\nsecurity_driver = "none"\nstdio_handler = "file"\n"""
EMULATOR = f"""#!/bin/sh
case "$*" in *"-machine none"*|*-version*|*-help*) exec {QEMU} "$@";; esac
exit 1
"""


def run(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)


# --- a host for libvirtd ---------------------------------------------------------------------------------------------

def make_dev(has_kvm):
    # libvirtd looks for huge pages in all that is mounted
    run("umount", "--recursive", "--lazy", "/dev", check=False)
    run("mount", "-t", "tmpfs", "-o", "mode=755", "dev", "/dev")
    os.makedirs("/dev/net")
    for name, (major, minor) in NODES.items():
        os.mknod("/dev/" + name, 0o20666, os.makedev(major, minor))
        os.chmod("/dev/" + name, 0o666)
    if has_kvm:
        os.mknod("/dev/kvm", 0o20666, os.makedev(10, 232))
    for folder in ("pts", "shm"):
        os.mkdir("/dev/" + folder)
    run("mount", "-t", "devpts", "-o", "newinstance,ptmxmode=666", "devpts", "/dev/pts")
    os.symlink("pts/ptmx", "/dev/ptmx")
    # libvirt opens these and passes them on, no more
    for name in ("vhost-net", "vhost-vdpa-0"):
        pathlib.Path("/dev/" + name).touch()


def make_users():
    """What Debian's package of the service makes."""
    for file, lines in (("passwd", "libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin\n"), ("group", "libvirt-qemu:x:64055:\nkvm:x:64056:\n")):
        text = open("/etc/" + file, encoding="utf-8").read()
        wanted = [l for l in lines.splitlines() if not re.search(rf"^{l.split(':')[0]}:", text, re.M)]
        with open("/run/" + file, "w", encoding="utf-8") as out:
            out.write(text.rstrip("\n") + "\n" + "".join(l + "\n" for l in wanted))
        run("mount", "--bind", "/run/" + file, "/etc/" + file)


def make_links():
    for words in ("link set lo up", "link add br0 type bridge", "link set br0 up", "link add virbr0 type bridge",
                  "link set virbr0 up", "link add eth0 type veth peer name eth1", "link set eth0 up", "link set eth1 up", "link add wire0 type veth peer name wire1", "link add wire2 type veth peer name wire3", "link set wire0 up",
                  "link set wire1 up", "addr add 10.7.0.1/24 dev wire1", "route add default via 10.7.0.2"):
        run("ip", *words.split())


def serve_macvtaps(stop):
    """udev's work: the node of a macvtap."""
    while not stop.wait(0.005):
        for path in glob.glob("/sys/class/net/macvtap*/tap*/dev"):
            node = "/dev/" + path.split("/")[-2]
            try:
                major, minor = map(int, open(path, encoding="ascii").read().split(":"))
                if os.path.exists(node) and os.stat(node).st_rdev != os.makedev(major, minor):
                    os.unlink(node)
                if not os.path.exists(node):
                    os.mknod(node, 0o20666, os.makedev(major, minor))
            except OSError:
                pass  # it went meanwhile


def enter(work):
    libc = ctypes.CDLL(None, use_errno=True)
    has_kvm = os.path.exists("/dev/kvm")
    tools = work / "tools"
    tools.mkdir()
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        skip("no namespaces of its own: " + os.strerror(ctypes.get_errno()))
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "sysfs", "sys", "/sys")
    for folder in FOLDERS:
        os.makedirs(folder, exist_ok=True)
        run("mount", "-t", "tmpfs", "libvirt", folder)
    make_dev(has_kvm)
    make_users()
    make_links()
    os.makedirs("/var/log/libvirt/qemu")
    pathlib.Path("/etc/libvirt/qemu.conf").write_text(QEMU_CONF, encoding="ascii")
    pathlib.Path("/etc/libvirt/libvirtd.conf").write_text(f'auth_unix_rw = "none"\nlog_outputs = "3:file:{work}/libvirtd.log"\n', encoding="ascii")
    emulator = tools / "qemu-system-x86_64"
    emulator.write_text(EMULATOR, encoding="ascii")
    emulator.chmod(0o755)
    return emulator


def start_libvirtd():
    daemon = subprocess.Popen(["/usr/sbin/libvirtd"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while run("virsh", "-q", "version", check=False).returncode != 0:
        if daemon.poll() is not None or time.monotonic() > end:
            skip("this libvirtd does not run here")
        time.sleep(0.1)
    for i, text in enumerate(re.findall(r"<network>.*?</network>", NETWORKS, re.S)):
        path = f"/run/network{i}.xml"
        pathlib.Path(path).write_text(text, encoding="utf-8")
        run("virsh", "-q", "net-create", path)
    return daemon


# --- what both say ---------------------------------------------------------------------------------------------------

def is_libvirts(path):
    text = path.read_text(encoding="utf-8")
    if "00:00:00:00:00:00" in text:  # 9.0 takes that as it is, 11.3 makes one
        return False
    return "anynic:" not in text and ET.fromstring(text).tag in ("devices", "interface")


def name_of(path):
    return f"{path.parent.name}-{path.stem}"


def domain_of(path, emulator):
    kind = "kvm" if path.stem.startswith("kvm-") else "qemu"
    machine = "pc" if path.stem.startswith("pc-") else "q35"
    root = ET.fromstring(path.read_text(encoding="utf-8"))
    inside = root if root.tag == "devices" else [root]
    cards = "".join(ET.tostring(element, encoding="unicode") for element in inside)
    devices = f"<devices><emulator>{emulator}</emulator><controller type='usb' model='none'/><memballoon model='none'/>{cards}</devices>"
    return (f"<domain type='{kind}'><name>{name_of(path)}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
            "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
            f"<os><type arch='x86_64' machine='{machine}'>hvm</type></os><features><acpi/></features>{devices}</domain>"), machine


def of_libvirt(name, file):
    """Netdevs, cards and chardevs of the line that libvirt logged; or what it said instead."""
    said = run("virsh", "-q", "create", "--paused", str(file), check=False)
    log = pathlib.Path(f"/var/log/libvirt/qemu/{name}.log")
    if not log.exists() or "-name" not in log.read_text(encoding="utf-8"):
        return None, said.stderr.strip()
    lines = log.read_text(encoding="utf-8").splitlines()
    first = next(i for i, l in enumerate(lines) if l.startswith("LC_ALL="))
    last = next(i for i in range(first, len(lines)) if not lines[i].endswith("\\"))
    words = shlex.split(" ".join(l.rstrip("\\") for l in lines[first:last + 1]))
    pairs = list(zip(words, words[1:]))
    devices = [json.loads(v) for o, v in pairs if o == "-device" and v.startswith("{")]
    return {"netdevs": [json.loads(v) for o, v in pairs if o == "-netdev"],
            "devices": [d for d in devices if "netdev" in d or d["driver"] == "vfio-pci"],
            "chardevs": [v for o, v in pairs if o == "-chardev" and re.search(r"id=char(net|ua-)", v)]}, ""


def of_anynic(anynic, file, networks, version, machine, kvm):
    words = [anynic, "plan", "-j", "--interfaces", str(file), "--qemu-version", version]
    for network in networks:
        words += ["--networks", network]
    if kvm:
        words += ["--assume", "kvm,vhost"]
    said = run(*words, "--", "qemu-system-x86_64", "-machine", machine, check=False)
    if said.returncode != 0:
        return None, said.stderr.strip()
    plan = json.loads(said.stdout)
    return {key: plan[key] for key in ("netdevs", "devices", "chardevs")}, said.stderr.strip()


def plain(answer, said):
    """Without what cannot be the same on both sides."""
    for netdev in answer["netdevs"]:
        for key in ("fd", "fds", "vhostfd", "vhostfds"):
            if key in netdev:
                netdev[key] = ":".join("<fd>" for _ in netdev[key].split(":"))
        if "vhostdev" in netdev:
            netdev["vhostdev"] = re.sub(r"\d+$", "N", netdev["vhostdev"])
        if netdev["type"] == "stream":
            netdev["addr"]["path"] = "<path>"
    for device, words in zip(answer["devices"], said):
        if "address" not in words:
            device.pop("bus", None)
            device.pop("addr", None)
        if "mac" not in words:
            device.pop("mac", None)
    return answer


def elements(file):
    """What the file says of each card; a <mac> without an address says nothing."""
    return [[e.tag for e in i if e.tag != "mac" or e.get("address")] for i in ET.parse(file).getroot().iter("interface")]


def tell_difference(name, theirs, ours):
    print(f"FAIL {name}")
    for key in ("netdevs", "devices", "chardevs"):
        if theirs[key] != ours[key]:
            print(f"  libvirt {key}: {json.dumps(theirs[key])}\n  anynic  {key}: {json.dumps(ours[key])}")


def ask_libvirt(path, work, emulator):
    text, machine = domain_of(path, emulator)
    file = work / (name_of(path) + ".xml")
    file.write_text(text, encoding="utf-8")
    return file, machine, *of_libvirt(name_of(path), file)


def compare(anynic, path, version, file, machine, theirs, why):
    """True, False, or None where libvirt cannot say."""
    if theirs is None:
        print(f"SKIP {name_of(path)}: libvirt: {why.splitlines()[-1] if why else 'no line'}")
        return None
    ours, said = of_anynic(anynic, file, sorted(glob.glob("/run/network*.xml")), version, machine, path.stem.startswith("kvm-"))
    if ours is None and "QEMU has this card from" in said:
        print(f"SKIP {name_of(path)}: QEMU {version} has no such card")
        return None
    if ours is None:
        print(f"FAIL {name_of(path)}: anynic: {said}")
        return False
    if plain(theirs, elements(file)) != plain(ours, elements(file)):
        tell_difference(name_of(path), theirs, ours)
        return False
    if not theirs["devices"]:
        print(f"FAIL {name_of(path)}: no card at all")
        return False
    print(f"ok   {name_of(path)}: {len(theirs['devices'])} cards")
    return True


def main():
    anynic = os.path.abspath(sys.argv[1])
    files = [path for path in (pathlib.Path(f).resolve() for f in sys.argv[2:]) if is_libvirts(path)]
    if os.geteuid() != 0:
        skip("a libvirtd of its own needs root")
    for program in ("/usr/sbin/libvirtd", "/usr/bin/virsh", QEMU):
        if not os.path.exists(program):
            skip(f"{program} is not installed")
    version = re.search(r"version (\d+\.\d+)", run(QEMU, "--version").stdout).group(1)
    work = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / f"anynic-oracle-{os.getpid()}"
    work.mkdir()
    results = []
    daemon, stop = None, threading.Event()
    try:
        emulator = enter(work)
        threading.Thread(target=serve_macvtaps, args=(stop,), daemon=True).start()
        daemon = start_libvirtd()
        has_kvm = "<domain type='kvm'" in run("virsh", "capabilities").stdout
        possible = [path for path in files if has_kvm or not path.stem.startswith("kvm-")]
        for path in files:
            if path not in possible:
                print(f"SKIP {name_of(path)}: this host has no KVM")
                results.append(None)
        # libvirt waits for most of the time
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda path: ask_libvirt(path, work, emulator), possible))
        for path, answer in zip(possible, answers):
            results.append(compare(anynic, path, version, *answer))
    finally:
        stop.set()
        if daemon:
            daemon.terminate()
            daemon.wait()
        shutil.rmtree(work, ignore_errors=True)
    print(f"{results.count(True)} files as libvirt has them, {results.count(False)} not, {results.count(None)} skipped")
    sys.exit(1 if False in results or True not in results else 0)


if __name__ == "__main__":
    main()
