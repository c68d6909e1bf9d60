using System.Globalization;
using Dataplane.Configuration;
using Dataplane.Pipeline;

namespace Dataplane.Tests.Configuration;

/// <summary>docs/CONFIGURATION.md says of every key what the reader knows of it, and of no other.</summary>
public class ConfigurationDocumentTests
{
    private static readonly string s_document = File.ReadAllText(Path.Combine(FindRoot(), "docs", "CONFIGURATION.md"));

    private static readonly Dictionary<string, KeyTable> s_tables = new()
    {
        ["Top level"] = ConfigKeys.Top,
        ["Ports"] = ConfigKeys.Port,
        ["Traffic"] = ConfigKeys.Traffic,
        ["Tls"] = ConfigKeys.Tls,
        ["Interfaces"] = ConfigKeys.Interface,
        ["Neighbours"] = ConfigKeys.Neighbour,
        ["Routes"] = ConfigKeys.Route,
        ["Next hops"] = ConfigKeys.NextHop,
        ["Filter"] = ConfigKeys.Filter,
        ["Filter rules"] = ConfigKeys.FilterRule,
        ["NAT rules"] = ConfigKeys.Nat,
        ["NAT timeouts"] = ConfigKeys.NatTimeouts,
        ["Stateless translation"] = ConfigKeys.Siit,
        ["Address mappings"] = ConfigKeys.SiitMapping,
        ["Services"] = ConfigKeys.Service,
        ["Steering"] = ConfigKeys.Steer,
        ["Quic"] = ConfigKeys.Quic,
        ["QUIC-LB"] = ConfigKeys.QuicLb,
        ["Health"] = ConfigKeys.Health,
        ["Backends"] = ConfigKeys.Backend,
        ["Encapsulation"] = ConfigKeys.Encapsulation,
        ["Decapsulation"] = ConfigKeys.Decapsulation,
        ["Networks"] = ConfigKeys.Network,
        ["Router advertisements"] = ConfigKeys.RouterAdvertisements,
        ["DHCP"] = ConfigKeys.Dhcp,
        ["Routes told by DHCP"] = ConfigKeys.DhcpRoute,
        ["Endpoints"] = ConfigKeys.Endpoint,
        ["Overlays"] = ConfigKeys.Overlay,
        ["Overlays by links"] = ConfigKeys.OverlayLink,
        ["Endpoints elsewhere"] = ConfigKeys.RemoteEndpoint,
        ["Rates"] = ConfigKeys.Rate,
        ["Bridges"] = ConfigKeys.Bridge,
        ["Ports of bridges"] = ConfigKeys.BridgePort,
        ["Workers"] = ConfigKeys.Workers,
    };

    public static TheoryData<string> Sections => [.. s_tables.Keys];

    [Fact]
    public void Sections_OfTheDocument_AreOnePerKindOfMapping() => Assert.Equal(ConfigKeys.All, s_tables.Values);

    [Theory]
    [MemberData(nameof(Sections))]
    public void Section_OfTheDocument_HasTheKeysOfTheReader(string title) =>
        Assert.Equal(s_tables[title].Keys.Order(), Rows(title).Select(row => row.Key).Order());

    [Fact]
    public void Kinds_OfTheDocument_AreThoseOfTheReader() =>
        Assert.Equal(SpecNames.Kinds.Names, Rows("Ports", table: 2).Select(row => row.Key));

    [Fact]
    public void Words_OfTheDocument_AreThoseOfTheReader()
    {
        AssertRow("Ports", "role", SpecNames.Roles.Names);
        AssertRow("Routes", "reject", SpecNames.Rejects.Names);
        AssertRow("Filter", "default", SpecNames.Actions.Names);
        AssertRow("Filter rules", "action", SpecNames.Actions.Names);
        AssertRow("Filter rules", "protocol", SpecNames.Protocols.Names);
        Assert.Equal(SpecNames.Policies.Names, Rows("Services", table: 2).Select(row => row.Key));
        AssertRow("Address mappings", "hosts", SpecNames.SiitHosts.Names);
        AssertRow("Services", "forward", SpecNames.ForwardModes.Names);
        AssertRow("Services", "on_remove", SpecNames.RemovePolicies.Names);
        AssertRow("Services", "no_backend", SpecNames.NoBackendPolicies.Names);
        AssertRow("Quic", "connection_ids", SpecNames.ConnectionIdFormats.Names);
        AssertRow("Health", "check", SpecNames.HealthChecks.Names);
        AssertRow("Decapsulation", "kinds", SpecNames.Encapsulations.Names);
    }

    [Fact]
    public void Ranges_OfTheDocument_AreThoseOfTheReader()
    {
        AssertRange("Ports", "mtu", SpecLimits.Mtu);
        AssertRange("Ports", "id", SpecLimits.SocketId);
        AssertRange("Interfaces", "vlan", SpecLimits.Vlan);
        AssertRange("Neighbours", "vlan", SpecLimits.Vlan);
        AssertRange("Next hops", "vlan", SpecLimits.Vlan);
        AssertRange("QUIC-LB", "id", SpecLimits.QuicConfig);
        AssertRange("QUIC-LB", "server_id_length", SpecLimits.ServerIdBytes);
        AssertRange("QUIC-LB", "nonce_length", SpecLimits.NonceBytes);
        AssertRange("Next hops", "weight", SpecLimits.HopWeight);
        AssertRange("Services", "port", SpecLimits.TransportPort);
        AssertRange("Services", "table_size", SpecLimits.TableSize);
        AssertRange("Backends", "port", SpecLimits.TransportPort);
        AssertRange("Encapsulation", "gue_port", SpecLimits.TransportPort);
        AssertRange("Backends", "weight", SpecLimits.BackendWeight);
        AssertRange("Networks", "mtu", SpecLimits.Mtu);
        AssertRange("Router advertisements", "interval", SpecLimits.AdvertisementInterval);
        AssertRange("Router advertisements", "lifetime", SpecLimits.RouterLifetime);
        AssertRange("DHCP", "lease", SpecLimits.DhcpLease);
        AssertRange("Rates", "in_burst", SpecLimits.BurstBytes);
        AssertRange("Rates", "out_burst", SpecLimits.BurstBytes);
        AssertRange("Health", "port", SpecLimits.TransportPort);
        AssertRange("Health", "status", SpecLimits.HttpStatus);
        AssertRange("Health", "rise", SpecLimits.Rise);
        AssertRange("Health", "fall", SpecLimits.Rise);
        AssertRange("Health", "passive", SpecLimits.Passive);
        AssertRange("Health", "interval", SpecLimits.HealthInterval);
        AssertRange("Health", "timeout", SpecLimits.HealthTimeout);
        AssertRange("Health", "slow_start", SpecLimits.SlowStart);
        AssertRange("Health", "hold", SpecLimits.Hold);
        AssertRange("Services", "affinity", SpecLimits.Affinity);
        AssertRange("Backends", "drain_deadline", SpecLimits.DrainDeadline);
        AssertRange("Ports", "worker", SpecLimits.Worker);
        AssertRange("Workers", "count", SpecLimits.WorkerCount);
        AssertRange("Workers", "cpu", SpecLimits.Cpu);
        AssertRange("Workers", "pin", SpecLimits.Cpu);
        AssertRange("Workers", "flow_entries", SpecLimits.FlowEntries);
        AssertRange("Workers", "neighbour_entries", SpecLimits.NeighbourEntries);
        AssertRange("Workers", "icmp_errors_per_second", SpecLimits.IcmpErrorsPerSecond);
    }

    [Fact]
    public void Defaults_OfTheDocument_AreThoseOfTheRecords()
    {
        var workers = new WorkerSpec();
        AssertDefault("Workers", "count", workers.Count);
        AssertDefault("Workers", "flow_entries", workers.FlowEntries);
        AssertDefault("Workers", "neighbour_entries", workers.NeighbourEntries);
        AssertDefault("Workers", "icmp_errors_per_second", workers.IcmpErrorsPerSecond);
        Assert.Equal($"`{workers.SpinMicroseconds}us`", Row("Workers", "spin").Cells[2]);
        AssertDefault("Services", "table_size", new Dataplane.Balancing.ServiceSpec { Name = "", Address = default, Port = 0 }.TableSize);
        AssertDefault("Backends", "weight", new Dataplane.Balancing.BackendSpec { Address = default, Port = 0 }.Weight);
        AssertDefault("Networks", "mtu", new Dataplane.Switching.NetworkSpec { Name = "" }.Mtu);
        Assert.Equal(($"`{new Dataplane.Switching.RouterAdvertisementSpec().Interval.TotalSeconds}s`", $"`{new Dataplane.Switching.DhcpSpec().Lease.TotalSeconds}s`"),
            (Row("Router advertisements", "interval").Cells[2], Row("DHCP", "lease").Cells[2]));
        var health = new Dataplane.Health.HealthSpec();
        AssertDefault("Health", "rise", health.Rise);
        AssertDefault("Health", "fall", health.Fall);
        Assert.Equal(("`5s`", "`2s`", "`30s`"), (Row("Health", "interval").Cells[2], Row("Health", "timeout").Cells[2], Row("Health", "hold").Cells[2]));
        Assert.Equal((5.0, 2.0, 30.0), (health.Interval.TotalSeconds, health.Timeout.TotalSeconds, health.Hold.TotalSeconds));
        AssertDefault("Next hops", "weight", new Dataplane.Routing.NextHopSpec().Weight);
    }

    private static void AssertRow(string title, string key, IEnumerable<string> words) =>
        Assert.All(words, word => Assert.Contains($"`{word}`", Row(title, key).Cells[3], StringComparison.Ordinal));

    private static void AssertRange(string title, string key, IntRange range) =>
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"{range.Min} to {range.Max}"), Row(title, key).Cells[3], StringComparison.Ordinal);

    private static void AssertRange(string title, string key, DurationRange range) => Assert.Contains(range.Text, Row(title, key).Cells[3], StringComparison.Ordinal);

    private static void AssertDefault(string title, string key, int value) =>
        Assert.Equal(value.ToString(CultureInfo.InvariantCulture), Row(title, key).Cells[2]);

    private static (string Key, string[] Cells) Row(string title, string key) => Rows(title).Single(row => row.Key == key);

    private static IEnumerable<(string Key, string[] Cells)> Rows(string title, int table = 1)
    {
        string section = s_document.Split("\n## ").Single(part => part.StartsWith(title + "\n", StringComparison.Ordinal));
        string[] lines = section.Split('\n');
        int ruled = lines.Index().Where(line => line.Item.StartsWith("|---", StringComparison.Ordinal)).ElementAt(table - 1).Index;
        return lines.Skip(ruled + 1).TakeWhile(line => line.StartsWith('|'))
            .Select(row => row.Split(" | ")).Select(cells => (cells[0].Trim('|', ' ', '`'), cells));
    }

    private static string FindRoot()
    {
        string? directory = AppContext.BaseDirectory;
        while (directory is not null && !File.Exists(Path.Combine(directory, "Dataplane.sln")))
        {
            directory = Path.GetDirectoryName(directory);
        }

        return directory ?? throw new InvalidOperationException("The tests do not run inside the repository.");
    }
}
