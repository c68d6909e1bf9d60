using System.Globalization;
using System.Text.Json;
using Dataplane.Native;
using Dataplane.Succession;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>A process hands its ports and flows over to the next one while downloads, a connection and a stream of datagrams pass.</summary>
/// <remarks>Servers are chosen in turn and hosts inside are translated, so that nothing but the flows themselves can lead packets on.</remarks>
public sealed class HandOverTests(GatewayBed bed) : IClassFixture<GatewayBed>
{
    private const int Downloads = 12, Bytes = 60 * 1024;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private static readonly GatewayConfiguration s_configuration = new()
    {
        Balance = "round_robin",
        Weights = [1, 1, 1],
        Nat = ["inside: lan, outside: wan, pool: [ 198.51.100.20, \"2001:db8:1::20\" ]"],
    };

    [SystemTheory("curl", "nginx", "iperf3")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Successor_UnderDownloadsAndStreams_BreaksNone(int version)
    {
        string path = bed.NewPath("gateway.yaml"), socket = bed.NewPath("handover"), folder = bed.NewPath("downloads");
        Directory.CreateDirectory(folder);
        await using GatewayProgram first = await GatewayProgram.StartAsync(bed.Network.Gateway, path, s_configuration, "--handover", socket);
        await first.AwaitSaidAsync(line => line == "handover: nobody is there: cold start");
        string client = version == 4 ? TestNetwork.ClientAddress : TestNetwork.ClientAddress6;

        // Bound, because the client has several addresses, and answers to datagrams would leave by the one that the kernel prefers.
        await using ChildProgram stream = ChildProgram.Start(bed.Network.Client, "iperf3", "-s", "-B", client, "-p", "5301", "-1", "--forceflush");
        await using ChildProgram datagrams = ChildProgram.Start(bed.Network.Client, "iperf3", "-s", "-B", client, "-p", "5302", "-1", "--forceflush");
        await stream.AwaitLineAsync(line => line.Contains("listening", StringComparison.Ordinal));
        await datagrams.AwaitLineAsync(line => line.Contains("listening", StringComparison.Ordinal));
        Task<ProgramResult> streaming = ChildProgram.RunAsync(bed.Network.Backend(0), ["iperf3", "-c", client, "-p", "5301", "-t", "8", "-b", "50M", "-J"]);
        Task<ProgramResult> sending = ChildProgram.RunAsync(bed.Network.Backend(1), ["iperf3", "-u", "-c", client, "-p", "5302", "-t", "8", "-b", "4M", "-l", "500", "-J"]);
        Task<ProgramResult> downloading = bed.AtClientAsync("curl", "-sS", "--parallel", "--parallel-immediate", "--parallel-max", "50", "--max-time", "120",
            "--range", string.Create(CultureInfo.InvariantCulture, $"0-{Bytes - 1}"), "-w", "%header{x-backend} %{http_code} %{size_download} %{exitcode}\\n", "-o", folder + "/#1",
            $"http://{GatewayTest.Service(version)}/slow?n=[1-{Downloads}]");
        while (Directory.EnumerateFiles(folder).Count(file => new FileInfo(file).Length > 0) < Downloads)
        {
            Assert.False(downloading.IsCompleted, "the downloads ended early");
            await Task.Delay(50);
        }

        await using GatewayProgram second = await GatewayProgram.StartAsync(bed.Network.Gateway, path, s_configuration, "--handover", socket);
        string said = await second.AwaitSaidAsync(line => line.StartsWith("handover: took over ", StringComparison.Ordinal));
        Assert.Contains("; 2 ports passed, 0 reopened; ", said, StringComparison.Ordinal);
        await first.AwaitSaidAsync(line => line == "handed over");
        await first.EndAsync();
        string[] ended = [.. (await downloading).Lines];
        Assert.Equal(Downloads, ended.Length);
        Assert.All(ended, line => Assert.Matches(string.Create(CultureInfo.InvariantCulture, $"^b[012] 206 {Bytes} 0$"), line));
        Assert.Equal(TestNetwork.Backends, ended.Select(line => line[..2]).Distinct().Count());

        // A stream that broke would end its program with an error; of datagrams, all after the break would be missing.
        Assert.True(Sum((await streaming).MustSucceed(), "sum_received").GetProperty("bytes").GetInt64() > 8 * 50_000_000L / 8 / 2, said);
        JsonElement received = Sum((await sending).MustSucceed(), "sum");
        Assert.True(received.GetProperty("lost_packets").GetInt64() * 20 < received.GetProperty("packets").GetInt64(), $"{received}\n{said}");
        await second.StopAsync();
        Assert.False(File.Exists(socket));
    }

    /// <summary>The successor here is this process, which takes descriptors and flows and closes the connection, as the kernel does for one that is killed.</summary>
    [SystemFact("curl", "nginx", "socat")]
    public async Task Successor_ThatDiesAtEachMoment_ChangesNothing()
    {
        string path = bed.NewPath("gateway.yaml"), socket = bed.NewPath("handover");
        await using GatewayProgram first = await GatewayProgram.StartAsync(bed.Network.Gateway, path, s_configuration, "--handover", socket);
        for (int moment = 0; moment < 4; moment++)
        {
            using (var dying = new SuccessionChannel(UnixSocket.TryConnect(socket) ?? throw new InvalidOperationException("nobody listens")))
            {
                await Task.Run(() => Follow(dying, moment));
            }

            foreach (int version in new[] { 4, 6 })
            {
                ProgramResult result = await bed.AtClientAsync("curl", "-sS", "--max-time", "60", "-r", "0-9", "-o", "/dev/null", "-w", "%{size_download}", $"http://{GatewayTest.Service(version)}/big");
                Assert.Equal("10", result.MustSucceed().Output.Trim());
            }
        }

        await first.StopAsync();
    }

    /// <summary>Greets; takes both ports; loads the flows; waits until the other has stopped: each one step further.</summary>
    private static void Follow(SuccessionChannel channel, int steps)
    {
        channel.Send(SuccessionKind.Hello, SuccessionHello.Write());
        int queues = BitConverter.ToInt32(channel.Expect(SuccessionKind.Welcome, s_patience).Body, sizeof(ulong));
        Assert.Equal(2, queues);
        for (int queue = 0; queue < queues; queue++)
        {
            SuccessionMessage passed = channel.Expect(SuccessionKind.Queue, s_patience);
            Assert.NotNull(passed.Passed);
            passed.Passed.Dispose();
        }

        if (steps > 0)
        {
            channel.Send(SuccessionKind.Takes, [1, 1]);
        }

        while (steps > 1)
        {
            SuccessionMessage message = channel.Receive(s_patience);
            message.Passed?.Dispose();
            Assert.NotEqual(SuccessionKind.Gone, message.Kind);
            if (message.Kind == SuccessionKind.Stopped || (steps == 2 && message.Kind == SuccessionKind.Flows))
            {
                return;
            }

            if (message.Kind == SuccessionKind.Flows)
            {
                channel.Send(SuccessionKind.Loaded);
            }
        }
    }

    private static JsonElement Sum(ProgramResult result, string name)
    {
        JsonElement whole = JsonDocument.Parse(result.Output).RootElement;
        Assert.True(whole.GetProperty("end").TryGetProperty(name, out JsonElement sum), result.Output);
        return sum;
    }
}
