using System.Globalization;
using Dataplane.Native.Tests;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Mesh;

/// <summary>Two hosts in namespaces of their own, a wire between them, and an authority that has given both an identity.</summary>
public sealed class MeshNetwork : IAsyncLifetime
{
    public const string Client = "192.0.2.1", Server = "192.0.2.2", Client6 = "2001:db8:7::1", Server6 = "2001:db8:7::2";

    /// <summary>An address that no host has: what is meant for it gets there only by being redirected.</summary>
    public const string Service = "198.51.100.80", Service6 = "2001:db8:80::80";

    private static int s_count;
    private readonly string _prefix = string.Create(CultureInfo.InvariantCulture, $"dpmesh-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}-");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dpmeshsys");
    private int _files;

    internal string Home(string name) => _prefix + name;

    internal string NewPath(string name) => Path.Combine(_folder.FullName, string.Create(CultureInfo.InvariantCulture, $"{Interlocked.Increment(ref _files)}-{name}"));

    /// <summary>The first line of a relay's file.</summary>
    internal string Identity(string name) => $"identity: {{ certificate: {this[name]}.pem, key: {this[name]}.key, bundles: {{ example.org: {Bundle} }} }}\n";

    internal string Bundle => Path.Combine(_folder.FullName, "ca", "bundle.pem");

    /// <summary>Where the files of an identity are, without their endings.</summary>
    internal string this[string name] => Path.Combine(_folder.FullName, name);

    public async Task InitializeAsync()
    {
        if (Privileges.Missing is not null)
            return;
        await TestNetwork.IpAsync(null, $"""
            netns add {Home("client")}
            netns add {Home("server")}
            link add e0 netns {Home("client")} type veth peer name e0 netns {Home("server")}

            """);
        foreach ((string name, string address, string address6, string other, string other6) in
            new[] { ("client", Client, Client6, Server, Server6), ("server", Server, Server6, Client, Client6) })
        {
            await TestNetwork.IpAsync(Home(name), $"""
                link set lo up
                link set e0 up
                addr add {address}/24 dev e0
                addr add {address6}/64 dev e0 nodad
                route add default via {other}
                route add ::/0 via {other6}

                """);
        }

        string ca = Path.Combine(_folder.FullName, "ca");
        await ProgramAsync("mesh", "ca", "init", ca, "--trust-domain", "example.org");
        foreach (string name in new[] { "client", "web" })
            await ProgramAsync("mesh", "ca", "issue", ca, $"spiffe://example.org/ns/shop/sa/{name}", "--out", this[name], "--dns", "web.test");
    }

    public async Task DisposeAsync()
    {
        if (Privileges.Missing is null)
            await TestNetwork.RemoveAsync(_prefix);
        _folder.Delete(recursive: true);
    }

    /// <summary>Runs a relay and waits until it listens.</summary>
    internal async Task<ChildProgram> RelayAsync(string home, string yaml)
    {
        string path = NewPath("relay.yaml");
        await File.WriteAllTextAsync(path, yaml);
        var relay = ChildProgram.Start(Home(home), [.. Programs.Dataplane, "mesh", "relay", path, "--access", "all"]);
        await relay.AwaitLineAsync(line => line == "ready");
        return relay;
    }

    /// <summary>A web server of Python's at the server, with one file, on loopback in both families.</summary>
    internal async Task<ChildProgram> WebAsync(string content)
    {
        string folder = NewPath("web");
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, "file"), content);
        var web = ChildProgram.Start(Home("server"), "python3", "-u", "-m", "http.server", "8080", "-b", "::", "-d", folder);
        await web.AwaitLineAsync(line => line.StartsWith("Serving", StringComparison.Ordinal));
        return web;
    }

    internal Task<ProgramResult> AtAsync(string home, params string[] command) => ChildProgram.RunAsync(Home(home), command);

    private async Task ProgramAsync(params string[] words) => (await ChildProgram.RunAsync(Home("client"), [.. Programs.Dataplane, .. words])).MustSucceed();
}
