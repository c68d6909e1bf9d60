using System.Globalization;
using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Overlays;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Switching;
using Dataplane.SystemTests.Support;
using Dataplane.Telemetry;

namespace Dataplane.SystemTests.Networks;

/// <summary>An engine in this process with one container, and another host that it is linked with, where somebody else speaks VXLAN.</summary>
internal sealed class VxlanBed : IAsyncDisposable
{
    public const string ElsewhereMac = "02:00:0a:59:00:70";
    public const int Vni = 42;

    private readonly NetworkNamespace? _between;

    private VxlanBed(DataplaneEngine engine, NetworkNamespace web, NetworkNamespace host, NetworkNamespace? between, int underlay)
    {
        _between = between;
        Engine = engine;
        Web = web;
        Host = host;
        Underlay = underlay;
    }

    public DataplaneEngine Engine { get; }

    /// <summary>The container here: 10.89.0.2 and fd00:89::2.</summary>
    public NetworkNamespace Web { get; }

    /// <summary>The other host, with the link u0: 192.0.2.2 and 2001:db8::2. Elsewhere is the endpoint there: 10.89.0.112 and fd00:89::112.</summary>
    public NetworkNamespace Host { get; }

    public int Underlay { get; }

    public string Local => Underlay == 4 ? "192.0.2.1" : "2001:db8::1";

    public string Peer => Underlay == 4 ? "192.0.2.2" : "2001:db8::2";

    public static string WebAddress(int version) => version == 4 ? "10.89.0.2" : "fd00:89::2";

    public static string ElsewhereAddress(int version) => version == 4 ? "10.89.0.112" : "fd00:89::112";

    /// <param name="underlay">The family of the outer packets.</param>
    /// <param name="offload">Whether the link takes super-frames: not everybody at its other end can.</param>
    /// <param name="isPair">Whether the link is a veth pair and AF_PACKET, as between hosts; else a TAP device.</param>
    public static async Task<VxlanBed> StartAsync(int underlay, PortOffload offload = PortOffload.Auto, bool isPair = false)
    {
        NetworkNamespace web = NetworkNamespace.Create("vxweb"), host = NetworkNamespace.Create("vxhost");
        NetworkNamespace? between = isPair ? NetworkNamespace.Create("vxlink") : null;
        PortSource link = between is null ? PortSource.Tap("u0", host.Name).WithOffload(offload) : PortSource.Custom(new AfPacketPortFactory("p0")
        {
            ReceiveOptions = new AfPacketReceiveOptions { NetworkNamespace = between.Name },
            TransmitOptions = new AfPacketTransmitOptions { NetworkNamespace = between.Name },
        });
        if (between is not null)
        {
            await TestNetwork.IpAsync(host.Name, $"link add u0 type veth peer name p0 netns {between.Name}\n");
            await TestNetwork.IpAsync(between.Name, "link set p0 up\n");
        }

        DataplaneEngine engine = new DataplaneBuilder()
            .Port("u0", link).Port("web", PortSource.Tap("e0", web.Name)).Port("vx0", PortSource.Vxlan())
            .Interface("u0", "192.0.2.1/24").Interface("u0", "2001:db8::1/64")
            .Network(new NetworkSpec
            {
                Name = "blue",
                Subnets = [IpPrefix.Parse("10.89.0.0/24"), IpPrefix.Parse("fd00:89::/64")],
                Endpoints = [new EndpointSpec { Name = "web", Port = "web", Mac = MacAddress.Parse(NetworkBed.MacOf("web")), Addresses = Addresses(WebAddress) }],
                Overlay = new OverlaySpec
                {
                    Port = "vx0",
                    Vni = Vni,
                    Local = IpAddress.Parse(underlay == 4 ? "192.0.2.1" : "2001:db8::1"),
                    Peers = [IpAddress.Parse(underlay == 4 ? "192.0.2.2" : "2001:db8::2")],
                    Endpoints =
                    [
                        new RemoteEndpointSpec
                        {
                            Name = "elsewhere",
                            Mac = MacAddress.Parse(ElsewhereMac),
                            Addresses = Addresses(ElsewhereAddress),
                            Peer = IpAddress.Parse(underlay == 4 ? "192.0.2.2" : "2001:db8::2"),
                        },
                    ],
                },
            }).Build();
        var bed = new VxlanBed(engine, web, host, between, underlay);
        await engine.StartAsync();
        await ConfigureAsync(web, "e0", NetworkBed.MacOf("web"), WebAddress, 1500);
        await TestNetwork.IpAsync(host.Name, "link set lo up\naddr add 192.0.2.2/24 dev u0\naddr add 2001:db8::2/64 dev u0 nodad\nlink set u0 up\n");
        return bed;
    }

    /// <summary>A VXLAN device of the kernel at the other host, as anybody would make it: who it does not know it asks for by broadcast.</summary>
    public async Task AddKernelDeviceAsync()
    {
        string zero = Underlay == 6 ? " udp6zerocsumrx" : "";
        await TestNetwork.IpAsync(Host.Name,
            string.Create(CultureInfo.InvariantCulture, $"link add vx0 type vxlan id {Vni} local {Peer} remote {Local} dstport 4789{zero}\n"));
        await ConfigureAsync(Host, "vx0", ElsewhereMac, ElsewhereAddress, Underlay == 4 ? 1450 : 1430);
    }

    /// <summary>Gives a device what an endpoint has.</summary>
    public static Task ConfigureAsync(NetworkNamespace home, string device, string mac, Func<int, string> addresses, int mtu) => TestNetwork.IpAsync(home.Name,
        string.Create(CultureInfo.InvariantCulture, $"link set lo up\nlink set {device} down\nlink set {device} address {mac} mtu {mtu}\n")
        + $"addr add {addresses(4)}/24 dev {device}\naddr add {addresses(6)}/64 dev {device} nodad\nlink set {device} up\n");

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
        Web.Dispose();
        Host.Dispose();
        _between?.Dispose();
    }

    private static IpAddress[] Addresses(Func<int, string> of) => [IpAddress.Parse(of(4)), IpAddress.Parse(of(6))];
}
