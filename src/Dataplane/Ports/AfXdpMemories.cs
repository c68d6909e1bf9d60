using Dataplane.Native;
using Dataplane.Packets;

namespace Dataplane.Ports;

/// <summary>The memories that the AF_XDP ports of one worker share, so that frames pass from one to the other without a copy.</summary>
/// <remarks>A memory is registered with the kernel whole and cannot grow: it is made for as many ports as are about to be opened. Used by the control side.</remarks>
internal sealed class AfXdpMemories
{
    private const long MostBytes = 1 << 30;

    /// <summary>What a port puts together in one batch: 28 frames of 9,000 bytes, and little enough to be in the second-level cache when they leave.</summary>
    private const int GatherBytes = 256 << 10;

    private readonly List<XdpMemory> _memories = [];
    private int _expected = 1;

    /// <summary>Says how many ports will be opened next.</summary>
    public void Expect(int ports) => _expected = Math.Max(1, ports);

    /// <summary>A memory with room for a port: one that there is, else a new one.</summary>
    /// <param name="chunkBytes">Size of its chunks.</param>
    /// <param name="ringEntries">Entries of each of the port's rings.</param>
    /// <param name="hasFragments">Whether frames may lie in several chunks.</param>
    /// <param name="alone">Whether it must be new: the kernel does not let the port share.</param>
    public XdpMemory Take(int chunkBytes, int ringEntries, bool hasFragments, bool alone)
    {
        int chunks = ChunksFor(ringEntries);
        _memories.RemoveAll(memory => memory.IsClosed);
        XdpMemory? known = _memories.Find(memory => memory.ChunkBytes == chunkBytes && memory.ChunksPerPort == chunks && memory.GatherBytes > 0 == hasFragments && memory.HasRoom);
        if (known is not null && !alone)
        {
            return known;
        }

        int gatherBytes = hasFragments ? GatherBytes : 0, most = (int)Math.Clamp(MostBytes / (((long)chunks * chunkBytes) + gatherBytes), 1, XdpMemory.MaxPorts);
        var made = new XdpMemory(alone ? 1 : Math.Min(_expected, most), chunkBytes, chunks, gatherBytes);
        if (!alone)
        {
            _memories.Add(made);
        }

        return made;
    }

    /// <summary>Notes that one of the expected ports is open.</summary>
    public void Opened() => _expected = Math.Max(1, _expected - 1);

    /// <summary>What a port can hold at most: full rings either way, and a batch in hand.</summary>
    private static int ChunksFor(int ringEntries) => (2 * ringEntries) + PacketBatch.Capacity;
}
