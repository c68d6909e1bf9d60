using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Numerics;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>
/// Opens stream ports: frames over a Unix or TCP socket as QEMU (<c>-netdev stream</c>) and passt speak them, or over TLS 1.3. Needs no privilege.
/// </summary>
/// <remarks>
/// Before each frame stands its length, 32 bits, big-endian. The port opens at once and its link comes up when a peer is there: a client tries again for as
/// long as it takes, a server waits, and takes one peer at a time. Without TLS whoever reaches the socket is the peer, and what passes can be read and
/// changed on the way: leave that to Unix sockets and hosts that are yours.
/// </remarks>
/// <param name="address">Where to listen or connect to: a <see cref="UnixDomainSocketEndPoint"/> or an <see cref="IPEndPoint"/>.</param>
/// <param name="role">The server listens, the client connects.</param>
public sealed class StreamPortFactory(EndPoint address, PortRole role = PortRole.Client) : IPortFactory
{
    private const int DefaultMtu = 1500;
    private const int MostMtu = 65_000;
    private const int MostRingFrames = 65_536;

    /// <inheritdoc/>
    public string Kind => "stream";

    /// <summary>Certificates for TLS 1.3 on both sides; null: frames travel in the clear.</summary>
    public StreamTls? Tls { get; init; }

    /// <summary>Hardware address that the port sends from; null: one derived from name, address and role.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>Largest layer 3 packet in bytes, 576 to 65,000; null: 1500. Longer frames from the peer are passed over and counted as errors.</summary>
    public int? Mtu { get; init; }

    /// <summary>Frames that may wait in each direction, a power of two from 2 to 65,536. More are dropped and counted, or left to the peer.</summary>
    public int RingFrames { get; init; } = 1024;

    /// <summary>Longest time from connect to the end of the TLS handshake.</summary>
    internal TimeSpan? HandshakeTimeout { get; init; }

    /// <summary>Where connections come from in place of a socket of the port's own.</summary>
    internal StreamHub? Hub { get; init; }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public IPort Open(string name)
    {
        ArgumentNullException.ThrowIfNull(address);
        Require(name, address is IPEndPoint or UnixDomainSocketEndPoint,
            $"address is {address.GetType().Name}: a Unix socket or an IP address with a port is needed.");
        Require(name, Mtu is null or >= 576 and <= MostMtu, $"Mtu is {Mtu}: 576 to {MostMtu} are allowed.");
        Require(name, RingFrames is >= 2 and <= MostRingFrames && BitOperations.IsPow2(RingFrames),
            $"RingFrames is {RingFrames}: a power of two from 2 to {MostRingFrames} is allowed.");
        Require(name, (long)RingFrames * (Mtu ?? DefaultMtu) <= 1 << 29, $"RingFrames of {Mtu ?? DefaultMtu} bytes take more than 512 MB: ask for fewer.");
        Require(name, Tls is null or { Certificate.Length: > 0, Key.Length: > 0, Ca.Length: > 0, Peer.Length: > 0 },
            "Tls needs all of Certificate, Key, Ca and Peer.");
        string identity = string.Create(CultureInfo.InvariantCulture, $"{name} {address} {role}");
        var settings = new StreamSettings(name, address, role, Tls, Mac ?? DerivedMac.FromName(identity), Mtu ?? DefaultMtu, RingFrames) { Hub = Hub };
        try
        {
            return new StreamPort(HandshakeTimeout is { } timeout ? settings with { HandshakeTimeout = timeout } : settings);
        }
        catch (IOException error) when (error is not Native.LinuxException)
        {
            throw new IOException($"Port {name} (stream): {error.Message}", error);
        }
    }

    private static void Require(string name, bool holds, string problem)
    {
        if (!holds)
            throw new ArgumentException($"Port {name} (stream): {problem}");
    }
}
