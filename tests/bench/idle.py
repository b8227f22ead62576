"""What NICs cost that nobody uses: sleeps and CPU of the datapath process, and memory of its own for each NIC more."""
import time

import tcp
from processes import cpu_seconds, datapath_of, private_dirty_kib, qemu_of, wakeups
from table import Row

MORE = 10  # the firmware has I/O ports for about 14 cards behind bridges
SECONDS = 5
PLAIN = {"virtio-net": 1, "rtl8139": 1}  # their drivers ask nothing while nothing happens


def start(lab, name, counts):
    """A guest with so many NICs of each model, all up; returns it with its datapath process."""
    nics = [f"{model},backend=null" for model, count in counts.items() for _ in range(count)]
    guest = lab.guest(nics=nics, name=name)
    total = sum(counts.values())
    # a guest that looks for IPv6 routers is not idle
    guest.sh("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6; echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
    guest.sh("modprobe virtio_pci; " + "; ".join(f"modprobe {tcp.MODELS[model].driver}" for model in counts))
    guest.sh(f"await 60 test $(ls /sys/class/net | wc -l) = {total + 1}; for n in /sys/class/net/e*; do up ${{n##*/}}; done",
             timeout=200)
    for i in range(total):
        if guest.status(f"net{i}") != "ready":
            raise RuntimeError(f"net{i} is {guest.status(f'net{i}')}, not ready")
    time.sleep(3)  # what a driver does in its first seconds is over
    return guest, datapath_of(guest.process.pid)


def watch(pid):
    """Wake-ups a second, and per cent of a CPU."""
    woken, cpu, began = wakeups(pid), cpu_seconds(pid), time.monotonic()
    time.sleep(SECONDS)
    took = time.monotonic() - began
    return (wakeups(pid) - woken) / took, 100 * (cpu_seconds(pid) - cpu) / took


def measure(lab):
    guest, pid = start(lab, "idle-few", PLAIN)
    few = private_dirty_kib(pid)
    rate, percent = watch(pid)
    guest.stop()
    rows = [Row("idle datapath, 2 NICs up: wake-ups", "/s", rate, digits=2, wanted="0", good=rate == 0),
            Row("idle datapath, 2 NICs up: CPU", "%", percent, digits=2, wanted="< 0.2", good=percent < 0.2)]
    for model in PLAIN:
        guest, pid = start(lab, f"idle-{model}", {**PLAIN, model: 1 + MORE})
        each = (private_dirty_kib(pid) - few) / MORE
        guest.stop()
        lab.say(f"{MORE} idle {model} more: {each:.1f} KiB each")
        rows.append(Row(f"private memory of an idle {model}, driver up", "KiB", each, digits=1, wanted="< 64, aim 24",
                        good=each < 64))
    return rows + measure_intel(lab, few)


def measure_polling(lab):
    """What it costs to watch two cards of QEMU's own from outside: CPU of control and QEMU against a guest that nobody watches."""
    percent = {}
    for place in ("qemu", "hosted"):
        guest = lab.guest(nics=[f"auto,place={place},backend=null"], name=f"idle-{place}")
        guest.sh("bring_up 8139cp; bring_up virtio_net", timeout=60)
        time.sleep(5)  # nothing moves any more
        pids = {"control": guest.process.pid, "qemu": qemu_of(guest.process.pid)}
        before, began = {name: cpu_seconds(pid) for name, pid in pids.items()}, time.monotonic()
        time.sleep(6 * SECONDS)
        took = time.monotonic() - began
        percent[place] = {name: 100 * (cpu_seconds(pid) - before[name]) / took for name, pid in pids.items()}
        guest.stop()
    control = percent["qemu"]["control"]
    more = percent["qemu"]["qemu"] - percent["hosted"]["qemu"]
    return [Row("place=qemu, idle: CPU of watching, control", "%", control, digits=2, wanted="< 0.5 with QEMU's", good=control + more < 0.5),
            Row("place=qemu, idle: CPU that QEMU takes more", "%", more, digits=2)]


def measure_intel(lab, few):
    """One of each at once. Their drivers ask for the link and the statistics every two seconds: that is the guest's doing."""
    more = [model.name for model in tcp.served() if model.name not in PLAIN and model.spec == model.name]
    if not more:
        return []
    guest, pid = start(lab, "idle-intel", {**PLAIN, **{name: 1 for name in more}})
    each = (private_dirty_kib(pid) - few) / len(more)
    rate, percent = watch(pid)
    guest.stop()
    names = ", ".join(more)
    return [Row(f"private memory of an idle card, driver up: mean of {names}", "KiB", each, digits=1, wanted="< 64",
                good=each < 64),
            Row(f"idle datapath with {len(more)} of these up: wake-ups for their drivers' questions", "/s", rate, digits=1),
            Row(f"idle datapath with {len(more)} of these up: CPU", "%", percent, digits=2)]
