using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Dataplane.Mesh.Relay;

/// <summary>How the relay's sockets are set.</summary>
internal static class Sockets
{
    // linux/in.h, linux/in6.h, linux/netfilter_ipv4.h, asm-generic/socket.h; the runtime has no names for them.
    private const int SOL_IP = 0, SOL_IPV6 = 41, SO_ORIGINAL_DST = 80, SOL_SOCKET = 1, SO_REUSEPORT = 15;

    private const int ProbeAfterSeconds = 60, ProbeIntervalSeconds = 10, Probes = 6;

    /// <summary>
    /// Sets a connected socket: pieces go at once, and a peer whose host is gone is noticed within two minutes. A peer that merely reads nothing is not
    /// such a one and may take as long as it likes, which is why TCP_USER_TIMEOUT is not set: it counts a window of zero.
    /// </summary>
    internal static void Prepare(Socket socket)
    {
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, ProbeAfterSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, ProbeIntervalSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, Probes);
    }

    /// <summary>A socket that listens.</summary>
    /// <exception cref="IOException">The address cannot be had; the message says how to mend it.</exception>
    internal static Socket Listen(ListenerSpec spec, bool isShared)
    {
        var socket = new Socket(spec.Listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            // The kernel tells the original destination of IPv4 only to sockets of IPv4, so such a listener does not take both.
            if (spec.Listen.Address.Equals(IPAddress.IPv6Any))
                socket.DualMode = spec.Original != OriginalDestination.Redirect;
            if (isShared)
                Share(socket);
            socket.Bind(spec.Listen);
            socket.Listen(1024);
            return socket;
        }
        catch (SocketException error)
        {
            socket.Dispose();
            string remedy = error.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "another process listens there: end it, choose another address, or set hand_over in both",
                SocketError.AddressNotAvailable => "no interface of this host has the address: give it to one, or listen at [::]",
                SocketError.AccessDenied => "ports below 1024 need CAP_NET_BIND_SERVICE: grant it, or choose another port",
                _ => "check the address",
            };
            throw new IOException($"listener {spec.Name}: cannot listen at {spec.Listen}: {error.Message}. Remedy: {remedy}.", error);
        }
    }

    /// <summary>A socket at an address at which others of the same user may listen too; it does not listen yet.</summary>
    /// <exception cref="SocketException">The address cannot be had.</exception>
    internal static Socket BindShared(IPEndPoint address)
    {
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (address.Address.Equals(IPAddress.IPv6Any))
                socket.DualMode = true;
            Share(socket);
            socket.Bind(address);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static void Share(Socket socket) => socket.SetRawSocketOption(SOL_SOCKET, SO_REUSEPORT, BitConverter.GetBytes(1));

    /// <summary>The socket among some that listens where a listener is to, taken out of them; null when there is none.</summary>
    internal static Socket? Inherited(ListenerSpec spec, List<Socket> sockets)
    {
        int at = sockets.FindIndex(socket => spec.Listen.Port != 0 && spec.Listen.Equals(socket.LocalEndPoint)
            && (!spec.Listen.Address.Equals(IPAddress.IPv6Any) || socket.DualMode == (spec.Original != OriginalDestination.Redirect)));
        Socket? found = at < 0 ? null : sockets[at];
        if (found is not null)
            sockets.RemoveAt(at);
        return found;
    }

    /// <summary>Closes so that the peer is told that something went wrong. Any thread; twice does no harm.</summary>
    internal static void Reset(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            // It is closed already.
        }

        socket.Dispose();
    }

    /// <summary>What a connection was meant for before netfilter redirected it; null when that is not known.</summary>
    internal static IPEndPoint? OriginalDestinationOf(Socket socket)
    {
        bool isIpv6 = socket.AddressFamily == AddressFamily.InterNetworkV6;
        Span<byte> address = stackalloc byte[28];
        try
        {
            // struct sockaddr_in: family, port, address; struct sockaddr_in6: family, port, flow, address.
            int length = socket.GetRawSocketOption(isIpv6 ? SOL_IPV6 : SOL_IP, SO_ORIGINAL_DST, isIpv6 ? address : address[..16]);
            if (length < (isIpv6 ? 24 : 8))
                return null;
        }
        catch (SocketException)
        {
            return null;
        }

        int port = BinaryPrimitives.ReadUInt16BigEndian(address[2..]);
        return new IPEndPoint(new IPAddress(isIpv6 ? address.Slice(8, 16) : address.Slice(4, 4)), port);
    }

    /// <summary>An end of a connection; IPv4 in IPv6 as IPv4, as people and policies write it.</summary>
    internal static IPEndPoint Plain(EndPoint? end)
    {
        var address = (IPEndPoint)end!;
        return address.Address.IsIPv4MappedToIPv6 ? new IPEndPoint(address.Address.MapToIPv4(), address.Port) : address;
    }
}
