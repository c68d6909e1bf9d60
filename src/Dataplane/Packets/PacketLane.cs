using System.Runtime.CompilerServices;

namespace Dataplane.Packets;

/// <summary>One value for each packet of a batch, inside the batch itself.</summary>
/// <remarks>Not an array: that there are <see cref="PacketBatch.Capacity"/> of them is known when the code is compiled, so that all lanes of a batch are reached from
/// one address, and a packet's number that is a byte needs no check. Loops over packets use that: <c>lane[(byte)i]</c>.</remarks>
/// <typeparam name="T">The value.</typeparam>
[InlineArray(PacketBatch.Capacity)]
internal struct PacketLane<T>
{
    private T _first;
}
