"""A private OVN for one scenario: its databases, ovn-northd, and chassis, each an Open vSwitch with ovn-controller. The first chassis is in the
scenario's own network namespace, where anynic finds it; others have one of their own, with a wire of tunnels between them."""
import os
import pathlib
import re
import subprocess
import time

import lab
import ovs

WIRE = "10.9.0"  # of the tunnels
BRIDGE = "br-int"


class Place:
    """A network namespace that lives as long as this object's process."""

    def __init__(self):
        self._process = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE)  # ends with us, however we end
        self.path = f"/proc/{self._process.pid}/ns/net"
        self.pid = self._process.pid
        ours = os.readlink("/proc/self/ns/net")
        while os.readlink(self.path) == ours:
            time.sleep(0.01)
        self.words = ("nsenter", f"--net={self.path}")
        subprocess.run([*self.words, "ip", "link", "set", "lo", "up"], check=True)

    def stop(self):
        self._process.stdin.close()
        self._process.wait(60)


class Chassis:
    def __init__(self, folder, name, number, central, place=None):
        self.name, self.place = name, place
        self.switch = ovs.Switch(folder, name, place.words if place else ())
        self.switch.add_bridge("br-phys")
        # the kernel sees frames of a switch in user space, too: it shall not answer for another machine's address
        subprocess.run([*(place.words if place else ()), "sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1"], check=True)
        self._ip("addr", "add", f"{WIRE}.{number}/24", "dev", "br-phys")
        self.switch.vsctl("set", "open_vswitch", ".", f"external_ids:system-id={name}", f"external_ids:ovn-remote={central}",
                          "external_ids:ovn-encap-type=geneve", f"external_ids:ovn-encap-ip={WIRE}.{number}",
                          "external_ids:ovn-bridge-datapath-type=netdev")
        self.switch.add_bridge(BRIDGE)
        self.start_controller()

    def _ip(self, *words):
        subprocess.run([*(self.place.words if self.place else ()), "ip", *words], check=True)

    def plug(self, wire):
        """The end of a wire that is in this namespace."""
        self._ip("link", "set", wire, "up")
        self.switch.vsctl("add-port", "br-phys", wire)

    def add_host(self, port, mac, address):
        """A machine of the logical switch: an interface of this chassis."""
        self.switch.vsctl("add-port", BRIDGE, port, "--", "set", "interface", port, "type=internal", f'mac="{mac}"',
                          f"external_ids:iface-id={port}")
        self._ip("addr", "add", f"{address}/24", "dev", port)
        self._ip("link", "set", port, "up")

    def start_controller(self):
        self.switch.start("ovn-controller", self.switch.socket)

    def stop_controller(self):
        self.switch.end("ovn-controller")

    def taps(self):
        """Of guests: ports with anynic's mark."""
        return [port for port in self.switch.ports(BRIDGE) if "anynic-port" in self.switch.ids(port)]

    def stop(self):
        self.switch.stop()
        if self.place:
            self.place.stop()


class Ovn:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / "ovn"
        self.folder.mkdir()
        self._programs = pathlib.Path(lab.tool("get-ovs"))
        self.remote = f"unix:{self.folder}/ovn.sock"
        schemas = self._programs.parent / "root/usr/share/ovn"
        self._environment = {**os.environ, "OVN_RUNDIR": str(self.folder), "OVS_RUNDIR": str(self.folder)}
        files = []
        for kind in ("nb", "sb"):
            files.append(self.folder / f"{kind}.db")
            self._run("ovsdb-tool", "create", files[-1], schemas / f"ovn-{kind}.ovsschema")
        self._processes = []
        self._start("ovsdb-server", *files, f"--remote=p{self.remote}", f"--unixctl={self.folder}/db.ctl")
        lab.wait_until((self.folder / "ovn.sock").exists, "OVN's databases")
        self._start("ovn-northd", f"--ovnnb-db={self.remote}", f"--ovnsb-db={self.remote}", f"--unixctl={self.folder}/northd.ctl")
        self.chassis = {}

    def _run(self, program, *words):
        return subprocess.run([self._programs / program, *map(str, words)], check=True, capture_output=True, text=True, timeout=60,
                              env=self._environment).stdout.strip()

    def _start(self, program, *words):
        with (self.folder / f"{program}.log").open("a") as log:
            self._processes.append(subprocess.Popen([self._programs / program, *map(str, words)], stdout=log, stderr=log,
                                                    env=self._environment))

    def nbctl(self, *words):
        return self._run("ovn-nbctl", f"--db={self.remote}", "--timeout=20", *words)

    def sbctl(self, *words):
        return self._run("ovn-sbctl", f"--db={self.remote}", "--timeout=20", *words)

    def add_chassis(self, name):
        number = len(self.chassis) + 1
        self.chassis[name] = Chassis(self.folder.parent, name, number, self.remote, Place() if self.chassis else None)
        return self.chassis[name]

    def connect(self, one, two):
        """A wire between the first chassis and another."""
        lab.ip("link", "add", "phys0", "type", "veth", "peer", "name", "phys1")
        lab.ip("link", "set", "phys1", "netns", str(two.place.pid))
        one.plug("phys0")
        two.plug("phys1")

    def binding(self, port):
        """Names of the chassis that have it: the main one or None, the additional ones, and those of them that were activated."""
        def names(column):
            return [self.sbctl("get", "chassis", uuid, "name").strip('"')
                    for uuid in re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", column)]

        row = self.sbctl("--bare", "--columns=_uuid", "find", "port_binding", f"logical_port={port}")
        chassis = names(self.sbctl("get", "port_binding", row, "chassis"))
        activated = self.sbctl("--if-exists", "get", "port_binding", row, "options:additional-chassis-activated").strip('"')
        return {"chassis": chassis[0] if chassis else None,
                "additional": names(self.sbctl("get", "port_binding", row, "additional_chassis")),
                "activated": [name for name in activated.split(",") if name]}

    def logs(self):
        for path in sorted(self.folder.parent.glob("*/*.log")):
            yield path, path.read_text(errors="replace")

    def stop(self):
        for chassis in self.chassis.values():
            chassis.stop()
        for process in reversed(self._processes):
            process.terminate()
            process.wait(60)
