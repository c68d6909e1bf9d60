using System.Globalization;
using System.Text.Json;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Networks;

/// <summary>Real containers: podman calls the program as its CNI plugin, and knows nothing of it but the specification.</summary>
public sealed class PodmanTests : IAsyncLifetime
{
    // What the machine grants a container may be less than what podman asks for by default.
    private static readonly string[] s_limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];

    private ContainerHost _host = null!;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_host is null)
            return;
        await PodmanAsync("rm", "--all", "--force", "--time", "0");
        await _host.DisposeAsync();
    }

    [SystemTheory("podman", "runc", "busybox", "nsenter", "curl")]
    [InlineData("tap")]
    [InlineData("veth")]
    public async Task Containers_OnOurNetwork_ReachEachOtherTheOutsideAndArePublished(string attach)
    {
        _host = await ContainerHost.CreateAsync(withUplink: true);
        await ConfigureAsync(attach);
        string root = await RootFileSystemAsync("hello");
        (await PodmanAsync(["run", "--detach", "--name", "srv", .. s_limits, "--network", "web", "--publish", "8080:80", "--rootfs", root, "/bin/httpd", "-f", "-v", "-p", "80", "-h", "/www"]))
            .MustSucceed();
        string[] addresses = await _host.AddressesAsync("web", "srv");
        Assert.Equal(2, addresses.Length);
        Assert.Equal(attach, (await _host.InspectAsync("web")).GetProperty("endpoints")[0].GetProperty("attach").GetString());

        // From a second container, with an address of its own choice: to the first by both families, and out.
        string asked = $"ping -c 2 -W 5 {addresses[0]} && ping -c 2 -W 5 {addresses[1]} && wget -q -O - http://{addresses[0]}/ && ping -c 2 -W 5 {ContainerHost.Outside} && nslookup srv";
        ProgramResult client = (await PodmanAsync(["run", "--rm", "--name", "client", .. s_limits, "--network", "web:ip=10.83.0.99", "--rootfs", root, "/bin/sh", "-c", asked])).MustSucceed();
        Assert.Contains("hello", client.Output, StringComparison.Ordinal);

        // By name, as the runtime has set the resolver from what the plugin said.
        Assert.Contains($"Address: {addresses[0]}", client.Output, StringComparison.Ordinal);

        // Published: from the outside by both families, and from the host.
        await ExpectPageAsync(_host.Out, $"http://{ContainerHost.Engine}:8080/");
        await ExpectPageAsync(_host.Out, $"http://[{ContainerHost.Engine6}]:8080/");
        await ExpectPageAsync(_host.Host, $"http://{ContainerHost.Engine}:8080/");
        string log = (await PodmanAsync("logs", "srv")).MustSucceed() is { } logs ? logs.Output + logs.Error : "";
        Assert.All(["10.83.0.99", ContainerHost.Outside, ContainerHost.Outside6], address => Assert.Contains($"{address}]", log, StringComparison.Ordinal));

        // The service crashes; the container does not notice.
        await _host.KillServiceAsync();
        await _host.StartServiceAsync(withUplink: true);
        await ExpectPageAsync(_host.Out, $"http://{ContainerHost.Engine}:8080/");

        (await PodmanAsync("rm", "--force", "--time", "0", "srv")).MustSucceed();
        Assert.Empty((await _host.InspectAsync("web")).GetProperty("endpoints").EnumerateArray());
        await _host.StopServiceAsync();
    }

    /// <summary>DATAPLANE_PODMAN_CYCLES says how often (2): containers that come, have their addresses, and go, beside one that stays.</summary>
    [SystemFact("podman", "runc", "busybox", "nsenter")]
    public async Task Containers_ThatComeAndGo_LeaveNothingBehind()
    {
        int cycles = int.Parse(Environment.GetEnvironmentVariable("DATAPLANE_PODMAN_CYCLES") ?? "2", CultureInfo.InvariantCulture);
        _host = await ContainerHost.CreateAsync(withUplink: false);
        await ConfigureAsync("tap");
        string root = await RootFileSystemAsync("hello");
        (await PodmanAsync(["run", "--detach", "--name", "stays", .. s_limits, "--network", "web", "--rootfs", root, "/bin/httpd", "-f", "-p", "80", "-h", "/www"])).MustSucceed();
        string address = (await _host.AddressesAsync("web", "stays"))[0];
        int descriptors = 0;
        string links = "";
        for (int cycle = 0; cycle <= cycles; cycle++)
        {
            ProgramResult asked = (await PodmanAsync(["run", "--rm", .. s_limits, "--network", "web", "--rootfs", root, "/bin/wget", "-q", "-O", "-", $"http://{address}/"])).MustSucceed();
            Assert.Equal("hello\n", asked.Output);
            if (cycle == 0)
            {
                // Only now there is what stays for good, such as the code that detaching needs.
                (descriptors, links) = (_host.DescriptorsOfService(), await LinksAsync());
            }
        }

        Assert.Single((await _host.InspectAsync("web")).GetProperty("endpoints").EnumerateArray());
        Assert.Single(Directory.GetFiles(_host.PathOf("state/endpoints/web")));
        Assert.InRange(_host.DescriptorsOfService(), 0, descriptors + 2);
        Assert.Equal(links, await LinksAsync());
        (await PodmanAsync("rm", "--force", "--time", "0", "stays")).MustSucceed();
        await _host.StopServiceAsync();
    }

    private async Task<string> LinksAsync() => (await ChildProgram.RunAsync(_host.Host, ["ip", "-o", "-br", "link"])).MustSucceed().Output;

    private async Task ExpectPageAsync(string home, string address) =>
        Assert.Equal("hello\n", (await ChildProgram.RunAsync(home, ["curl", "--silent", "--show-error", "--max-time", "30", address])).MustSucceed().Output);

    private Task<ProgramResult> PodmanAsync(params string[] words)
    {
        string[] environment =
        [
            "env", $"CONTAINERS_CONF={_host.PathOf("containers.conf")}", $"DOTNET_ROOT={Path.GetDirectoryName(Path.GetFullPath(Programs.Find("dotnet") is { } dotnet ? Resolve(dotnet) : "/"))}",
        ];
        string[] podman =
        [
            "podman", "--network-config-dir", _host.PathOf("cni"), "--runtime", "runc", "--cgroup-manager=cgroupfs",
            "--root", _host.PathOf("root"), "--runroot", _host.PathOf("runroot"), .. words,
        ];
        return ChildProgram.RunAsync(_host.Host, [.. ContainerHost.OwnMounts, .. environment, .. podman]);
    }

    private static string Resolve(string path) => File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;

    private async Task ConfigureAsync(string attach)
    {
        Directory.CreateDirectory(_host.PathOf("cni"));
        Directory.CreateDirectory(_host.PathOf("plugins"));
        File.CreateSymbolicLink(_host.PathOf("plugins/dataplane"), Path.Combine(Path.GetDirectoryName(Programs.Dataplane[^1])!, "dataplane"));
        await File.WriteAllTextAsync(_host.PathOf("containers.conf"), $"""
            [network]
            network_backend = "cni"
            cni_plugin_dirs = [ "{_host.PathOf("plugins")}" ]
            """);
        await File.WriteAllTextAsync(_host.PathOf("cni/web.conflist"), JsonSerializer.Serialize(new
        {
            cniVersion = "1.0.0",
            name = "web",
            plugins = new[]
            {
                new
                {
                    type = "dataplane", socket = _host.ControlSocket, attach, subnets = new[] { "10.83.0.0/24", "fd83::/64" },
                    capabilities = new { portMappings = true, ips = true, mac = true, aliases = true },
                },
            },
        }));
    }

    private async Task<string> RootFileSystemAsync(string page)
    {
        string root = _host.PathOf("rootfs");
        foreach (string folder in (string[])["bin", "etc", "proc", "sys", "dev", "tmp", "www"])
            Directory.CreateDirectory(Path.Combine(root, folder));
        File.Copy(Programs.Find("busybox")!, Path.Combine(root, "bin/busybox"));
        foreach (string program in (string[])["sh", "ping", "httpd", "wget", "nslookup"])
            File.CreateSymbolicLink(Path.Combine(root, "bin", program), "busybox");
        await File.WriteAllTextAsync(Path.Combine(root, "www/index.html"), page + "\n");
        return root;
    }
}
