"""A private Open vSwitch with its switch in user space, for one scenario: its database is at $OVS_RUNDIR/db.sock, where anynic looks."""
import os
import pathlib
import subprocess

import lab


class Switch:
    """`inside`: words in front of its programs that put them into another network namespace. anynic looks for the switch of ours; for
    another one it is told by `environment`."""

    def __init__(self, folder, name="ovs", inside=()):
        self.folder = pathlib.Path(folder) / name
        self.folder.mkdir()
        variables = ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVN_RUNDIR", "OVN_LOGDIR", "OVN_SYSCONFDIR")
        self.environment = {name: str(self.folder) for name in variables}
        self._inside = inside
        if not inside:
            os.environ.update(self.environment)
        self._programs = pathlib.Path(lab.tool("get-ovs"))
        schema = self._programs.parent / "root/usr/share/openvswitch/vswitch.ovsschema"
        self._run("ovsdb-tool", "create", self.folder / "conf.db", schema)
        self._processes = {}
        self.start_database()
        self.start("ovs-vswitchd", self.socket, f"--unixctl={self.folder}/switch.ctl")

    @property
    def socket(self):
        return f"unix:{self.folder}/db.sock"

    def _run(self, program, *words):
        return subprocess.run([*self._inside, self._programs / program, *map(str, words)], check=True, capture_output=True, text=True,
                              timeout=60, env={**os.environ, **self.environment}).stdout

    def start(self, program, *words):
        with (self.folder / f"{program}.log").open("a") as log:
            self._processes[program] = subprocess.Popen([*self._inside, self._programs / program, *map(str, words)], stdout=log, stderr=log,
                                                        env={**os.environ, **self.environment})

    def end(self, program):
        process = self._processes.pop(program)
        process.terminate()
        process.wait(60)

    def start_database(self):
        self.start("ovsdb-server", self.folder / "conf.db", f"--remote=p{self.socket}", f"--unixctl={self.folder}/db.ctl")
        lab.wait_until((self.folder / "db.sock").exists, "Open vSwitch's database")

    def stop_database(self):
        self.end("ovsdb-server")
        (self.folder / "db.sock").unlink(missing_ok=True)

    def vsctl(self, *words):
        return self._run("ovs-vsctl", f"--db={self.socket}", "--timeout=20", *words).strip()

    def add_bridge(self, name):
        self.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev")
        subprocess.run([*self._inside, "ip", "link", "set", name, "up"], check=True)

    def ports(self, bridge):
        return self.vsctl("list-ports", bridge).split()

    def ids(self, port):
        """What a controller binds the port by."""
        text = self.vsctl("get", "interface", port, "external_ids").strip("{}")
        return dict(word.strip().replace('"', "").split("=", 1) for word in text.split(",") if word.strip())

    def stop(self):
        for program in list(self._processes):
            self.end(program)
