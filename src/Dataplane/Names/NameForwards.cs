using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Dataplane.Packets;
using Dataplane.Pipeline;
using Dataplane.Ports;
using Dataplane.Routing;

namespace Dataplane.Names;

/// <summary>Two rings between one worker and those who ask upstream: queries out, responses back. Neither side ever waits for the other.</summary>
/// <remarks>A message lies behind where it came from: the key of the query's flow, port and VLAN.</remarks>
internal sealed class NameForwards
{
    /// <summary>Flow key (40 bytes), port, VLAN, serial number of a connection.</summary>
    public const int HeadBytes = 48;

    /// <summary>Longest query that is handed on.</summary>
    public const int MaxQueryBytes = 512;

    private const int Slots = 256;

    private readonly FrameRing _queries = new(Slots, FrameRing.HeadroomBytes + HeadBytes + MaxQueryBytes + 16);
    private readonly FrameRing _responses = new(Slots, (FrameRing.HeadroomBytes + HeadBytes + DnsWire.MaxUdpBytes + 63) & ~63);
    private readonly byte[] _query = new byte[HeadBytes + MaxQueryBytes];
    private readonly Lock _responding = new();
    private readonly ConcurrentQueue<byte[]> _streamed = new();
    private readonly IPortWaker _worker;

    public NameForwards(IPortWaker worker, IPortWaker asker)
    {
        _worker = worker;
        _queries.SetWaker(asker);
        _responses.SetWaker(worker);
    }

    /// <summary>Hands a query on. The worker's thread.</summary>
    /// <returns>False when it is too long, or too many wait.</returns>
    public bool TryAsk(in FlowKey key, L3Interface received, ReadOnlySpan<byte> message, uint serial = 0)
    {
        if (message.Length > MaxQueryBytes || _queries.Reserve(1) == 0)
        {
            return false;
        }

        MemoryMarshal.Write(_query, in key);
        BinaryPrimitives.WriteUInt16LittleEndian(_query.AsSpan(40), received.Port);
        BinaryPrimitives.WriteUInt16LittleEndian(_query.AsSpan(42), received.Vlan);
        BinaryPrimitives.WriteUInt32LittleEndian(_query.AsSpan(44), serial);
        message.CopyTo(_query.AsSpan(HeadBytes));
        _queries.Write(_query.AsSpan(0, HeadBytes + message.Length));
        _queries.Publish();
        return true;
    }

    /// <summary>Makes packets of the responses that have come. The worker's thread.</summary>
    /// <returns>True when there were any.</returns>
    public bool Originate(WorkerContext context)
    {
        int count = _responses.Take(PacketBatch.Capacity / 2);
        for (int back = count; back > 0; back--)
        {
            ReadOnlySpan<byte> entry = _responses.TakenFrame(back);
            int via = context.Tables.InterfaceMap.Find(BinaryPrimitives.ReadUInt16LittleEndian(entry[40..]), BinaryPrimitives.ReadUInt16LittleEndian(entry[42..]));
            if (via >= 0)
            {
                FlowKey key = MemoryMarshal.Read<FlowKey>(entry);
                NameStage.Originate(context, context.Tables.Interfaces[via], in key, entry[HeadBytes..]);
            }
        }

        _responses.ReleaseTaken();
        if (_streamed.TryDequeue(out byte[]? streamed))
        {
            // One a time: each may become as many packets as a batch has room for.
            FlowKey key = MemoryMarshal.Read<FlowKey>(streamed);
            context.Names.Streams.Complete(context, in key, BinaryPrimitives.ReadUInt32LittleEndian(streamed.AsSpan(44)), streamed.AsSpan(HeadBytes));
            return true;
        }

        return count > 0;
    }

    /// <summary>Takes a query out. The asking side, one loop.</summary>
    /// <returns>Head and message; null when there is none, and then the next one wakes.</returns>
    public byte[]? TakeQuery()
    {
        if (_queries.Take(1) == 0)
        {
            return null;
        }

        byte[] query = _queries.TakenFrame(1).ToArray();
        _queries.ReleaseTaken();
        return query;
    }

    /// <summary>Sends a response back; when the worker is behind, it is lost as on any network. Any thread.</summary>
    public void Respond(ReadOnlySpan<byte> head, ReadOnlySpan<byte> message)
    {
        if (MemoryMarshal.Read<FlowKey>(head).Protocol == IpProtocols.Tcp)
        {
            // As many as there are connections; too long for the ring.
            _streamed.Enqueue([.. head[..HeadBytes], .. message]);
            _worker.Wake();
            return;
        }

        byte[] response = [.. head[..HeadBytes], .. message[..Math.Min(message.Length, DnsWire.MaxUdpBytes)]];
        lock (_responding)
        {
            if (_responses.Reserve(1) > 0)
            {
                _responses.Write(response);
                _responses.Publish();
            }
        }
    }
}
