using System.Text;
using Dataplane.Balancing;
using Dataplane.Configuration;
using Dataplane.Filtering;
using Dataplane.Hosting.Configuration;
using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;
using Dataplane.Tests.Configuration;

namespace Dataplane.Hosting.Tests.Configuration;

public class ConfigurationFileTests
{
    /// <summary>The example that fixes the format.</summary>
    internal const string Example = """
        ports:
          wan: { kind: af_xdp, interface: eth0 }          # af_packet | af_xdp | tap | memif | stream | pcap | memory
          lan: { kind: memif, socket: /run/dp/lan.sock, id: 0, role: client }
        interfaces:
          - { port: wan, address: 198.18.0.1/24, mac: 02:02:02:02:02:02 }
          - { port: lan, address: 198.19.0.1/24 }
        neighbours:
          - { port: lan, address: 198.19.0.2, mac: 02:00:00:00:00:02, learned: true }   # as if learned; without it, static
        routes:
          - { to: 48.0.0.0/8, via: 198.19.0.2 }
          - { to: 0.0.0.0/0, via: [ { address: 198.19.0.2, weight: 2 }, { address: 198.19.0.3, weight: 1 } ] }
          - { to: 203.0.113.0/24, reject: unreachable }    # blackhole (silent) | unreachable | prohibited
        filter:
          default: allow
          rules:
            - { action: deny, from: 203.0.113.0/24, protocol: tcp, to_port: 22-23, name: no-ssh }
        services:
          - { name: web, address: 48.0.0.1, port: 80, protocol: udp, balance: maglev, forward: nat,
              backends: [ { address: 198.19.0.2, port: 8080, weight: 1 } ] }
        """;

    private static readonly DataplaneSpec s_example = new()
    {
        Ports =
        [
            new PortSpec { Name = "wan", Kind = PortKind.AfXdp, Interface = "eth0" },
            new PortSpec { Name = "lan", Kind = PortKind.Memif, Socket = "/run/dp/lan.sock", Id = 0, Role = PortRole.Client },
        ],
        Interfaces =
        [
            new InterfaceSpec { Port = "wan", Address = IpPrefix.Parse("198.18.0.1/24"), Mac = MacAddress.Parse("02:02:02:02:02:02") },
            new InterfaceSpec { Port = "lan", Address = IpPrefix.Parse("198.19.0.1/24") },
        ],
        Neighbours =
        [
            new NeighbourSpec { Port = "lan", Address = IpAddress.Parse("198.19.0.2"), Mac = MacAddress.Parse("02:00:00:00:00:02"), Learned = true },
        ],
        Routes =
        [
            new RouteSpec { To = IpPrefix.Parse("48.0.0.0/8"), Via = [new NextHopSpec { Address = IpAddress.Parse("198.19.0.2") }] },
            new RouteSpec
            {
                To = IpPrefix.Parse("0.0.0.0/0"),
                Via = [new NextHopSpec { Address = IpAddress.Parse("198.19.0.2"), Weight = 2 }, new NextHopSpec { Address = IpAddress.Parse("198.19.0.3") }],
            },
            new RouteSpec { To = IpPrefix.Parse("203.0.113.0/24"), Reject = RouteReject.Unreachable },
        ],
        Filter = new FilterSpec
        {
            Rules =
            [
                new FilterRuleSpec
                {
                    Name = "no-ssh", Action = FilterAction.Deny, From = IpPrefix.Parse("203.0.113.0/24"), Protocol = 6, ToPort = new PortRange(22, 23),
                },
            ],
        },
        Services =
        [
            new ServiceSpec
            {
                Name = "web", Address = IpAddress.Parse("48.0.0.1"), Port = 80, Protocol = 17,
                Backends = [new BackendSpec { Address = IpAddress.Parse("198.19.0.2"), Port = 8080 }],
            },
        ],
    };

    [Fact]
    public void Parse_TheExample_GivesItsSpec() => SpecAssert.Equal(s_example, ConfigurationFile.Parse(Example, "gateway.yaml").GetSpec());

    [Fact]
    public void Parse_TheExampleWithNat_GivesItsRule()
    {
        const string Nat = """

            nat:
              - { inside: lan, outside: wan, pool: [ 198.18.0.1 ], timeouts: { udp: 300s, tcp_established: 7440s } }
            """;
        LoadResult result = ConfigurationFile.Parse(Example + Nat, "gateway.yaml");
        NatSpec rule = Assert.Single(result.GetSpec().Nat);
        Assert.Equal(("lan", "wan", null), (rule.Inside, rule.Outside, rule.From));
        Assert.Equal([IpAddress.Parse("198.18.0.1")], rule.Pool);
        Assert.Equal(new NatTimeouts { Udp = TimeSpan.FromMinutes(5), TcpEstablished = TimeSpan.FromMinutes(124) }, rule.Timeouts);
    }

    [Theory]
    [InlineData("nat:\n")]
    [InlineData("nat: []\nmesh: {}\nnetworks: ~\ncapture: null\n")]
    [InlineData("routes:\nfilter: {}\nworkers:\nservices: ~\n")]
    [InlineData("workers: { spin: , cpu: ~ }\n")]
    public void Parse_KeysThatSayNothing_AreAsLeftOut(string keys)
    {
        DataplaneSpec spec = ConfigurationFile.Parse("ports: { wan: { kind: memory, mac: } }\n" + keys, "gateway.yaml").GetSpec();
        SpecAssert.Equal(new DataplaneSpec { Ports = [new PortSpec { Name = "wan" }] }, spec);
    }

    [Fact]
    public void Parse_Json_IsReadAsTheSame()
    {
        const string Json = """
            {
            	"ports": {
            		"wan": {"kind":"pcap","input":"in\u002epcap","output":"C:\\out\/1.pcap"}
            	},
            	"interfaces": [{"port": "wan", "address": "2001:db8::1/64", "vlan": 7}],
            	"neighbours": [{"port": "wan", "vlan": 7, "address": "2001:db8::", "mac": "02:00:00:00:00:01", "learned": true}],
            	"workers": {"seed": 18446744073709551615, "spin": "0"}
            }
            """;
        LoadResult result = ConfigurationFile.Parse(Json, "gateway.json");
        Assert.Equal(["gateway.json:6:55: neighbours[0].address: \"2001:db8::\": is the subnet-router anycast address (RFC 4291, 2.6.1) of 2001:db8::/64; "
            + "the address of one host is needed"], result.Errors.Select(error => error.ToString()));

        DataplaneSpec spec = ConfigurationFile.Parse(Json.Replace("db8::\"", "db8::2\"", StringComparison.Ordinal), "gateway.json").GetSpec();
        Assert.Equal(("in.pcap", "C:\\out/1.pcap"), (spec.Ports[0].Input, spec.Ports[0].Output));
        Assert.Equal((7, true), (spec.Interfaces[0].Vlan, spec.Neighbours[0].Learned));
        Assert.Equal((ulong.MaxValue, 0), (spec.Workers.Seed!.Value, spec.Workers.SpinMicroseconds));
    }

    /// <summary>What YAML 1.1 readers take for numbers to the base of sixty, truths, dates and nothing is text until a key says otherwise.</summary>
    [Fact]
    public void Parse_NamesThatLookLikeOtherThings_StayText()
    {
        const string Text = """
            ports:
              no: { kind: memory, mac: 02:10:20:30:40:50 }
              null: { kind: memory }
              1.10: { kind: memory }
              2026-01-02: { kind: memory }
              0x1F: { kind: memory }
            """;
        DataplaneSpec spec = ConfigurationFile.Parse(Text, "gateway.yaml").GetSpec();
        Assert.Equal(["no", "null", "1.10", "2026-01-02", "0x1F"], spec.Ports.Select(port => port.Name));
        Assert.Equal("02:10:20:30:40:50", spec.Ports[0].Mac.ToString());
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("0s", 0)]
    [InlineData("1000ns", 1)]
    [InlineData("50us", 50)]
    [InlineData("3ms", 3000)]
    [InlineData("1s", 1_000_000)]
    public void Parse_Spin_TakesEveryUnit(string text, int microseconds)
    {
        DataplaneSpec spec = ConfigurationFile.Parse($"ports: {{ a: {{ kind: memory }} }}\nworkers: {{ spin: {text} }}", "x").GetSpec();
        Assert.Equal(microseconds, spec.Workers.SpinMicroseconds);
    }

    [Theory]
    [InlineData("198.19.0.3", 1)]
    [InlineData("[ 198.19.0.3, 198.19.0.4 ]", 2)]
    [InlineData("{ address: 198.19.0.3, port: lan, vlan: 0, weight: 255 }", 1)]
    [InlineData("{ port: lan }", 1)]
    [InlineData("[ { address: 198.19.0.3 }, 198.19.0.4 ]", 2)]
    public void Parse_Via_TakesEveryForm(string via, int hops)
    {
        string text = Example.Replace("to: 48.0.0.0/8, via: 198.19.0.2", $"to: 48.0.0.0/8, via: {via}", StringComparison.Ordinal);
        Assert.Equal(hops, ConfigurationFile.Parse(text, "x").GetSpec().Routes[0].Via.Count);
    }

    [Fact]
    public void Load_File_ReadsUtf8WithAndWithoutMark()
    {
        using var file = new TemporaryFile();
        File.WriteAllText(file.Path, Example, new UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
        SpecAssert.Equal(s_example, ConfigurationFile.Load(file.Path).GetSpec());
        File.WriteAllText(file.Path, Example.ReplaceLineEndings("\r\n"));
        SpecAssert.Equal(s_example, ConfigurationFile.Load(file.Path).GetSpec());
    }

    [Fact]
    public void Load_WhatIsNoTextFile_SaysSo()
    {
        using var file = new TemporaryFile();
        Assert.Equal($"{file.Path}.none: does not exist", Message($"{file.Path}.none"));
        string directory = Path.GetDirectoryName(file.Path)!;
        Assert.Equal($"{directory}: is a directory; the path of a file is needed", Message(directory));

        File.WriteAllBytes(file.Path, [.. "ports:\n  w"u8, 0xE4, .. "n: {}\n"u8]);
        Assert.Equal($"{file.Path}:2:4: is not UTF-8 here; save it as UTF-8", Message(file.Path));
        File.WriteAllText(file.Path, Example, Encoding.Unicode);
        Assert.Equal($"{file.Path}: is in UTF-16; save it as UTF-8", Message(file.Path));
        File.WriteAllText(file.Path, "ports: {}\nroutes: \0[]\n");
        Assert.Equal($"{file.Path}:2:9: is not text: it holds a zero character here", Message(file.Path));
    }

    [Fact]
    public void Load_FileWithoutEnd_StopsAtTheLimit() =>
        Assert.Equal("/dev/zero: is larger than 64 MiB, the largest configuration that is read", Message("/dev/zero"));

    private static string Message(string path) => Assert.Single(ConfigurationFile.Load(path).Errors).ToString();

    private sealed class TemporaryFile : IDisposable
    {
        public string Path { get; } = System.IO.Path.GetTempFileName();

        public void Dispose() => File.Delete(Path);
    }
}
