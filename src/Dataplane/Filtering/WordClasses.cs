namespace Dataplane.Filtering;

/// <summary>The values of <see cref="TransportWord"/> cut into classes: those of one class meet the same conditions. Used by the control side.</summary>
internal sealed class WordClasses
{
    // Beyond so many combinations of the classes of its parts, flags, port index and state are not looked at.
    private const int MaxCombinations = 1 << 12;

    // Protocol and the two bits that say which header there is; bits that no word has stand for conditions that nothing meets.
    private const uint ProtocolPart = ~(FlagsPart | PortPart | StatePart), StatePart = TransportWord.StateBits, FlagsPart = 0xFFu << TransportWord.FlagsShift, PortPart = 0xFFu << TransportWord.PortShift;

    /// <summary>Cuts.</summary>
    /// <param name="conditions">Conditions, each once.</param>
    public WordClasses(ReadOnlySpan<(uint Mask, uint Value)> conditions)
    {
        int words = (conditions.Length + 63) / 64;
        BitRows protocols = Part(conditions, ProtocolPart, 1 << 10, value => (value & 0xFF) | ((value & 0x300) << 16), Protocols, new BitRows(words));
        BitRows flags = Part(conditions, FlagsPart, 1 << 8, value => value << TransportWord.FlagsShift, Flags, new BitRows(words));
        BitRows ports = Part(conditions, PortPart, 1 << 8, value => value << TransportWord.PortShift, Ports, new BitRows(words));
        BitRows states = Part(conditions, StatePart, 1 << 5, value => value << TransportWord.StateShift, States, new BitRows(words));
        IsExact = (long)protocols.Count * flags.Count * ports.Count * states.Count <= MaxCombinations;
        if (!IsExact)
        {
            (flags, ports, states) = (All(conditions.Length, Flags), All(conditions.Length, Ports), All(conditions.Length, States));
        }

        Met = new BitRows(words);
        ClassOf = new int[protocols.Count * flags.Count * ports.Count * states.Count];
        ulong[] bits = new ulong[words];
        for (int i = 0; i < ClassOf.Length; i++)
        {
            ReadOnlySpan<ulong> a = protocols[i % protocols.Count], b = flags[i / protocols.Count % flags.Count], c = ports[i / protocols.Count / flags.Count % ports.Count];
            ReadOnlySpan<ulong> d = states[i / protocols.Count / flags.Count / ports.Count];
            for (int word = 0; word < words; word++)
            {
                bits[word] = a[word] & b[word] & c[word] & d[word];
            }

            ClassOf[i] = Met.Add(bits);
        }

        // An index into ClassOf is then the sum of what the parts add.
        for (int i = 0; i < 1 << 8; i++)
        {
            Flags[i] *= (ushort)protocols.Count;
            Ports[i] *= (ushort)(protocols.Count * flags.Count);
        }

        for (int i = 0; i < States.Length; i++)
        {
            States[i] *= (ushort)(protocols.Count * flags.Count * ports.Count);
        }
    }

    /// <summary>By protocol, and the bits that say which header there is above it: what they add to the index into <see cref="ClassOf"/>.</summary>
    public ushort[] Protocols { get; } = new ushort[1 << 10];

    /// <summary>By flags: what they add.</summary>
    public ushort[] Flags { get; } = new ushort[1 << 8];

    /// <summary>By port index: what it adds.</summary>
    public ushort[] Ports { get; } = new ushort[1 << 8];

    /// <summary>By the bits of states: what they add.</summary>
    public ushort[] States { get; } = new ushort[1 << 5];

    /// <summary>By the sum of the four: the class.</summary>
    public int[] ClassOf { get; }

    /// <summary>By class: the conditions its words meet, or may meet.</summary>
    public BitRows Met { get; }

    /// <summary>Whether words of a class meet the conditions for certain.</summary>
    public bool IsExact { get; }

    private static BitRows Part(ReadOnlySpan<(uint Mask, uint Value)> conditions, uint part, int count, Func<uint, uint> place, ushort[] classOf, BitRows rows)
    {
        ulong[] bits = new ulong[rows.Words];
        for (uint value = 0; value < count; value++)
        {
            uint word = place(value);
            Array.Clear(bits);
            for (int i = 0; i < conditions.Length; i++)
            {
                bits[i / 64] |= (word & conditions[i].Mask & part) == (conditions[i].Value & part) ? 1UL << i : 0;
            }

            classOf[value] = (ushort)rows.Add(bits);
        }

        return rows;
    }

    private static BitRows All(int count, ushort[] classOf)
    {
        var rows = new BitRows((count + 63) / 64);
        ulong[] bits = new ulong[rows.Words];
        Array.Fill(bits, ulong.MaxValue);
        rows.Add(bits);
        Array.Clear(classOf);
        return rows;
    }
}
