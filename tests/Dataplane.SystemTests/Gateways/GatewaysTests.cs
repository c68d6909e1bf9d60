using System.Text.RegularExpressions;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateways;

/// <summary>Several gateways with the same configuration, of which any may go: docs/GATEWAYS.md.</summary>
public sealed partial class GatewaysTests
{
    private const int Flows = 2000;

    /// <summary>99.9 %.</summary>
    private const int FlowsThatGoOn = Flows - (Flows / 1000);

    [SystemFact("bird", "python3")]
    public async Task Gateways_OneIsKilledAndComesBackAndTheOtherDrains_FlowsGoOnAtTheirServers()
    {
        await using GatewaysBed bed = await GatewaysBed.StartAsync();
        await using GatewayProgram first = await bed.StartGatewayAsync(0);
        await using GatewayProgram second = await bed.StartGatewayAsync(1);
        await bed.AwaitWaysAsync(0, 1);
        ChildProgram flows = bed.OpenFlows(Flows);
        await AwaitRoundsAsync(flows, 2);
        Assert.InRange(await ReadFlowsAsync(first), Flows / 4, Flows * 3 / 4);
        Assert.InRange(await ReadFlowsAsync(second), Flows / 4, Flows * 3 / 4);

        await first.KillAsync();
        await bed.AwaitWaysAsync(1);
        await AwaitRoundsAsync(flows, 2);
        Assert.True(await ReadFlowsAsync(second) >= FlowsThatGoOn);

        // It begins without state, and has its share back.
        await using GatewayProgram again = await bed.StartGatewayAsync(0);
        await bed.AwaitWaysAsync(0, 1);
        await AwaitRoundsAsync(flows, 2);
        Assert.InRange(await ReadFlowsAsync(again), Flows / 4, Flows * 3 / 4);

        // Withdrawn, it forwards on: whatever is under way comes through. At the end it withdraws by itself.
        await second.SignalAsync("USR1");
        await bed.AwaitWaysAsync(0);
        await AwaitRoundsAsync(flows, 2);
        await second.SignalAsync("USR2");
        await bed.AwaitWaysAsync(0, 1);
        Task stopping = second.StopAsync();
        await second.AwaitSaidAsync(line => line.StartsWith("withdrawn; goes on for 2000 ms", StringComparison.Ordinal));
        await bed.AwaitWaysAsync(0);
        await stopping;
        await AwaitRoundsAsync(flows, 2);
        await again.StopAsync();
    }

    /// <summary>Waits for rounds that began after now, and asserts what the last of them says.</summary>
    private static async Task AwaitRoundsAsync(ChildProgram flows, int rounds)
    {
        int seen = flows.Output.Length;
        string line = await flows.AwaitLineAsync(text => Round().Match(text) is { Success: true } round && int.Parse(round.Groups[1].ValueSpan) >= seen + rounds, seen);
        Match last = Round().Match(line);
        Assert.True(int.Parse(last.Groups[2].ValueSpan) >= FlowsThatGoOn, line);
        Assert.True(int.Parse(last.Groups[3].ValueSpan) <= Flows - FlowsThatGoOn, line);
    }

    private static async Task<long> ReadFlowsAsync(GatewayProgram gateway) => (await gateway.ReadStatusAsync()).GetProperty("services").EnumerateArray()
        .SelectMany(service => service.GetProperty("backends").EnumerateArray()).Sum(backend => backend.GetProperty("flows").GetInt64());

    [GeneratedRegex("^round ([0-9]+): ([0-9]+) live, [0-9]+ broken, ([0-9]+) moved$")]
    private static partial Regex Round();
}
