using Dataplane.Balancing;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Flows;

/// <summary>Makes the two entries of a flow whose destination is translated to a backend.</summary>
internal static class NatFlows
{
    private const int PortTries = 32;
    private const int FirstPort = 1024;

    /// <summary>Makes the flow.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="key">The flow as the client sends it.</param>
    /// <param name="hash">Hash of <paramref name="key"/>.</param>
    /// <param name="tcpFlags">Of its first packet.</param>
    /// <param name="source">The address it is to come from at the backend: the client's own as a rule.</param>
    /// <param name="backend">Where it is to go.</param>
    /// <param name="reason">Why it could not be made.</param>
    /// <returns>Index of the entry of this direction, or -1.</returns>
    public static int Create(WorkerContext context, in FlowKey key, uint hash, byte tcpFlags, IpAddress source, BackendRuntime backend, out DropReason reason) =>
        Create(context, in key, hash, tcpFlags, source, backend.Address, backend.PortFor(key.DestinationPort), backend, out reason);

    /// <summary>Makes the flow.</summary>
    /// <param name="context">The worker.</param>
    /// <param name="key">The flow as the client sends it.</param>
    /// <param name="hash">Hash of <paramref name="key"/>.</param>
    /// <param name="tcpFlags">Of its first packet.</param>
    /// <param name="source">The address it is to come from at the target.</param>
    /// <param name="target">Where it is to go.</param>
    /// <param name="targetPort">And to which port; of echo the identifier, which stays.</param>
    /// <param name="slot">Whose slot it is in.</param>
    /// <param name="reason">Why it could not be made.</param>
    /// <returns>Index of the entry of this direction, or -1.</returns>
    public static int Create(WorkerContext context, in FlowKey key, uint hash, byte tcpFlags, IpAddress source, IpAddress target, ushort targetPort,
        BackendRuntime slot, out DropReason reason)
    {
        if (!TryFindReverse(context, in key, hash, source, target, targetPort, out FlowKey back, out uint backHash, out ushort sourcePort))
        {
            reason = DropReason.NoFreePort;
            return -1;
        }

        FlowEntry forward = OneWay(in key, tcpFlags, source, sourcePort, target, targetPort, slot.Slot, slot.Generation);
        FlowEntry reverse = OneWay(in back, tcpFlags, key.Destination, key.DestinationPort, key.Source, key.SourcePort, slot.Slot, slot.Generation);
        (forward.Hash, reverse.Hash) = (hash, backHash);
        int index = context.Flows.InsertPair(in forward, in reverse, context.NowNs);
        reason = index < 0 ? DropReason.FlowTableFull : DropReason.None;
        return index;
    }

    /// <summary>One direction by itself: how its packets leave.</summary>
    public static FlowEntry OneWay(in FlowKey key, byte tcpFlags, IpAddress source, ushort sourcePort, IpAddress target, ushort targetPort, int slot, uint generation)
    {
        var entry = new FlowEntry
        {
            Key = key,
            NewSourceHigh = source.High,
            NewSourceLow = source.Low,
            NewDestinationHigh = target.High,
            NewDestinationLow = target.Low,
            NewPorts = ((uint)sourcePort << 16) | targetPort,
            State = TcpStates.First(key.Protocol, tcpFlags),
            Marks = TcpStates.FirstMarks(key.Protocol, tcpFlags),
            ChangesFamily = (byte)target.Family != key.Family,
            Backend = slot,
            BackendGeneration = generation,
            Path = FlowPath.None,
            InPort = FlowEntry.NoPort,
        };
        SetDeltas(ref entry);
        return entry;
    }

    /// <summary>
    /// The way back is keyed by backend and client alone. If the client already talks to this backend through another service from the
    /// same port, the two could not be told apart: then the client's port is translated as well, to the first that is free and does not make the
    /// way back another worker's.
    /// </summary>
    private static bool TryFindReverse(WorkerContext context, in FlowKey key, uint hash, IpAddress source, IpAddress target, ushort targetPort,
        out FlowKey back, out uint backHash, out ushort sourcePort)
    {
        // The identifier of an echo is both its ports, and its worker is chosen without it.
        sourcePort = key.SourcePort;
        bool isEcho = key.Protocol is IpProtocols.Icmp or IpProtocols.Icmpv6;
        for (int tries = 0; tries < (isEcho ? 1 : PortTries * context.Share.Count); tries++)
        {
            back = FlowKey.Create(target, targetPort, source, sourcePort, key.Protocol);
            backHash = context.Hash.Of(in back);
            if (context.Flows.Find(in back, backHash) < 0 && (isEcho || IsOwn(context, in back)))
            {
                return true;
            }

            sourcePort = (ushort)(FirstPort + ((hash + ((uint)tries * 7919)) % (65536 - FirstPort)));
        }

        (back, backHash) = (default, 0);
        return false;
    }

    private static bool IsOwn(WorkerContext context, in FlowKey reverse) => context.Share.Count == 1
        || context.Share.Owns(context.Hash.OfEndpoint(reverse.DestinationHigh, reverse.DestinationLow, reverse.DestinationPort, reverse.Protocol));

    /// <summary>Works out what the new addresses and ports add to checksums.</summary>
    public static void SetDeltas(ref FlowEntry entry)
    {
        ushort source = InternetChecksum.Delta(new UInt128(entry.Key.SourceHigh, entry.Key.SourceLow), new UInt128(entry.NewSourceHigh, entry.NewSourceLow));
        ushort target = InternetChecksum.Delta(new UInt128(entry.Key.DestinationHigh, entry.Key.DestinationLow),
            new UInt128(entry.NewDestinationHigh, entry.NewDestinationLow));
        entry.AddressDelta = InternetChecksum.Combine(source, target);
        if (entry.State == FlowState.IcmpQuery)
        {
            // The identifier stands in the message once, and only ICMPv6 covers addresses (RFC 4443 2.3). Between the families it covers the length too, which packets differ in.
            ushort identifier = InternetChecksum.Delta(entry.Key.SourcePort, (ushort)entry.NewPorts);
            entry.TransportDelta = entry.Key.Family == 4 || entry.ChangesFamily ? identifier : InternetChecksum.Combine(entry.AddressDelta, identifier);
            return;
        }

        entry.TransportDelta = InternetChecksum.Combine(entry.AddressDelta, InternetChecksum.Delta((uint)(entry.Key.Transport >> 32), entry.NewPorts));
    }
}
