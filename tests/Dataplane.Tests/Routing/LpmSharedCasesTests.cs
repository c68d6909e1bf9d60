using System.Text.Json;
using Dataplane.Packets;
using Dataplane.Routing;
using Dataplane.Routing.Lpm;

namespace Dataplane.Tests.Routing;

/// <summary>The tables and lookups of DPDK's own tests, answers computed by brute force.</summary>
public class LpmSharedCasesTests
{
    private const string V4 = "dpdk/lpm4.json", V6 = "dpdk/lpm6.json";

    [SharedCasesFact(V4)]
    public void Lookup_DpdkLpm4_GivesTheirAnswers()
    {
        using JsonDocument cases = SharedCases.Read(V4);
        List<(IpPrefix Prefix, int Value)> routes = Routes(cases);
        using var table = new RouteTable(new GracePeriods());
        Apply(table, routes);
        Check(table, cases.RootElement.GetProperty("lookups"));

        table.Apply([.. cases.RootElement.GetProperty("then_delete").EnumerateArray().Select(text => new RouteChange(IpPrefix.Parse(text.GetString()!), RouteTable.NoMatch))]);
        Check(table, cases.RootElement.GetProperty("lookups_after_delete"));
    }

    [SharedCasesFact(V6)]
    public void Lookup_DpdkLpm6_GivesTheirAnswers()
    {
        using JsonDocument cases = SharedCases.Read(V6);
        using var table = new RouteTable(new GracePeriods());
        Apply(table, Routes(cases));
        Check(table, cases.RootElement.GetProperty("lookups"));
    }

    private static List<(IpPrefix Prefix, int Value)> Routes(JsonDocument cases) =>
        [.. cases.RootElement.GetProperty("routes").EnumerateArray().Select(route => (IpPrefix.Parse(route[0].GetString()!), route[1].GetInt32()))];

    /// <summary>Their values begin with 0, which is no route here.</summary>
    private static void Apply(RouteTable table, List<(IpPrefix Prefix, int Value)> routes) =>
        table.Apply([.. routes.Select(route => new RouteChange(route.Prefix, route.Value + 1))]);

    private static void Check(RouteTable table, JsonElement lookups)
    {
        Assert.NotEqual(0, lookups.GetArrayLength());
        foreach (JsonElement lookup in lookups.EnumerateArray())
        {
            int expected = lookup[2].ValueKind == JsonValueKind.Null ? RouteTable.NoMatch : lookup[2].GetInt32() + 1;
            string address = lookup[0].GetString()!;
            Assert.True(expected == table.Lookup(IpAddress.Parse(address)), $"{address}: {table.Lookup(IpAddress.Parse(address))} instead of {expected}");
        }
    }
}
