using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Mesh;

/// <summary>Clients and servers of other protocols than HTTP/1.1, which know nothing of the two relays between them.</summary>
public sealed class RelayClientsTests(MeshNetwork network) : IClassFixture<MeshNetwork>
{
    /// <summary>Lines of what goes through a COPY: some 2.5 MB in either direction.</summary>
    private const int CopiedRows = 50_000;

    /// <summary>Debian's Python, for which its package python3-grpcio is; another on the path does not know it.</summary>
    private const string Python = "/usr/bin/python3", Grpc = "/usr/lib/python3/dist-packages/grpc/__init__.py";

    private const string GrpcServer = """
        import concurrent.futures, grpc
        def unary(request, context):
            return request[::-1]
        def stream(request, context):
            for number in range(int(request)):
                yield b"%d" % number
        def chat(requests, context):
            for request in requests:
                yield request.upper()
        def fail(request, context):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "as asked")
        handlers = {"Unary": grpc.unary_unary_rpc_method_handler(unary), "Stream": grpc.unary_stream_rpc_method_handler(stream),
                    "Chat": grpc.stream_stream_rpc_method_handler(chat), "Fail": grpc.unary_unary_rpc_method_handler(fail)}
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("mesh.Test", handlers),))
        server.add_insecure_port("127.0.0.1:50051")
        server.start()
        print("serving", flush=True)
        server.wait_for_termination()
        """;

    private const string GrpcClient = """
        import grpc
        channel = grpc.insecure_channel("127.0.0.1:50051", options=[("grpc.enable_http_proxy", 0)])
        unary = channel.unary_unary("/mesh.Test/Unary")
        calls = [unary.future(b"call %d" % number, timeout=60) for number in range(200)]
        assert all(call.result() == (b"call %d" % number)[::-1] for number, call in enumerate(calls))
        assert [int(part) for part in channel.unary_stream("/mesh.Test/Stream")(b"2000", timeout=60)] == list(range(2000))
        parts = [b"a" * 100000, b"b"]
        assert list(channel.stream_stream("/mesh.Test/Chat")(iter(parts), timeout=60)) == [part.upper() for part in parts]
        try:
            channel.unary_unary("/mesh.Test/Fail")(b"", timeout=60)
            raise SystemExit("it did not fail")
        except grpc.RpcError as error:
            assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "as asked"), error
        channel.close()
        print("all answered")
        """;

    /// <summary>Calls of every kind, two hundred at once among them, and one that the server refuses in its own words.</summary>
    [SystemFact(Python, Grpc)]
    public async Task Grpc_ThroughTwoRelays_CallsStreamsAndErrorsArriveAsTheyAre()
    {
        await using var server = ChildProgram.Start(network.Home("server"), Python, "-u", "-c", GrpcServer);
        await server.AwaitLineAsync(line => line == "serving");
        await using ChildProgram inbound = await RelayAsync("server", "in", 15022, "127.0.0.1:50051");
        await using ChildProgram outbound = await OutAsync(50051, 15022);
        Assert.Equal("all answered\n", (await network.AtAsync("client", Python, "-c", GrpcClient)).MustSucceed().Output);
        string record = await inbound.AwaitLineAsync(line => line.Contains("\"reason\":", StringComparison.Ordinal));
        Assert.Contains("\"identity\":\"spiffe://example.org/ns/shop/sa/client\"", record, StringComparison.Ordinal);
    }

    [SystemFact("psql", "setpriv")]
    public async Task Psql_ThroughTwoRelays_QueriesAndCopiesInBothDirections()
    {
        await using ChildProgram database = await DatabaseAsync();
        await using ChildProgram inbound = await RelayAsync("server", "in", 15020, "127.0.0.1:5432");
        await using ChildProgram outbound = await OutAsync(5432, 15020);

        Assert.Equal("42\n", await SqlAsync("select 6 * 7"));
        string file = network.NewPath("rows");
        await File.WriteAllLinesAsync(file, Enumerable.Range(0, CopiedRows).Select(row => $"{row}\t{new string((char)('a' + (row % 26)), 45)}"));
        await SqlAsync("create table goods (id int primary key, name text)", $"\\copy goods from '{file}'");
        Assert.Equal(CopiedRows + "\n", await SqlAsync("select count(*) from goods"));
        string back = network.NewPath("back");
        await SqlAsync($"\\copy (select * from goods order by id) to '{back}'");
        Assert.Equal(await File.ReadAllTextAsync(file), await File.ReadAllTextAsync(back));
    }

    /// <summary>What gRPC is made of: many streams at once in one connection, without TLS of its own, prior knowledge instead of an upgrade.</summary>
    [SystemFact("nginx", "h2load")]
    public async Task Http2_ManyStreamsInOneConnection_AllEnd()
    {
        string folder = network.NewPath("h2");
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, "file"), new string('h', 100_000));
        string configuration = network.NewPath("nginx.conf");
        await File.WriteAllTextAsync(configuration, $$"""
            daemon off; pid {{folder}}/pid; error_log stderr notice; user root;
            events { }
            http { access_log {{folder}}/access.log; keepalive_requests 1000000; server { listen 127.0.0.1:8090 http2; root {{folder}}; } }
            """);
        await using var web = ChildProgram.Start(network.Home("server"), "nginx", "-c", configuration, "-p", folder);
        await web.AwaitLineAsync(line => line.Contains("start worker process ", StringComparison.Ordinal));
        await using ChildProgram inbound = await RelayAsync("server", "in", 15021, "127.0.0.1:8090");
        await using ChildProgram outbound = await OutAsync(8090, 15021);

        string told = (await network.AtAsync("client", "h2load", "--requests=2000", "--clients=1", "--max-concurrent-streams=100", "http://127.0.0.1:8090/file")).MustSucceed().Output;
        Assert.Contains("requests: 2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored", told, StringComparison.Ordinal);
        Assert.Contains($"({2000 * 100_000}) data", told, StringComparison.Ordinal);

        // One connection carried them all.
        await inbound.AwaitLineAsync(line => line.Contains("\"reason\":\"completed\"", StringComparison.Ordinal));
        Assert.Matches("(?m)^listener in: accepted 1 = ended 1 ", (await inbound.TerminateAsync()).MustSucceed().Output);
    }

    private Task<ChildProgram> RelayAsync(string home, string name, int port, string to) => network.RelayAsync(home, network.Identity("web") + $$"""
        listeners: [ { name: {{name}}, kind: inbound, listen: "0.0.0.0:{{port}}", to: "{{to}}" } ]
        """);

    private Task<ChildProgram> OutAsync(int port, int relayPort) => network.RelayAsync("client", network.Identity("client") + $$"""
        listeners: [ { name: out, kind: outbound, listen: "127.0.0.1:{{port}}", to: "{{MeshNetwork.Server}}:{{relayPort}}", peer: spiffe://example.org/ns/shop/sa/web } ]
        """);

    /// <summary>A database server on the server's loopback; it refuses to run as root.</summary>
    private async Task<ChildProgram> DatabaseAsync()
    {
        string bin = Directory.GetDirectories("/usr/lib/postgresql").Order(StringComparer.Ordinal).Last() + "/bin/", folder = network.NewPath("database");
        (await network.AtAsync("server", "install", "-d", "-o", "nobody", "-g", "nogroup", "-m", "700", folder)).MustSucceed();

        // The folders above are root's alone: whoever owns the database must be let through.
        File.SetUnixFileMode(Path.GetDirectoryName(folder)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute);
        string[] nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"];
        (await network.AtAsync("server", [.. nobody, bin + "initdb", "-D", folder, "--no-sync", "--auth=trust", "--username=app", "--encoding=UTF8", "--locale=C"])).MustSucceed();
        var server = ChildProgram.Start(network.Home("server"), [.. nobody, bin + "postgres", "-D", folder, "-F", "-h", "127.0.0.1", "-p", "5432", "-k", ""]);
        await server.AwaitLineAsync(line => line.Contains("ready to accept connections", StringComparison.Ordinal));
        return server;
    }

    private async Task<string> SqlAsync(params string[] commands) => (await network.AtAsync("client",
        ["psql", "-h", "127.0.0.1", "-U", "app", "-d", "postgres", "-qAtX", "-v", "ON_ERROR_STOP=1", .. commands.SelectMany(command => new[] { "-c", command })])).MustSucceed().Output;
}
