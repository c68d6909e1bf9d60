using System.Text.RegularExpressions;

namespace Dataplane.SystemTests.Support;

/// <summary>tcpdump writing what an interface receives, that is, what the other end has sent.</summary>
internal sealed partial class PacketCapture : IAsyncDisposable
{
    private readonly ChildProgram _tcpdump;
    private readonly string _home;

    private PacketCapture(ChildProgram tcpdump, string home, string path)
    {
        _tcpdump = tcpdump;
        _home = home;
        Path = path;
    }

    public string Path { get; }

    /// <summary>Starts and waits until it listens.</summary>
    /// <param name="home">Namespace.</param>
    /// <param name="device">Interface.</param>
    /// <param name="path">File to write.</param>
    /// <param name="direction"><c>in</c>, <c>out</c> or <c>inout</c>.</param>
    /// <param name="filter">What to capture.</param>
    public static async Task<PacketCapture> StartAsync(string home, string device, string path, string direction = "in", string filter = "")
    {
        // -U: each packet is in the file at once; -Z root: no change of user, whose home may not be written to.
        var tcpdump = ChildProgram.Start(home, ["tcpdump", "-i", device, "-Q", direction, "-U", "-B", "32768", "-Z", "root", "-w", path, .. filter.Length > 0 ? [filter] : Array.Empty<string>()]);
        await tcpdump.AwaitLineAsync(line => line.Contains("listening on", StringComparison.Ordinal));
        return new PacketCapture(tcpdump, home, path);
    }

    /// <summary>Stops and reads the file with tcpdump.</summary>
    public async Task<ProgramResult> StopAsync(params string[] options)
    {
        (await _tcpdump.TerminateAsync("INT")).MustSucceed();
        return (await ChildProgram.RunAsync(_home, ["tcpdump", "-n", "-r", Path, .. options])).MustSucceed();
    }

    /// <summary>Stops and asserts that tcpdump finds every checksum right; returns how many it looked at.</summary>
    public async Task<int> AssertChecksumsAsync()
    {
        string text = (await StopAsync("-vv")).Output;
        string[] wrong = [.. text.Split('\n').Where(line => WrongChecksum().IsMatch(line))];
        Assert.True(wrong.Length == 0, $"{wrong.Length} bad checksums, such as\n{string.Join('\n', wrong.Take(5))}");
        return text.Split("(correct)").Length + text.Split("udp sum ok").Length + text.Split("[icmp6 sum ok]").Length - 3;
    }

    /// <summary>As tcpdump says it of TCP, UDP, ICMP and the IPv4 header; a right checksum may well end in the digits bad.</summary>
    [GeneratedRegex(@"\((incorrect|bad|wrong)|\[?bad (udp |icmp6 |icmp )?cksum|wrong icmp")]
    private static partial Regex WrongChecksum();

    public ValueTask DisposeAsync() => _tcpdump.DisposeAsync();
}
