using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Dataplane.Mesh.Tests.Sources;

/// <summary>A cluster of real etcd members on this machine, with data in a folder of its own.</summary>
internal sealed class EtcdServer : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dpetcd");
    private readonly Process?[] _processes;
    private readonly int[] _ports;

    public EtcdServer(int members)
    {
        _processes = new Process?[members];
        _ports = [.. Enumerable.Range(0, members * 2).Select(_ => FreePort())];
    }

    public static string? Program { get; } = new[] { "/usr/bin/etcd", "/usr/sbin/etcd", "/usr/local/bin/etcd" }.FirstOrDefault(File.Exists);

    public IReadOnlyList<string> Members => [.. Enumerable.Range(0, _processes.Length).Select(Client)];

    public void Start(int member)
    {
        string cluster = string.Join(',', Enumerable.Range(0, _processes.Length).Select(other => $"m{other}={Peer(other)}"));
        var start = new ProcessStartInfo(Program!,
            ["--name", $"m{member}", "--data-dir", Path.Combine(_folder.FullName, $"m{member}"), "--listen-client-urls", Client(member), "--advertise-client-urls", Client(member),
                "--listen-peer-urls", Peer(member), "--initial-advertise-peer-urls", Peer(member), "--initial-cluster", cluster, "--log-level", "error"])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        start.Environment["ETCD_UNSUPPORTED_ARCH"] = "arm64";
        _processes[member] = Process.Start(start)!;
        _processes[member]!.BeginErrorReadLine();
        _processes[member]!.BeginOutputReadLine();
    }

    /// <summary>Ends a member without a word of warning.</summary>
    public async Task KillAsync(int member)
    {
        if (_processes[member] is { } process)
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
            _processes[member] = null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        for (int member = 0; member < _processes.Length; member++)
        {
            await KillAsync(member);
        }

        _folder.Delete(recursive: true);
    }

    private string Client(int member) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_ports[member * 2]}");

    private string Peer(int member) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{_ports[(member * 2) + 1]}");

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
