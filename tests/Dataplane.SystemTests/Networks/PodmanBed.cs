using System.Text.Json;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Networks;

/// <summary>A host with the network service, and podman there with the program as its CNI plugin.</summary>
internal sealed class PodmanBed : IAsyncDisposable
{
    // What the machine grants a container may be less than what podman asks for by default.
    private static readonly string[] s_limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];

    private PodmanBed(ContainerHost host) => Host = host;

    public ContainerHost Host { get; }

    public static async Task<PodmanBed> CreateAsync(bool withUplink)
    {
        var bed = new PodmanBed(await ContainerHost.CreateAsync(withUplink));
        Directory.CreateDirectory(bed.Host.PathOf("cni"));
        Directory.CreateDirectory(bed.Host.PathOf("plugins"));
        File.CreateSymbolicLink(bed.Host.PathOf("plugins/dataplane"), Path.Combine(Path.GetDirectoryName(Programs.Dataplane[^1])!, "dataplane"));
        await File.WriteAllTextAsync(bed.Host.PathOf("containers.conf"), $"""
            [network]
            network_backend = "cni"
            cni_plugin_dirs = [ "{bed.Host.PathOf("plugins")}" ]
            """);
        return bed;
    }

    /// <summary>Tells podman of a network.</summary>
    public Task AddNetworkAsync(string name, string attach, params string[] subnets) => File.WriteAllTextAsync(Host.PathOf($"cni/{name}.conflist"), JsonSerializer.Serialize(new
    {
        cniVersion = "1.0.0",
        name,
        plugins = new[]
        {
            new { type = "dataplane", socket = Host.ControlSocket, attach, subnets, capabilities = new { portMappings = true, ips = true, mac = true, aliases = true } },
        },
    }));

    public Task<ProgramResult> PodmanAsync(params string[] words)
    {
        string[] environment =
        [
            "env", $"CONTAINERS_CONF={Host.PathOf("containers.conf")}", $"DOTNET_ROOT={Path.GetDirectoryName(Path.GetFullPath(Programs.Find("dotnet") is { } dotnet ? Resolve(dotnet) : "/"))}",
        ];
        string[] podman =
        [
            "podman", "--network-config-dir", Host.PathOf("cni"), "--runtime", "runc", "--cgroup-manager=cgroupfs",
            "--root", Host.PathOf("root"), "--runroot", Host.PathOf("runroot"), .. words,
        ];
        return ChildProgram.RunAsync(Host.Host, [.. ContainerHost.OwnMounts, .. environment, .. podman]);
    }

    /// <summary>Runs a container to its end.</summary>
    public async Task<ProgramResult> RunAsync(params string[] words) => (await PodmanAsync(["run", "--rm", .. s_limits, .. words])).MustSucceed();

    /// <summary>Starts a container that goes on.</summary>
    public async Task StartAsync(string name, params string[] words) => (await PodmanAsync(["run", "--detach", "--name", name, .. s_limits, .. words])).MustSucceed();

    /// <summary>What a container has printed.</summary>
    public async Task<string> LogAsync(string name) => (await PodmanAsync("logs", name)).MustSucceed() is { } log ? log.Output + log.Error : "";

    public async ValueTask DisposeAsync()
    {
        await PodmanAsync("rm", "--all", "--force", "--time", "0");
        await Host.DisposeAsync();
    }

    private static string Resolve(string path) => File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
}
