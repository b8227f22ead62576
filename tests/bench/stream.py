"""What the guest's peer sees of its network: a TCP stream and datagrams that the guest sends back, each so often, with the time of each
that came. A stall is the longest time in which nothing came back over TCP."""
import select
import socket
import struct
import threading
import time

PERIOD = 0.002
PIECE = 64


class Stream:
    """From the first byte of the guest's to stop(). The guest runs `peer echo HOST PORT SECONDS`."""

    def __init__(self, host):
        self._listener = socket.create_server((host, 0))
        self.port = self._listener.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((host, self.port))
        self._udp.settimeout(20)
        self._listener.settimeout(20)
        self._end = threading.Event()
        self.came = []  # when bytes came, over TCP
        self.sent = {}  # datagram -> when it went
        self.back = {}  # datagram -> how often it came
        self.error = None
        self.ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            with self._listener.accept()[0] as tcp:
                tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                tcp.recv(1)
                self._udp.connect(self._udp.recvfrom(8)[1])
                self.ready.set()
                self._pump(tcp)
        except OSError as error:
            self.error = error

    def _pump(self, tcp):
        for s in (tcp, self._udp):
            s.setblocking(False)
        poll = select.epoll()
        poll.register(tcp, select.EPOLLIN)
        poll.register(self._udp, select.EPOLLIN)
        number, due = 0, time.monotonic()
        while not self._end.is_set():
            wait = due - time.monotonic()
            if wait <= 0:
                self._send(tcp, number)
                number, due = number + 1, max(due + PERIOD, time.monotonic())
                continue
            for fd, _ in poll.poll(wait):
                now = time.monotonic()
                if fd == tcp.fileno():
                    if not tcp.recv(65536):
                        raise OSError("the guest closed the stream")
                    self.came.append(now)
                    continue
                try:
                    (back,) = struct.unpack_from("<I", self._udp.recv(2048))
                    self.back[back] = self.back.get(back, 0) + 1
                except OSError:  # no port there for a moment
                    pass

    def _send(self, tcp, number):
        try:
            tcp.send(bytes(PIECE))
        except BlockingIOError:  # the window is full: TCP sends when it may
            pass
        try:
            self._udp.send(struct.pack("<I", number) + bytes(PIECE - 4))
            self.sent[number] = time.monotonic()
        except OSError:
            pass

    def gaps(self, begin, end, least=0.0):
        """(when it began, how long) of each gap that touches the time."""
        seen = list(self.came) + [time.monotonic()]
        return [(a, b - a) for a, b in zip(seen, seen[1:]) if b > begin and a < end and b - a >= least]

    def stall_ms(self, begin, end):
        return 1000 * max(length for _, length in self.gaps(begin, end))

    def lost(self, begin, end):
        """Datagrams of that time that did not come back. Ask some time afterwards."""
        return sum(1 for number, at in list(self.sent.items()) if begin <= at <= end and number not in self.back)

    def doubled(self, begin, end):
        return sum(1 for number, at in list(self.sent.items()) if begin <= at <= end and self.back.get(number, 0) > 1)

    def stop(self):
        self._end.set()
        self._thread.join(20)
        self._listener.close()
        self._udp.close()
