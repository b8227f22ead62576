"""Writes cpio archives in the "newc" form that Linux unpacks as its initramfs. Needs no root, not even for devices."""
import stat


class Archive:
    def __init__(self):
        self._parts = []
        self._inode = 0
        self._folders = {""}

    def file(self, name, data, mode=0o644):
        self._parents(name)
        self._entry(name, stat.S_IFREG | mode, data)

    def link(self, name, target):
        self._parents(name)
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def folder(self, name):
        if name in self._folders:
            return
        self._parents(name)
        self._folders.add(name)
        self._entry(name, stat.S_IFDIR | 0o755, b"")

    def device(self, name, major, minor):
        self._parents(name)
        self._entry(name, stat.S_IFCHR | 0o600, b"", major, minor)

    def finish(self):
        self._entry("TRAILER!!!", 0, b"")
        return b"".join(self._parts)

    def _parents(self, name):
        if "/" in name:
            self.folder(name.rsplit("/", 1)[0])

    def _entry(self, name, mode, data, major=0, minor=0):
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = [self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(encoded), 0]
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self._parts.append(pad(header + encoded) + pad(data))


def pad(data):
    return data + b"\0" * (-len(data) % 4)
