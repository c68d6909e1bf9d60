namespace Dataplane.Filtering;

/// <summary>The ports cut into classes: ports of one class are in the same ranges. Used by the control side.</summary>
internal sealed class PortClasses
{
    /// <summary>Cuts.</summary>
    /// <param name="ranges">Ranges, each once.</param>
    /// <param name="maxBorders">Borders between classes at most; of more, some are left out, and ranges reach to the next one.</param>
    public PortClasses(ReadOnlySpan<PortRange> ranges, int maxBorders)
    {
        Span<bool> isBorder = new bool[(1 << 16) + 1];
        foreach (PortRange range in ranges)
        {
            isBorder[range.First] = true;
            isBorder[range.Last + 1] = true;
        }

        isBorder[0] = isBorder[1 << 16] = true;
        int borders = isBorder.Count(true) - 2;
        IsExact = borders <= maxBorders;
        if (!IsExact)
        {
            Thin(isBorder, borders, maxBorders);
        }

        Met = new BitRows((ranges.Length + 63) / 64);
        ulong[] bits = new ulong[Met.Words];
        for (int first = 0; first < 1 << 16;)
        {
            int behind = first + 1 + isBorder[(first + 1)..].IndexOf(true);
            Array.Clear(bits);
            for (int range = 0; range < ranges.Length; range++)
            {
                if (ranges[range].First < behind && ranges[range].Last >= first)
                {
                    bits[range / 64] |= 1UL << range;
                }
            }

            ClassOf.AsSpan(first, behind - first).Fill((ushort)Met.Add(bits));
            first = behind;
        }
    }

    /// <summary>By port: its class.</summary>
    public ushort[] ClassOf { get; } = new ushort[1 << 16];

    /// <summary>By class: the ranges its ports are in, or may be in.</summary>
    public BitRows Met { get; }

    /// <summary>Whether ports of a class are in the ranges for certain.</summary>
    public bool IsExact { get; }

    /// <summary>Leaves borders out, evenly among them.</summary>
    private static void Thin(Span<bool> isBorder, int borders, int kept)
    {
        int seen = 0;
        for (int port = 1; port < 1 << 16; port++)
        {
            if (isBorder[port])
            {
                seen++;
                isBorder[port] = (long)seen * kept / borders != (long)(seen - 1) * kept / borders;
            }
        }
    }
}
