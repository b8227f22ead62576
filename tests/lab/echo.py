"""QEMU's igb gives a broadcast back to the function that sent it. A bridge that has the physical function as a port takes whoever sent it for
somebody behind the card, and what is for a guest that has just announced itself goes out of the card until the guest says something by itself. The
chip does no such thing unless it is told to for a pool (82576, DTXSWC.LLE), which Linux's driver does not.

Here the copies are taken away before the bridge sees them: broadcasts and multicasts that the card is given are counted, frame by frame, and as many
of the same are dropped when they come. Two programs for the kernel, since none of its filters remembers a frame."""
import ctypes
import os
import socket
import struct

HEAD = 42  # all of an ARP or RARP; what of others tells them apart
BPF, MAP_CREATE, PROG_LOAD, LINK_CREATE = 321, 0, 5, 28
LRU_HASH, SOCKET_FILTER, XDP, AT_XDP, SKB_MODE = 9, 1, 6, 37, 2
SO_ATTACH_BPF, ETH_P_ALL = 50, 3
LOOKUP, UPDATE, LOAD_BYTES = 1, 2, 26  # the kernel's functions
R0, R1, R2, R3, R4, R5, R6, STACK = 0, 1, 2, 3, 4, 5, 6, 10
KEY, COUNT = -48, -56  # on the stack
BYTE, HALF, WORD, DOUBLE = 0x10, 0x08, 0x00, 0x18
LOG = 1 << 18  # what the verifier may say
XDP_DROP, XDP_PASS, OUTGOING = 1, 2, 4

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    room = ctypes.create_string_buffer(attributes, 160)
    got = libc.syscall(BPF, command, room, len(attributes))
    if got < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}")
    return got


# --- one instruction each ----------------------------------------------------------------------------------------------

def step(code, to=0, of=0, offset=0, value=0):
    return struct.pack("<BBhi", code, to | of << 4, offset, value)


def load(size, to, of, offset):
    return step(0x61 | size, to, of, offset)


def store(size, to, offset, of):
    return step(0x63 | size, to, of, offset)


def put(to, value):
    return step(0xb7, to, value=value)


def copy(to, of):
    return step(0xbf, to, of)


def address(to, of, offset):
    return copy(to, of) + step(0x07, to, value=offset)


def call(number):
    return step(0x85, value=number)


def table(to, fd):
    return step(0x18, to, 1, value=fd) + step(0)


def end(value):
    return put(R0, value) + step(0x95)


def unless(condition, to, value, body):
    """The body, unless the condition of register and value holds."""
    return step(condition, to, offset=len(body) // 8, value=value) + body


IS, IS_NOT, LESS, ANY_OF = 0x15, 0x55, 0xa5, 0x45


def count_of(fd):
    """R0: where the count of the frame at KEY is, or 0."""
    return table(R1, fd) + address(R2, STACK, KEY) + call(LOOKUP)


def sent(fd):
    """A frame goes to the card: a broadcast or multicast is counted."""
    one = put(R1, 1) + store(DOUBLE, STACK, COUNT, R1)
    first = one + table(R1, fd) + address(R2, STACK, KEY) + address(R3, STACK, COUNT) + put(R4, 0) + call(UPDATE)
    more = put(R1, 1) + step(0xdb, R0, R1) + end(0)  # add, atomically
    count = count_of(fd) + unless(IS, R0, 0, more) + first
    group = load(BYTE, R1, STACK, KEY) + step(0x57, R1, value=1) + unless(IS, R1, 0, count)
    head = copy(R1, R6) + put(R2, 0) + address(R3, STACK, KEY) + put(R4, HEAD) + call(LOAD_BYTES) + unless(IS_NOT, R0, 0, group)
    return copy(R6, R1) + load(WORD, R1, R6, 4) + unless(IS_NOT, R1, OUTGOING, head) + end(0)


def came(fd):
    """A frame came from the card: one that is expected is dropped."""
    drop = put(R1, -1) + step(0xdb, R0, R1) + end(XDP_DROP)
    expected = load(DOUBLE, R1, R0, 0) + unless(IS, R1, 0, drop)
    known = count_of(fd) + unless(IS, R0, 0, expected)
    words = b"".join(load(DOUBLE, R4, R2, at) + store(DOUBLE, STACK, KEY + at, R4) for at in range(0, HEAD - 2, 8))
    words += load(HALF, R4, R2, HEAD - 2) + store(HALF, STACK, KEY + HEAD - 2, R4)
    group = words + load(BYTE, R1, STACK, KEY) + step(0x57, R1, value=1) + unless(IS, R1, 0, known)
    whole = address(R4, R2, HEAD) + step(0x2d, R4, R3, len(group) // 8) + group  # not beyond the end
    return load(WORD, R2, R1, 0) + load(WORD, R3, R1, 4) + whole + end(XDP_PASS)


def program(kind, code):
    steps, license_text, said = (ctypes.create_string_buffer(text, len(text) + room) for text, room in ((code, 0), (b"Dual BSD/GPL", 1), (b"", LOG)))
    try:
        return bpf(PROG_LOAD, struct.pack("<IIQQIIQ", kind, len(code) // 8, *(map(ctypes.addressof, (steps, license_text))), 1, LOG,
                                          ctypes.addressof(said)))
    except OSError as error:
        raise OSError(f"{error}: {said.value.decode()}") from None


class Dropped:
    """From now on, until close() or the end of this process, nothing that the card sends comes back to it."""

    def __init__(self, dev):
        counts = bpf(MAP_CREATE, struct.pack("<IIII", LRU_HASH, HEAD, 8, 1024))
        programs = program(SOCKET_FILTER, sent(counts)), program(XDP, came(counts))
        self._tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # hears nothing: its filter accepts no frame
        self._tap.setsockopt(socket.SOL_SOCKET, SO_ATTACH_BPF, programs[0])
        self._tap.bind((dev, ETH_P_ALL))
        self._link = bpf(LINK_CREATE, struct.pack("<IIII", programs[1], socket.if_nametoindex(dev), AT_XDP, SKB_MODE))
        for number in (counts, *programs):
            os.close(number)

    def close(self):
        self._tap.close()
        os.close(self._link)
