using System.Buffers.Binary;
using System.Text;
using Dataplane.Balancing;
using Dataplane.Hashing;
using Dataplane.Packets;

namespace Dataplane.Snapshots;

/// <summary>Writes a state: head, what each slot is, blocks of flows, and at the end how many there are and a checksum (CRC32C) of everything before it.</summary>
/// <remarks>Numbers are little-endian. See docs/STATE.md for the layout.</remarks>
internal sealed class StateWriter(Stream target)
{
    public const uint Version = 2;
    public const int HeadBytes = 32, TailBytes = 12;

    private uint _remainder = uint.MaxValue;
    private long _flows;

    /// <summary>The first bytes of every state.</summary>
    public static ReadOnlySpan<byte> Magic => "dpstate\n"u8;

    /// <summary>Writes the head, and which slots there are.</summary>
    public async Task BeginAsync(DateTimeOffset now, IReadOnlyCollection<BackendSlot> slots, CancellationToken cancellationToken)
    {
        byte[] head = new byte[HeadBytes];
        Magic.CopyTo(head);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(12), SavedFlow.Bytes);
        BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(16), now.ToUnixTimeMilliseconds());
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(24), slots.Count);
        await WriteAsync(head, cancellationToken).ConfigureAwait(false);
        using var names = new MemoryStream();
        foreach (BackendSlot slot in slots)
        {
            WriteIdentity(names, slot);
        }

        await WriteAsync(names.GetBuffer().AsMemory(0, (int)names.Length), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Writes a block of flows.</summary>
    public async Task AddAsync(SavedFlow[] flows, int count, CancellationToken cancellationToken)
    {
        byte[] block = new byte[sizeof(int) + (count * SavedFlow.Bytes)];
        BinaryPrimitives.WriteInt32LittleEndian(block, count);
        for (int i = 0; i < count; i++)
        {
            flows[i].Write(block.AsSpan(sizeof(int) + (i * SavedFlow.Bytes)));
        }

        _flows += count;
        await WriteAsync(block, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Writes the end.</summary>
    /// <returns>How many flows there are.</returns>
    public async Task<long> EndAsync(CancellationToken cancellationToken)
    {
        byte[] tail = new byte[sizeof(int) + TailBytes];
        BinaryPrimitives.WriteInt64LittleEndian(tail.AsSpan(sizeof(int)), _flows);
        _remainder = Crc32C.Append(_remainder, tail.AsSpan(0, sizeof(int) + sizeof(long)));
        BinaryPrimitives.WriteUInt32LittleEndian(tail.AsSpan(sizeof(int) + sizeof(long)), ~_remainder);
        await target.WriteAsync(tail, cancellationToken).ConfigureAwait(false);
        await target.FlushAsync(cancellationToken).ConfigureAwait(false);
        return _flows;
    }

    private static void WriteIdentity(MemoryStream names, BackendSlot slot)
    {
        BackendSlots.Identity identity = slot.Identity;
        byte[] name = Encoding.UTF8.GetBytes(identity.Nat);
        byte[] bytes = new byte[StateReader.IdentityBytes + name.Length];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, slot.Number);
        WriteAddress(bytes.AsSpan(4), identity.Service);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(21), identity.ServicePort);
        bytes[23] = identity.Protocol;
        WriteAddress(bytes.AsSpan(24), identity.Address);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(41), identity.Port);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(43), (ushort)name.Length);
        bytes[45] = identity.ServicePrefix;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(46), identity.ServiceLastPort);
        name.CopyTo(bytes, StateReader.IdentityBytes);
        names.Write(bytes);
    }

    /// <summary>Family and 16 bytes.</summary>
    private static void WriteAddress(Span<byte> bytes, IpAddress address)
    {
        bytes[0] = address.IsNone ? (byte)0 : (byte)address.Family;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[1..], address.High);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[9..], address.Low);
    }

    private async Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        _remainder = Crc32C.Append(_remainder, bytes.Span);
        await target.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
    }
}
