using System.Text.Json;
using Dataplane.Packets;
using Dataplane.Routing;

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
        Check(LpmTable.Build(routes), cases.RootElement.GetProperty("lookups"));
        Check(new LpmTable(new LpmBuilder(routes, directFromRanges: 0)), cases.RootElement.GetProperty("lookups"));

        HashSet<IpPrefix> deleted = [.. cases.RootElement.GetProperty("then_delete").EnumerateArray().Select(text => IpPrefix.Parse(text.GetString()!).Network)];
        routes.RemoveAll(route => deleted.Contains(route.Prefix.Network));
        Check(LpmTable.Build(routes), cases.RootElement.GetProperty("lookups_after_delete"));
    }

    [SharedCasesFact(V6)]
    public void Lookup_DpdkLpm6_GivesTheirAnswers()
    {
        using JsonDocument cases = SharedCases.Read(V6);
        Check(LpmTable.Build(Routes(cases)), cases.RootElement.GetProperty("lookups"));
    }

    private static List<(IpPrefix Prefix, int Value)> Routes(JsonDocument cases) =>
        [.. cases.RootElement.GetProperty("routes").EnumerateArray().Select(route => (IpPrefix.Parse(route[0].GetString()!), route[1].GetInt32()))];

    private static void Check(LpmTable table, JsonElement lookups)
    {
        Assert.NotEqual(0, lookups.GetArrayLength());
        foreach (JsonElement lookup in lookups.EnumerateArray())
        {
            int expected = lookup[2].ValueKind == JsonValueKind.Null ? LpmTable.NoMatch : lookup[2].GetInt32();
            string address = lookup[0].GetString()!;
            Assert.True(expected == table.Lookup(IpAddress.Parse(address)), $"{address}: {table.Lookup(IpAddress.Parse(address))} instead of {expected}");
        }
    }
}
