using System.Globalization;
using System.Numerics;
using System.Text;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>Opens memif ports: rings in memory shared with VPP, DPDK (net_memif) or another data plane. Needs no privilege.</summary>
/// <remarks>
/// Version 2.0 of the protocol, Ethernet mode. The port opens at once and its link comes up when the peer is there: a client tries again
/// for as long as it takes, a server waits. A peer may be anyone who can connect to the socket; it can send what it likes, but it cannot make
/// this process read or write outside the shared memory, nor change a frame after it was judged. Limits: memory must be sealed against
/// shrinking, so DPDK's <c>zero-copy=yes</c> is refused; <b>no</b> IP mode, <b>no</b> private headers.
/// </remarks>
/// <param name="socketPath">Path of the control socket, up to 107 bytes; <c>@name</c> is a name in the abstract space, which DPDK uses unless told
/// <c>socket-abstract=no</c>.</param>
/// <param name="id">Number of the connection on the socket; several ports of one process may share a socket.</param>
/// <param name="role">The server listens, the client connects and makes the memory.</param>
public sealed class MemifPortFactory(string socketPath, uint id = 0, PortRole role = PortRole.Client) : IPortFactory, IQueueFactory
{
    private const int DefaultMtu = 1500;
    private const int LeastBufferBytes = 128;
    private const int MostBufferBytes = 65_472;

    /// <inheritdoc/>
    public string Kind => "memif";

    /// <summary>Shape of the connection.</summary>
    public MemifOptions Options { get; init; } = new();

    /// <summary>Hardware address that the port sends from; null: one derived from name, socket, id and role.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>Largest layer 3 packet in bytes; null: 1500. Longer frames from the peer are passed over and counted as errors.</summary>
    public int? Mtu { get; init; }

    /// <summary>Who may connect (server, not in the abstract space): the mode of the socket's file, whose bits to write count; null: as the process's umask says.</summary>
    public UnixFileMode? SocketMode { get; init; }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The options are out of range.</exception>
    public IPort Open(string name) => MemifAgent.Open(SettingsFor(name));

    /// <inheritdoc/>
    IQueuedPort IQueueFactory.OpenQueues(string name, IReadOnlyList<int> workers, Func<int, AfXdpMemories> memoriesOf)
    {
        var all = new MemifPortFactory(socketPath, id, role) { Options = Options with { Queues = workers.Count }, Mac = Mac, Mtu = Mtu, SocketMode = SocketMode };
        return MemifAgent.Open(all.SettingsFor(name), [.. workers.Distinct()]);
    }

    private MemifSettings SettingsFor(string name)
    {
        Check(name);
        string identity = string.Create(CultureInfo.InvariantCulture, $"{name} {socketPath} {id} {role}");
        return new MemifSettings(name, socketPath, id, role, Options, Mac ?? DerivedMac.FromName(identity), Mtu ?? DefaultMtu) { SocketMode = SocketMode };
    }

    private void Check(string name)
    {
        Require(name, Options.Queues is >= 1 and <= MemifSettings.MaxQueues, $"Queues is {Options.Queues}: 1 to {MemifSettings.MaxQueues} are allowed.");
        Require(name, Options.RingEntries is >= 2 and <= 1 << MemifSettings.MaxOrder && BitOperations.IsPow2(Options.RingEntries),
            $"RingEntries is {Options.RingEntries}: a power of two from 2 to {1 << MemifSettings.MaxOrder} is allowed.");
        Require(name, Options.BufferBytes is >= LeastBufferBytes and <= MostBufferBytes && Options.BufferBytes % 64 == 0,
            $"BufferBytes is {Options.BufferBytes}: a multiple of 64 from {LeastBufferBytes} to {MostBufferBytes} is allowed.");
        Require(name, Encoding.UTF8.GetByteCount(Options.Secret) <= MemifSettings.SecretBytes,
            $"Secret has {Encoding.UTF8.GetByteCount(Options.Secret)} bytes: {MemifSettings.SecretBytes} at most are allowed.");
        Require(name, Mtu is null or >= 576 and <= 65_000, $"Mtu is {Mtu}: 576 to 65000 are allowed.");
        long bytes = MemifSettings.RegionBytes(Options);
        Require(name, bytes <= Native.SharedRegion.MaxBytes, $"Queues, RingEntries and BufferBytes make {bytes} bytes: {Native.SharedRegion.MaxBytes} are allowed.");
    }

    private static void Require(string name, bool holds, string problem)
    {
        if (!holds)
            throw new ArgumentException($"Port {name} (memif): {problem}");
    }
}
