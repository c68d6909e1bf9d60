using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Dataplane.Ports;
using Dataplane.SystemTests.Support;
using Dataplane.Tests.Ports;

namespace Dataplane.SystemTests.Networks;

/// <summary>Hosts with the network service that share networks by an etcd of three members, on one plain link: a namespace each.</summary>
internal sealed class SharedHosts : IAsyncDisposable
{
    private const int Members = 3;
    private static int s_count;

    private readonly string _prefix = string.Create(CultureInfo.InvariantCulture, $"dpvx-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}-");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dpvx-");
    private readonly List<string> _namespaces = [];
    private readonly ChildProgram?[] _members = new ChildProgram?[Members];
    private readonly ChildProgram?[] _services;
    private readonly int _underlay;
    private readonly bool _hasLinks;

    private SharedHosts(int hosts, int underlay, bool hasLinks)
    {
        (_services, _underlay, _hasLinks) = (new ChildProgram?[hosts], underlay, hasLinks);
        Certificates = new TestCertificates(_folder.FullName);
    }

    /// <summary>Gives out the certificates of the hosts' links.</summary>
    public TestCertificates Certificates { get; }

    /// <summary>The namespace of the link, in which the members of etcd are too.</summary>
    public string Lan => _prefix + "lan";

    /// <param name="hosts">How many.</param>
    /// <param name="underlay">Family of the addresses at which tunnels and links end.</param>
    /// <param name="hasLinks">Whether the hosts have TLS links, with certificates that fit.</param>
    /// <param name="stranger">A host whose certificate says that it is host 9; -1: none.</param>
    public static async Task<SharedHosts> CreateAsync(int hosts, int underlay = 4, bool hasLinks = false, int stranger = -1)
    {
        await RemoveLeftoversAsync();
        var bed = new SharedHosts(hosts, underlay, hasLinks);
        for (int host = 0; host < hosts && hasLinks; host++)
        {
            bed.Certify(host, host == stranger ? 9 : host);
        }

        await bed.AddNamespaceAsync("lan");
        await TestNetwork.IpAsync(bed.Lan, "link add br0 type bridge mcast_snooping 0\nlink set br0 up\naddr add 2001:db8::1/64 dev br0 nodad\n"
            + string.Concat(Enumerable.Range(0, Members).Select(member => string.Create(CultureInfo.InvariantCulture, $"addr add 192.0.2.{1 + member}/24 dev br0\n"))));
        for (int member = 0; member < Members; member++)
        {
            bed.StartMember(member);
        }

        for (int host = 0; host < hosts; host++)
        {
            string name = await bed.AddNamespaceAsync(string.Create(CultureInfo.InvariantCulture, $"h{host}"));
            await TestNetwork.IpAsync(null, string.Create(CultureInfo.InvariantCulture, $"link add up0 netns {name} type veth peer name p{host} netns {bed.Lan}\n"));
            await TestNetwork.IpAsync(bed.Lan, string.Create(CultureInfo.InvariantCulture, $"link set p{host} master br0 up\n"));
            await TestNetwork.IpAsync(name, string.Create(CultureInfo.InvariantCulture, $"addr add 192.0.2.{11 + host}/24 dev up0\naddr add 2001:db8::{11 + host}/64 dev up0 nodad\nlink set up0 up\n"));
        }

        await Task.WhenAll(Enumerable.Range(0, hosts).Select(bed.StartServiceAsync));
        return bed;
    }

    /// <summary>The namespace of a container.</summary>
    public string Name(string role) => _prefix + role;

    public string Host(int host) => string.Create(CultureInfo.InvariantCulture, $"{_prefix}h{host}");

    /// <summary>The engine's address on the link.</summary>
    public string Tunnel(int host) => string.Create(CultureInfo.InvariantCulture, $"{(_underlay == 4 ? "192.0.2." : "2001:db8::")}{51 + host}");

    /// <summary>Where the TLS links of a host end.</summary>
    public string Link(int host) => string.Create(CultureInfo.InvariantCulture, $"{(_underlay == 4 ? $"192.0.2.{11 + host}" : $"[2001:db8::{11 + host}]")}:4790");

    /// <summary>The file with the authority that the hosts' certificates come from.</summary>
    public string Authority { get; private set; } = "";

    /// <summary>A file for the test.</summary>
    public string PathOf(string name) => Path.Combine(_folder.FullName, name);

    /// <summary>Gives a host a certificate that says which host it is.</summary>
    public void Certify(int host, int says)
    {
        StreamTls made = Certificates.Make(string.Create(CultureInfo.InvariantCulture, $"h{says}"), "");
        File.Copy(made.Certificate, PathOf(string.Create(CultureInfo.InvariantCulture, $"own{host}.pem")), overwrite: true);
        File.Copy(made.Key, PathOf(string.Create(CultureInfo.InvariantCulture, $"own{host}.key")), overwrite: true);
        Authority = made.Ca;
    }

    /// <summary>Makes the namespace of a container.</summary>
    public async Task<string> AddNamespaceAsync(string role)
    {
        string name = _prefix + role;
        await TestNetwork.IpAsync(null, $"netns add {name}\n");
        _namespaces.Add(name);
        await TestNetwork.IpAsync(name, "link set lo up\n");
        return name;
    }

    public void StartMember(int member)
    {
        string At(int which, int port) => string.Create(CultureInfo.InvariantCulture, $"http://192.0.2.{1 + which}:{port}");
        string name = string.Create(CultureInfo.InvariantCulture, $"m{member}");
        _members[member] = ChildProgram.Start(Lan, "env", "ETCD_UNSUPPORTED_ARCH=arm64", "etcd", "--name", name, "--data-dir", Path.Combine(_folder.FullName, name),
            "--listen-client-urls", At(member, 2379), "--advertise-client-urls", At(member, 2379), "--listen-peer-urls", At(member, 2380), "--initial-advertise-peer-urls", At(member, 2380),
            "--initial-cluster", string.Join(',', Enumerable.Range(0, Members).Select(other => string.Create(CultureInfo.InvariantCulture, $"m{other}={At(other, 2380)}"))), "--log-level", "error");
    }

    /// <summary>Ends a member without a word of warning.</summary>
    public async Task KillMemberAsync(int member)
    {
        await _members[member]!.DisposeAsync();
        _members[member] = null;
    }

    public async Task StartServiceAsync(int host)
    {
        string members = string.Join(' ', Enumerable.Range(0, Members).Select(member => string.Create(CultureInfo.InvariantCulture, $"--etcd http://192.0.2.{1 + (member + host) % Members}:2379")));
        string name = string.Create(CultureInfo.InvariantCulture, $"h{host}");
        string[] links = !_hasLinks ? [] : ["--tls-link", Link(host), "--tls-certificate", PathOf(string.Create(CultureInfo.InvariantCulture, $"own{host}.pem")),
            "--tls-key", PathOf(string.Create(CultureInfo.InvariantCulture, $"own{host}.key")), "--tls-ca", Authority, "--tls-name", "{host}.test"];
        _services[host] = ChildProgram.Start(Host(host), [.. ContainerHost.OwnMounts, .. Programs.Dataplane, "network", "serve", "--state", Path.Combine(_folder.FullName, name),
            "--socket", SocketOf(host), "--uplink", "up0", "--uplink-address", $"{Tunnel(host)}/{(_underlay == 4 ? 24 : 64)}", .. members.Split(' '), "--host-name", name, "--host-timeout", "2", .. links]);
        await _services[host]!.AwaitLineAsync(line => line == "ready");
    }

    /// <summary>Ends the service of a host as a crash of the host does.</summary>
    public async Task KillServiceAsync(int host)
    {
        await _services[host]!.DisposeAsync();
        _services[host] = null;
    }

    /// <summary>Ends the services as an operator does; each must know what became of every packet.</summary>
    public async Task StopAsync()
    {
        foreach (ChildProgram service in _services.OfType<ChildProgram>())
        {
            Dictionary<string, long> figures = (await service.TerminateAsync()).MustSucceed().Lines.Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                .Where(words => words.Length == 2 && words[0] is "received" or "originated" or "transmitted" or "dropped" or "held")
                .ToDictionary(words => words[0], words => long.Parse(words[1], CultureInfo.InvariantCulture));
            Assert.Equal(figures["received"] + figures["originated"], figures["transmitted"] + figures["dropped"] + figures["held"]);
        }
    }

    /// <summary>Asks the service of a host as the program does, without the start of a program.</summary>
    public async Task<(HttpStatusCode Status, JsonElement Body)> AskAsync(int host, HttpMethod method, string path, string? body = null)
    {
        using var http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellationToken) =>
            {
                var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await connection.ConnectAsync(new UnixDomainSocketEndPoint(SocketOf(host)), cancellationToken);
                return new NetworkStream(connection, ownsSocket: true);
            },
        });
        using var request = new HttpRequestMessage(method, "http://dataplane/v1/" + path) { Content = body is null ? null : new StringContent(body) };
        using HttpResponseMessage response = await http.SendAsync(request);
        return (response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.Clone());
    }

    /// <summary>Asks for what must be done.</summary>
    public async Task<JsonElement> DoAsync(int host, HttpMethod method, string path, string? body = null)
    {
        (HttpStatusCode status, JsonElement answer) = await AskAsync(host, method, path, body);
        Assert.True(status == HttpStatusCode.OK, $"{method} {path}: {answer}");
        return answer;
    }

    /// <summary>Attaches a container, whose namespace is made, and gives its addresses.</summary>
    public async Task<string[]> AttachAsync(int host, string network, string container, string role) =>
        AddressesOf(await DoAsync(host, HttpMethod.Post, $"networks/{network}/endpoints", Request(await AddNamespaceAsync(role), container)));

    /// <summary>What is asked for when a container is to be attached by eth0 in a namespace.</summary>
    public static string Request(string home, string container) => $$"""{"container":"{{container}}","interface":"eth0","namespace":"/var/run/netns/{{home}}","name":"{{container}}"}""";

    public static string[] AddressesOf(JsonElement reply) => [.. reply.GetProperty("endpoint").GetProperty("addresses").EnumerateArray().Select(address => address.GetString()!)];

    /// <summary>Attaches a container to a network that another host has just made: it is known here a moment later.</summary>
    public async Task<string[]> AttachWhenKnownAsync(int host, string network, string container, string role)
    {
        await AwaitAsync(async () => (await AskAsync(host, HttpMethod.Get, "networks/" + network)).Status == HttpStatusCode.OK);
        return await AttachAsync(host, network, container, role);
    }

    public static async Task AwaitAsync(Func<Task<bool>> condition)
    {
        for (int attempt = 0; !await condition(); attempt++)
        {
            Assert.True(attempt < 200, "what was waited for has not come");
            await Task.Delay(100);
        }
    }

    /// <summary>A program that runs in the namespace of a container until it is ended.</summary>
    public ChildProgram Start(string role, params string[] command) => ChildProgram.Start(_prefix + role, command);

    public async Task<ProgramResult> InAsync(string role, params string[] command) => await ChildProgram.RunAsync(_prefix + role, command);

    /// <summary>Sends until an answer comes: what another host has done becomes known here a moment later.</summary>
    public async Task PingAsync(string role, IEnumerable<string> addresses)
    {
        foreach (string address in addresses)
        {
            (await InAsync(role, "ping", "-c", "3", "-i", "0.1", "-w", "15", address)).MustSucceed();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (ChildProgram program in _services.Concat(_members).OfType<ChildProgram>())
        {
            await program.DisposeAsync();
        }

        foreach (string name in _namespaces)
        {
            await TestNetwork.RemoveAsync(name);
        }

        Certificates.Dispose();
        _folder.Delete(recursive: true);
    }

    private static async Task RemoveLeftoversAsync()
    {
        foreach (string name in Directory.Exists("/var/run/netns") ? Directory.GetFiles("/var/run/netns", "dpvx-*").Select(Path.GetFileName).OfType<string>() : [])
        {
            if (!Directory.Exists($"/proc/{name.Split('-')[1]}"))
            {
                await TestNetwork.RemoveAsync(name);
            }
        }
    }

    private string SocketOf(int host) => Path.Combine(_folder.FullName, string.Create(CultureInfo.InvariantCulture, $"s{host}"));
}
