using Dataplane.Flows;
using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>The hash that chooses a service's backend: the same in every process, so that every gateway with the same configuration chooses alike.</summary>
/// <remarks>Computed for new flows only. The flow table's own hash is keyed per process and would not do.</remarks>
internal readonly struct BalanceHash
{
    private const ulong Key = 0x4D61_676C_6576_0001;

    private readonly FlowHash _hash;
    private readonly HashFields _fields;

    public BalanceHash(ServiceSpec spec)
    {
        _hash = new FlowHash(Key ^ spec.HashSeed);
        _fields = FieldsOf(spec);
    }

    /// <summary>The fields that a service's hash is of: one policy is by the source whatever is said.</summary>
    public static HashFields FieldsOf(ServiceSpec spec) => spec.Balance == BalancePolicy.SourceHash ? HashFields.Source : spec.Hash;

    /// <summary>Hash of what counts of a flow.</summary>
    public uint Of(in FlowKey key) => _fields switch
    {
        HashFields.Source => _hash.OfEndpoint(key.SourceHigh, key.SourceLow, 0, 0),
        HashFields.SourceDestination => _hash.OfAddresses(in key),
        _ => _hash.Of(in key),
    };
}
