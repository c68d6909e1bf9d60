using System.Text.Json;
using Dataplane.Filtering;
using Dataplane.Packets;

namespace Dataplane.Tests.Filtering;

/// <summary>The ClassBench rules and lookups of DPDK's own tests.</summary>
public class FilterSharedCasesTests
{
    private const string Acl = "dpdk/acl.json";

    [SharedCasesFact(Acl)]
    public void Match_DpdkClassBenchRules_GivesTheirAnswers()
    {
        using JsonDocument cases = SharedCases.Read(Acl);
        JsonElement suite = cases.RootElement.GetProperty("classbench_style_first_match");
        Check(suite.GetProperty("rules"), suite.GetProperty("lookups"));
        Check(suite.GetProperty("v6_rules"), suite.GetProperty("v6_lookups"));
    }

    private static void Check(JsonElement rules, JsonElement lookups)
    {
        var spec = new FilterSpec { Rules = [.. rules.EnumerateArray().Select(Rule)] };
        FilterProgram program = FilterProgram.Compile(spec, _ => -1);
        Assert.NotEqual(0, lookups.GetArrayLength());
        foreach (JsonElement lookup in lookups.EnumerateArray())
        {
            FlowKey key = FlowKey.Create(
                IpAddress.Parse(lookup[0].GetString()!), lookup[2].GetUInt16(), IpAddress.Parse(lookup[1].GetString()!), lookup[3].GetUInt16(),
                    lookup[4].GetByte());
            int expected = lookup[5].ValueKind == JsonValueKind.Null ? FilterProgram.NoRule : lookup[5].GetInt32();
            Assert.Equal(expected, program.Match(in key, new PacketHeaders { TransportOffset = 34 }, 0));
        }
    }

    private static FilterRuleSpec Rule(JsonElement rule) => new()
    {
        From = IpPrefix.Parse(rule.GetProperty("src").GetString()!),
        To = IpPrefix.Parse(rule.GetProperty("dst").GetString()!),
        FromPort = Range(rule.GetProperty("sport")),
        ToPort = Range(rule.GetProperty("dport")),
    };

    private static PortRange? Range(JsonElement range)
    {
        var ports = new PortRange(range[0].GetUInt16(), range[1].GetUInt16());
        return ports.IsAll ? null : ports;
    }
}
