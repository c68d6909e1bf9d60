using System.Runtime.CompilerServices;

namespace Dataplane.Native;

/// <summary>From an IPv4 address to the number of its class, read without bounds checks. Immutable.</summary>
/// <remarks>
/// Tables by the first 16, the next 8 and the last 8 bits. A cell says where the next table begins, and in its lowest byte which bits of the address
/// count there. The cell of a class says that none count and leads to itself: so every way has three steps, and none is guessed. What the cells say is
/// checked once, when
/// they are handed over.
/// </remarks>
internal sealed unsafe class Ipv4ClassTable
{
    internal readonly uint[] Root;
    internal readonly uint[] Cells;

    /// <summary>Takes tables over; they must not be written to afterwards.</summary>
    /// <param name="root">By the first 16 bits: where the next table begins, shifted left by 8, and 255; or a class, shifted left by 8.</param>
    /// <param name="cells">The same for the other bits; at the beginning the cells of the classes.</param>
    /// <param name="classes">The number of classes.</param>
    /// <exception cref="ArgumentException">A table is too short, or a cell leads out of the tables.</exception>
    public Ipv4ClassTable(uint[] root, uint[] cells, int classes)
    {
        if (root.Length != 1 << 16 || cells.Length < classes)
            throw new ArgumentException($"{root.Length} and {cells.Length} cells are not 65536 and those of {classes} classes.", nameof(cells));
        for (int @class = 0; @class < classes; @class++)
        {
            if (cells[@class] != (uint)@class << 8)
                throw new ArgumentException($"Cell {@class} is 0x{cells[@class]:X8} and does not lead to itself.", nameof(cells));
        }

        Check(root, cells.Length, classes, nameof(root));
        Check(cells, cells.Length, classes, nameof(cells));
        (Root, Cells, Classes) = (root, cells, classes);
    }

    /// <summary>The number of classes.</summary>
    public int Classes { get; }

    /// <summary>Bytes of the tables.</summary>
    public long SizeBytes => sizeof(uint) * ((long)Root.Length + Cells.Length);

    /// <summary>The class of an address.</summary>
    public int Find(uint address)
    {
        fixed (uint* root = Root, cells = Cells)
            return (int)Walk(root, cells, address);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Walk(uint* root, uint* cells, uint address)
    {
        uint cell = root[address >> 16];
        cell = cells[(cell >> 8) + ((address >> 8) & cell & 0xFF)];
        cell = cells[(cell >> 8) + (address & cell & 0xFF)];
        return cell >> 8;
    }

    private static void Check(uint[] table, int length, int classes, string name)
    {
        foreach (uint cell in table)
        {
            if ((byte)cell is not (0 or byte.MaxValue) || (cell >> 8) + (byte)cell >= ((byte)cell == 0 ? (uint)classes : (uint)length))
                throw new ArgumentException($"A cell with 0x{cell:X8} leads out of {length} cells and {classes} classes.", name);
        }
    }
}
