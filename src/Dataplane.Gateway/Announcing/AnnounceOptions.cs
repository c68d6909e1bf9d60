using Dataplane.Gateway.CommandLine;

namespace Dataplane.Gateway.Announcing;

/// <summary>How a gateway is to announce what it serves, as its command line says.</summary>
/// <param name="Device">Name of the device that the routes lead to.</param>
/// <param name="Table">Routing table of the routes.</param>
/// <param name="Linger">How long to forward after all was withdrawn, before the end.</param>
internal sealed record AnnounceOptions(string Device, byte Table, TimeSpan Linger)
{
    /// <summary>The highest that is not one of the kernel's own.</summary>
    private const byte MaxTable = 252;

    private const byte DefaultTable = 117;
    private const int DefaultLingerMs = 2000, MaxDeviceBytes = 15;

    private static readonly Option s_device = new("--announce", "DEVICE", "keep routes to the addresses that are served, by a TAP device of this name, for a routing daemon");
    private static readonly Option s_table = new("--announce-table", "N", "with --announce: the routing table they are in, 1 to 252; 117 if not given");
    private static readonly Option s_linger = new("--linger", "MS", "with --announce: how long to forward at the end, when they are withdrawn, 0 to 3600000; 2000 if not given");

    /// <summary>The options of the command line.</summary>
    public static IReadOnlyList<Option> Options { get; } = [s_device, s_table, s_linger];

    /// <summary>Reads them; null when nothing is to be announced.</summary>
    /// <exception cref="UsageException">One does not go with the others, or is not what it may be.</exception>
    public static AnnounceOptions? Read(Arguments arguments)
    {
        byte table = (byte)(arguments.GetNumber(s_table, 1, MaxTable) ?? DefaultTable);
        long lingerMs = arguments.GetNumber(s_linger, 0, 3_600_000) ?? DefaultLingerMs;
        if (arguments.Get(s_device) is not { } device)
        {
            return new[] { s_table, s_linger }.FirstOrDefault(arguments.Has) is { } alone
                ? throw new UsageException($"{alone.Name} needs --announce DEVICE, which says by what.")
                : null;
        }

        return device.Length is >= 1 and <= MaxDeviceBytes && device.All(sign => char.IsAsciiLetterOrDigit(sign) || sign is '-' or '_' or '.')
            ? new AnnounceOptions(device, table, TimeSpan.FromMilliseconds(lingerMs))
            : throw new UsageException($"--announce \"{device}\": is not the name of a device: 1 to 15 letters, digits, '-', '_' or '.', such as services0.");
    }
}
