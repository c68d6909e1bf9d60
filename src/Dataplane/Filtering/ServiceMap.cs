namespace Dataplane.Filtering;

/// <summary>From ports and <see cref="TransportWord"/> of a packet to its class: packets of one class meet the same services of the rules. Immutable.</summary>
/// <remarks>
/// Each field is cut into its own classes first: the two ports by a table of all ports, the word by a table for each of its parts. Then classes are
/// joined two by two, the word with the source port, the pair with the destination port; only pairs that differ in what they
/// meet get a number of their own (recursive flow classification; Gupta and McKeown, SIGCOMM 1999). Where rules have so many different ranges that the
/// tables would grow out of the cache, borders between ranges are left out; then a class tells only which services may be met, and
/// <see cref="IsExact"/> is false.
/// </remarks>
internal sealed partial class ServiceMap
{
    private readonly ushort[] _sourcePorts;
    private readonly ushort[] _destinationPorts;

    // By protocol and the bits that say which header there is, by flags, by port index: what they add to the index into _words.
    private readonly ushort[] _protocols;
    private readonly ushort[] _flags;
    private readonly ushort[] _ports;

    // Of each class of words: where its row of source port classes begins; of each of their pairs: where its row of destination port classes begins.
    private readonly int[] _words;
    private readonly int[] _pairs;
    private readonly int[] _classes;

    private ServiceMap(PortClasses source, PortClasses destination, WordClasses words, int[] pairs, int[] classes, BitRows met)
    {
        (_sourcePorts, _destinationPorts) = (source.ClassOf, destination.ClassOf);
        (_protocols, _flags, _ports) = (words.Protocols, words.Flags, words.Ports);
        _words = [.. words.ClassOf.Select(@class => @class * source.Met.Count)];
        (_pairs, _classes, Met) = (pairs, classes, met);
        IsExact = source.IsExact && destination.IsExact && words.IsExact;
    }

    /// <summary>By class: the services that its packets meet, or may meet.</summary>
    public BitRows Met { get; }

    /// <summary>Whether packets of a class meet the services for certain.</summary>
    public bool IsExact { get; }

    /// <summary>Bytes of what lookups read.</summary>
    public long SizeBytes => (2L * (_sourcePorts.Length + _destinationPorts.Length + _protocols.Length + _flags.Length + _ports.Length))
        + (4L * (_words.Length + _pairs.Length + _classes.Length));

    /// <summary>The classes of some packets.</summary>
    public void Find(in FilterInput batch, ReadOnlySpan<byte> picks, Span<int> classes)
    {
        for (int i = 0; i < picks.Length; i++)
        {
            ulong transport = batch.Frames[picks[i]].Key.Transport;
            classes[i] = Find(batch.Words[picks[i]], (ushort)(transport >> 48), (ushort)(transport >> 32));
        }
    }

    /// <summary>The class of a packet.</summary>
    /// <param name="word">From <see cref="TransportWord"/>.</param>
    /// <param name="sourcePort">Source port, 0 when it has none.</param>
    /// <param name="destinationPort">Destination port, 0 when it has none.</param>
    public int Find(uint word, ushort sourcePort, ushort destinationPort)
    {
        int row = _words[_protocols[(word & 0xFF) | (word >> 16 & 0x300)] + _flags[(byte)(word >> TransportWord.FlagsShift)] + _ports[(byte)(word >> TransportWord.PortShift)]];
        return _classes[_pairs[row + _sourcePorts[sourcePort]] + _destinationPorts[destinationPort]];
    }
}
