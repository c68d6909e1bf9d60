using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>Sockets of stream ports: how they are made, set and described.</summary>
internal static class StreamSockets
{
    /// <summary>
    /// After so long without an acknowledgement the peer counts as gone; else one that lost its power would keep the port to itself for a quarter of an hour.
    /// </summary>
    private const int SilenceSeconds = 30;

    private const int ProbeAfterSeconds = 10, ProbeIntervalSeconds = 5, Probes = 4;

    /// <summary>Milliseconds for which sent data may stay unacknowledged (linux/tcp.h); the runtime has no name for it.</summary>
    private const int TCP_USER_TIMEOUT = 18;

    /// <summary>A socket for an address.</summary>
    internal static Socket Open(EndPoint address) =>
        new(address.AddressFamily, SocketType.Stream, address is IPEndPoint ? ProtocolType.Tcp : ProtocolType.Unspecified);

    /// <summary>Sets a connected socket: frames go at once, and a peer that is gone is noticed.</summary>
    internal static void Prepare(Socket socket)
    {
        if (socket.AddressFamily == AddressFamily.Unix)
            return;
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, ProbeAfterSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, ProbeIntervalSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, Probes);
        socket.SetRawSocketOption((int)SocketOptionLevel.Tcp, TCP_USER_TIMEOUT, BitConverter.GetBytes(SilenceSeconds * 1000));
    }

    /// <summary>The other end of a connected socket, as people write it; clients of Unix sockets have no name.</summary>
    internal static string PeerOf(Socket socket) => socket.RemoteEndPoint switch
    {
        IPEndPoint address => StreamSettings.TextOf(address),
        { } path when path.ToString() is { Length: > 0 } text => text,
        _ => "a Unix socket",
    };

    /// <summary>Reads <c>198.51.100.1:7000</c> or <c>[2001:db8::1]:7000</c>.</summary>
    internal static bool TryParse(string text, out IpAddress address, out ushort port)
    {
        port = 0;
        int colon = text.LastIndexOf(':');
        string host = colon > 0 ? text[..colon] : "";
        bool isBracketed = host.Length > 2 && host.StartsWith('[') && host.EndsWith(']');
        return IpAddress.TryParse(isBracketed ? host[1..^1] : host, out address) && address.IsIpv6 == isBracketed
            && ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port) && port > 0;
    }

    /// <summary>The address of a Unix socket; <c>@name</c> is a name in the abstract space, which leaves no file behind (unix(7)).</summary>
    /// <exception cref="ArgumentException">The path is empty, too long or has a zero in it.</exception>
    internal static EndPoint UnixAddress(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new UnixDomainSocketEndPoint(path.StartsWith('@') ? $"\0{path[1..]}" : path);
    }

    /// <summary>The address that a specification names.</summary>
    /// <exception cref="ArgumentException">It names none.</exception>
    internal static EndPoint AddressOf(PortSpec spec)
    {
        if (spec.Endpoint.Length == 0)
            return UnixAddress(spec.Socket);
        if (!TryParse(spec.Endpoint, out IpAddress address, out ushort port))
        {
            throw new ArgumentException(
                $"Port {spec.Name} (stream): \"{spec.Endpoint}\" is not an address with a port, such as 198.51.100.1:7000 or [2001:db8::1]:7000.");
        }

        Span<byte> bytes = stackalloc byte[IpAddress.V6LengthBytes];
        return new IPEndPoint(new IPAddress(bytes[..address.Write(bytes)]), port);
    }

    /// <summary>The exception for a call that the system refused.</summary>
    internal static LinuxException Refused(string call, StreamSettings settings, SocketException error, string? remedy)
    {
        string family = settings.Address.AddressFamily switch
        {
            AddressFamily.Unix => "AF_UNIX",
            AddressFamily.InterNetworkV6 => "AF_INET6",
            _ => "AF_INET",
        };
        return new LinuxException(error.NativeErrorCode, $"{call}({family})", $"port {settings.Name}, {settings.AddressText}", remedy);
    }
}
