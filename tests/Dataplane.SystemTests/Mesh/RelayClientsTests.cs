using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Mesh;

/// <summary>Clients and servers of other protocols than HTTP/1.1, which know nothing of the two relays between them.</summary>
public sealed class RelayClientsTests(MeshNetwork network) : IClassFixture<MeshNetwork>
{
    /// <summary>Lines of what goes through a COPY: some 2.5 MB in either direction.</summary>
    private const int CopiedRows = 50_000;

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
