"""How fast the time stamp counter of this processor runs. An emulated guest reads the same counter, and measures its rate against a
timer when it starts; while the machine is busy with other things that can come out wrong, and the guest's seconds then pass up to 25
times too fast: what is waited for there is given up long before its time. So the guest is told."""
import ctypes
import functools
import mmap
import platform
import time

READ = bytes.fromhex("0f31" "48c1e220" "4809d0" "c3")  # rdtsc; shl rdx,32; or rax,rdx; ret


def moment(read):
    """The counter and the clock at one time: of some tries the one that was not interrupted."""
    best = None
    for _ in range(20):
        before = time.monotonic_ns()
        ticks = read()
        after = time.monotonic_ns()
        if best is None or after - before < best[0]:
            best = after - before, ticks, (before + after) / 2
    return best[1:]


@functools.cache
def khz():
    """0: another kind of processor, or one that may not be asked."""
    if platform.machine() != "x86_64":
        return 0
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return 0
    page.write(READ)
    read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    first = moment(read)
    time.sleep(0.05)
    last = moment(read)
    return round((last[0] - first[0]) / (last[1] - first[1]) * 1e6)


def told():
    """For the command line of an emulated Linux."""
    return f"tsc_early_khz={khz()}" if khz() else ""
