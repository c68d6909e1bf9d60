using Dataplane.Packets;
using Dataplane.Ports;

namespace Dataplane.Configuration;

/// <summary>The rules for the keys of stream ports.</summary>
internal static class StreamChecks
{
    /// <summary>Longest path of a file (PATH_MAX), and far more than a name has.</summary>
    private const int MaxTextLength = 4095;

    public static void Check(Checks checks, PortSpec port, string path)
    {
        if (port.Kind != PortKind.Stream)
        {
            return;
        }

        if (!string.IsNullOrEmpty(port.Endpoint))
        {
            CheckEndpoint(checks, port, $"{path}.endpoint");
        }

        if (port.Tls is { } tls)
        {
            CheckText(checks, $"{path}.tls.certificate", tls.Certificate, "a file with the port's own certificate");
            CheckText(checks, $"{path}.tls.key", tls.Key, "a file with the key of the certificate");
            CheckText(checks, $"{path}.tls.ca", tls.Ca, "a file with the authorities that the peer's certificate may come from");
            CheckText(checks, $"{path}.tls.peer", tls.Peer,
                "the name that the peer's certificate must have, such as gw2.example.org or spiffe://example.org/gw2,");
        }
    }

    private static void CheckEndpoint(Checks checks, PortSpec port, string path)
    {
        if (!string.IsNullOrEmpty(port.Socket))
        {
            checks.Error(path, "is there beside a socket: a port has one of the two", port.Endpoint);
        }

        if (!StreamSockets.TryParse(port.Endpoint, out IpAddress address, out _))
        {
            checks.Error(path, "is not an address with a port from 1 to 65535, such as 198.51.100.1:7000 or \"[2001:db8::1]:7000\"", port.Endpoint);
        }
        else if (address.IsMulticast || address.IsLimitedBroadcast)
        {
            checks.Error(path, "is not the address of one host", port.Endpoint);
        }
        else if (port.Role == PortRole.Client && address.IsUnspecified)
        {
            checks.Error(path, "is no address that can be connected to: role client needs the server's, and role server listens", port.Endpoint);
        }
    }

    private static void CheckText(Checks checks, string path, string? text, string what)
    {
        if (string.IsNullOrEmpty(text))
        {
            checks.Error(path, $"is missing: {what} is needed");
        }
        else if (text.Length > MaxTextLength || text.Contains('\0', StringComparison.Ordinal))
        {
            checks.Error(path, $"is not usable: 1 to {MaxTextLength} characters without a zero are needed", text);
        }
    }
}
