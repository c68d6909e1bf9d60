using System.Text;
using Dataplane.Hosting.Configuration;
using Dataplane.Tests.Configuration;
using Microsoft.Extensions.Configuration;

namespace Dataplane.Hosting.Tests.Configuration;

public class ConfigurationBindingTests
{
    /// <summary>The example of the format as appsettings.json has it; hosts give ports in alphabetical order.</summary>
    private const string AppSettings = """
        {
          "Logging": { "LogLevel": { "Default": "Information" } },
          "Dataplane": {
            "Ports": {
              "wan": { "Kind": "af_xdp", "Interface": "eth0" },
              "lan": { "Kind": "memif", "Socket": "/run/dp/lan.sock", "Id": 0, "Role": "client" }
            },
            "Interfaces": [
              { "Port": "wan", "Address": "198.18.0.1/24", "Mac": "02:02:02:02:02:02" },
              { "Port": "lan", "Address": "198.19.0.1/24" }
            ],
            "Neighbours": [ { "Port": "lan", "Address": "198.19.0.2", "Mac": "02:00:00:00:00:02", "Learned": true } ],
            "Routes": [
              { "To": "48.0.0.0/8", "Via": "198.19.0.2" },
              { "To": "0.0.0.0/0", "Via": [ { "Address": "198.19.0.2", "Weight": 2 }, { "Address": "198.19.0.3", "Weight": 1 } ] },
              { "To": "203.0.113.0/24", "Reject": "unreachable" }
            ],
            "Filter": {
              "Default": "allow",
              "Rules": [ { "Action": "deny", "From": "203.0.113.0/24", "Protocol": "tcp", "ToPort": "22-23", "Name": "no-ssh" } ]
            },
            "Nat": [],
            "Mesh": null,
            "Services": [
              { "Name": "web", "Address": "48.0.0.1", "Port": 80, "Protocol": "udp", "Balance": "maglev", "Forward": "nat",
                "Backends": [ { "Address": "198.19.0.2", "Port": 8080, "Weight": 1 } ] }
            ]
          }
        }
        """;

    [Fact]
    public void Load_AppSettings_GivesTheSpecOfTheFile()
    {
        DataplaneSpec file = ConfigurationFile.Parse(ConfigurationFileTests.Example, "gateway.yaml").GetSpec();
        LoadResult result = ConfigurationBinding.Load(Json(AppSettings).GetSection("Dataplane"));
        Assert.Empty(result.Errors);
        SpecAssert.Equal(file with { Ports = [file.Ports[1], file.Ports[0]] }, result.GetSpec());
    }

    [Fact]
    public void Load_KeysOfLaterSources_WinAndComeInAnyCase()
    {
        IConfiguration configuration = new ConfigurationBuilder().AddJsonStream(Stream(AppSettings)).AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["DATAPLANE:WORKERS:FLOW_ENTRIES"] = "2048",
            ["dataplane:workers:icmpErrorsPerSecond"] = "7",
            ["Dataplane:Services:0:Backends:0:Weight"] = "9",
            ["Dataplane:Services:0:Backends:1:Address"] = "198.19.0.3",
            ["Dataplane:Services:0:Backends:1:Port"] = "8081",
            ["Dataplane:Ports:0:Kind"] = "memory",
            ["Dataplane:Ports:Extra_Port:Kind"] = "memory",
        }).Build();
        DataplaneSpec spec = ConfigurationBinding.Load(configuration.GetSection("dataplane")).GetSpec();
        Assert.Equal((2048, 7), (spec.Workers.FlowEntries, spec.Workers.IcmpErrorsPerSecond));
        Assert.Equal([(9, 8080), (1, 8081)], spec.Services[0].Backends.Select(backend => (backend.Weight, (int)backend.Port)));
        Assert.Equal(["0", "Extra_Port", "lan", "wan"], spec.Ports.Select(port => port.Name));
    }

    [Fact]
    public void Load_ManyBackends_AreInTheOrderOfTheirNumbers()
    {
        var values = new Dictionary<string, string?>
        {
            ["Ports:a:Kind"] = "memory",
            ["Services:0:Name"] = "s",
            ["Services:0:Address"] = "192.0.2.1",
            ["Services:0:Port"] = "1",
        };
        for (int index = 0; index < 12; index++)
        {
            values[$"Services:0:Backends:{index}:Address"] = "192.0.2.2";
            values[$"Services:0:Backends:{index}:Port"] = $"{1000 + index}";
        }

        DataplaneSpec spec = ConfigurationBinding.Load(new ConfigurationBuilder().AddInMemoryCollection(values).Build()).GetSpec();
        Assert.Equal(Enumerable.Range(1000, 12), spec.Services[0].Backends.Select(backend => (int)backend.Port));
    }

    [Fact]
    public void Load_WrongValues_NamesTheSectionAndThePath()
    {
        LoadResult result = ConfigurationBinding.Load(Json("""
            { "Dataplane": {
              "Ports": { "a": { "Kind": "memory" } }, "Workers": { "Spin": 5, "FlowEntry": 1, "FlowEntries": { "x": 1 } }, "Routes": "none", "Nat": [ 1 ],
              "Interfaces": [ { "Port": "a", "Address": { "b": { "c": { "d": { "e": { "f": { "g": { "h": { "i": { "j": 1 } } } } } } } } } } ] } }
            """).GetSection("Dataplane"));
        Assert.Equal(
            [
                "Dataplane: interfaces[0].address: is a mapping where an address with prefix length, such as 198.51.100.2/24, is needed",
                "Dataplane: nat[0]: \"1\": is a single value where a NAT rule is needed: a mapping with the keys inside, outside, from, nat64, pool, static, mapping, filtering, refresh_inbound, timeouts",
                "Dataplane: routes: \"none\": is a single value where a list is needed: put \"- \" before each route, or [ ] around all",
                "Dataplane: workers.flow_entries: is a mapping where a number of entries is needed",
                "Dataplane: workers.flow_entry: is not a key of a workers section "
                    + "(count, cpu, pin, spin, flow_entries, neighbour_entries, seed, icmp_errors_per_second); did you mean \"flow_entries\"?",
                "Dataplane: workers.spin: \"5\": is not a duration: a whole number with a unit is needed (ns, us, ms or s), such as 50us",
            ],
            result.Errors.Select(error => error.ToString()).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Load_OneKeyInTwoSpellings_IsTwice()
    {
        var values = new Dictionary<string, string?> { ["Ports:a:Kind"] = "memory", ["Workers:FlowEntries"] = "2048", ["Workers:flow_entries"] = "4096" };
        LoadResult result = ConfigurationBinding.Load(new ConfigurationBuilder().AddInMemoryCollection(values).Build());
        Assert.Equal(["workers.flow_entries: is there twice; a key may be there once"], result.Errors.Select(error => error.ToString()));
    }

    [Fact]
    public void Load_SectionThatIsNotThere_LacksPorts() =>
        Assert.Equal(["Dataplane: ports: is empty: at least one port is needed"],
            ConfigurationBinding.Load(Json("{}").GetSection("Dataplane")).Errors.Select(error => error.ToString()));

    private static MemoryStream Stream(string json) => new(Encoding.UTF8.GetBytes(json));

    private static IConfigurationRoot Json(string json) => new ConfigurationBuilder().AddJsonStream(Stream(json)).Build();
}
