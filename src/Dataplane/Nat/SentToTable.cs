using System.Numerics;
using Dataplane.Flows;
using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Nat;

/// <summary>The remote addresses that mapped ports have sent to, which filtering by address asks for. Fixed memory; used by one thread.</summary>
/// <remarks>Each stands for at least one flow, so there are never more than flows. Should one find no place all the same, who it stands for is not let in: it errs on
/// that side only.</remarks>
internal sealed class SentToTable
{
    private readonly FlowHash _hash;
    private readonly FlowBuckets _buckets;
    private readonly MappedArray<SentTo> _entries;
    private readonly Stack<int> _free;

    public SentToTable(FlowHash hash, int capacity)
    {
        _hash = hash;
        _buckets = new FlowBuckets(PortMappings.BucketsFor(capacity));
        _entries = new MappedArray<SentTo>(capacity);
        _free = PortMappings.AllFree(capacity);
    }

    public long MemoryBytes => _buckets.MemoryBytes + _entries.LengthBytes + ((long)_entries.Length * sizeof(int));

    /// <summary>Whether a mapped port has sent to an address.</summary>
    public bool Has(int mapping, IpAddress remote) => Find(mapping, remote, HashOf(mapping, remote)) >= 0;

    /// <summary>Notes one more flow that shows it.</summary>
    public void Add(int mapping, IpAddress remote)
    {
        uint hash = HashOf(mapping, remote);
        int index = Find(mapping, remote, hash);
        if (index >= 0)
        {
            _entries[index].Flows++;
        }
        else if (_free.TryPeek(out index) && _buckets.Add(hash, index))
        {
            _free.Pop();
            _entries[index] = new SentTo { RemoteHigh = remote.High, RemoteLow = remote.Low, Mapping = mapping, Flows = 1, Hash = hash };
        }
    }

    /// <summary>Takes a flow back.</summary>
    public void Remove(int mapping, IpAddress remote)
    {
        int index = Find(mapping, remote, HashOf(mapping, remote));
        if (index >= 0 && --_entries[index].Flows == 0)
        {
            _buckets.Remove(_entries[index].Hash, index);
            _free.Push(index);
        }
    }

    // The outside of a mapping is of one family, and so are the addresses it sends to.
    private uint HashOf(int mapping, IpAddress remote) => _hash.OfEndpoint(remote.High ^ ((ulong)mapping << 32), remote.Low, (ushort)mapping, 0);

    private int Find(int mapping, IpAddress remote, uint hash)
    {
        int index = _buckets.Next(hash, FlowBuckets.None);
        while (index >= 0 && (_entries[index].Mapping != mapping || _entries[index].RemoteLow != remote.Low || _entries[index].RemoteHigh != remote.High))
        {
            index = _buckets.Next(hash, index);
        }

        return index;
    }
}
