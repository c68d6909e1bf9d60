using Dataplane.Native;

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
    private ServiceMap(ServiceTable table, BitRows met, bool isExact)
    {
        Table = table;
        Met = met;
        IsExact = isExact;
    }

    /// <summary>By class: the services that its packets meet, or may meet.</summary>
    public BitRows Met { get; }

    /// <summary>Whether packets of a class meet the services for certain.</summary>
    public bool IsExact { get; }

    /// <summary>What lookups read.</summary>
    public ServiceTable Table { get; }

    /// <summary>The class of one packet.</summary>
    /// <param name="word">From <see cref="TransportWord"/>.</param>
    /// <param name="sourcePort">Source port, 0 when it has none.</param>
    /// <param name="destinationPort">Destination port, 0 when it has none.</param>
    public int Find(uint word, ushort sourcePort, ushort destinationPort) => Table.Find(word, sourcePort, destinationPort);
}
