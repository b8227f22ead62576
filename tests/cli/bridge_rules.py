"""bridge_rules.py isolated|vlans: <port isolated> and <vlan> of XML on a Linux bridge, with a guest that does not run: the port has them, also
when its bridge comes again and when its tap does; `plan` says them, and what cannot be had."""
import json
import pathlib
import subprocess
import time

import lab as machine
from harness import main
from qmp import Qmp

WORDS = {
    "isolated": "<port isolated='yes'/>",
    "vlans": "<vlan trunk='yes'><tag id='10' nativeMode='untagged'/><tag id='20'/></vlan>",
}


def bridge(vlans):
    machine.ip("link", "add", "br0", "type", "bridge", *(["vlan_filtering", "1"] if vlans else []))
    machine.ip("link", "set", "br0", "up")


def isolated(tap):
    done = subprocess.run(["ip", "-d", "-j", "link", "show", tap], capture_output=True, text=True, check=False)
    link = json.loads(done.stdout)[0] if done.returncode == 0 else {}
    return link.get("linkinfo", {}).get("info_slave_data", {}).get("isolated", False)


def vlans(tap):
    done = subprocess.run(["bridge", "-j", "vlan", "show", "dev", tap], capture_output=True, text=True, check=False)
    ports = json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else []
    return [(v["vlan"], v.get("flags", [])) for port in ports for v in port["vlans"]]


def has_rules(story, tap):
    return isolated(tap) if story == "isolated" else vlans(tap) == [(10, ["PVID", "Egress Untagged"]), (20, [])]


def await_(lab, holds, text):
    end = time.monotonic() + 30
    while not holds():
        if time.monotonic() > end:
            lab.check(False, text)
        time.sleep(0.05)
    lab.say(f"ok: {text}")


def up(tap):
    done = subprocess.run(["ip", "-j", "link", "show", "up", "dev", tap], capture_output=True, text=True, check=False)
    return done.returncode == 0 and tap in done.stdout


def scenario(lab, story="isolated"):
    folder = pathlib.Path(lab.folder)
    xml = folder / "vm.xml"
    xml.write_text(f"<interface type='bridge' xmlns:anynic='https://anynic.org/xml/1'>\n  <source bridge='br0'/>\n"
                   f"  <model type='virtio'/>\n  <driver name='qemu'/>\n  {WORDS[story]}\n  <anynic:place>hosted</anynic:place>\n</interface>\n")
    bridge(story == "vlans")
    line = ["--interfaces", str(xml), "--", machine.qemu(), "-M", "q35", "-accel", "tcg", "-display", "none", "-nodefaults", "-S"]
    plan = subprocess.run([machine.anynic(), "plan", *line], capture_output=True, text=True, check=True).stdout
    wanted = "br0, isolated" if story == "isolated" else "br0, VLAN 10,20 (native 10, untagged)"
    lab.check(wanted in plan, f"plan says `{wanted}`")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([machine.anynic(), "run", "--name", "vm", "--qmp", str(folder / "vm.qmp"), *line],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        def reachable():
            if process.poll() is not None:
                raise RuntimeError((folder / "log").read_text())
            return (folder / "vm.qmp").exists()
        await_(lab, reachable, "the guest is there")
        qmp = Qmp(folder / "vm.qmp", 20)

        def tap():
            return qmp.command("query-ports")[0]["backend"].get("ifname") or ""
        lab.check(has_rules(story, tap()), f"{tap()} has them")
        at = qmp.mark()
        machine.ip("link", "del", "br0")
        qmp.wait("BACKEND_STATUS_CHANGED", 20, at, port="net0", up=False)
        bridge(story == "vlans")
        await_(lab, lambda: has_rules(story, tap()) and up(tap()), "a bridge that comes again gives them to its port again")
        first = tap()
        at = qmp.mark()
        machine.ip("link", "del", first)
        qmp.wait("BACKEND_STATUS_CHANGED", 20, at, port="net0", up=True)
        await_(lab, lambda: tap() and has_rules(story, tap()), "and so has a tap that is made again")
        qmp.close()
    finally:
        process.terminate()
        process.wait(20)
    if story == "vlans":
        machine.ip("link", "set", "br0", "type", "bridge", "vlan_filtering", "0")
        for verb in ("plan", "run"):
            done = subprocess.run([machine.anynic(), verb, *line], capture_output=True, text=True, timeout=60, check=False)
            lab.check("vm.xml:1: bridge br0 does not keep VLANs apart" in done.stderr, f"{verb}: {done.stderr.strip()}")


main(scenario)
