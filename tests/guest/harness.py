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

LONG = bool(os.environ.get("ANYNIC_LONG"))


class Failed(Exception):
    pass


class Lab:
    def __init__(self, folder):
        self.folder = folder
        self._guests = []
        self._start = time.monotonic()

    def guest(self, start=True, **options):
        options.setdefault("name", f"guest{len(self._guests)}" if self._guests else "guest")
        guest = Guest(self.folder, **options)
        self._guests.append(guest)
        return guest.start() if start else guest

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

    def report(self):
        """What a person wants to see after a failure."""
        for guest in self._guests:
            print(f"--- {guest.name}: log\n{guest.log()[-4000:]}")
            print(f"--- {guest.name}: console\n{guest.console()[-2500:]}")
            if guest.qmp:
                print(f"--- {guest.name}: events")
                for event in guest.qmp.events:
                    print(f"{event['time']:.6f} {short(event)} {event.get('data', {}).get('evidence', '')}")

    def close(self):
        for guest in self._guests:
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


__all__ = ["main", "Lab", "Failed", "LONG", "story", "short"]
