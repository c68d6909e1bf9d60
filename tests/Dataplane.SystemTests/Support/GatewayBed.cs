using System.Globalization;
using System.Security.Cryptography;
using Dataplane.Native.Tests;

namespace Dataplane.SystemTests.Support;

/// <summary>The network of a test class with its three web and echo servers, of which none is ours.</summary>
public sealed class GatewayBed : IAsyncLifetime
{
    public const int BigBytes = 100 * 1024 * 1024;
    public const int SlowBytes = 400 * 1024;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dpsys");
    private readonly List<ChildProgram> _servers = [];
    private int _files;

    internal TestNetwork Network { get; } = new();

    /// <summary>SHA-256 of the file that every backend has under /big, in lower case.</summary>
    internal string BigHash { get; private set; } = "";

    public async Task InitializeAsync()
    {
        // The bed is made even when every test of the class is skipped.
        if (Privileges.Missing is not null || Programs.WhyMissing(["nginx", "socat", "curl"]) is not null)
            return;
        await Network.CreateAsync();
        var content = new byte[BigBytes];
        new Random(7).NextBytes(content);
        BigHash = Convert.ToHexStringLower(SHA256.HashData(content));
        await File.WriteAllBytesAsync(Path.Combine(_folder.FullName, "big"), content);
        await File.WriteAllBytesAsync(Path.Combine(_folder.FullName, "slow"), content[..SlowBytes]);
        for (int backend = 0; backend < TestNetwork.Backends; backend++)
            await StartServersAsync(backend);
        for (int backend = 0; backend < TestNetwork.Backends; backend++)
            await AwaitListeningAsync(backend);
    }

    public async Task DisposeAsync()
    {
        foreach (ChildProgram server in _servers)
            await server.DisposeAsync();
        if (_servers.Count > 0)
            await Network.RemoveAsync();
        _folder.Delete(recursive: true);
    }

    internal string NewPath(string name) => Path.Combine(_folder.FullName, string.Create(CultureInfo.InvariantCulture, $"{Interlocked.Increment(ref _files)}-{name}"));

    /// <summary>Runs a program at the client.</summary>
    internal Task<ProgramResult> AtClientAsync(params string[] command) => ChildProgram.RunAsync(Network.Client, command);

    private async Task StartServersAsync(int backend)
    {
        string name = TestNetwork.BackendName(backend), home = Network.Backend(backend), path = NewPath($"{name}.conf");
        await File.WriteAllTextAsync(path, NginxConfiguration(name));
        _servers.Add(ChildProgram.Start(home, "nginx", "-p", _folder.FullName, "-e", "stderr", "-c", path));
        foreach (int version in new[] { 4, 6 })
            _servers.Add(ChildProgram.Start(home, "socat", string.Create(CultureInfo.InvariantCulture,
                $"UDP{version}-RECVFROM:{GatewayConfiguration.EchoPort},fork{(version == 6 ? ",ipv6only=1" : "")}"), "PIPE"));
    }

    private async Task AwaitListeningAsync(int backend)
    {
        while (true)
        {
            string sockets = (await ChildProgram.RunAsync(Network.Backend(backend), ["ss", "-Hlntu"])).MustSucceed().Output;
            if (sockets.Contains("0.0.0.0:80 ", StringComparison.Ordinal) && sockets.Contains("[::]:80 ", StringComparison.Ordinal)
                && sockets.Split($":{GatewayConfiguration.EchoPort} ").Length == 3)
                return;
            ChildProgram? ended = _servers.Find(server => server.Exited.IsCompleted);
            Assert.True(ended is null, $"a server has ended: {string.Join('\n', ended?.Error ?? [])}");
            await Task.Delay(50);
        }
    }

    private string NginxConfiguration(string name) => string.Create(CultureInfo.InvariantCulture, $$"""
        daemon off;
        master_process off;
        user root;
        pid {{_folder.FullName}}/{{name}}.pid;
        error_log stderr crit;
        events { worker_connections 2048; }
        http {
          access_log off;
          client_body_temp_path {{_folder.FullName}}/{{name}}.body;
          proxy_temp_path {{_folder.FullName}}/{{name}}.proxy;
          fastcgi_temp_path {{_folder.FullName}}/{{name}}.fastcgi;
          uwsgi_temp_path {{_folder.FullName}}/{{name}}.uwsgi;
          scgi_temp_path {{_folder.FullName}}/{{name}}.scgi;
          client_max_body_size 0;
          server {
            listen 80 backlog=1024;
            listen [::]:80 ipv6only=on backlog=1024;
            listen 8080;
            listen [::]:8080 ipv6only=on;
            root {{_folder.FullName}};
            add_header X-Backend {{name}};
            location / { default_type text/plain; return 200 "{{name}}\n"; }
            location /big { }
            location /slow { limit_rate 20k; }
            location /upload { dav_methods PUT; create_full_put_path on; }
          }
        }

        """);
}
