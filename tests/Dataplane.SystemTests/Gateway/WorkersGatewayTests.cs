using System.Text.Json;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>Big files and iperf3 with two workers: each port is another's, so every packet crosses between them, and many twice.</summary>
public sealed class WorkersDownloadTests(GatewayBed bed) : DownloadTests(bed)
{
    internal override GatewayConfiguration Configuration { get; } = new() { Workers = 2 };

    [SystemFact("curl", "nginx", "socat")]
    public async Task Status_AfterConnections_BothWorkersHaveFlowsAndHaveHandedOver()
    {
        for (int i = 0; i < 20; i++)
            (await Bed.AtClientAsync("curl", "-sS", "--fail", "--max-time", "10", $"http://{Service(4)}/")).MustSucceed();
        JsonElement[] workers = [.. (await Gateway.ReadStatusAsync()).GetProperty("workers").EnumerateArray()];
        Assert.Equal(["wan", "lan"], workers.SelectMany(worker => worker.GetProperty("ports").EnumerateArray()).Select(port => port.GetString()));
        Assert.All(workers, worker => Assert.True(worker.GetProperty("flows").GetInt32() > 0 && worker.GetProperty("handed_over").GetInt64() > 0
            && worker.GetProperty("busy_ns").GetInt64() > 0, worker.ToString()));
    }
}

/// <summary>The file changes while traffic runs through two workers.</summary>
public sealed class WorkersReloadTests(GatewayBed bed) : ReloadTests(bed)
{
    internal override GatewayConfiguration Configuration { get; } = new() { Workers = 2 };
}
