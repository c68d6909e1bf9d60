using System.Globalization;
using System.Text.Json;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>Web servers that die and that are drained, under downloads.</summary>
public sealed class HealthTests(GatewayBed bed) : GatewayTest(bed)
{
    private const int Downloads = 40, Bytes = 61_440;
    private const string Source = "10.1.0.250";

    [SystemFact("curl", "nginx", "socat")]
    public async Task Server_Killed_NewConnectionsGoElsewhereAndTheOthersNeverNotice()
    {
        const int Killed = 1;

        // Checks come from an address of the host beside the engine, on the servers' link.
        await TestNetwork.IpAsync(Bed.Network.Gateway,
            $"link add mg0 type veth peer name mgmt netns {Bed.Network.Gateway[..^"gateway".Length]}switch\nlink set mg0 addrgenmode none up\naddr add {Source}/24 dev mg0\n");
        await TestNetwork.IpAsync($"{Bed.Network.Gateway[..^"gateway".Length]}switch", "link set mgmt addrgenmode none master br0 up\n");
        await Gateway.ReloadAsync((Configuration with { Health = $"check: http, source: {Source}, interval: 100ms, timeout: 1s, fall: 2, rise: 1" }).ToYaml());
        Task<ProgramResult> running = await DownloadAsync();
        int killed = int.Parse(await File.ReadAllTextAsync(Path.Combine(Path.GetDirectoryName(Bed.NewPath("x"))!, $"{TestNetwork.BackendName(Killed)}.pid")),
            CultureInfo.InvariantCulture);
        (await ChildProgram.RunAsync(Bed.Network.Backend(Killed), ["kill", "-KILL", killed.ToString(CultureInfo.InvariantCulture)])).MustSucceed();
        string said = await Gateway.AwaitSaidAsync(line => line.Contains(" to down ", StringComparison.Ordinal));
        Assert.Contains($"service web backend {TestNetwork.Address(Killed)}:80: up to down (connection refused, 2 in a row)", said, StringComparison.Ordinal);

        string[] servers = await FetchAsync(60);
        Assert.Equal(60, servers.Length);
        Assert.Equal([TestNetwork.BackendName(0), TestNetwork.BackendName(2)], servers.Distinct().Order());
        JsonElement backend = (await Gateway.ReadStatusAsync()).GetProperty("services")[0].GetProperty("backends")[Killed];
        Assert.Equal(("down", true), (backend.GetProperty("state").GetString(), backend.GetProperty("active_flows").GetInt64() > 0));
        string[] ended = [.. (await running).Lines.Where(line => !line.StartsWith(TestNetwork.BackendName(Killed), StringComparison.Ordinal))];
        Assert.InRange(ended.Length, Downloads / 3, Downloads - 1);
        Assert.All(ended, line => Assert.EndsWith(string.Create(CultureInfo.InvariantCulture, $" 206 {Bytes} 0"), line, StringComparison.Ordinal));
    }

    [SystemFact("curl", "nginx", "socat")]
    public async Task Server_DrainedUnderDownloads_LosesNoneAndGetsNoNewOne()
    {
        const int Drained = 0;
        Task<ProgramResult> running = await DownloadAsync();
        string[] said = await Gateway.ReloadAsync((Configuration with { Drained = Drained }).ToYaml());
        Assert.Contains(said, line => line.Contains($"service web backend {TestNetwork.Address(Drained)}:80: up to draining", StringComparison.Ordinal));
        Assert.Contains(said, line => line.Contains(" kept, 0 moved, 0 ended", StringComparison.Ordinal));
        Assert.DoesNotContain(TestNetwork.BackendName(Drained), await FetchAsync(40));
        string[] ended = (await running).MustSucceed().Lines;
        Assert.Equal(Downloads, ended.Length);
        Assert.All(ended, line => Assert.EndsWith(string.Create(CultureInfo.InvariantCulture, $" 206 {Bytes} 0"), line, StringComparison.Ordinal));
        Assert.Contains(ended, line => line.StartsWith(TestNetwork.BackendName(Drained), StringComparison.Ordinal));
    }

    /// <summary>Begins downloads of three seconds each, and returns when all have begun.</summary>
    private async Task<Task<ProgramResult>> DownloadAsync()
    {
        string folder = Bed.NewPath("downloads");
        Directory.CreateDirectory(folder);
        Task<ProgramResult> running = Bed.AtClientAsync("curl", "-sS", "--no-keepalive", "--parallel", "--parallel-immediate", "--parallel-max", "40", "--max-time", "60",
            "--range", string.Create(CultureInfo.InvariantCulture, $"0-{Bytes - 1}"), "-w", "%header{x-backend} %{http_code} %{size_download} %{exitcode}\\n",
            "-o", folder + "/#1", $"http://{Service(4)}/slow?n=[1-{Downloads}]");
        while (Directory.EnumerateFiles(folder).Count(path => new FileInfo(path).Length > 0) < Downloads)
        {
            Assert.False(running.IsCompleted, "the downloads ended early");
            await Task.Delay(50);
        }

        return running;
    }

    /// <summary>Asks for the name of the server, each time by a connection of its own.</summary>
    private async Task<string[]> FetchAsync(int count) => (await Bed.AtClientAsync("curl", "-sS", "--fail", "--max-time", "20", "-H", "Connection: close",
        $"http://{Service(4)}/?n=[1-{count}]")).MustSucceed().Lines;
}
