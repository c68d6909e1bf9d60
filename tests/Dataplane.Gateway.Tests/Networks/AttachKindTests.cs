using Dataplane.Gateway.Cni;
using Dataplane.Gateway.Networks;
using Dataplane.Ports;

namespace Dataplane.Gateway.Tests.Networks;

/// <summary>How endpoints are attached: asked for by the endpoint or its network, and what port it makes.</summary>
public sealed class AttachKindTests
{
    [Theory]
    [InlineData("", "", "tap", PortKind.Tap)]
    [InlineData("veth", "", "veth", PortKind.AfPacket)]
    [InlineData("veth", "tap", "tap", PortKind.Tap)]
    [InlineData("", "veth_xdp", "veth_xdp", PortKind.AfXdp)]
    [InlineData("tap", "memif", "memif", PortKind.Memif)]
    public void Of_NetworkAndEndpoint_TheEndpointSaysItFirst(string network, string endpoint, string expected, PortKind port)
    {
        NetworkRecord record = Network() with { Attach = network };
        string kind = AttachKind.Of(record, Endpoint() with { Attach = endpoint });
        Assert.Equal(expected, kind);
        EndpointRecord attached = Endpoint() with { Attach = kind };
        PortSpec spec = new SpecComposer(new ServeOptions { HostInterface = "" }).Compose([new NetworkView(record, [attached])], []).Ports.Single();
        Assert.Equal(port, spec.Kind);

        // Of a pair the end here has the name of the port, which is unique on the host.
        Assert.Equal(AttachKind.IsPair(kind) ? SpecComposer.PortName(record, attached) : "", spec.Interface ?? "");
    }

    [Theory]
    [InlineData("", 9000, null)]
    [InlineData("veth", 9000, null)]
    [InlineData("veth_xdp", 3822, null)]
    [InlineData("veth_xdp", 3823, "3822 bytes at most")]
    [InlineData("macvlan", 1500, "tap, veth, veth_xdp, memif are")]
    public void ProblemOf_KindAndMtu_SaysWhatIsWrong(string kind, int mtu, string? expected)
    {
        string? problem = AttachKind.ProblemOf(kind, mtu);
        Assert.Equal(expected is null, problem is null);
        Assert.Contains(expected ?? "", problem ?? "", StringComparison.Ordinal);
        if (expected is not null)
        {
            Assert.Equal(problem, Assert.Throws<NetworkException>(() => NetworkRequests.Complete(new NetworkRecord("n") { Attach = kind, Mtu = mtu }, "s", [], [])).Message);
        }
    }

    [Fact]
    public void Cni_ConfigurationWithAttach_IsForTheNetworkAndTheEndpoint()
    {
        var configuration = CniConfiguration.Parse("""{ "cniVersion": "1.0.0", "name": "web", "attach": "veth" }""");
        Assert.Equal(("veth", "veth"), (configuration.ToNetwork().Attach, configuration.ToEndpoint(new CniEnvironment("ADD", "c", "/ns", "eth0", "")).Attach));
    }

    private static NetworkRecord Network() => new("web") { Subnets = [new SubnetRecord("10.1.0.0/24") { Gateway = "10.1.0.1" }] };

    private static EndpointRecord Endpoint() =>
        new("a", "eth0") { Namespace = "/ns", Mac = Dataplane.Networks.EndpointMac.Choose("n", "a").ToString(), Addresses = ["10.1.0.2"] };
}
