"""The driver in C against the card with its rings in a real vhost-net: tests/drivers/test_virtio_kernel.c."""
import subprocess
import sys

import host
import lab as machine

host.load_vhost()
program = machine.BUILD / "tests/drivers/test-driver-virtio_kernel"
sys.exit(subprocess.run([program], check=False).returncode)
