"""A guest on `anynic run` (or on plain QEMU) and the commands that run inside it."""
import base64
import os
import pathlib
import re
import shlex
import signal
import subprocess
import threading
import time

import lab
import peer
import standstill
import tsc
from cpio import Archive
from qmp import Qmp, connect

HERE = pathlib.Path(__file__).resolve().parent
APPEND = ("quiet panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check audit=0 "
          "cryptomgr.notests")  # everything after panic= only makes the start faster
NESTED = bool(os.environ.get("ANYNIC_LAB_HOST"))  # on the lab host, which is an emulated machine
PATIENCE = 3 if NESTED else 1
BOOT_SECONDS = 150 * PATIENCE


class GuestError(Exception):
    pass


def initramfs(version, files=None, tools=False, target="x86_64", extra=()):
    """One archive after the other, as Linux takes them; `files` maps a path in the guest to its bytes."""
    folder, kind = lab.kernel(version, target), lab.TARGETS[target]
    root = folder / "root.cpio"  # a kernel may come with a whole Debian, whose /bin and /lib are links into /usr
    usr = "usr/" if root.exists() else ""
    own = Archive()
    own.file("init", (HERE / "init").read_bytes(), 0o755)
    own.file(f"{usr}lib/agent.sh", (HERE / "agent.sh").read_bytes())
    own.file(f"{usr}lib/guest.sh", (HERE / "guest.sh").read_bytes())
    own.file(f"{usr}lib/udhcpc.sh", (HERE / "udhcpc.sh").read_bytes(), 0o755)
    probe = lab.BUILD / "tests/guest" / kind.probe
    if probe.exists():
        own.file(f"{usr}bin/probe", probe.read_bytes(), 0o755)
    for name, data in (files or {}).items():
        own.file(name, data, 0o755)
    parts = [root if usr else kind.home / "tools/base.cpio", folder / "modules.cpio"]
    if tools:
        parts.append(kind.home / "tools/tools.cpio")
    return b"".join(part.read_bytes() for part in [*parts, *extra]) + own.finish()


def in_user_space(spec):
    """On a kernel with vhost-net the frames of a tap would pass by the code that scenarios are about, if they say nothing else."""
    return spec if "driver=" in spec or "backend=tap" not in spec else f"{spec},driver=qemu"


class Guest:
    """
    nics      --nic texts for anynic (with ANYNIC_PEER=1: for QEMU's own cards, see peer.py); None: plain QEMU
              without anynic (for comparisons)
    target    x86_64 or aarch64
    machine   q35 or pc, with options; None: the target's own (q35, virt)
    memory    the words that give the guest memory
    qemu      more words for QEMU
    extra     more archives for its initramfs
    kernel    6.1 or 6.12; None: the machine boots from its cards (firmware scenarios)
    before    words in front of anynic's, as of nsenter
    """

    anew = 0  # nested guests of this scenario that were started once more

    def __init__(self, folder, nics=("auto",), name="guest", machine=None, memory=("-m", "256M"), qemu=(),
                 kernel="6.1", files=None, tools=False, append="", options=(), cpus=1, target="x86_64", extra=(), before=()):
        self.folder = pathlib.Path(folder)
        self.name = name
        self.peer = nics is not None and bool(os.environ.get("ANYNIC_PEER"))
        if self.peer:
            qemu, nics = [*peer.qemu_words(nics, machine or "q35"), *qemu], None
        self._nics, self._options, self._before = nics, list(options), list(before)
        self._socket = None
        self._lock = threading.Condition()
        self._text = ""
        self._hellos = 0
        self._boots_awaited = 1
        self._number = 0
        self._reader = None
        self.qmp = None
        self.process = None
        self.qmp_path = self.folder / f"{name}.qmp"
        self.agent_path = self.folder / f"{name}.agent"
        self.console_path = self.folder / f"{name}.console"
        self.log_path = self.folder / f"{name}.log"
        kind, accelerator = lab.TARGETS[target], lab.accelerator(target)
        processor = standstill.CPU if NESTED and accelerator == "kvm" else kind.words
        self.qemu_words = [lab.qemu(target), "-accel", accelerator, "-M", machine or kind.machine,
                           *processor, *memory, "-smp", str(cpus), "-nodefaults", "-display", "none", "-serial", f"file:{self.console_path}"]
        self.qemu_words += ["-chardev", f"socket,id=agent,path={self.agent_path},server=on,wait=off",
                            "-serial", "chardev:agent"]
        clock = tsc.told() if target == "x86_64" and accelerator == "tcg" else ""
        self.append = " ".join(f"console={kind.console} {APPEND} {clock} {append}".split())
        self.monitor_path = self.folder / f"{name}.monitor"
        self.qemu_words += ["-qmp", f"unix:{self.monitor_path},server=on,wait=off"]
        if kernel:
            initrd = self.folder / f"{name}.initrd"
            initrd.write_bytes(initramfs(kernel, files, tools, target, extra))
            self.qemu_words += ["-kernel", str(lab.kernel(kernel, target) / kind.image), "-initrd", str(initrd),
                                "-append", self.append]
        self.qemu_words += list(map(str, qemu))

    def command_line(self):
        if self._nics is None:
            return self.qemu_words
        words = [*self._before, lab.anynic(), "run", "--name", self.name, "--qmp", str(self.qmp_path), *self._options]
        for spec in self._nics:
            words += ["--nic", in_user_space(spec)]
        return words + ["--"] + self.qemu_words

    def start(self, wait=True):
        """Starts it; with `wait`, returns when the guest can carry out commands."""
        self._launch()
        while wait and self._never_began():
            Guest.anew += 1
            print(f"{standstill.NEVER_BEGAN}: {self.name} is started anew ({Guest.anew} of at most {standstill.ANEW}):")
            print(standstill.told(self.monitor_path, self.process.pid), flush=True)
            self.stop()
            self._reader.join()
            self._text, self._hellos = "", 0
            self._launch()
        if wait:
            self.wait_boot(1)
        return self

    def _never_began(self):
        if not NESTED or Guest.anew >= standstill.ANEW:
            return False
        with self._lock:
            if self._lock.wait_for(lambda: self._text, standstill.SILENT_SECONDS) or self.console():
                return False
        return standstill.is_the_guests(self.monitor_path, self.process.pid)

    def _launch(self):
        words = self.command_line()
        with self.log_path.open("w") as log:
            log.write(shlex.join(words) + "\n")
            log.flush()
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                            cwd=self.folder, start_new_session=True)
        if self._nics is not None:
            self.qmp = self._patiently(lambda: Qmp(self.qmp_path, 1), "anynic's control socket")
        self._socket = self._patiently(lambda: connect(self.agent_path, 1), "QEMU")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def monitor(self):
        """QEMU's own monitor, the one of the test (anynic has another)."""
        return Qmp(self.monitor_path)

    def _patiently(self, attempt, what, seconds=30 * PATIENCE):
        end = time.monotonic() + seconds
        while True:
            try:
                return attempt()
            except OSError as error:
                if self.process.poll() is not None:
                    raise GuestError(f"ended at once with status {self.process.returncode}:\n{self.log()}") from error
                if time.monotonic() > end:
                    raise GuestError(f"{what} is not there after {seconds} s:\n{self.log()}") from error

    def _read(self):
        while True:
            try:
                data = self._socket.recv(65536)
            except OSError:
                data = b""
            with self._lock:
                if not data:
                    self._text += "\n@closed\n"
                else:
                    self._text += data.decode("utf-8", "replace").replace("\r", "")
                    self._hellos = len(re.findall(r"\n@hello \S+\n", self._text))
                self._lock.notify_all()
            if not data:
                return

    def wait_boot(self, count, seconds=BOOT_SECONDS):
        """Waits for the guest's `count`th start."""
        self._boots_awaited = count
        with self._lock:
            if not self._lock.wait_for(lambda: self._hellos >= count or "\n@closed" in self._text, seconds) \
                    or self._hellos < count:
                raise GuestError(f"the guest did not start (for the {count}. time) in {seconds} s:\n"
                                 f"{self.console()[-3000:]}\n{self.log()[-3000:]}\n{self._standstill()}")

    @property
    def boots(self):
        return self._hellos

    def send(self, command):
        """Hands a command over without waiting for its end: for commands that the guest does not survive."""
        with self._lock:
            self._number += 1
            number = self._number
        code = base64.b64encode(command.encode()).decode()
        self._socket.sendall(f"{number} {code}\n".encode())
        return number

    def sh(self, command, timeout=120, check=True):
        """Runs shell text in the guest and returns its output; a status other than 0 is an error unless check=False."""
        boots = self._hellos
        number = self.send(command)
        pattern = re.compile(rf"\n@begin {number}\n(.*?)\n@end {number} (\d+)\n", re.DOTALL)
        with self._lock:
            self._wait_and_nudge(lambda: pattern.search(self._text) or self._hellos > boots or "\n@closed" in self._text, timeout)
            match = pattern.search(self._text)
            if not match:
                why = "the guest started anew" if self._hellos > boots else f"no end after {timeout} s"
                raise GuestError(f"{command!r}: {why}; so far:\n{self._text[-2000:]}\n{self.console()[-1500:]}\n{self._standstill()}")
            output, status = match.group(1), int(match.group(2))
            self._text = self._text[:match.start()] + self._text[match.end():]
        if check and status != 0:
            raise GuestError(f"{command!r} ended with status {status}:\n{output}")
        return output.strip() if check else (status, output.strip())

    def _wait_and_nudge(self, done, timeout):
        """A nested guest was seen that stopped in the middle of a line that it wrote: as if an interrupt of its serial port had been lost. Its
        next one comes with a byte for it; told, so that a log shows whether it helped."""
        if not NESTED:
            return self._lock.wait_for(done, timeout)
        end = time.monotonic() + timeout
        while not (came := self._lock.wait_for(done, min(standstill.NUDGE_SECONDS, max(0, end - time.monotonic())))):
            if time.monotonic() >= end:
                break
            rest = self._text[-20:]
            self._socket.sendall(b"\n")
            if self._lock.wait_for(lambda seen=self._text: self._text != seen, 2):
                print(f"--- a nudge made nested guest {self.name} go on behind {rest!r}", flush=True)
        return came

    def _standstill(self):
        """For the log; on the lab host it also says when it is the guest itself that stands still."""
        if NESTED and standstill.is_the_guests(self.monitor_path, self.process.pid):
            print(f"{standstill.STANDS}: {self.name}", flush=True)
        return standstill.told(self.monitor_path, self.process.pid)

    def tell_what_befell(self):
        """After a failure on the lab host: whether the guest was reset unasked, and whether it still answers (sh() tells)."""
        if not NESTED or self._reader is None or self.process.poll() is not None:
            return
        resets = [event["event"] for event in self.qmp.events].count("RESET") if self.qmp else self._hellos - 1
        if resets >= self._boots_awaited and not standstill.WORDS_OF_AN_END.search(self.console()):
            print(f"{standstill.WAS_RESET}: {self.name}", flush=True)
        try:
            self.sh("true", standstill.ALIVE_SECONDS)
        except (GuestError, OSError):
            pass

    def probe(self, *words, timeout=120):
        """The `key=value` words that the probe program prints."""
        return self._words("probe", words, timeout)

    def probe_card(self, *words, timeout=60):
        """The same for card_probe, which the scenario put into its guest."""
        return self._words("card_probe", words, timeout)

    def _words(self, program, words, timeout):
        text = self.sh(" ".join([program, *map(str, words)]), timeout)
        return dict(word.split("=", 1) for word in text.split() if "=" in word)

    def status(self, nic):
        (found,) = self.qmp.command("query-guest-driver-status", nic=nic)
        return found["status"]

    def check_status(self, nic, wanted, seconds=30):
        """The driver status changes a moment after the guest's command ended."""
        end = time.monotonic() + seconds
        while (seen := self.status(nic)) != wanted:
            if time.monotonic() > end:
                raise GuestError(f"{nic}: the driver status is {seen}, not {wanted}, after {seconds} s")
            time.sleep(0.05)

    def port(self, port="net0"):
        (found,) = self.qmp.command("query-ports", port=port)
        return found

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def console(self):
        return self.console_path.read_text(errors="replace") if self.console_path.exists() else ""

    def wait_end(self, seconds=30):
        """The exit status; the guest was told to end before."""
        return self.process.wait(seconds)

    def stop(self):
        """Ends anynic the way a service manager would, and everything that it started with it."""
        if self.qmp:
            self.qmp.close()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)  # a scenario that failed may have left it stopped
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        if self._socket:
            self._socket.close()
