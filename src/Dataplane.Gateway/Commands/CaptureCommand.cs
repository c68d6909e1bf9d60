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

    private static readonly Option s_size = new("-C", "SIZE", "go on in another file once one has more than SIZE million bytes; with k, m or g behind it: KiB, MiB, GiB");
    private static readonly Option s_period = new("-G", "SECONDS", "go on in another file after so many seconds; FILE is a format of strftime(3)");
    private static readonly Option s_files = new("-W", "COUNT", "with -C: so many files, the oldest written anew; with -G alone: end after so many files");

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
          dataplane capture --drops -w drops.pcapng -C 100 -W 10      the last 1,000 MB of what is dropped, in drops.pcapng0 to drops.pcapng9
        """;

    public override IReadOnlyList<string> Positionals => ["[FILTER...]"];

    public override IReadOnlyList<Option> Options => [s_write, s_port, s_drops, s_count, s_snap, s_seconds, s_bytes, s_size, s_period, s_files, BridgeOptions.Socket];

    public override async Task<int> RunAsync(Arguments arguments, Output output)
    {
        string filter = FilterOf(arguments);
        CaptureRotation? files = FilesOf(arguments);
        string id = Guid.NewGuid().ToString("N"), path = $"/v1/captures/{id}";
        using ControlClient client = BridgeOptions.Connect(arguments);
        using Stream packets = await client.OpenAsync($"{path}?{Query(arguments, filter, files)}").ConfigureAwait(false);
        using var signals = new Signals(PosixSignal.SIGINT, PosixSignal.SIGTERM);
        await output.Error.WriteLineAsync("capturing, until it is interrupted or has all it was asked for").ConfigureAwait(false);
        using var done = new CancellationTokenSource();
        Task<CaptureFigures?> interrupted = EndBySignalAsync(client, path, signals, done.Token);
        bool isRead = await CopyAsync(arguments.Get(s_write), files, packets, output).ConfigureAwait(false);
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
    private static async Task<bool> CopyAsync(string? file, CaptureRotation? rotation, Stream packets, Output output)
    {
        if (rotation is not null)
        {
            await using var files = new CaptureFiles(rotation, TimeProvider.System);
            await files.CopyAsync(packets).ConfigureAwait(false);
            return true;
        }

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

        using Stream into = Console.OpenStandardOutput();
        try
        {
            await packets.CopyToAsync(into).ConfigureAwait(false);
            return true;
        }
        catch (IOException)
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

    /// <summary>The files to be written; null for lines, and for standard output.</summary>
    private static CaptureRotation? FilesOf(Arguments arguments)
    {
        bool isAsked = arguments.Has(s_size) || arguments.Has(s_period) || arguments.Has(s_files);
        if (arguments.Get(s_write) is not { } path || path == "-")
        {
            return isAsked ? throw new UsageException("-C, -G and -W are about the files of -w FILE.") : null;
        }

        if (arguments.Has(s_files) && !arguments.Has(s_size) && !arguments.Has(s_period))
        {
            throw new UsageException("-W is the number of files that -C or -G make.");
        }

        long? size = arguments.Get(s_size) is not { } text ? null
            : CaptureRotation.ReadSize(text) ?? throw new UsageException($"-C \"{text}\": is no size: a number of millions of bytes, or one with k, m or g behind it.");
        var files = new CaptureRotation(path, size, (int?)arguments.GetNumber(s_period, 1, int.MaxValue), (int?)arguments.GetNumber(s_files, 1, 1_000_000));
        return files.Problem is { } problem ? throw new UsageException(problem) : files;
    }

    private static string Query(Arguments arguments, string filter, CaptureRotation? files)
    {
        // What -G and -W come to is an end by time.
        long? seconds = arguments.GetNumber(s_seconds, 1, int.MaxValue);
        if (files is { FileBytes: null, Seconds: { } period, Files: { } periods })
        {
            seconds = Math.Min(seconds ?? int.MaxValue, (long)period * periods);
        }

        (string Name, string? Value)[] asked =
        [
            ("filter", filter.Length == 0 ? null : filter), ("text", arguments.Has(s_write) ? null : "1"), ("packets", Number(arguments, s_count, 1, long.MaxValue)),
            ("snap", Number(arguments, s_snap, 64, ushort.MaxValue)), ("seconds", seconds?.ToString(CultureInfo.InvariantCulture)), ("bytes", Number(arguments, s_bytes, 1, long.MaxValue)),
        ];
        return string.Join('&', asked.Where(each => each.Value is not null).Select(each => $"{each.Name}={Uri.EscapeDataString(each.Value!)}"));
    }

    private static string? Number(Arguments arguments, Option option, long least, long most) => arguments.GetNumber(option, least, most)?.ToString(CultureInfo.InvariantCulture);
}
