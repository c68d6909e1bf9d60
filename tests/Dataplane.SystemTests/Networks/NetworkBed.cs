using Dataplane.Native.Tests;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Switching;
using Dataplane.SystemTests.Support;
using Dataplane.Telemetry;

namespace Dataplane.SystemTests.Networks;

/// <summary>An engine in this process with two networks, whose endpoints are namespaces with a TAP device of the engine in each, as containers have.</summary>
/// <remarks>blue: web and db; red: other. The service at 198.51.100.80 and 2001:db8:80::80, port 80, leads to port 8080 of web.</remarks>
internal sealed class NetworkBed : IAsyncDisposable
{
    public const string Service = "198.51.100.80";
    public const string Service6 = "2001:db8:80::80";

    /// <summary>What a kernel may say on a new device before it is given the endpoint's hardware address: multicast reports, duplicate address detection.</summary>
    public const int MostBeforeConfigured = 12;

    private readonly Dictionary<string, NetworkNamespace> _homes = [];

    private readonly Func<NetworkSpec, NetworkSpec> _settings;

    private NetworkBed(DataplaneEngine engine, Func<NetworkSpec, NetworkSpec> settings)
    {
        Engine = engine;
        _settings = settings;
    }

    public DataplaneEngine Engine { get; }

    public NetworkNamespace this[string endpoint] => _homes[endpoint];

    public static string AddressOf(string endpoint, int version) => (endpoint, version) switch
    {
        ("web", 4) => "10.89.0.2",
        ("db", 4) => "10.89.0.3",
        ("other", 4) => "10.90.0.2",
        ("web", _) => "fd00:89::2",
        ("db", _) => "fd00:89::3",
        _ => "fd00:90::2",
    };

    public static string MacOf(string endpoint) => endpoint switch { "web" => "02:00:0a:59:00:02", "db" => "02:00:0a:59:00:03", _ => "02:00:0a:5a:00:02" };

    public static Task<NetworkBed> StartAsync(Func<EndpointSpec, EndpointSpec>? change = null, params string[] attached) =>
        StartWithAsync(network => network with { Endpoints = [.. network.Endpoints.Select(change ?? (endpoint => endpoint))] }, attached);

    /// <summary>The same with networks that are changed, also when others are attached later.</summary>
    public static async Task<NetworkBed> StartWithAsync(Func<NetworkSpec, NetworkSpec> settings, string[] attached)
    {
        string[] names = attached.Length > 0 ? attached : ["web", "db", "other"];
        Dictionary<string, NetworkNamespace> homes = names.ToDictionary(name => name, name => NetworkNamespace.Create("sw" + name));
        DataplaneEngine engine = new DataplaneBuilder(Specify(homes, settings)).Build();
        var bed = new NetworkBed(engine, settings);
        foreach ((string name, NetworkNamespace home) in homes)
        {
            bed._homes[name] = home;
        }

        await engine.StartAsync();
        foreach (string name in names)
        {
            bed.Configure(name);
        }

        return bed;
    }

    /// <summary>Attaches one more, while the others go on.</summary>
    public async Task AttachAsync(string name)
    {
        _homes[name] = NetworkNamespace.Create("sw" + name);
        await Engine.UpdateAsync(Specify(_homes, _settings));
        Configure(name);
    }

    /// <summary>Detaches one: its device goes with its port.</summary>
    public async Task DetachAsync(string name)
    {
        using NetworkNamespace home = _homes[name];
        _homes.Remove(name);
        await Engine.UpdateAsync(Specify(_homes, _settings));
    }

    public EndpointStatus StatusOf(string name) => Engine.ReadEndpoints().Single(endpoint => endpoint.Name == name);

    public async Task<ProgramResult> RunAsync(string endpoint, params string[] command) => await ChildProgram.RunAsync(_homes[endpoint].Name, command);

    /// <summary>Runs a command again and again until what it prints is as wanted.</summary>
    public Task AwaitAsync(string endpoint, Func<string, bool> isWanted, params string[] command) => ChildProgram.RunUntilAsync(_homes[endpoint].Name, isWanted, command);

    /// <summary>Ends the engine; it must know what became of every packet.</summary>
    public async Task<Accounting> StopAsync()
    {
        await Engine.StopAsync();
        Accounting accounting = Engine.ReadAccounting();
        Assert.True(accounting.IsBalanced, accounting.ToString());
        Assert.Equal(0, accounting.Held);
        return accounting;
    }

    public async ValueTask DisposeAsync()
    {
        await Engine.DisposeAsync();
        foreach (NetworkNamespace home in _homes.Values)
        {
            home.Dispose();
        }
    }

    private static DataplaneSpec Specify(Dictionary<string, NetworkNamespace> homes, Func<NetworkSpec, NetworkSpec> settings)
    {
        NetworkSpec Network(string name, int octet, params string[] endpoints) => settings(new NetworkSpec
        {
            Name = name,
            Subnets = [IpPrefix.Parse($"10.{octet}.0.0/24"), IpPrefix.Parse($"fd00:{octet}::/64")],
            Endpoints = [.. endpoints.Where(homes.ContainsKey).Select(endpoint => new EndpointSpec
            {
                Name = endpoint,
                Port = endpoint,
                Mac = MacAddress.Parse(MacOf(endpoint)),
                Addresses = [IpAddress.Parse(AddressOf(endpoint, 4)), IpAddress.Parse(AddressOf(endpoint, 6))],
            })],
        });
        return new DataplaneBuilder(new DataplaneSpec
        {
            Ports = [.. homes.Select(home => new PortSpec { Name = home.Key, Kind = PortKind.Tap, Interface = "e0", NetworkNamespace = home.Value.Name })],
            Networks = [Network("blue", 89, "web", "db"), Network("red", 90, "other")],
        }).Service("web", Service, 80, service => service.Backend(AddressOf("web", 4), 8080))
            .Service("web6", Service6, 80, service => service.Backend(AddressOf("web", 6), 8080)).ToSpec();
    }

    private void Configure(string name)
    {
        NetworkNamespace home = _homes[name];
        int octet = name == "other" ? 90 : 89;
        home.Link("set", "lo", "up");
        home.Link("set", "e0", "down");
        home.Link("set", "e0", "address", MacOf(name));
        home.Link("set", "e0", "up");
        home.Address("e0", $"{AddressOf(name, 4)}/24");
        home.Address("e0", $"{AddressOf(name, 6)}/64");
        home.Execute("ip", "route", "replace", "default", "via", $"10.{octet}.0.1");
        home.Execute("ip", "-6", "route", "replace", "default", "via", $"fd00:{octet}::1");
    }
}
