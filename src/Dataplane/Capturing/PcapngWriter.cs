using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Dataplane.Pipeline;

namespace Dataplane.Capturing;

/// <summary>Writes blocks of pcapng (draft-ietf-opsawg-pcapng): nanoseconds, Ethernet, little-endian; an interface for each port, named as it is.</summary>
internal sealed class PcapngWriter
{
    private const uint SectionBlock = 0x0A0D_0D0A, InterfaceBlock = 1, PacketBlock = 6;
    private const ushort OptionComment = 1, OptionApplication = 4, OptionName = 2, OptionDescription = 3, OptionResolution = 9, OptionFlags = 2, OptionLost = 4;
    private const int MostComments = 4096;

    private readonly Dictionary<string, uint> _interfaces = [];
    private readonly Dictionary<Decision, byte[]> _comments = [];
    private readonly int _snapLengthBytes;
    private byte[] _buffer = new byte[1 << 18];
    private int _used;

    /// <summary>Begins a section.</summary>
    /// <param name="filter">What is captured, for the comment.</param>
    /// <param name="snapLengthBytes">The most bytes of a packet.</param>
    public PcapngWriter(string filter, int snapLengthBytes)
    {
        _snapLengthBytes = snapLengthBytes;
        int block = BeginBlock(SectionBlock);
        U32(0x1A2B_3C4D);
        U32(1);                                // version 1.0
        U32(uint.MaxValue);                    // length not known
        U32(uint.MaxValue);
        Option(OptionApplication, "dataplane"u8);
        if (filter.Length > 0)
        {
            Option(OptionComment, Encoding.UTF8.GetBytes("filter: " + filter));
        }

        EndBlock(block);
    }

    /// <summary>What has been written and not been taken.</summary>
    public ReadOnlyMemory<byte> Pending => _buffer.AsMemory(0, _used);

    /// <summary>Forgets what has been taken.</summary>
    public void Clear() => _used = 0;

    /// <summary>Writes a packet.</summary>
    /// <param name="record">What became of it.</param>
    /// <param name="frame">Its bytes.</param>
    /// <param name="unixNs">Its time.</param>
    /// <param name="lost">Packets not captured since the one before.</param>
    public void Write(in CaptureRecord record, ReadOnlySpan<byte> frame, long unixNs, long lost)
    {
        uint number = InterfaceOf(CaptureWords.PortOf(in record, record.Direction == CaptureDirection.Sent ? record.OutPort : record.InPort));
        int block = BeginBlock(PacketBlock);
        U32(number);
        U32((uint)((ulong)unixNs >> 32));
        U32((uint)unixNs);
        U32((uint)frame.Length);
        U32((uint)record.Length);
        Padded(frame);
        Option(OptionComment, CommentOf(in record));
        Span<byte> value = stackalloc byte[8];
        BinaryPrimitives.WriteUInt32LittleEndian(value, record.Direction switch { CaptureDirection.Received => 1u, CaptureDirection.Sent => 2u, _ => 0u });
        Option(OptionFlags, value[..4]);
        if (lost > 0)
        {
            BinaryPrimitives.WriteInt64LittleEndian(value, lost);
            Option(OptionLost, value);
        }

        EndBlock(block);
    }

    private uint InterfaceOf(string port)
    {
        if (_interfaces.TryGetValue(port, out uint number))
        {
            return number;
        }

        number = (uint)_interfaces.Count;
        _interfaces[port] = number;
        int block = BeginBlock(InterfaceBlock);
        U32(1);                                // Ethernet
        U32((uint)_snapLengthBytes);
        Option(OptionName, Encoding.UTF8.GetBytes(port.Length == 0 ? "engine" : port));
        Option(OptionDescription, port.Length == 0 ? "packets of the engine that were not sent"u8 : "port of the data plane"u8);
        Option(OptionResolution, [9]);
        EndBlock(block);
        return number;
    }

    /// <summary>The same few things become of most packets: they are put into words once.</summary>
    private byte[] CommentOf(in CaptureRecord record)
    {
        var decision = new Decision(record.Tables, record.Rule, record.HasFlow ? record.Backend : CaptureRecord.None, record.NextHop, record.SegmentBytes, record.InPort, record.OutPort,
            record.Verdict, record.Reason, record.Hold, record.Direction, record.Origin, record.IsLocal, record.IsUnfinished);
        if (_comments.TryGetValue(decision, out byte[]? known))
        {
            return known;
        }

        if (_comments.Count >= MostComments)
        {
            _comments.Clear();
        }

        return _comments[decision] = Encoding.UTF8.GetBytes(CaptureWords.Outcome(in record));
    }

    private int BeginBlock(uint type)
    {
        int start = _used;
        U32(type);
        U32(0);
        return start;
    }

    private void EndBlock(int start)
    {
        U32(0);                                // end of options
        uint length = (uint)(_used - start + 4);
        U32(length);
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer.AsSpan(start + 4), length);
    }

    private void Option(ushort code, ReadOnlySpan<byte> value)
    {
        U32(code | ((uint)value.Length << 16));
        Padded(value);
    }

    private void U32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Take(4), value);

    private void Padded(ReadOnlySpan<byte> bytes)
    {
        Span<byte> room = Take((bytes.Length + 3) & ~3);
        bytes.CopyTo(room);
        room[bytes.Length..].Clear();
    }

    private Span<byte> Take(int bytes)
    {
        if (_used + bytes > _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _used + bytes));
        }

        Span<byte> room = _buffer.AsSpan(_used, bytes);
        _used += bytes;
        return room;
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Decision(ForwardingTables? Tables, int Rule, int Backend, int NextHop, int SegmentBytes, ushort InPort, ushort OutPort, Verdict Verdict, DropReason Reason, HoldReason Hold,
        CaptureDirection Direction, CaptureOrigin Origin, bool IsLocal, bool IsUnfinished);
}
