using System.Diagnostics;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;
using Dataplane.Gateway.Status;
using Dataplane.Gateway.Tests.Support;
using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Gateway.Tests.Commands;

/// <summary>A running gateway is captured from outside: lines and files that say what became of each packet.</summary>
public sealed class CaptureCommandTests : IAsyncLifetime, IDisposable
{
    private const string Client = "198.51.100.9", WanMac = "02:00:00:00:01:01", LanMac = "02:00:00:00:02:01", ClientMac = "02:00:00:00:00:09", BackendMac = "02:00:00:00:00:0b";

    private readonly TemporaryFolder _folder = new();
    private readonly MemoryPort _wan = new(new MemoryPortOptions()), _lan = new(new MemoryPortOptions());
    private DataplaneEngine _engine = null!;
    private ControlServer _control = null!;

    public async Task InitializeAsync()
    {
        _engine = new DataplaneBuilder().Port("wan", PortSource.Memory(_wan)).Port("lan", PortSource.Memory(_lan))
            .Interface("wan", "198.51.100.1/24", mac: WanMac).Interface("lan", "10.1.0.1/24", mac: LanMac)
            .Neighbour("wan", Client, ClientMac).Neighbour("lan", "10.1.0.11", BackendMac)
            .Filter(f => f.Deny(name: "no-ssh", protocol: 6, toPort: "22").DefaultAllow())
            .Service("dns", "203.0.113.53", 53, service => service.Udp().Backend("10.1.0.11", 5353)).Build();
        await _engine.StartAsync();
        _control = await GatewayControl.StartAsync(Socket, _engine);
    }

    public async Task DisposeAsync()
    {
        await _control.DisposeAsync();
        await _engine.DisposeAsync();
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Capture_WithoutAFile_PrintsWhatBecameOfEachPacket()
    {
        Ended ended = await WhileSendingAsync("-c", "3", "not", "arp");
        Assert.Equal(3, ended.Lines.Length);
        Assert.Contains(" wan in UDP 198.51.100.9:4000 > 203.0.113.53:53, length 47: sent by lan; rule default; service dns backend 10.1.0.11:5353; next hop on-link on lan", ended.Output, StringComparison.Ordinal);
        Assert.Contains(" lan out UDP 198.51.100.9:4000 > 10.1.0.11:5353, length 47: received on wan; rule default; service dns", ended.Output, StringComparison.Ordinal);
        Assert.Contains(" wan in TCP 198.51.100.9:4001 > 10.1.0.11:22, length 54: dropped: filter_rule; rule no-ssh", ended.Output, StringComparison.Ordinal);
        Assert.Contains("3 packets captured, 0 not captured for want of room", ended.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Capture_OfDrops_IsReadByTcpdump()
    {
        string file = _folder["drops.pcapng"];
        Ended ended = await WhileSendingAsync("--drops", "--port", "wan", "-c", "1", "-w", file, "tcp", "port", "22");
        Assert.Equal("", ended.Output);
        if (File.Exists("/usr/bin/tcpdump"))
        {
            using Process tcpdump = Process.Start(new ProcessStartInfo("/usr/bin/tcpdump", ["-nr", file]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            string read = await tcpdump.StandardOutput.ReadToEndAsync();
            await tcpdump.WaitForExitAsync();
            Assert.Contains("198.51.100.9.4001 > 10.1.0.11.22: Flags [S]", read, StringComparison.Ordinal);
        }

        Assert.Contains("dropped: filter_rule; rule no-ssh", System.Text.Encoding.UTF8.GetString(await File.ReadAllBytesAsync(file)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ExitCode.Usage, "filter, character 13: \"hots\": expected one of host", "dropped", "and", "hots", "10.1.0.1")]
    [InlineData(ExitCode.Failed, "There is no port \"x\"; the ports are wan, lan.", "--port", "x")]
    [InlineData(ExitCode.Usage, "64 to 65535", "-s", "10")]
    [InlineData(ExitCode.Usage, "about the files of -w FILE", "-C", "1")]
    [InlineData(ExitCode.Usage, "about the files of -w FILE", "-w", "-", "-G", "1")]
    [InlineData(ExitCode.Usage, "the number of files that -C or -G make", "-w", "x", "-W", "2")]
    [InlineData(ExitCode.Usage, "-C \"1x\": is no size", "-w", "x", "-C", "1x")]
    [InlineData(ExitCode.Usage, "%q is none of %a %A", "-w", "x-%Y-%q", "-G", "5")]
    [InlineData(ExitCode.Usage, "% is none of %a %A", "-w", "x%", "-G", "5")]
    public async Task Capture_AskedForWrongly_SaysWhatIsAllowed(int exitCode, string expected, params string[] words)
    {
        Ended ended = (await Called.WithAsync(["capture", .. words, "--socket", Socket])).With(exitCode);
        Assert.Contains(expected, ended.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Capture_InARingOfFiles_KeepsTheLast()
    {
        Ended ended = await WhileSendingAsync("-w", _folder["ring"], "-C", "1k", "-W", "3", "-c", "40", "not", "arp");
        Assert.Contains("40 packets captured", ended.Error, StringComparison.Ordinal);
        Assert.Equal(["ring0", "ring1", "ring2"], Directory.GetFiles(_folder[""], "ring*").Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task Capture_OfPeriods_EndsBehindTheLast()
    {
        // Nothing but the two options ends it.
        Ended ended = await WhileSendingAsync("-w", _folder["period-%s"], "-G", "1", "-W", "2", "not", "arp");
        Assert.Contains("packets captured", ended.Error, StringComparison.Ordinal);
        Assert.InRange(Directory.GetFiles(_folder[""], "period-*").Length, 1, 2);
    }

    private string Socket => _folder["gateway.sock"];

    private async Task<Ended> WhileSendingAsync(params string[] words)
    {
        Task<Ended> capture = Called.WithAsync(["capture", .. words, "--socket", Socket]);
        while (!capture.IsCompleted)
        {
            // Until the capture has what it asks for: when it begins is not known here.
            _wan.TrySend(PacketBuilder.Ethernet(ClientMac, WanMac).Ipv4(Client, "203.0.113.53").Udp(4000, 53).Payload("query").Build());
            _wan.TrySend(PacketBuilder.Ethernet(ClientMac, WanMac).Ipv4(Client, "10.1.0.11").Tcp(4001, 22, TcpFlags.Syn).Build());
            await Task.WhenAny(capture, Task.Delay(20));
        }

        return (await capture).With(ExitCode.Ok);
    }
}
