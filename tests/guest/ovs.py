"""A private Open vSwitch with its switch in user space, for one scenario: its database is at $OVS_RUNDIR/db.sock, where anynic looks."""
import os
import pathlib
import subprocess
import time

import lab


class Switch:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / "ovs"
        self.folder.mkdir()
        for name in ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"):
            os.environ[name] = str(self.folder)
        self._programs = pathlib.Path(lab.tool("get-ovs"))
        schema = self._programs.parent / "root/usr/share/openvswitch/vswitch.ovsschema"
        self._run("ovsdb-tool", "create", self.folder / "conf.db", schema)
        self._processes = {}
        self.start_database()
        self._start("ovs-vswitchd", self.socket, f"--unixctl={self.folder}/switch.ctl")

    @property
    def socket(self):
        return f"unix:{self.folder}/db.sock"

    def _run(self, program, *words):
        return subprocess.run([self._programs / program, *map(str, words)], check=True, capture_output=True, text=True, timeout=60).stdout

    def _start(self, program, *words):
        with (self.folder / f"{program}.log").open("a") as log:
            self._processes[program] = subprocess.Popen([self._programs / program, *map(str, words)], stdout=log, stderr=log)

    def start_database(self):
        self._start("ovsdb-server", self.folder / "conf.db", f"--remote=p{self.socket}", f"--unixctl={self.folder}/db.ctl")
        end = time.monotonic() + 20
        while not (self.folder / "db.sock").exists():
            if time.monotonic() > end:
                raise RuntimeError((self.folder / "ovsdb-server.log").read_text())
            time.sleep(0.02)

    def stop_database(self):
        self._end("ovsdb-server")
        (self.folder / "db.sock").unlink(missing_ok=True)

    def _end(self, program):
        process = self._processes.pop(program)
        process.terminate()
        process.wait(20)

    def vsctl(self, *words):
        return self._run("ovs-vsctl", f"--db={self.socket}", "--timeout=20", *words).strip()

    def add_bridge(self, name):
        self.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev")
        lab.ip("link", "set", name, "up")

    def ports(self, bridge):
        return self.vsctl("list-ports", bridge).split()

    def ids(self, port):
        """What a controller binds the port by."""
        text = self.vsctl("get", "interface", port, "external_ids").strip("{}")
        return dict(word.strip().replace('"', "").split("=", 1) for word in text.split(",") if word.strip())

    def stop(self):
        for program in list(self._processes):
            self._end(program)
