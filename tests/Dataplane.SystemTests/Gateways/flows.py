"""Flows that live on, written with Python's standard library alone.

flows.py serve NAME PORT: answers every line with NAME, in both families.
flows.py open COUNT PORT ADDRESS...: opens COUNT connections in all, and asks each again and again, in rounds, who serves it. After every round it prints
"round N: L live, B broken, M moved"; it ends with its standard input. A flow is broken when it ends or is not answered within a minute, and has moved
when another answers than in the first round.
"""
import asyncio
import resource
import sys

PATIENCE_S = 60


async def serve(name, port):
    async def answer(reader, writer):
        while await reader.readline():
            writer.write(name.encode() + b"\n")
        writer.close()

    servers = [await asyncio.start_server(answer, host, port, backlog=4096) for host in ("0.0.0.0", "::")]
    print("serving", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


class Flow:
    def __init__(self):
        self.server = None
        self.broken = self.moved = False

    async def open(self, address, port, room):
        async with room:
            self.reader, self.writer = await asyncio.wait_for(asyncio.open_connection(address, port), PATIENCE_S)

    async def ask(self):
        try:
            self.writer.write(b"who\n")
            server = await asyncio.wait_for(self.reader.readline(), PATIENCE_S)
        except (OSError, asyncio.TimeoutError):
            server = b""
        self.broken = not server
        self.server = self.server or server
        self.moved |= server != self.server


async def ask_all(count, port, addresses):
    flows, room = [Flow() for _ in range(count)], asyncio.Semaphore(100)
    await asyncio.gather(*(flow.open(addresses[i % len(addresses)], port, room) for i, flow in enumerate(flows)))
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    number = 0
    while not ended.done():
        number += 1
        await asyncio.gather(*(flow.ask() for flow in flows if not flow.broken))
        broken, moved = sum(flow.broken for flow in flows), sum(flow.moved for flow in flows)
        print(f"round {number}: {count - broken} live, {broken} broken, {moved} moved", flush=True)
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if sys.argv[1] == "serve":
        asyncio.run(serve(sys.argv[2], int(sys.argv[3])))
    else:
        asyncio.run(ask_all(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
