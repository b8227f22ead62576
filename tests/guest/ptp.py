"""ptp.py CARD: the card's IEEE 1588 clock runs, can be set, moved and tuned; messages are stamped on their way out and in."""
import socket
import threading

import lab as machine
from cards import CARDS
from harness import main

PTP = 0x88f7
TIMES = 50


def answer():
    """Sends each sync message of the guest back, as another clock would send its own."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(PTP))
    raw.bind(("tap0", PTP))
    while True:
        frame, address = raw.recvfrom(200)
        if address[2] != socket.PACKET_OUTGOING:
            raw.send(bytes.fromhex("011b19000000" "020000000001") + frame[12:])


def numbers(guest, command):
    words = guest.sh(f"ptp_probe {command}", timeout=60).split()
    return {key: float(value) for key, value in (word.split("=") for word in words)}


def scenario(lab, name, kernel="6.12"):
    machine.make_tap()
    threading.Thread(target=answer, daemon=True).start()
    probe = (machine.BUILD / "tests/guest/ptp_probe").read_bytes()
    guest = lab.guest(nics=[f"{CARDS[name].spec},backend=tap,ifname=tap0"], kernel=kernel, files={"bin/ptp_probe": probe})
    nic = CARDS[name].up(guest)
    clock = numbers(guest, f"clock {nic}")
    lab.say(f"{clock}")
    # a guest under TCG asks the two clocks some ten microseconds apart: over two seconds that is tens of ppm
    lab.check(abs(clock["rate_ppm"]) < 200, "the clock runs as fast as the guest's own")
    lab.check(0 <= clock["set_ms"] < 1000 and 0 <= clock["moved_ms"] < 1000, "it can be set, and moved by ten seconds")
    lab.check(abs(clock["tuned_ppm"] - clock["rate_ppm"] - 500) < 200, "it can be tuned by 500 ppm")
    guest.sh(f"ip link set {nic} promisc on")  # the group of PTP is none that Linux joined
    stamps = numbers(guest, f"stamp {nic} {TIMES}")
    lab.equal(stamps, {"sent": TIMES, "received": TIMES, "wrong": 0}, f"{TIMES} messages stamped both ways, in order of time")


main(scenario)
