"""What a guest talks to: TCP that is counted and summed, UDP echo, HTTP, and a DHCP server for taps."""
import functools
import http.server
import os
import socket
import socketserver
import struct
import threading
import zlib

CHUNK = 256 * 1024


class Server:
    """A thread per server; `port` is where it listens."""

    def __init__(self, host="0.0.0.0", port=0):
        handler = functools.partial(_Handler, self)
        self._server = _Threading((host, port), handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def serve(self, connection):
        raise NotImplementedError

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class _Threading(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class _Handler(socketserver.BaseRequestHandler):
    def __init__(self, owner, *rest):
        self.owner = owner
        super().__init__(*rest)

    def handle(self):
        try:
            self.owner.serve(self.request)
        except OSError:
            pass  # the guest went away: what it saw is what the scenario checks


class Source(Server):
    """Sends `size` random bytes to whoever connects; `crc` is their sum."""

    def __init__(self, size, **where):
        block = os.urandom(1 << 20)
        self._data = [block] * (size >> 20) + [block[: size & 0xFFFFF]]
        self.size = size
        self.crc = functools.reduce(lambda crc, part: zlib.crc32(part, crc), self._data, 0)
        super().__init__(**where)

    def serve(self, connection):
        for part in self._data:
            connection.sendall(part)


class Sink(Server):
    """Reads to the end and answers with the sum of what came, as eight hex digits."""

    def __init__(self, **where):
        self.bytes = 0
        super().__init__(**where)

    def serve(self, connection):
        crc = 0
        while data := connection.recv(CHUNK):
            crc = zlib.crc32(data, crc)
            self.bytes += len(data)
        connection.sendall(b"%08x" % crc)


class Echo(Server):
    """TCP, every byte back at once."""

    def serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := connection.recv(CHUNK):
            connection.sendall(data)


class UdpEcho:
    def __init__(self, host="0.0.0.0", port=0):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self.port = self._socket.getsockname()[1]
        self.count = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                data, sender = self._socket.recvfrom(65536)
                self._socket.sendto(data, sender)
                self.count += 1
            except OSError:
                return

    def stop(self):
        self._socket.close()


class Http:
    """Serves a dict of path -> bytes; `log` holds the paths that were asked for."""

    def __init__(self, files, host="0.0.0.0", port=0):
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.log.append(self.path)
                data = files.get(self.path)
                self.send_response(200 if data is not None else 404)
                self.send_header("Content-Length", str(len(data or b"")))
                self.end_headers()
                try:
                    self.wfile.write(data or b"")
                except OSError:
                    pass  # the guest went away in the middle

            do_HEAD = do_GET

            def log_message(self, *arguments):
                pass

        self.log = []
        self._server = http.server.ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class Tftp:
    """Read requests with the options that boot firmware asks for (RFC 1350, 2347-2349)."""

    def __init__(self, files, host="0.0.0.0", port=69):
        self._files = files
        self.log = []
        self._host = host
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                data, sender = self._socket.recvfrom(2048)
            except OSError:
                return
            if data[:2] == b"\0\x01":
                threading.Thread(target=self._send, args=(data, sender), daemon=True).start()

    def _send(self, request, sender):
        words = request[2:].split(b"\0")
        name = words[0].decode()
        options = dict(zip((w.decode().lower() for w in words[2:-1:2]), (w.decode() for w in words[3::2])))
        self.log.append(name)
        transfer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        transfer.settimeout(2)
        transfer.connect(sender)
        data = self._files.get(name if name.startswith("/") else "/" + name)
        if data is None:
            transfer.send(struct.pack("!HH", 5, 1) + b"not here\0")
            return
        size = min(int(options.get("blksize", 512)), 1428)
        accepted = {}
        if "blksize" in options:
            accepted["blksize"] = size
        if "tsize" in options:
            accepted["tsize"] = len(data)
        if accepted:
            answer = b"".join(f"{key}\0{value}\0".encode() for key, value in accepted.items())
            if not self._exchange(transfer, struct.pack("!H", 6) + answer, 0):
                return
        for number in range(len(data) // size + 1):
            block = (number + 1) & 0xFFFF
            packet = struct.pack("!HH", 3, block) + data[number * size:(number + 1) * size]
            if not self._exchange(transfer, packet, block):
                return

    @staticmethod
    def _exchange(transfer, packet, block):
        for _ in range(5):
            transfer.send(packet)
            try:
                while True:
                    answer = transfer.recv(1024)
                    if answer[:2] == b"\0\x05":
                        return False
                    if answer[:4] == struct.pack("!HH", 4, block):
                        return True
            except (socket.timeout, ConnectionRefusedError):
                continue
        return False


class Dhcp:
    """Gives `address` to every client on one interface; `boot` is the file name for firmware (a function of the
    request's options when it depends on who asks)."""

    def __init__(self, interface, server, address, boot=None, mask="255.255.255.0"):
        self._server, self._address, self._mask, self._boot = server, address, mask, boot
        self.log = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        self._socket.bind(("0.0.0.0", 67))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                data, _ = self._socket.recvfrom(2048)
            except OSError:
                return
            options = parse_dhcp_options(data[240:])
            kind = options.get(53, b"\0")[0]
            self.log.append(kind)
            if kind in (1, 3):  # DISCOVER -> OFFER, REQUEST -> ACK
                try:
                    self._socket.sendto(self._answer(data, options, 2 if kind == 1 else 5), ("255.255.255.255", 68))
                except OSError:
                    pass  # the interface is down just now: the client asks again

    def _answer(self, request, options, kind):
        server, address = socket.inet_aton(self._server), socket.inet_aton(self._address)
        boot = self._boot(options) if callable(self._boot) else self._boot
        name = (boot or "").encode()
        head = struct.pack("!BBBB", 2, 1, 6, 0) + request[4:8] + b"\0\0\x80\0" + bytes(4) + address + server + bytes(4)
        head += request[28:44] + bytes(64) + name.ljust(128, b"\0") + b"\x63\x82\x53\x63"
        reply = [(53, bytes([kind])), (54, server), (51, struct.pack("!I", 3600)), (1, socket.inet_aton(self._mask)),
                 (3, server), (6, server)]
        if boot:
            reply.append((67, name))
        return head + b"".join(bytes([code, len(value)]) + value for code, value in reply) + b"\xff"


def parse_dhcp_options(data):
    options, i = {}, 0
    while i < len(data) and data[i] != 255:
        if data[i] == 0:
            i += 1
            continue
        options[data[i]] = data[i + 2:i + 2 + data[i + 1]]
        i += 2 + data[i + 1]
    return options
