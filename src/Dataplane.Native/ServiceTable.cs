using System.Runtime.CompilerServices;

namespace Dataplane.Native;

/// <summary>From ports, protocol, flags and port index of a packet to the number of its class, read without bounds checks. Immutable.</summary>
/// <remarks>
/// Each field has a table of its own; what they say is added up to find a row of a table of pairs, and with what that says a class. What the
/// tables say is checked once, when they are handed over.
/// </remarks>
internal sealed unsafe class ServiceTable
{
    internal readonly ushort[] Protocols;
    internal readonly ushort[] Flags;
    internal readonly ushort[] Ports;
    internal readonly ushort[] States;
    internal readonly int[] Words;
    internal readonly ushort[] SourcePorts;
    internal readonly int[] Pairs;
    internal readonly ushort[] DestinationPorts;
    internal readonly int[] ClassOf;
    private readonly int[][] _portRows;
    private readonly byte[] _portRowOf;

    /// <summary>Takes tables over; they must not be written to afterwards.</summary>
    /// <param name="protocols">By bits 0 to 7 of the word and bits 24 and 25 above them: a summand.</param>
    /// <param name="flags">By bits 16 to 23 of the word: a summand.</param>
    /// <param name="ports">By bits 8 to 15 of the word: a summand.</param>
    /// <param name="words">By the sum of the three: where in <paramref name="pairs"/> a row begins.</param>
    /// <param name="sourcePorts">By source port: a place in a row of <paramref name="pairs"/>.</param>
    /// <param name="pairs">Where in <paramref name="classes"/> a row begins.</param>
    /// <param name="destinationPorts">By destination port: a place in a row of <paramref name="classes"/>.</param>
    /// <param name="classes">Classes.</param>
    /// <param name="states">By bits 26 to 30 of the word: a summand; null when they say nothing.</param>
    /// <exception cref="ArgumentException">A table is too short, or leads out of the next.</exception>
    public ServiceTable(ushort[] protocols, ushort[] flags, ushort[] ports, int[] words, ushort[] sourcePorts, int[] pairs, ushort[] destinationPorts,
        int[] classes, ushort[]? states = null)
    {
        states ??= new ushort[1 << 5];
        if (protocols.Length != 1 << 10 || flags.Length != 1 << 8 || ports.Length != 1 << 8 || sourcePorts.Length != 1 << 16
            || destinationPorts.Length != 1 << 16 || states.Length != 1 << 5)
            throw new ArgumentException("Tables by field have 1024 (protocol), 256 (flags, port index), 32 (state) and 65536 (ports) entries.", nameof(protocols));
        Check(protocols.Max() + flags.Max() + ports.Max() + states.Max(), words.Length, nameof(words));
        Check(words.Max() + sourcePorts.Max(), pairs.Length, nameof(pairs));
        Check(pairs.Max() + destinationPorts.Max(), classes.Length, nameof(classes));
        if (words.Min() < 0 || pairs.Min() < 0 || classes.Min() < 0)
            throw new ArgumentException("No entry is below 0.", nameof(classes));
        (Protocols, Flags, Ports, Words) = (protocols, flags, ports, words);
        (SourcePorts, Pairs, DestinationPorts, ClassOf) = (sourcePorts, pairs, destinationPorts, classes);
        States = states;
        IgnoresStates = !states.AsSpan().ContainsAnyExcept((ushort)0);
        Classes = classes.Max() + 1;
        IgnoresFlags = !flags.AsSpan().ContainsAnyExcept((ushort)0);
        IgnoresSourcePorts = !sourcePorts.AsSpan().ContainsAnyExcept((ushort)0);
        int[] summands = [.. ports.Distinct().Order().Select(port => (int)port)];
        _portRows = new int[summands.Length][];
        for (int i = 0; i < summands.Length; i++)
            _portRows[i] = [.. protocols.Select(protocol => words[protocol + summands[i]])];
        _portRowOf = [.. ports.Select(port => (byte)Array.BinarySearch(summands, (int)port))];
    }

    /// <summary>Whether the class is the same whatever the flags are.</summary>
    internal bool IgnoresFlags { get; }

    /// <summary>Whether the class is the same whatever the bits of states are.</summary>
    internal bool IgnoresStates { get; }

    /// <summary>Whether the class is the same whatever the source port is.</summary>
    internal bool IgnoresSourcePorts { get; }

    /// <summary>For packets that came by one port, and where flags are ignored: by protocol and the bits above it, where a row of pairs begins.</summary>
    internal int[] RowsOfPort(int port) => _portRows[_portRowOf[(byte)port]];

    /// <summary>The two bits above the protocol that a packet of this protocol has with its transport header: 1 ports, 2 flags.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint HasByProtocol(uint protocol) => Has[(int)protocol & 0xFF];

    private static ReadOnlySpan<byte> Has =>
    [
        0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];

    /// <summary>The number of classes.</summary>
    public int Classes { get; }

    /// <summary>Bytes of the tables.</summary>
    public long SizeBytes => (2L * (Protocols.Length + Flags.Length + Ports.Length + SourcePorts.Length + DestinationPorts.Length))
        + (4L * (Words.Length + Pairs.Length + ClassOf.Length));

    /// <summary>The class of one packet.</summary>
    /// <param name="word">Protocol, port index, flags and which headers there are.</param>
    /// <param name="sourcePort">Source port.</param>
    /// <param name="destinationPort">Destination port.</param>
    public int Find(uint word, ushort sourcePort, ushort destinationPort)
    {
        int row = Words[Protocols[(word & 0xFF) | ((word >> 16) & 0x300)] + Flags[(byte)(word >> 16)] + Ports[(byte)(word >> 8)] + States[(word >> 26) & 0x1F]];
        return ClassOf[Pairs[row + SourcePorts[sourcePort]] + DestinationPorts[destinationPort]];
    }

    private static void Check(int last, int length, string table)
    {
        if (last >= length)
            throw new ArgumentException($"Entry {last} is asked for, and there are {length}.", table);
    }
}
