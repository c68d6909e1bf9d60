using Dataplane.Gateway.Commands;
using Dataplane.Gateway.Tests.Support;
using Dataplane.Hosting.Configuration;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;

namespace Dataplane.Gateway.Tests.Commands;

public class HardwareAddressesTests
{
    private static readonly DataplaneSpec s_spec = ConfigurationFile.Parse(TestGateway.Yaml, "gateway.yaml").GetSpec();

    [Fact]
    public void Complete_AddressGiven_Stays() => Assert.Equal(s_spec.Ports, HardwareAddresses.Complete(s_spec).Ports);

    [Theory]
    [InlineData("")]
    [InlineData("dp-not-here0")]
    public void Complete_NoSuchInterface_LeavesItToTheName(string name)
    {
        DataplaneSpec spec = s_spec with { Ports = [new PortSpec { Name = "wan", Kind = PortKind.AfPacket, Interface = name }] };
        Assert.Null(HardwareAddresses.Complete(spec).Ports[0].Mac);
        Assert.Equal("give port wan the hardware address that packets are sent to (ports: wan: mac)", HardwareAddresses.Remedy(spec, "wan"));
    }

    [Fact]
    public void Complete_InterfaceOfThisMachine_TakesItsAddress()
    {
        // Every interface of the kind that has an address; a machine without any shows nothing here, and none has a wrong one.
        string[] names = [.. Directory.GetDirectories("/sys/class/net").Select(path => Path.GetFileName(path))];
        foreach (string name in names)
        {
            string address = File.ReadAllText($"/sys/class/net/{name}/address").Trim();
            DataplaneSpec spec = s_spec with { Ports = [new PortSpec { Name = "wan", Kind = PortKind.AfPacket, Interface = name }] };
            MacAddress? expected = address.Length == 17 && address != "00:00:00:00:00:00" ? MacAddress.Parse(address) : null;
            Assert.Equal(expected, HardwareAddresses.Complete(spec).Ports[0].Mac);
        }
    }

    [Fact]
    public void Remedy_AddressesKnown_ListsEachOnce()
    {
        InterfaceSpec[] own = [s_spec.Interfaces[0] with { Mac = MacAddress.Parse("02:00:00:00:01:05") }, .. s_spec.Interfaces];
        Assert.Equal("port wan listens to 02:00:00:00:01:05, 02:00:00:00:01:01", HardwareAddresses.Remedy(s_spec with { Interfaces = own }, "wan"));
    }
}
