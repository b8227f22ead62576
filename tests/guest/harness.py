"""What every scenario file starts with: a folder of its own, a network namespace of its own, checks with a text, an end
that leaves nothing behind. Exit status 0 passed, 1 failed, 77 skipped (the line `skip: REASON` says why).

    def scenario(lab):
        guest = lab.guest(nics=["auto"])
        ...
    main(scenario)
"""
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback

import lab
from guest import Guest
from qmp import short, story

LEGACY, PERFORMANT = "net0-legacy", "net0-performant"
LEGACY_UP = [f"{LEGACY} ready", f"{LEGACY} up", f"net0: None -> {LEGACY} (legacy-timer)"]
TO_PERFORMANT = [f"{PERFORMANT} ready", f"{LEGACY} down", f"{PERFORMANT} up",
                 f"net0: {LEGACY} -> {PERFORMANT} (performant-ready)"]
BACK_TO_LEGACY = [f"{PERFORMANT} lost", f"{PERFORMANT} down", f"{LEGACY} up",
                  f"net0: {PERFORMANT} -> {LEGACY} (performant-lost)"]

PEER = bool(os.environ.get("ANYNIC_PEER"))  # QEMU's own cards, to judge a test (peer.py)
LONG = bool(os.environ.get("ANYNIC_LONG"))


class Failed(Exception):
    pass


class Lab:
    def __init__(self, folder):
        self.folder = folder
        self.guests = []
        self._start = time.monotonic()

    def guest(self, start=True, wait=True, **options):
        """start=False: not started yet; wait=False: started, but its kernel need not be up."""
        options.setdefault("name", f"guest{len(self.guests)}" if self.guests else "guest")
        guest = Guest(self.folder, **options)
        self.guests.append(guest)
        return guest.start(wait) if start else guest

    def say(self, text):
        print(f"[{time.monotonic() - self._start:6.1f}] {text}", flush=True)

    def check(self, holds, text):
        if not holds:
            raise Failed(text)
        self.say(f"ok: {text}")

    def equal(self, seen, wanted, text):
        if seen != wanted:
            raise Failed(f"{text}\n  wanted: {wanted}\n  seen:   {seen}")
        self.say(f"ok: {text}")

    def until(self, holds, text, seconds=30):
        """For what another process does in its own time."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise Failed(f"not in {seconds} s: {text}")
            time.sleep(0.05)
        self.say(f"ok: {text}")

    def story(self, guest, since, wanted, text, settle=0.5):
        """Exactly this happened since the mark, in this order, and nothing more for `settle` seconds."""
        end = time.monotonic() + 30
        while len(story(guest.qmp.events[since:])) < len(wanted) and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(settle)
        self.equal(story(guest.qmp.events[since:]), wanted, text)

    def report(self):
        """What a person wants to see after a failure."""
        for guest in self.guests:
            print(f"--- {guest.name}: log\n{guest.log()[-4000:]}")
            print(f"--- {guest.name}: console\n{guest.console()[-2500:]}")
            if guest.qmp:
                print(f"--- {guest.name}: events")
                for event in guest.qmp.events:
                    print(f"{event['time']:.6f} {short(event)} {event.get('data', {}).get('evidence', '')}")
            guest.tell_what_befell()

    def close(self):
        for guest in self.guests:
            guest.stop()


def on_signal(number, frame):
    raise Failed(f"ended by signal {number} (too slow?)")


def main(scenario, namespace=True):
    """Runs one scenario; words after the file name are its parameters."""
    signal.signal(signal.SIGTERM, on_signal)
    try:
        if namespace:
            lab.enter_namespace()
    except lab.Skip as reason:
        print(f"skip: {reason}")
        sys.exit(77)
    folder = tempfile.mkdtemp(prefix="anynic-test-")
    os.environ["XDG_RUNTIME_DIR"] = folder
    place = Lab(folder)
    status = 1
    try:
        scenario(place, *sys.argv[1:])
        status = 0
    except lab.Skip as reason:
        print(f"skip: {reason}")
        status = 77
    except Exception:  # pylint: disable=broad-except  # anything at all is a failure with a report
        traceback.print_exc(file=sys.stdout)
        place.report()
    finally:
        place.close()
        if os.environ.get("ANYNIC_KEEP"):
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print("passed" if status == 0 else "skipped" if status == 77 else "FAILED", flush=True)
    sys.exit(status)


__all__ = ["main", "Lab", "Failed", "LONG", "PEER", "LEGACY", "PERFORMANT", "LEGACY_UP", "TO_PERFORMANT", "BACK_TO_LEGACY",
           "story", "short"]
