using System.Text;
using System.Text.Json;
using Dataplane.SystemTests.Support;

namespace Dataplane.SystemTests.Gateway;

/// <summary>A gateway that forwards is captured: what tcpdump reads of it, and what it says became of each packet.</summary>
public class CaptureTests(GatewayBed bed) : GatewayTest(bed)
{
    private readonly string _socket = bed.NewPath("gateway.sock");

    internal override GatewayConfiguration Configuration { get; } = new() { Rules = ["name: no-admin, action: deny, protocol: tcp, to_port: 8080"] };

    internal override string[] Options => ["--control", _socket];

    [SystemTheory("curl", "nginx", "socat", "tcpdump")]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Capture_OfConnections_IsReadByTcpdumpAndSaysWhatBecameOfThem(int version)
    {
        string file = Bed.NewPath("all.pcapng");
        await using ChildProgram capture = await CaptureAsync("-w", file, "tcp");
        string page = (await Bed.AtClientAsync("curl", "-sS", "--fail", "--max-time", "10", $"http://{Service(version)}/")).MustSucceed().Output.Trim();
        ProgramResult refused = await Bed.AtClientAsync("curl", "-sS", "--max-time", "1", $"http://{Service(version)}:8080/");
        Assert.NotEqual(0, refused.ExitCode);
        ProgramResult ended = (await capture.TerminateAsync("INT")).MustSucceed();
        Assert.Matches("^[1-9][0-9]* packets captured, 0 not captured", string.Join('\n', ended.Error.Split('\n').Where(line => line.Contains("captured,", StringComparison.Ordinal))));

        string read = (await Bed.AtClientAsync("tcpdump", "-n", "-r", file)).MustSucceed().Output;
        string service = version == 4 ? GatewayConfiguration.Service : GatewayConfiguration.Service6;
        string backend = Backend(version, page[^1] - '0');
        Assert.Contains($"> {service}.80: Flags [S]", read, StringComparison.Ordinal);
        Assert.Contains($"> {backend}.80: Flags [S]", read, StringComparison.Ordinal);
        Assert.Contains($"{service}.80 >", read, StringComparison.Ordinal);
        Assert.Contains("HTTP: HTTP/1.1 200 OK", read, StringComparison.Ordinal);
        string bytes = Encoding.Latin1.GetString(await File.ReadAllBytesAsync(file));
        Assert.Contains("dropped: filter_rule; rule no-admin", bytes, StringComparison.Ordinal);
        Assert.Contains($"service {(version == 4 ? "web" : "web6")} backend ", bytes, StringComparison.Ordinal);
        JsonElement accounting = await Gateway.ReadStatusAsync();
        Assert.Contains("filter_rule", accounting.GetRawText(), StringComparison.Ordinal);
    }

    [SystemFact("curl", "nginx", "socat", "tcpdump")]
    public async Task Capture_OfDrops_IsPrintedWithTheRule()
    {
        await using ChildProgram capture = await CaptureAsync("--drops", "-c", "1", "tcp", "dst", "port", "8080");
        await Bed.AtClientAsync("curl", "-sS", "--fail", "--max-time", "10", $"http://{Service(4)}/");
        await Bed.AtClientAsync("curl", "-sS", "--max-time", "1", $"http://{Service(4)}:8080/");
        string line = await capture.AwaitLineAsync(each => each.Contains(" wan in TCP ", StringComparison.Ordinal));
        Assert.Contains(": dropped: filter_rule; rule no-admin", line, StringComparison.Ordinal);
        await capture.Exited;
        Assert.Single(capture.Output);
    }

    private async Task<ChildProgram> CaptureAsync(params string[] words)
    {
        var capture = ChildProgram.Start(Bed.Network.Gateway, [.. Programs.Dataplane, "capture", "--socket", _socket, .. words]);
        await capture.AwaitLineAsync(line => line.StartsWith("capturing", StringComparison.Ordinal));
        return capture;
    }
}

/// <summary>The same with two workers, each of which has one of the ports.</summary>
public sealed class WorkersCaptureTests(GatewayBed bed) : CaptureTests(bed)
{
    internal override GatewayConfiguration Configuration { get; } = new() { Workers = 2, Rules = ["name: no-admin, action: deny, protocol: tcp, to_port: 8080"] };
}
