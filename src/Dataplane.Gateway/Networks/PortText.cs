using System.Globalization;

namespace Dataplane.Gateway.Networks;

/// <summary>Published ports as Docker and compose write them: <c>[HOST:]PORT[-END]:PORT[-END][/PROTOCOL]</c>.</summary>
internal static class PortText
{
    /// <exception cref="FormatException">It is not of that form; the message says what is wrong with it.</exception>
    public static PublishedPort Parse(string text)
    {
        string rest = text, protocol = "tcp";
        if (rest.LastIndexOf('/') is >= 0 and int slash)
        {
            (rest, protocol) = (rest[..slash], rest[(slash + 1)..]);
        }

        int last = rest.LastIndexOf(':');
        (int first, int count) = Range(text, rest[(last + 1)..]);
        if (last < 0)
        {
            throw new FormatException($"\"{text}\": the host's port is missing; {text}:{text} is what a port published under its own number looks like.");
        }

        rest = rest[..last];
        int before = rest.LastIndexOf(':');
        (int hostFirst, int hostCount) = Range(text, rest[(before + 1)..]);
        if (hostCount != count)
        {
            throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"\"{text}\": {hostCount} ports of the host cannot lead to {count} of the container."));
        }

        string host = before < 0 ? "" : rest[..before].Trim('[', ']');
        return host.Length == 0 || System.Net.IPAddress.TryParse(host, out _)
            ? new PublishedPort(hostFirst, first) { HostAddress = host, Protocol = protocol, Count = count }
            : throw new FormatException($"\"{text}\": \"{host}\" is not an address of the host.");
    }

    private static (int First, int Count) Range(string whole, string text)
    {
        string[] ends = text.Split('-');
        return ends.Length <= 2 && Read(ends[0], out int first) && Read(ends[^1], out int last) && last >= first
            ? (first, last - first + 1)
            : throw new FormatException($"\"{whole}\": \"{text}\" is not a port from 1 to 65535, or a range such as 8000-8010.");
    }

    private static bool Read(string text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is >= 1 and <= 65535;
}
