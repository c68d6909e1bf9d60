using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Mesh;

/// <summary>A relay's sockets go to its successor themselves: whoever connects meanwhile notices nothing, without any setting of the kernel.</summary>
public sealed class RelayHandOverTests(MeshNetwork network) : IClassFixture<MeshNetwork>
{
    private const int Restarts = 3;

    /// <summary>Opens connections from several threads, one after the other, and counts what became of them.</summary>
    private const string Client = """
        import socket, sys, threading
        going, answers = threading.Event(), []
        def attempt():
            while not going.is_set():
                try:
                    with socket.create_connection(("127.0.0.1", 8087), 60) as stream:
                        stream.settimeout(60)
                        stream.sendall(b"a")
                        answers.append(stream.recv(1).decode() or "end")
                except OSError as error:
                    answers.append(type(error).__name__)
        threads = [threading.Thread(target=attempt) for _ in range(8)]
        [thread.start() for thread in threads]
        print("going", flush=True)
        for line in sys.stdin:
            if line.strip() == "end":
                going.set()
                [thread.join() for thread in threads]
                print("attempts", " ".join(f"{answer}={answers.count(answer)}" for answer in sorted(set(answers))), flush=True)
            else:
                print("so far", len(answers), flush=True)
        """;

    private const string Echo = """
        import socketserver
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                while data := self.request.recv(4096):
                    self.request.sendall(data)
        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address, daemon_threads, request_queue_size = True, True, 1024
        with Server(("127.0.0.1", 8088), Handler) as server:
            print("serving", flush=True)
            server.serve_forever()
        """;

    [SystemFact("python3", "curl")]
    public async Task HandOver_WhileConnectionsAreMade_LosesNone()
    {
        await using var echo = ChildProgram.Start(network.Home("client"), "python3", "-u", "-c", Echo);
        await echo.AwaitLineAsync(line => line == "serving");
        string file = network.NewPath("relay.yaml"), path = network.NewPath("handover");
        await File.WriteAllTextAsync(file, """
            limits: { drain_timeout: 60s }
            listeners: [ { name: out, kind: outbound, connect: plain, listen: "127.0.0.1:8087", to: "127.0.0.1:8088" } ]
            """);
        ChildProgram relay = await StartAsync(file, path);
        try
        {
            await using var client = ChildProgram.Start(network.Home("client"), "python3", "-u", "-c", Client);
            await client.AwaitLineAsync(line => line == "going");
            for (int restart = 0; restart < Restarts; restart++)
            {
                ChildProgram successor = await StartAsync(file, path), before = relay;
                relay = successor;
                await using (before)
                {
                    ProgramResult ended = (await before.EndAsync()).MustSucceed();
                    Assert.Contains("handover: taken over", ended.Output, StringComparison.Ordinal);
                    Assert.DoesNotContain("drain_deadline", ended.Output, StringComparison.Ordinal);
                }

                // The one that is left answers where the one before did.
                string metrics = (await network.AtAsync("client", "curl", "-sf", "http://127.0.0.1:8089/metrics")).MustSucceed().Output;
                Assert.Contains("listener=\"out\"", metrics, StringComparison.Ordinal);

                // It takes connections in by itself.
                await successor.AwaitLineAsync(line => line.Contains("\"reason\":\"completed\"", StringComparison.Ordinal));
            }

            await client.SayAsync("end");
            Assert.Matches("^attempts a=[1-9][0-9]+$", await client.AwaitLineAsync(line => line.StartsWith("attempts ", StringComparison.Ordinal)));
        }
        finally
        {
            await relay.DisposeAsync();
        }
    }

    private async Task<ChildProgram> StartAsync(string file, string path)
    {
        var relay = ChildProgram.Start(network.Home("client"), [.. Programs.Dataplane, "mesh", "relay", file, "--access", "all", "--metrics", "127.0.0.1:8089", "--handover", path]);
        await relay.AwaitLineAsync(line => line == "ready");
        return relay;
    }
}
