using System.Globalization;
using System.Runtime.InteropServices;
using Dataplane.Capturing;
using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;
using Dataplane.Gateway.Status;

namespace Dataplane.Gateway.Commands;

/// <summary>Captures packets of a running gateway, each with what became of it.</summary>
internal sealed class CaptureCommand : Command
{
    private static readonly Option s_write = new("-w", "FILE", "write pcapng to a file, - for standard output; without it, print one line per packet");
    private static readonly Option s_port = new("--port", "NAME", "only what this port receives and sends") { IsRepeatable = true };
    private static readonly Option s_drops = new("--drops", "", "only what is dropped, with the reason");
    private static readonly Option s_count = new("-c", "COUNT", "end after so many packets");
    private static readonly Option s_snap = new("-s", "BYTES", "keep so many bytes of each packet, 64 to 65535; all of it without this");
    private static readonly Option s_seconds = new("--seconds", "NUMBER", "end after this time");
    private static readonly Option s_bytes = new("--bytes", "NUMBER", "end once so many bytes of pcapng are written");

    public override string Name => "capture";

    public override string Summary => "capture packets of a running gateway, each with what became of it: pcapng, or a line each";

    public override string Details => """
        A packet is seen as it comes and as it leaves; each says its verdict, the drop reason, and the rule, backend and next hop that decided (in pcapng as
        its comment). Forwarding does not wait: packets the reader is too slow for are counted, and told at the end.

        FILTER, as tcpdump has it: [src|dst] host ADDRESS, net PREFIX, port NUMBER, portrange A-B; ip, ip6, arp, tcp, udp, icmp, icmp6, proto NAME|NUMBER;
        inbound, outbound, on PORT; dropped, reason NAME, held; flow ADDRESS:PORT ADDRESS:PORT (both directions, before and behind translation);
        and, or, not, parentheses.

          dataplane capture dropped and net 10.1.0.0/24
          dataplane capture -w - tcp port 443 | tcpdump -nr -
        """;

    public override IReadOnlyList<string> Positionals => ["[FILTER...]"];

    public override IReadOnlyList<Option> Options => [s_write, s_port, s_drops, s_count, s_snap, s_seconds, s_bytes, BridgeOptions.Socket];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        string filter = FilterOf(arguments);
        string id = Guid.NewGuid().ToString("N"), path = $"/v1/captures/{id}";
        using ControlClient client = BridgeOptions.Connect(arguments);
        using Stream packets = await client.OpenAsync($"{path}?{Query(arguments, filter)}").ConfigureAwait(false);
        using var signals = new Signals(PosixSignal.SIGINT, PosixSignal.SIGTERM);
        await output.Error.WriteLineAsync("capturing, until it is interrupted or has all it was asked for").ConfigureAwait(false);
        using var done = new CancellationTokenSource();
        Task<CaptureFigures?> interrupted = EndBySignalAsync(client, path, signals, done.Token);
        bool isRead = await CopyAsync(arguments.Get(s_write), packets, output).ConfigureAwait(false);
        await done.CancelAsync().ConfigureAwait(false);
        CaptureFigures? figures = await interrupted.ConfigureAwait(false);
        if (!isRead)
        {
            return ExitCode.Ok;
        }

        figures ??= await client.SendAsync(HttpMethod.Delete, path, null, StatusJson.Default.CaptureFigures).ConfigureAwait(false);
        await output.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
            $"{figures.Captured} {(figures.Captured == 1 ? "packet" : "packets")} captured, {figures.NotCaptured} not captured for want of room")).ConfigureAwait(false);
        return ExitCode.Ok;
    }

    /// <summary>Ends the capture by the first signal; what has been captured still comes.</summary>
    private static async Task<CaptureFigures?> EndBySignalAsync(ControlClient client, string path, Signals signals, CancellationToken done)
    {
        try
        {
            await signals.NextAsync(done).ConfigureAwait(false);
            return await client.SendAsync(HttpMethod.Delete, path, null, StatusJson.Default.CaptureFigures).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    /// <returns>False when whoever was to read it has ended.</returns>
    private static async Task<bool> CopyAsync(string? file, Stream packets, Output output)
    {
        if (file is null)
        {
            using var lines = new StreamReader(packets);
            while (await lines.ReadLineAsync().ConfigureAwait(false) is { } line)
            {
                await output.Out.WriteLineAsync(line).ConfigureAwait(false);
                await output.Out.FlushAsync().ConfigureAwait(false);
            }

            return true;
        }

        using Stream into = file == "-" ? Console.OpenStandardOutput() : new FileStream(file, FileMode.Create, FileAccess.Write, FileShare.Read);
        try
        {
            await packets.CopyToAsync(into).ConfigureAwait(false);
            return true;
        }
        catch (IOException) when (file == "-")
        {
            // A pipe that nobody reads any more, as behind "| head".
            return false;
        }
    }

    private static string FilterOf(Arguments arguments)
    {
        string filter = string.Join(' ', arguments.Positionals);
        if (!CaptureFilter.TryParse(filter, out _, out string error))
        {
            throw new UsageException(error + ".");
        }

        string[] parts =
        [
            arguments.Has(s_drops) ? "dropped" : "", string.Join(" or ", arguments.GetAll(s_port).Select(port => $"on {port}")), filter,
        ];
        parts = [.. parts.Where(part => part.Length > 0)];
        return parts.Length < 2 ? string.Concat(parts) : string.Join(" and ", parts.Select(part => $"({part})"));
    }

    private static string Query(Arguments arguments, string filter)
    {
        (string Name, string? Value)[] asked =
        [
            ("filter", filter.Length == 0 ? null : filter), ("text", arguments.Has(s_write) ? null : "1"), ("packets", Number(arguments, s_count, 1, long.MaxValue)),
            ("snap", Number(arguments, s_snap, 64, ushort.MaxValue)), ("seconds", Number(arguments, s_seconds, 1, int.MaxValue)), ("bytes", Number(arguments, s_bytes, 1, long.MaxValue)),
        ];
        return string.Join('&', asked.Where(each => each.Value is not null).Select(each => $"{each.Name}={Uri.EscapeDataString(each.Value!)}"));
    }

    private static string? Number(Arguments arguments, Option option, long least, long most) => arguments.GetNumber(option, least, most)?.ToString(CultureInfo.InvariantCulture);
}
