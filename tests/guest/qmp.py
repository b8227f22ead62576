"""A QMP client that keeps every event with the time it came, so that a scenario can ask afterwards what happened and
in which order."""
import json
import socket
import threading
import time


class QmpError(Exception):
    pass


class Qmp:
    def __init__(self, path, timeout=30):
        self._lock = threading.Condition()
        self._replies = {}
        self._next = 0
        self.events = []
        self.on_event = None  # called with each event when it comes
        self.closed = False
        self._socket = connect(path, timeout)
        self._file = self._socket.makefile("r", encoding="utf-8")
        self.greeting = json.loads(self._file.readline())
        threading.Thread(target=self._read, daemon=True).start()
        self.command("qmp_capabilities")

    def _read(self):
        try:
            for line in self._file:
                self._take(json.loads(line))
        except (OSError, ValueError):
            pass
        with self._lock:
            self.closed = True
            self._lock.notify_all()

    def _take(self, message):
        with self._lock:
            if "event" in message:
                message["at"] = time.monotonic()
                stamp = message["timestamp"]
                message["time"] = stamp["seconds"] + stamp["microseconds"] / 1e6
                self.events.append(message)
            else:
                self._replies[message.get("id")] = message
            self._lock.notify_all()
        if "event" in message and self.on_event:
            self.on_event(message)

    def command(self, name, /, timeout=30, **arguments):
        return self.execute(name, {key.replace("_", "-"): value for key, value in arguments.items()}, timeout)

    def execute(self, name, arguments, timeout=30):
        """The arguments as they are: some of QEMU's names have an underscore."""
        with self._lock:
            self._next += 1
            number = self._next
        message = {"execute": name, "id": number}
        if arguments:
            message["arguments"] = arguments
        self._socket.sendall(json.dumps(message).encode() + b"\n")
        with self._lock:
            if not self._lock.wait_for(lambda: number in self._replies or self.closed, timeout):
                raise QmpError(f"{name}: no reply in {timeout} s")
            reply = self._replies.pop(number, None)
        if reply is None:
            raise QmpError(f"{name}: the connection was closed")
        if "error" in reply:
            raise QmpError(f"{name}: {reply['error']['class']}: {reply['error']['desc']}")
        return reply["return"]

    def mark(self):
        """A place in the list of events: pass it as `since`."""
        return len(self.events)

    def wait(self, event, timeout=60, since=0, **data):
        """The first event of that name whose data holds these values (`duration_us` stands for duration-us)."""
        wanted = {key.replace("_", "-"): value for key, value in data.items()}

        def find():
            for seen in self.events[since:]:
                if seen["event"] == event and all(seen.get("data", {}).get(k, None) == v for k, v in wanted.items()):
                    return seen
            return None

        with self._lock:
            if not self._lock.wait_for(lambda: find() or self.closed, timeout) or not find():
                names = [short(e) for e in self.events[since:]]
                raise QmpError(f"no {event} {wanted} in {timeout} s; there were: {names}")
            return find()

    def close(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()


def connect(path, timeout):
    """Waits until somebody listens at `path`."""
    end = time.monotonic() + timeout
    while True:
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(str(path))
            return s
        except OSError:
            s.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def short(event):
    """One event as the words that scenarios compare."""
    d = event.get("data", {})
    name = event["event"]
    if name == "GUEST_DRIVER_STATUS_CHANGED":
        return f"{d['nic']} {d['previous']}->{d['status']}"
    if name == "NIC_LINK_CHANGED":
        return f"{d['nic']} {'up' if d['up'] else 'down'}"
    if name == "PORT_LINK_SWITCHED":
        return f"{d['port']}: {d['from']} -> {d['to']} ({d['reason']})"
    if name == "PORT_SWITCH_HELD":
        return f"{d['port']} held"
    if name == "BACKEND_STATUS_CHANGED":
        return f"{d['port']} backend {'up' if d['up'] else 'down'}"
    return name


def story(events):
    """What happened to ports, in order: ready and lost drivers, links, switches, resets. Steps of a driver that starts
    (none -> initializing and back) are left out: their number is the driver's own business."""
    lines = []
    for event in events:
        d = event.get("data", {})
        if event["event"] == "GUEST_DRIVER_STATUS_CHANGED":
            if d["status"] == "ready" and d["previous"] != "ready":  # else only the phase is new
                lines.append(f"{d['nic']} ready")
            elif d["previous"] == "ready" and d["status"] != "ready":
                lines.append(f"{d['nic']} lost")
        elif event["event"] != "BACKEND_STATUS_CHANGED":
            lines.append(short(event))
    return lines
