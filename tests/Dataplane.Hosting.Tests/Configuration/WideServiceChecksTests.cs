using Dataplane.Configuration;
using Dataplane.Hosting.Configuration;
using Dataplane.Tests.Configuration;

namespace Dataplane.Hosting.Tests.Configuration;

/// <summary>What is asked of services of several ports or of a prefix, with place and value; and that they are written as they are read.</summary>
public sealed class WideServiceChecksTests
{
    private const string Head = "ports: { lan: { kind: tap, interface: tap0 } }\ninterfaces: [ { port: lan, address: 10.1.0.1/24 }, { port: lan, address: \"2001:db8:1::1/64\" } ]\nservices:\n";

    [Theory]
    [InlineData("{ name: a, address: 203.0.113.0/24, port: any, backends: [ { address: 10.1.0.11 }, { address: 10.1.0.12, port: 80 } ] }")]
    [InlineData("{ name: a, address: \"2001:db8:80::/48\", port: 8000-8100, forward: dsr, backends: [ { address: \"2001:db8:1::11\" } ] }")]
    [InlineData("{ name: a, address: 203.0.113.9, port: any, backends: [ { address: 10.1.0.11 } ] }\n- { name: b, address: 203.0.113.9, port: 1-100 }\n- { name: c, address: 203.0.113.9, port: 80 }")]
    [InlineData("{ name: a, address: 203.0.113.0/24, port: 80 }\n- { name: b, address: 203.0.113.128/25, port: 80 }\n- { name: c, address: 203.0.113.200, port: 80 }")]
    [InlineData("{ name: a, address: 203.0.113.9, port: 1-100 }\n- { name: b, address: 203.0.113.9, port: 50-150, protocol: udp }\n- { name: c, address: 203.0.113.8, port: 50-150 }")]
    public void Good_IsReadAndWrittenBack(string services)
    {
        LoadResult result = ConfigurationFile.Parse(Head + "- " + services, "gateway.yaml");
        Assert.Empty(result.Errors);
        (DataplaneSpec again, IReadOnlyList<ConfigurationError> errors) = SpecReader.Read(SpecWriter.ToNode(result.GetSpec()));
        Assert.Empty(errors);
        SpecAssert.Equal(result.GetSpec(), again);
    }

    [Theory]
    [InlineData("{ name: a, address: 203.0.113.0/33, port: 80 }", "services[0].address: \"203.0.113.0/33\": has no prefix length from 0 to 32, such as 203.0.113.0/24")]
    [InlineData("{ name: a, address: 203.0.113.1/24, port: 80 }", "services[0].address: \"203.0.113.1/24\": has bits behind its length; write 203.0.113.0/24")]
    [InlineData("{ name: a, address: 0.0.0.0/0, port: 80 }", "services[0].address: \"0.0.0.0/0\": is not an address, or a prefix of 8 to 32 bits")]
    [InlineData("{ name: a, address: 10.0.0.0/8, port: 80 }",
        "services[0].address: \"10.0.0.0/8\": holds 10.1.0.1, the engine's own address (interfaces[0]); choose prefixes without it")]
    [InlineData("{ name: a, address: 10.1.0.128/25, port: 80 }",
        "services[0].address: \"10.1.0.128/25\": lies in 10.1.0.0/24, whose hosts would ask for its addresses, which the engine answers for single ones only; route another prefix to the engine")]
    [InlineData("{ name: a, address: \"ff02::/16\", port: 80 }", "services[0].address: \"ff02::/16\": is a multicast address; the address of one host is needed")]
    [InlineData("{ name: a, address: \"fe80::/64\", port: 80 }",
        "services[0].address: \"fe80::/64\": is a link-local address, which is there on every link; one that routes can lead to is needed")]
    [InlineData("{ name: a, address: 203.0.113.9, port: 0-80 }", "services[0].port: \"0-80\": is not a port from 1 to 65535, a range such as 8000-8100, or any")]
    [InlineData("{ name: a, address: 203.0.113.9, port: 90-80 }", "services[0].port: \"90-80\": is not a port from 1 to 65535, a range such as 8000-8100, or any")]
    [InlineData("{ name: a, address: 203.0.113.9, port: all }", "services[0].port: \"all\": is not a port from 1 to 65535, a range such as 8000-8100, or any")]
    [InlineData("{ name: a, address: 203.0.113.9, port: 10-20 }\n- { name: b, address: 203.0.113.9, port: 20-30 }",
        "services[1].port: \"20-30\": overlaps 10-20 of services[0] in part, so that neither comes before the other; part them, or put one into the other")]
    [InlineData("{ name: a, address: 203.0.113.0/24, port: any }\n- { name: b, address: 203.0.113.0/24, port: any }",
        "services[1].address: \"203.0.113.0/24\": is served by services[0] already, with the same port and protocol")]
    [InlineData("{ name: a, address: 203.0.113.9, port: any, forward: dsr, backends: [ { address: 10.1.0.11, port: 80 } ] }",
        "services[0].backends[0].port: \"80\": must be left out: with forward: dsr packets reach the backend at the port they were sent to")]
    [InlineData("{ name: a, address: 203.0.113.9, port: 80, backends: [ { address: 10.1.0.11 } ] }", "services[0].backends[0].port: is missing: a port is needed")]
    [InlineData("{ name: a, address: 203.0.113.9, port: any, health: { interval: 1s }, backends: [ { address: 10.1.0.11 } ] }",
        "services[0].health.port: is missing: the service has several ports, and a backend has none of its own that could be asked")]
    public void Wrong_IsSaidWithPlaceAndValue(string services, string error)
    {
        LoadResult result = ConfigurationFile.Parse(Head + "- " + services, "gateway.yaml");
        Assert.Contains(error, Assert.Single(result.Errors).ToString(), StringComparison.Ordinal);
    }
}
