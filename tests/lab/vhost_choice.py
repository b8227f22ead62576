"""driver=default, vhost and qemu against a real vhost-net: node missing, not for this user, there; another card, another backend, too
few queues. What was taken and why is in status, query-ports and the log; what cannot be had is an error before QEMU starts. `plan`
says the same of every case."""
import json
import os
import pathlib
import stat
import subprocess

import host
import lab as machine
from harness import main
from pages import Page
from qmp import Qmp

BRIDGE = "virtio-net,place=qemu,backend=bridge,br=br0"
OURS = "virtio-net,backend=bridge,br=br0"
TAP = "virtio-net,place=qemu,backend=tap,ifname=theirs"


def words(lab, nic):
    """`nic`: the text after --nic, or other words, as those of a page."""
    port = ["--nic", nic] if isinstance(nic, str) else nic
    return [machine.anynic(), "run", "--name", "choice", "--qmp", f"{lab.folder}/choice.qmp", *port, "--", machine.qemu(),
            "-S", "-M", "q35", "-qmp", f"unix:{lab.folder}/choice.monitor,server=on,wait=off", "-accel", "tcg", "-nodefaults", "-display", "none"]


def taken(lab, nic, driver, why, user=None):
    """The guest starts, and everybody says the same."""
    log = open(f"{lab.folder}/choice.log", "w+", encoding="utf-8")  # pylint: disable=consider-using-with
    process = subprocess.Popen(words(lab, nic), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, user=user)
    try:
        qmp = wait_qmp(lab, process)
        (port,) = qmp.command("query-ports")
        backend = port["backend"]
        status = subprocess.run([machine.anynic(), "status", "choice"], capture_output=True, text=True, user=user,
                                check=True).stdout
        lab.equal(backend["driver"], driver, f"{nic}: {driver}")
        lab.check(why in backend["reason"], f"because: {backend['reason']}")
        lab.check(f"driver {driver}: " in status, "status says so")
        Qmp(f"{lab.folder}/choice.monitor", 20).close()  # by its greeting all cards are there
        lab.equal(len(host.vhost_threads(process.pid)), driver == "vhost", "the kernel's threads for it")
        counters = port["counters"] or {"tx-frames": None}
        lab.equal(counters["tx-frames"] is None, driver == "vhost" or "place=qemu" in nic, "what only the kernel could count is null")
        qmp.close()
    finally:
        process.terminate()
        process.wait()
        log.close()


def wait_qmp(lab, process):
    for _ in range(300):
        try:
            return Qmp(f"{lab.folder}/choice.qmp", 20)
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(open(f"{lab.folder}/choice.log", encoding="utf-8").read()) from None
            subprocess.run(["sleep", "0.1"], check=True)
    raise RuntimeError("no control socket")


def refused(lab, nic, why, user=None, what="driver=vhost"):
    done = subprocess.run(words(lab, nic), capture_output=True, text=True, timeout=60, user=user, check=False)
    lab.check(done.returncode != 0 and what in done.stderr and why in done.stderr,
              f"{nic}: {done.stderr.strip()}")


PLANNED = {  # card and backend: what stands in the way of vhost, whatever the node is
    "virtio-net,place=qemu,backend=bridge,br=br0": None,
    "virtio-net,backend=bridge,br=br0": None,
    "virtio-net,place=qemu,backend=tap,ifname=tap9": None,
    "virtio-net,place=qemu,backend=direct,dev=br0": None,
    "auto,place=qemu,backend=bridge,br=br0": None,
    "virtio-net,place=qemu,backend=user": "vhost serves taps",
    "virtio-net,packed=on,backend=bridge,br=br0": "no packed rings",
    "virtio-net,transport=vhost-user,backend=bridge,br=br0": "its rings in anynic",
    "e1000,place=qemu,backend=bridge,br=br0": "vhost serves virtio cards",
}


def planned(lab, node, user=None):
    """Every case while the node is missing, not for this user, or there (None)."""
    for nic, obstacle in PLANNED.items():
        for wish in ("default", "vhost", "qemu"):
            done = subprocess.run([machine.anynic(), "plan", "-j", "--qemu-version", "11.1", "--nic", f"{nic},driver={wish}"],
                                  capture_output=True, text=True, timeout=30, user=user, check=False)
            why = "driver=qemu" if wish == "qemu" else obstacle or node or "/dev/vhost-net is there"
            text = f"{node or 'there'}: {nic},driver={wish}: {why}"
            if wish == "vhost" and (obstacle or node):
                # a card that vhost never serves is refused by its name
                said = "needs a virtio-net card" if nic.startswith("e1000") else why
                lab.check(done.returncode != 0 and said in done.stderr, f"{text}: refused")
                continue
            lab.equal(done.returncode, 0, text + done.stderr)
            backend = json.loads(done.stdout)["ports"][0]["backend"]
            lab.check(backend["driver"] == ("qemu" if wish == "qemu" or obstacle or node else "vhost") and why in backend["reason"],
                      f"{text}: {backend['driver']}")


def scenario(lab):
    machine.ip("link", "add", "br0", "type", "bridge")
    machine.ip("link", "set", "br0", "up")
    lab.check(not os.path.exists(host.NODE), "no vhost-net yet")
    refused(lab, f"{BRIDGE},driver=vhost", "/dev/vhost-net is not there")
    page = Page("vhost.md").options("anynic run")
    refused(lab, page, "/dev/vhost-net is not there", what="vhost.xml:1: <driver name='vhost'/>")
    taken(lab, BRIDGE, "qemu", "/dev/vhost-net is not there")
    planned(lab, "/dev/vhost-net is not there")

    host.load_vhost()
    planned(lab, None)
    taken(lab, BRIDGE, "vhost", "/dev/vhost-net was opened")
    taken(lab, f"{BRIDGE},driver=vhost", "vhost", "/dev/vhost-net was opened")
    taken(lab, page, "vhost", "/dev/vhost-net was opened")
    node = pathlib.Path(lab.folder) / "vhost"
    os.mknod(node, 0o600 | stat.S_IFCHR, os.stat(host.NODE).st_rdev)
    xml = pathlib.Path(lab.folder) / "node.xml"
    xml.write_text(f"<interface type='bridge'><source bridge='br0'/><model type='virtio'/><backend vhost='{node}'/></interface>\n")
    taken(lab, ["--interfaces", str(xml)], "vhost", f"{node} was opened")
    xml.write_text(xml.read_text().replace(str(node), "/dev/null"))
    refused(lab, ["--interfaces", str(xml)], "is no vhost-net device", what="node.xml:1: <backend vhost='/dev/null'>")
    taken(lab, f"{BRIDGE},driver=qemu", "qemu", "driver=qemu")
    refused(lab, "e1000,place=qemu,backend=bridge,br=br0,driver=vhost", "needs a virtio-net card")
    taken(lab, "e1000,place=qemu,backend=bridge,br=br0", "qemu", "vhost serves virtio cards")
    refused(lab, "virtio-net,place=qemu,backend=user,driver=vhost", "vhost serves taps")
    taken(lab, OURS, "vhost", "/dev/vhost-net was opened")
    taken(lab, f"{OURS},driver=qemu", "qemu", "driver=qemu")
    taken(lab, f"{OURS},packed=on", "qemu", "no packed rings")
    refused(lab, f"{OURS},packed=on,driver=vhost", "no packed rings")

    nobody = 65534
    os.chmod(lab.folder, 0o777)
    own = pathlib.Path(lab.folder) / "nobody"
    own.mkdir()
    os.chown(own, nobody, nobody)
    os.environ["XDG_RUNTIME_DIR"] = str(own)
    subprocess.run(["ip", "tuntap", "add", "theirs", "mode", "tap", "vnet_hdr", "user", str(nobody)], check=True)
    machine.ip("link", "set", "theirs", "up")
    refused(lab, f"{TAP},driver=vhost", "may not be opened by this user", user=nobody)
    taken(lab, TAP, "qemu", "may not be opened by this user", user=nobody)
    planned(lab, "may not be opened by this user", user=nobody)
    os.chmod(host.NODE, 0o666)
    taken(lab, f"{TAP},driver=vhost", "vhost", "was opened", user=nobody)
    refused(lab, f"{TAP},queues=4,driver=vhost", "the tap has 1 of 4 queues", user=nobody)


main(scenario)
