using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Mesh;

/// <summary>What changes under a thousand open streams through two relays, while others are being opened all the time: certificates, policies, endpoints, and the relay itself.</summary>
[Collection(AloneCollection.Name)]
public sealed class RelayChangesTests(MeshNetwork network) : IClassFixture<MeshNetwork>
{
    private const int Streams = 1000;

    /// <summary>Answers with what it hears, in the case of letters that its second argument says.</summary>
    private const string Echo = """
        import asyncio, resource, sys
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        change = bytes.upper if sys.argv[2] == "upper" else bytes
        async def serve(reader, writer):
            while data := await reader.read(4096):
                writer.write(change(data))
                await writer.drain()
            writer.close()
        async def main():
            server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=2048)
            print("serving", flush=True)
            await server.serve_forever()
        asyncio.run(main())
        """;

    /// <summary>Opens streams, and says for each line it reads what has become of them; meanwhile opens others one after the other, and closes them.</summary>
    private const string Client = """
        import resource, socket, sys, threading
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        address, count = ("127.0.0.1", int(sys.argv[1])), int(sys.argv[2])
        def say(stream):
            try:
                stream.sendall(b"a")
                return stream.recv(1).decode() or "end"
            except OSError:
                return "reset"
        def tell(what, answers):
            print(what, " ".join(f"{answer}={answers.count(answer)}" for answer in sorted(set(answers))), flush=True)
        streams, answers = [], []
        while len(streams) < count:
            # Not all handshakes at once: this is about what comes after them.
            fresh = [socket.create_connection(address, 120) for _ in range(20)]
            answers += [say(stream) for stream in fresh]
            streams += fresh
        tell("open", answers)
        attempts, going = [], threading.Event()
        def attempt():
            while not going.is_set():
                try:
                    with socket.create_connection(address, 120) as stream:
                        attempts.append(say(stream))
                except OSError as error:
                    attempts.append(type(error).__name__)
        opening = threading.Thread(target=attempt)
        opening.start()
        for line in sys.stdin:
            if line.strip() == "attempts":
                going.set()
                opening.join()
                tell("attempts", attempts)
            else:
                tell(line.strip(), [say(stream) for stream in streams])
        """;

    [SystemFact("python3", "openssl", "sysctl")]
    public async Task Changes_UnderThousandStreams_BreakNoneAndARestartRefusesNobody()
    {
        // Connections that are not taken in yet go to the successor, too, when its predecessor closes.
        (await network.AtAsync("client", "sysctl", "-q", "-w", "net.ipv4.tcp_migrate_req=1")).MustSucceed();
        await using ChildProgram first = await EchoAsync(8085, "same"), second = await EchoAsync(8086, "upper");
        string inboundFile = network.NewPath("inbound.yaml"), outboundFile = network.NewPath("outbound.yaml");
        await File.WriteAllTextAsync(inboundFile, InboundYaml(8085, ""));
        await File.WriteAllTextAsync(outboundFile, network.Identity("client") + $$"""
            hand_over: true
            limits: { drain_timeout: 300s, handshake_timeout: 120s, connect_timeout: 120s }
            listeners: [ { name: out, kind: outbound, listen: "127.0.0.1:8084", to: "{{MeshNetwork.Server}}:15030", peer: spiffe://example.org/ns/shop/sa/web } ]
            """);
        await using ChildProgram inbound = await StartAsync("server", inboundFile), outbound = await StartAsync("client", outboundFile);
        await using var client = ChildProgram.Start(network.Home("client"), "python3", "-u", "-c", Client, "8084", $"{Streams}");
        await client.AwaitLineAsync(line => line == $"open a={Streams}");

        // Another certificate on both sides, and until new connections show it.
        string serial = await SerialAsync();
        foreach (string name in new[] { "web", "client" })
            (await network.AtAsync("client", [.. Programs.Dataplane, "mesh", "ca", "issue", Path.GetDirectoryName(network.Bundle)!, $"spiffe://example.org/ns/shop/sa/{name}", "--out", network[name]])).MustSucceed();
        while (await SerialAsync() == serial)
            await Task.Delay(50);
        await AllAnswerAsync(client, "rotated", "a");

        // A policy that refuses others.
        await ReloadAsync(inbound, inboundFile, InboundYaml(8085, "authorization: { policies: [ { name: others, action: deny, namespaces: [ bank ] } ] }"));
        await AllAnswerAsync(client, "policy", "a");

        // Another endpoint: streams that stand stay where they are.
        await ReloadAsync(inbound, inboundFile, InboundYaml(8086, ""));
        await AllAnswerAsync(client, "endpoint", "a");

        // A new program at the same address; the one before goes on with what it has, and is told to hurry in the end.
        await using ChildProgram successor = await StartAsync("client", outboundFile);
        await outbound.SignalAsync("TERM");
        await outbound.AwaitLineAsync(line => line.StartsWith("SIGTERM: stopping", StringComparison.Ordinal));
        await AllAnswerAsync(client, "handed", "a");
        await successor.AwaitLineAsync(line => line.Contains("\"reason\":\"completed\"", StringComparison.Ordinal));

        // The effect of the restart: those it opened before, and no others, are reset once, when its time is over.
        await client.SayAsync("attempts");
        string attempts = await client.AwaitLineAsync(line => line.StartsWith("attempts ", StringComparison.Ordinal));
        Assert.Matches("^attempts A=[1-9][0-9]* a=[1-9][0-9]*$", attempts);
        ProgramResult ended = (await outbound.TerminateAsync()).MustSucceed();
        Assert.Contains($"relay.drain_deadline {Streams}", ended.Output, StringComparison.Ordinal);
        await AllAnswerAsync(client, "over", "reset");
        ProgramResult went = (await successor.TerminateAsync()).MustSucceed();
        Assert.DoesNotContain("drain_deadline", went.Output, StringComparison.Ordinal);
    }

    private string InboundYaml(int port, string more) => network.Identity("web") + $"limits: {{ handshake_timeout: 120s, connect_timeout: 120s }}\nlisteners: [ {{ name: in, kind: inbound, listen: \"0.0.0.0:15030\", to: \"127.0.0.1:{port}\" }} ]\n{more}\n";

    private async Task<ChildProgram> EchoAsync(int port, string letters)
    {
        var echo = ChildProgram.Start(network.Home("server"), "python3", "-u", "-c", Echo, $"{port}", letters);
        await echo.AwaitLineAsync(line => line == "serving");
        return echo;
    }

    private async Task<ChildProgram> StartAsync(string home, string file)
    {
        var relay = ChildProgram.Start(network.Home(home), [.. Programs.Dataplane, "mesh", "relay", file, "--access", "all"]);
        await relay.AwaitLineAsync(line => line == "ready");
        return relay;
    }

    private static async Task ReloadAsync(ChildProgram relay, string file, string yaml)
    {
        int seen = relay.Output.Length;
        await File.WriteAllTextAsync(file + ".new", yaml);
        File.Move(file + ".new", file, overwrite: true);
        await relay.AwaitLineAsync(line => line == "reloaded", seen);
    }

    private static async Task AllAnswerAsync(ChildProgram client, string round, string answer)
    {
        await client.SayAsync(round);
        Assert.Equal($"{round} {answer}={Streams}", await client.AwaitLineAsync(line => line.StartsWith(round + " ", StringComparison.Ordinal)));
    }

    /// <summary>The certificate that new connections to the inbound relay are shown.</summary>
    private async Task<string> SerialAsync()
    {
        ProgramResult shown = await ChildProgram.RunAsync(network.Home("client"), ["openssl", "s_client", "-connect", $"{MeshNetwork.Server}:15030", "-showcerts"]);
        ProgramResult serial = await ChildProgram.RunAsync(network.Home("client"), ["openssl", "x509", "-noout", "-serial"], shown.Output);
        return serial.MustSucceed().Output;
    }
}
