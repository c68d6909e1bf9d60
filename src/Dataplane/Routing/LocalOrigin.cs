using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Routing;

/// <summary>Fills in what the parser would have found in a packet that the engine made, so that routing can take it on.</summary>
internal static class LocalOrigin
{
    /// <summary>Prepares packet <paramref name="index"/> of the originated ones.</summary>
    public static void Prepare(WorkerContext context, int index, L3Interface via, IpAddress source, IpAddress destination, byte protocol)
    {
        PacketBatch batch = context.Originated.Batch;
        bool isV4 = source.IsIpv4;
        int link = via.LinkHeaderBytes;
        batch.Parsed[index].Headers = new PacketHeaders
        {
            EtherType = isV4 ? EtherTypes.Ipv4 : EtherTypes.Ipv6,
            NetworkOffset = (ushort)link,
            TransportOffset = (ushort)(link + (isV4 ? 20 : 40)),
            EndOffset = (ushort)batch.Lengths[index],
            IpVersion = (byte)(isV4 ? 4 : 6),
            Protocol = protocol,
            Ttl = 64,
        };
        batch.Parsed[index].Key = FlowKey.Create(source, 0, destination, 0, protocol);
        batch.Parsed[index].Hash = context.Hash.Of(in batch.Parsed[index].Key);
        batch.InInterfaces[index] = via.Index;
    }
}
