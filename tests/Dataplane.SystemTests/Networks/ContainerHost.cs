using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Networks;

/// <summary>A host with the network service, and an outside that it is linked with: a namespace each, and any number of containers beside them.</summary>
internal sealed class ContainerHost : IAsyncDisposable
{
    public const string Engine = "192.0.2.50";
    public const string Engine6 = "2001:db8::50";
    public const string HostAddress = "192.0.2.1";
    public const string Outside = "192.0.2.9";
    public const string Outside6 = "2001:db8::9";
    private static int s_count;

    private readonly string _prefix = string.Create(CultureInfo.InvariantCulture, $"dpcni-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}-");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dpcni-");
    private readonly List<string> _namespaces = [];
    private ChildProgram? _service;

    /// <summary>"ip netns exec" gives its program mounts of its own; namespaces that are made there would be nowhere else.</summary>
    public static string[] OwnMounts => ["nsenter", string.Create(CultureInfo.InvariantCulture, $"--mount=/proc/{Environment.ProcessId}/ns/mnt"), "--"];

    public string Host => _prefix + "host";

    public string Out => _prefix + "out";

    public string ControlSocket => PathOf("sock");

    public ChildProgram Service => _service!;

    public static async Task<ContainerHost> CreateAsync(bool withUplink)
    {
        await RemoveLeftoversAsync();
        var host = new ContainerHost();
        await host.AddNamespaceAsync("host");
        await host.AddNamespaceAsync("out");
        await TestNetwork.IpAsync(null, $"link add up0 netns {host.Host} type veth peer name o0 netns {host.Out}\n");
        await TestNetwork.IpAsync(host.Host, $"addr add {HostAddress}/24 dev up0\naddr add 2001:db8::1/64 dev up0 nodad\nlink set up0 up\n");
        await TestNetwork.IpAsync(host.Out, $"addr add {Outside}/24 dev o0\naddr add {Outside6}/64 dev o0 nodad\nlink set o0 up\n");
        await host.StartServiceAsync(withUplink);
        return host;
    }

    /// <summary>Namespaces of test runs that were killed.</summary>
    private static async Task RemoveLeftoversAsync()
    {
        foreach (string name in Directory.Exists("/var/run/netns") ? Directory.GetFiles("/var/run/netns", "dpcni-*").Select(Path.GetFileName).OfType<string>() : [])
        {
            if (!Directory.Exists($"/proc/{name.Split('-')[1]}"))
                await TestNetwork.RemoveAsync(name);
        }
    }

    public string PathOf(string name) => Path.Combine(_folder.FullName, name);

    /// <summary>Makes the namespace of a container.</summary>
    public async Task<string> AddNamespaceAsync(string role)
    {
        string name = _prefix + role;
        await TestNetwork.IpAsync(null, $"netns add {name}\n");
        _namespaces.Add(name);
        await TestNetwork.IpAsync(name, "link set lo up\n");
        return name;
    }

    public async Task RemoveNamespaceAsync(string name)
    {
        await TestNetwork.IpAsync(null, $"netns del {name}\n");
        _namespaces.Remove(name);
    }

    /// <summary>Starts the service, or starts it again after its end.</summary>
    public async Task StartServiceAsync(bool withUplink)
    {
        if (_service is not null)
            await _service.DisposeAsync();
        string[] uplink = withUplink ? ["--uplink", "up0", "--uplink-address", $"{Engine}/24", "--uplink-address", $"{Engine6}/64"] : [];
        _service = ChildProgram.Start(Host, [.. OwnMounts, .. Programs.Dataplane, "network", "serve", "--state", PathOf("state"), "--socket", ControlSocket, "--memif-directory", PathOf("memif"), .. uplink]);
        await _service.AwaitLineAsync(line => line == "ready");
    }

    /// <summary>Calls the program in the host's namespace.</summary>
    public async Task<ProgramResult> CallAsync(params string[] words) => await ChildProgram.RunAsync(Host, [.. OwnMounts, .. Programs.Dataplane, .. words, "--socket", ControlSocket]);

    public async Task<JsonElement> InspectAsync(string network) =>
        JsonDocument.Parse((await CallAsync("network", "inspect", network)).MustSucceed().Output).RootElement.Clone();

    /// <summary>Addresses of the endpoint of a container.</summary>
    public async Task<string[]> AddressesAsync(string network, string container) => [.. (await InspectAsync(network)).GetProperty("endpoints").EnumerateArray()
        .First(endpoint => endpoint.GetProperty("container").GetString() == container || endpoint.GetProperty("name").GetString() == container)
        .GetProperty("addresses").EnumerateArray().Select(address => address.GetString()!)];

    /// <summary>Ends the service as a crash does.</summary>
    public async Task KillServiceAsync()
    {
        await _service!.DisposeAsync();
        _service = null;
    }

    /// <summary>Ends the service as an operator does, and asserts that it knows what became of every packet.</summary>
    /// <returns>What it has said of them at its end.</returns>
    public async Task<ProgramResult> StopServiceAsync()
    {
        ProgramResult ended = (await _service!.TerminateAsync()).MustSucceed();
        Dictionary<string, long> figures = ended.Lines.Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(words => words.Length == 2 && words[0] is "received" or "originated" or "transmitted" or "dropped" or "held")
            .ToDictionary(words => words[0], words => long.Parse(words[1], CultureInfo.InvariantCulture));
        Assert.Equal(5, figures.Count);
        Assert.Equal(figures["received"] + figures["originated"], figures["transmitted"] + figures["dropped"] + figures["held"]);
        return ended;
    }

    /// <summary>Files that the service has open.</summary>
    public int DescriptorsOfService() => Directory.GetFileSystemEntries($"/proc/{_service!.ProcessId}/fd").Length;

    /// <summary>Asks the service as the program does, without the start of a program.</summary>
    public async Task<(HttpStatusCode Status, JsonElement Body)> AskAsync(HttpMethod method, string path, string? body = null)
    {
        using var http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await connection.ConnectAsync(new UnixDomainSocketEndPoint(ControlSocket), cancellationToken);
                return new NetworkStream(connection, ownsSocket: true);
            },
        });
        using var request = new HttpRequestMessage(method, "http://dataplane" + path) { Content = body is null ? null : new StringContent(body) };
        using HttpResponseMessage response = await http.SendAsync(request);
        return (response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.Clone());
    }

    public async ValueTask DisposeAsync()
    {
        if (_service is not null)
            await _service.DisposeAsync();
        foreach (string name in _namespaces.ToArray())
            await TestNetwork.RemoveAsync(name);
        try
        {
            _folder.Delete(recursive: true);
        }
        catch (IOException)
        {
            // Storage of a container runtime may still be unmounting; it is in the system's temporary folder.
        }
    }
}
