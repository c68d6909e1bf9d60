using Dataplane.Names;

namespace Dataplane.Mesh.Names;

/// <summary>The records of one service. Immutable.</summary>
/// <param name="DnsName">Its shortest name.</param>
/// <param name="Records">Its records, for each zone of <see cref="MeshZone.Tops"/>.</param>
/// <param name="Reverse">The names of its addresses; of an address that several services name the first one's counts.</param>
internal sealed record MeshNames(string DnsName, IReadOnlyList<NameRecord>[] Records, IReadOnlyList<NameRecord> Reverse)
{
    /// <summary>The same with the objects of others for what is equal, so that what has not changed is known by reference; the others themselves when nothing has.</summary>
    public MeshNames Like(MeshNames others)
    {
        IReadOnlyList<NameRecord>[] records = [.. Records.Select((own, zone) => Like(own, others.Records[zone]))];
        IReadOnlyList<NameRecord> reverse = Like(Reverse, others.Reverse);
        bool isSame = ReferenceEquals(reverse, others.Reverse) && DnsName == others.DnsName && records.Zip(others.Records).All(pair => ReferenceEquals(pair.First, pair.Second));
        return isSame ? others : new MeshNames(DnsName, records, reverse);
    }

    private static IReadOnlyList<NameRecord> Like(IReadOnlyList<NameRecord> own, IReadOnlyList<NameRecord> others)
    {
        var known = new HashSet<NameRecord>(others);
        NameRecord[] like = [.. own.Select(record => known.TryGetValue(record, out NameRecord? same) ? same : record)];
        return like.Length == others.Count && like.Zip(others).All(pair => ReferenceEquals(pair.First, pair.Second)) ? others : like;
    }
}
