"""stop_cont.py CARD: the guest is stopped and continued under traffic, again and again. While it is stopped its rings rest;
afterwards every byte is there."""
import threading
import time

import lab as machine
import servers
from cards import CARDS, GUEST, HOST
from harness import main

SIZE = 48 << 20


def frames(guest):
    counters = guest.port()["counters"]
    del counters["wakeups"]  # asking for them wakes the worker
    for nic in counters["nics"].values():  # QEMU posts register writes: the last of them may come after its word
        del nic["reads"], nic["writes"]
    return counters


def scenario(lab, name):
    card = CARDS[name]
    machine.make_tap()
    source, sink = servers.Source(SIZE), servers.Sink()
    guest = lab.guest(nics=[f"{card.spec},backend=tap,ifname=tap0"])
    nic = card.up(guest)
    guest.sh(f"static {nic} {GUEST}/24; await 5 answers {HOST}")
    monitor = guest.monitor()
    results = {}

    def transfer():
        results["in"] = guest.probe("tcp-get", HOST, source.port, timeout=200)
        results["out"] = guest.probe("tcp-put", HOST, sink.port, SIZE, timeout=200)

    thread = threading.Thread(target=transfer)
    thread.start()
    turns = 0
    while thread.is_alive() or turns < 3:
        turns += 1
        time.sleep(0.3)
        mark = guest.qmp.mark()
        monitor.command("stop")
        guest.qmp.wait("STOP", since=mark)
        time.sleep(0.1)
        before = frames(guest)
        time.sleep(0.3)
        lab.equal(frames(guest), before, f"{turns}. stop: nothing moves")
        monitor.command("cont")
        guest.qmp.wait("RESUME", since=mark)
    thread.join()
    lab.equal(results["in"]["crc"], f"{source.crc:08x}", f"48 MiB to the guest over {turns} stops")
    lab.equal(results["out"]["crc"], results["out"]["seen"], "48 MiB from the guest")
    guest.sh(f"answers {HOST}")


main(scenario)
