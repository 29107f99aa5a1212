"""What an exchange takes by the Python package qemu.qmp: qemu_qmp.py SOCKET prints the microseconds of each row."""

import asyncio
import sys
import time

from qemu.qmp import QMPClient

ROWS = {"ping": ("guest-ping", 2000), "info": ("guest-info", 500)}


async def main(socket):
    client = QMPClient("bench")
    client.await_greeting = False
    client.negotiate = False
    await client.connect(socket)
    for row, (command, count) in ROWS.items():
        start = time.perf_counter()
        for _ in range(count):
            await client.execute(command)
        took = (time.perf_counter() - start) / count
        print(row, f"{took * 1e6:.1f}")
    await client.disconnect()


asyncio.run(main(sys.argv[1]))
