using System.Globalization;
using System.Text.RegularExpressions;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>The file changes while traffic runs.</summary>
public partial class ReloadTests(GatewayBed bed) : GatewayTest(bed)
{
    private const int Downloads = 200;

    [SystemTheory("curl", "nginx", "socat", "tcpdump")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Reload_DenyRule_DeniedClientGetsNothingAndTheRuleCounts(int version)
    {
        string guest = version == 4 ? TestNetwork.GuestAddress : TestNetwork.GuestAddress6;
        (await FetchAsync(version, guest)).MustSucceed();

        string rule = string.Create(CultureInfo.InvariantCulture, $"name: no-guest, action: deny, from: \"{guest}\"");
        string[] said = await Gateway.ReloadAsync((Configuration with { Rules = [rule] }).ToYaml());
        Assert.Contains(said, line => line.StartsWith("reloaded: ", StringComparison.Ordinal));
        Assert.Contains(said, line => line.Contains("+ filter rule", StringComparison.Ordinal) && line.Contains("no-guest", StringComparison.Ordinal));
        Assert.Equal(0, await Gateway.ReadRuleAsync("no-guest"));

        // Neighbour discovery is not the service's answer: only what is for a transport of the guest counts.
        await using PacketCapture capture = await PacketCapture.StartAsync(Bed.Network.Client, "c0", Bed.NewPath("guest.pcap"), "in", $"dst host {guest} and (tcp or udp)");
        ProgramResult denied = await FetchAsync(version, guest);
        Assert.Equal(28, denied.ExitCode);
        Assert.Empty(denied.Output);
        Assert.Empty((await capture.StopAsync()).Output);
        Assert.True(await Gateway.ReadRuleAsync("no-guest") >= 1);
        (await FetchAsync(version, version == 4 ? TestNetwork.ClientAddress : TestNetwork.ClientAddress6)).MustSucceed();
    }

    [SystemFact("curl", "nginx", "socat")]
    public async Task Reload_BrokenFile_EveryErrorIsPrintedAndTheLastGoodOneStays()
    {
        string broken = Configuration.ToYaml().Replace("mtu: 1500", "mtu: 70000", StringComparison.Ordinal)
            .Replace($"address: \"{GatewayConfiguration.Service}\"", "address: \"198.51.100.300\"", StringComparison.Ordinal) + "wrokers: {}\n";
        string[] said = await Gateway.ReloadAsync(broken);
        Assert.Equal("reload rejected, keeping the last good configuration", said[^1]);
        foreach (string wrong in new[] { "ports.wan.mtu", "ports.lan.mtu", "services[0].address", "services[2].address", "wrokers" })
            Assert.Contains(said, line => line.Contains(wrong, StringComparison.Ordinal) && ErrorPlace().IsMatch(line));
        (await FetchAsync(4, TestNetwork.ClientAddress)).MustSucceed();

        // The watch is still armed: the mended file is taken.
        string[] mended = await Gateway.ReloadAsync((Configuration with { Weights = [1, 1, 2] }).ToYaml());
        Assert.Contains(mended, line => line.StartsWith("reloaded: ", StringComparison.Ordinal));
        (await FetchAsync(6, TestNetwork.ClientAddress6)).MustSucceed();
    }

    [SystemTheory("curl", "nginx", "socat")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Reload_BackendRemovedUnderTwoHundredDownloads_TheOthersFinishAndTheTableMovesTheMinimum(int version)
    {
        const int Removed = 1;
        string folder = Bed.NewPath("downloads");
        Directory.CreateDirectory(folder);
        Task<ProgramResult> running = Bed.AtClientAsync("curl", "-sS", "--parallel", "--parallel-immediate", "--parallel-max", "200", "--max-time", "120",
            "--speed-limit", "1", "--speed-time", "8", "-w", "%header{x-backend} %{http_code} %{size_download} %{exitcode}\\n",
            "-o", folder + "/#1", $"http://{Service(version)}/slow?n=[1-{Downloads}]");
        await AwaitDownloadsAsync(folder, running);

        string[] said = await Gateway.ReloadAsync((Configuration with { Weights = [2, 0, 1] }).ToYaml());
        Assert.False(running.IsCompleted, "the downloads were over before the reload");
        Match moved = said.Select(line => SlotsLine().Match(line)).Single(match => match.Success && match.Groups[1].Value == (version == 4 ? "web" : "web6"));
        int[] slots = [.. moved.Groups.Values.Skip(2).Select(group => int.Parse(group.Value, CultureInfo.InvariantCulture))];
        Assert.True(slots[0] > 0 && slots[0] <= slots[2] + slots[1] / 100, moved.Value);

        string[] ended = [.. (await running).Lines];
        Assert.Equal(Downloads, ended.Length);
        string[] others = [.. ended.Where(line => !line.StartsWith(TestNetwork.BackendName(Removed) + " ", StringComparison.Ordinal))];
        Assert.InRange(others.Length, Downloads / 2, Downloads - 1);
        Assert.All(others, line => Assert.Matches(string.Create(CultureInfo.InvariantCulture, $"^b[02] 200 {GatewayBed.SlowBytes} 0$"), line));
    }

    private Task<ProgramResult> FetchAsync(int version, string from) =>
        Bed.AtClientAsync("curl", "-sS", "--fail", "--max-time", "5", "--interface", from, $"http://{Service(version)}/");

    /// <summary>Waits until some of every file has come, so that all the connections are under way.</summary>
    private static async Task AwaitDownloadsAsync(string folder, Task<ProgramResult> running)
    {
        while (Directory.EnumerateFiles(folder).Count(path => new FileInfo(path).Length > 0) < Downloads)
        {
            Assert.False(running.IsCompleted, "the downloads ended early");
            await Task.Delay(100);
        }
    }

    [GeneratedRegex("service (\\S+): ([0-9]+) of ([0-9]+) slots moved, the least possible is ([0-9]+)")]
    private static partial Regex SlotsLine();

    [GeneratedRegex(@"\.yaml:[0-9]+:[0-9]+: ")]
    private static partial Regex ErrorPlace();
}
