using System.Globalization;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>One process ends and another goes on with its flows.</summary>
/// <remarks>Servers are chosen in turn, so that nothing but the flows themselves can lead a connection back to its server.</remarks>
public class StateTests(GatewayBed bed) : IClassFixture<GatewayBed>
{
    private const int Downloads = 30, Bytes = 120 * 1024;

    [SystemTheory("curl", "nginx")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Restart_WithStateUnderDownloads_AllFinishAtTheirServers(int version)
    {
        string path = bed.NewPath("gateway.yaml"), state = bed.NewPath("flows.state"), folder = bed.NewPath("downloads");
        var configuration = new GatewayConfiguration { Balance = "round_robin", Weights = [1, 1, 1] };
        Directory.CreateDirectory(folder);
        Task<ProgramResult> running;
        await using (GatewayProgram first = await GatewayProgram.StartAsync(bed.Network.Gateway, path, configuration, "--state", state))
        {
            await first.AwaitSaidAsync(line => line.StartsWith("state: ", StringComparison.Ordinal) && line.EndsWith("cold start", StringComparison.Ordinal));
            running = bed.AtClientAsync("curl", "-sS", "--parallel", "--parallel-immediate", "--parallel-max", "50", "--max-time", "120", "--range", string.Create(CultureInfo.InvariantCulture, $"0-{Bytes - 1}"),
                "-w", "%header{x-backend} %{http_code} %{size_download} %{exitcode}\\n", "-o", folder + "/#1", $"http://{GatewayTest.Service(version)}/slow?n=[1-{Downloads}]");
            while (Directory.EnumerateFiles(folder).Count(file => new FileInfo(file).Length > 0) < Downloads)
            {
                Assert.False(running.IsCompleted, "the downloads ended early");
                await Task.Delay(100);
            }

            await first.StopAsync();
        }

        Assert.False(running.IsCompleted, "the downloads were over before the restart");
        await using GatewayProgram second = await GatewayProgram.StartAsync(bed.Network.Gateway, path, configuration, "--state", state);
        await second.AwaitSaidAsync(line => line.StartsWith("state: took over ", StringComparison.Ordinal));
        string[] ended = [.. (await running).Lines];
        Assert.Equal(Downloads, ended.Length);
        Assert.All(ended, line => Assert.Matches(string.Create(CultureInfo.InvariantCulture, $"^b[012] 206 {Bytes} 0$"), line));
        Assert.Equal(TestNetwork.Backends, ended.Select(line => line[..2]).Distinct().Count());
        await second.StopAsync();
    }
}
