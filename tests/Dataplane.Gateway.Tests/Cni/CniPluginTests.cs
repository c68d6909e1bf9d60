using System.Text.Json.Nodes;
using Dataplane.Gateway.Cni;
using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Tests.Cni;

/// <summary>What a runtime says and what it is told, to the letter of CNI 1.1.0.</summary>
public sealed class CniPluginTests
{
    private const string Nobody = "/nonexistent/dataplane.sock";

    [Theory]
    [InlineData("", "1.1.0")]
    [InlineData("""{ "cniVersion": "1.0.0" }""", "1.0.0")]
    public async Task Version_Asked_ListsWhatIsSupported(string input, string version)
    {
        (int exitCode, JsonObject result) = await CallAsync("VERSION", input);
        Assert.Equal(0, exitCode);
        Assert.Equal(version, (string?)result["cniVersion"]);
        Assert.Equal(["0.4.0", "1.0.0", "1.1.0"], result["supportedVersions"]!.AsArray().Select(entry => (string?)entry));
    }

    [Theory]
    [InlineData("ADD", "{", CniCode.Undecodable, "cannot be read")]
    [InlineData("ADD", "[]", CniCode.Undecodable, "not a JSON object")]
    [InlineData("ADD", """{ "cniVersion": "0.2.0", "name": "n" }""", CniCode.IncompatibleVersion, "incompatible CNI versions: config is \"0.2.0\"")]
    [InlineData("ADD", """{ "name": "n" }""", CniCode.IncompatibleVersion, "config is \"0.1.0\"")]
    [InlineData("ADD", """{ "cniVersion": "1.0.0" }""", CniCode.InvalidConfiguration, "missing network name")]
    [InlineData("GC", """{ "cniVersion": "1.0.0", "name": "n" }""", CniCode.IncompatibleVersion, "does not allow GC")]
    [InlineData("STATUS", """{ "cniVersion": "0.4.0", "name": "n" }""", CniCode.IncompatibleVersion, "does not allow STATUS")]
    [InlineData("MOVE", "{}", CniCode.InvalidEnvironment, "unknown CNI_COMMAND: MOVE")]
    [InlineData("STATUS", """{ "cniVersion": "1.1.0", "name": "n" }""", CniCode.NotAvailable, "No network service answers")]
    [InlineData("ADD", """{ "cniVersion": "1.1.0", "name": "n" }""", CniCode.TryLater, "No network service answers")]
    [InlineData("DEL", """{ "cniVersion": "1.1.0", "name": "n" }""", CniCode.TryLater, "No network service answers")]
    [InlineData("GC", """{ "cniVersion": "1.1.0", "name": "n" }""", CniCode.InvalidConfiguration, "valid-attachments")]
    [InlineData("CHECK", """{ "cniVersion": "1.0.0", "name": "n" }""", CniCode.InvalidConfiguration, "without prevResult")]
    [InlineData("ADD", """{ "cniVersion": "1.0.0", "name": "n", "runtimeConfig": { "portMappings": [ { "hostPort": 70000, "containerPort": 80 } ] } }""", CniCode.InvalidConfiguration, "hostPort 70000")]
    public async Task Request_Wrong_IsToldByCodeAndMessage(string command, string input, int code, string message)
    {
        (int exitCode, JsonObject result) = await CallAsync(command, input);
        Assert.Equal(1, exitCode);
        Assert.Equal(code, (int?)result["code"]);
        Assert.Contains(message, (string?)result["msg"], StringComparison.Ordinal);
        Assert.NotEmpty((string?)result["cniVersion"] ?? "");
    }

    [Theory]
    [InlineData("ADD", "", "eth0", "/ns", "CNI_CONTAINERID]")]
    [InlineData("ADD", "c", "", "", "CNI_IFNAME,CNI_NETNS]")]
    [InlineData("DEL", "c", "", "", "CNI_IFNAME]")]
    [InlineData("ADD", "-c", "eth0", "/ns", "CNI_CONTAINERID")]
    [InlineData("ADD", "c", "eth0/1", "/ns", "CNI_IFNAME")]
    [InlineData("ADD", "c", "averylongname1234", "/ns", "CNI_IFNAME")]
    public async Task Environment_Wrong_NamesTheVariables(string command, string container, string device, string home, string named)
    {
        (int exitCode, JsonObject result) = await CallAsync(command, """{ "cniVersion": "1.0.0", "name": "n" }""", new CniEnvironment(command, container, home, device, ""));
        Assert.Equal((1, CniCode.InvalidEnvironment), (exitCode, (int?)result["code"]));
        Assert.Contains(named, (string?)result["msg"], StringComparison.Ordinal);
    }

    [Fact]
    public void ToEndpoint_AllCapabilities_AreUnderstood()
    {
        var configuration = CniConfiguration.Parse("""
            { "cniVersion": "1.1.0", "name": "web", "runtimeConfig": {
                "portMappings": [ { "hostPort": 8080, "containerPort": 80, "protocol": "tcp" }, { "hostPort": 53, "containerPort": 53, "protocol": "UDP", "hostIP": "192.0.2.1" },
                                  { "hostPort": 0, "containerPort": 99 } ],
                "ips": [ "10.1.0.9/24", "fd00::9/64" ], "mac": "02:00:00:00:00:09", "aliases": [ "www", "front" ],
                "bandwidth": { "ingressRate": 8000000, "ingressBurst": 80000, "egressRate": 16000000, "egressBurst": 0 } } }
            """);
        EndpointRecord endpoint = configuration.ToEndpoint(new CniEnvironment("ADD", "c1", "/run/netns/x", "eth0", "IgnoreUnknown=1;K8S_POD_NAME=front-1"));
        Assert.Equal("c1/eth0", endpoint.Key);
        Assert.Equal("front-1", endpoint.Name);
        Assert.Equal(["10.1.0.9", "fd00::9"], endpoint.Addresses);
        Assert.Equal("02:00:00:00:00:09", endpoint.Mac);
        Assert.Equal(["www", "front"], endpoint.Aliases);
        Assert.Equal([new PublishedPort(8080, 80), new PublishedPort(53, 53) { Protocol = "udp", HostAddress = "192.0.2.1" }], endpoint.Ports);
        Assert.Equal(new RateRecord(8_000_000, 16_000_000, 10_000), endpoint.Rate);
    }

    [Fact]
    public void ToEndpoint_AliasesByNetworkAsPodmanGivesThem_AreThoseOfTheNetwork()
    {
        var configuration = CniConfiguration.Parse("""{ "cniVersion": "0.4.0", "name": "web", "runtimeConfig": { "aliases": { "web": [ "db" ], "other": [ "no" ] } } }""");
        Assert.Equal(["db"], configuration.ToEndpoint(new CniEnvironment("ADD", "c", "/ns", "eth0", "")).Aliases);
    }

    [Fact]
    public void ToNetwork_SubnetsInBothForms_AreRead()
    {
        NetworkRecord network = CniConfiguration.Parse("""
            { "cniVersion": "1.0.0", "name": "web", "network": "shared", "internal": true, "mtu": 1400,
              "subnets": [ "10.1.0.0/24", { "subnet": "fd00:1::/64", "gateway": "fd00:1::ff", "range": "fd00:1::/96", "reserved": [ "fd00:1::5" ] } ] }
            """).ToNetwork();
        Assert.Equal(("shared", true, 1400), (network.Name, network.Internal, network.Mtu));
        Assert.Equal(["10.1.0.0/24", "fd00:1::/64"], network.Subnets.Select(subnet => subnet.Subnet));
        Assert.Equal(("fd00:1::ff", "fd00:1::/96"), (network.Subnets[1].Gateway, network.Subnets[1].Range));
        Assert.Equal(["fd00:1::5"], network.Subnets[1].Reserved);
    }

    [Fact]
    public void ToNetwork_WhatContainersAreTold_IsRead()
    {
        NetworkRecord network = CniConfiguration.Parse(
            """{ "cniVersion": "1.0.0", "name": "web", "ipv6": true, "routerAdvertisements": true, "dhcp": true, "search": [ "web.example" ] }""").ToNetwork();
        Assert.True(network is { RouterAdvertisements: true, Dhcp: true });
        Assert.Equal(["web.example"], network.Search);
        Assert.True(CniConfiguration.Parse("""{ "cniVersion": "1.0.0", "name": "web" }""").ToNetwork() is { RouterAdvertisements: false, Dhcp: false, Search: [] });
    }

    [Fact]
    public void ToNetwork_Underlay_IsRead()
    {
        Assert.Equal("tls", CniConfiguration.Parse("""{ "cniVersion": "1.0.0", "name": "web", "underlay": "tls" }""").ToNetwork().Underlay);
        Assert.Null(CniConfiguration.Parse("""{ "cniVersion": "1.0.0", "name": "web" }""").ToNetwork().Underlay);
    }

    [Theory]
    [InlineData("0.4.0", """{"cniVersion":"0.4.0","interfaces":[{"name":"eth0","mac":"02:00:00:00:00:02","sandbox":"/ns"}],"ips":[{"version":"4","address":"10.1.0.2/24","gateway":"10.1.0.1","interface":0},{"version":"6","address":"fd00:1::2/64","gateway":"fd00:1::1","interface":0}],"routes":[{"dst":"0.0.0.0/0","gw":"10.1.0.1"},{"dst":"::/0","gw":"fd00:1::1"}],"dns":{"nameservers":["10.1.0.1"],"search":["a.example"]}}""")]
    [InlineData("1.0.0", """{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","mac":"02:00:00:00:00:02","sandbox":"/ns"}],"ips":[{"address":"10.1.0.2/24","gateway":"10.1.0.1","interface":0},{"address":"fd00:1::2/64","gateway":"fd00:1::1","interface":0}],"routes":[{"dst":"0.0.0.0/0","gw":"10.1.0.1"},{"dst":"::/0","gw":"fd00:1::1"}],"dns":{"nameservers":["10.1.0.1"],"search":["a.example"]}}""")]
    [InlineData("1.1.0", """{"cniVersion":"1.1.0","interfaces":[{"name":"eth0","mac":"02:00:00:00:00:02","mtu":1500,"sandbox":"/ns"}],"ips":[{"address":"10.1.0.2/24","gateway":"10.1.0.1","interface":0},{"address":"fd00:1::2/64","gateway":"fd00:1::1","interface":0}],"routes":[{"dst":"0.0.0.0/0","gw":"10.1.0.1"},{"dst":"::/0","gw":"fd00:1::1"}],"dns":{"nameservers":["10.1.0.1"],"search":["a.example"]}}""")]
    public void OfAttachment_EachVersion_HasItsForm(string version, string expected)
    {
        var configuration = CniConfiguration.Parse($$"""{ "cniVersion": "{{version}}", "name": "web", "dns": { "nameservers": [ "10.1.0.1" ], "search": [ "a.example" ] } }""");
        Assert.Equal(expected, CniResult.OfAttachment(configuration, Attached()).ToJsonString());
    }

    [Fact]
    public void OfAttachment_BehindAnotherPlugin_KeepsItsResult()
    {
        var configuration = CniConfiguration.Parse("""
            { "cniVersion": "1.0.0", "name": "web", "prevResult": { "cniVersion": "1.0.0", "interfaces": [ { "name": "lo" } ], "ips": [ { "address": "127.0.0.1/8", "interface": 0 } ] } }
            """);
        JsonObject result = CniResult.OfAttachment(configuration, Attached());
        Assert.Equal(["lo", "eth0"], result["interfaces"]!.AsArray().Select(entry => (string?)entry!["name"]));
        Assert.Equal([0, 1, 1], result["ips"]!.AsArray().Select(entry => (int)entry!["interface"]!));
    }

    [Fact]
    public void ValidAttachments_Given_AreKeys()
    {
        var configuration = CniConfiguration.Parse("""{ "cniVersion": "1.1.0", "name": "n", "cni.dev/valid-attachments": [ { "containerID": "a", "ifname": "eth0" }, { "containerID": "b", "ifname": "eth1" } ] }""");
        Assert.Equal(["a/eth0", "b/eth1"], configuration.ValidAttachments());
    }

    private static AttachReply Attached() => new(
        new EndpointRecord("c1", "eth0") { Namespace = "/ns", Mac = "02:00:00:00:00:02", Addresses = ["10.1.0.2", "fd00:1::2"] },
        new NetworkRecord("web") { Subnets = [new SubnetRecord("10.1.0.0/24") { Gateway = "10.1.0.1" }, new SubnetRecord("fd00:1::/64") { Gateway = "fd00:1::1" }] });

    private static async Task<(int ExitCode, JsonObject Result)> CallAsync(string command, string input, CniEnvironment? environment = null)
    {
        using var output = new StringWriter();
        int exitCode = await CniPlugin.RunAsync(environment ?? new CniEnvironment(command, "c1", "/proc/self/ns/net", "eth0", ""), input, output, _ => new ControlClient(Nobody));
        return (exitCode, JsonNode.Parse(output.ToString())!.AsObject());
    }
}
