using Dataplane.Native;
using Dataplane.Native.Tests;
using Dataplane.Pipeline;
using Dataplane.SystemTests.Support;
using Dataplane.Telemetry;

namespace Dataplane.SystemTests.Ports;

/// <summary>Real TCP and UDP through TAP devices: super-frames from end to end, cut in software, and not at all.</summary>
public sealed class TapTrafficTests
{
    [SystemTheory("iperf3")]
    [InlineData(4, false)]
    [InlineData(6, false)]
    [InlineData(4, true)]
    [InlineData(6, true)]
    public async Task TapToTap_Tcp_CrossesInSuperFrames(int version, bool service)
    {
        await using TapBed bed = await TapBed.StartAsync(BedPort.Tap, BedPort.Tap);
        Assert.Equal("offload: checksums, TCP and UDP super-frames", bed.PortOf("client").Description);
        await AssertSuperFramesAsync(bed, version, service);
    }

    [SystemTheory("iperf3")]
    [InlineData(4, false, true, true)]
    [InlineData(6, true, true, true)]
    [InlineData(4, true, true, false)]
    [InlineData(6, false, false, true)]
    public async Task VethAndTap_Tcp_CrossesInSuperFrames(int version, bool service, bool clientOnVeth, bool serverOnVeth)
    {
        await using TapBed bed = await TapBed.StartAsync(BedPort.Tap with { Packet = clientOnVeth }, BedPort.Tap with { Packet = serverOnVeth });
        await AssertSuperFramesAsync(bed, version, service);
    }

    // What the kernel's own stack finds wrong it counts; segments that a TAP without offloads gets are finished by us.
    [SystemTheory("iperf3", "tcpdump")]
    [InlineData(4, false)]
    [InlineData(6, true)]
    public async Task TapToTapWithoutOffload_Tcp_IsCutAndEveryChecksumIsRight(int version, bool service)
    {
        await using TapBed bed = await TapBed.StartAsync(BedPort.Tap, BedPort.PlainTap);
        await AssertCutAsync(bed, version, service);
    }

    [SystemTheory("iperf3", "tcpdump")]
    [InlineData(4, true)]
    [InlineData(6, false)]
    public async Task TapToVethWithoutOffload_Tcp_IsCutAndEveryChecksumIsRight(int version, bool service)
    {
        await using TapBed bed = await TapBed.StartAsync(BedPort.Tap, BedPort.PlainVeth);
        await AssertCutAsync(bed, version, service);
    }

    [SystemTheory("iperf3")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task TapToTap_UdpAndShortMessages_Arrive(int version)
    {
        await using TapBed bed = await TapBed.StartAsync(BedPort.Tap, BedPort.Tap);
        Assert.InRange(await bed.RunIperfAsync("--client", TapBed.Target(version, service: false), "--udp", "--bitrate", "5M", "--length", "999", "--bytes", "300K"),
            1, long.MaxValue);
        await bed.StopAsync();
    }

    // One system call with 30 datagrams of 1,000 bytes and one of 7 (UDP_SEGMENT), answered by what came.
    [SystemTheory("python3")]
    [InlineData(4, true, false)]
    [InlineData(6, true, false)]
    [InlineData(4, false, false)]
    [InlineData(6, false, false)]
    [InlineData(4, true, true)]
    [InlineData(6, true, true)]
    public async Task UdpSuperFrame_ToEitherKind_ArrivesAsDatagrams(int version, bool offload, bool veth)
    {
        await using TapBed bed = await TapBed.StartAsync(BedPort.Tap with { Packet = veth }, BedPort.Tap with { Packet = veth, Offload = offload });
        string family = version == 4 ? "AF_INET" : "AF_INET6";
        await using var receiver = ChildProgram.Start(bed.Server.Name, "python3", "-u", "-c", $"""
            import socket
            s = socket.socket(socket.{family}, socket.SOCK_DGRAM); s.bind(('{(version == 4 ? "0.0.0.0" : "::")}', 7000)); print('bound')
            got = [s.recv(65535) for _ in range(31)]
            print([len(d) for d in got] == [1000] * 30 + [7], b''.join(got) == bytes(i * 7 % 251 for i in range(30007)))
            """);
        await receiver.AwaitLineAsync(line => line == "bound");
        (await ChildProgram.RunAsync(bed.Client.Name, ["python3", "-c", $"""
            import socket
            s = socket.socket(socket.{family}, socket.SOCK_DGRAM); s.setsockopt(17, 103, 1000)
            s.sendto(bytes(i * 7 % 251 for i in range(30007)), ('{TapBed.Target(version, service: false)}', 7000))
            """])).MustSucceed();
        Assert.Equal("True True", await receiver.AwaitLineAsync(line => line.StartsWith("True", StringComparison.Ordinal) || line.StartsWith("False", StringComparison.Ordinal)));
        Assert.Equal(offload ? 1 : 0, bed.PortOf("server").Statistics.TransmittedSuperFrames);
        Accounting accounting = await bed.StopAsync();
        Assert.Equal(offload ? 0 : 1, accounting.DroppedFor(DropReason.ConsumedSegmented));
    }

    [SystemFact("iperf3")]
    public async Task OffloadOff_Tcp_PassesFramesOfTheWire()
    {
        await using TapBed bed = await TapBed.StartAsync(BedPort.PlainTap, BedPort.PlainTap);
        Assert.Equal("", bed.PortOf("client").Description);
        Assert.InRange(await bed.RunIperfAsync("--client", TapBed.Target(4, service: false), "--bytes", "10M"), 1_000_000, long.MaxValue);
        Assert.Equal(0, bed.PortOf("client").Statistics.ReceivedSuperFrames);
        await bed.StopAsync();
    }

    private static async Task AssertSuperFramesAsync(TapBed bed, int version, bool service)
    {
        long bytes = await bed.RunIperfAsync("--client", TapBed.Target(version, service), "--bytes", "100M");
        Assert.InRange(bytes, 50_000_000, long.MaxValue);
        PortStatus client = bed.PortOf("client"), server = bed.PortOf("server");
        Assert.InRange(client.Statistics.ReceivedSuperFrames, 100, client.Statistics.ReceivedPackets);
        Assert.Equal(client.Statistics.ReceivedSuperFrames, server.Statistics.TransmittedSuperFrames);
        Assert.Equal((0L, 0L, 0L), (server.Statistics.TransmitRefused, server.Statistics.Errors, client.Statistics.Errors));

        // Without them it would take 72,000.
        Assert.InRange(server.Statistics.TransmittedPackets, 100, 40_000);
        Accounting accounting = await bed.StopAsync();
        Assert.Equal((0L, 0L), (accounting.DroppedFor(DropReason.ConsumedSegmented), accounting.DroppedFor(DropReason.BadOffload)));
    }

    private static async Task AssertCutAsync(TapBed bed, int version, bool service)
    {
        string path = Path.Combine(Path.GetTempPath(), $"dataplane-{bed.Server.Name}.pcap");
        try
        {
            await using PacketCapture capture = await PacketCapture.StartAsync(bed.Server.Name, "e0", path, filter: "tcp");
            await bed.RunIperfAsync("--client", TapBed.Target(version, service), "--bytes", "20M");
            Assert.InRange(await capture.AssertChecksumsAsync(), 1000, int.MaxValue);
        }
        finally
        {
            File.Delete(path);
        }

        Assert.InRange(bed.PortOf("client").Statistics.ReceivedSuperFrames, 10, long.MaxValue);
        Assert.Equal(0, bed.PortOf("server").Statistics.TransmittedSuperFrames);
        Accounting accounting = await bed.StopAsync();
        Assert.InRange(accounting.DroppedFor(DropReason.ConsumedSegmented), 10, long.MaxValue);
        Assert.InRange(accounting.Originated, 1000, long.MaxValue);
    }
}
