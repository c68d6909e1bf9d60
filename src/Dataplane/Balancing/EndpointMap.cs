using System.Numerics;
using Dataplane.Packets;

namespace Dataplane.Balancing;

/// <summary>Addresses with port, protocol and family to values: open addressing, half full at most. Not changed any more once it is in use.</summary>
/// <typeparam name="TValue">What is found; a value, so that looking up costs no dispatch.</typeparam>
internal sealed class EndpointMap<TValue>
    where TValue : struct
{
    private readonly Place[] _places;
    private readonly uint _mask;

    /// <summary>Makes room.</summary>
    /// <param name="count">Keys at most.</param>
    /// <param name="room">Places for each: 2 where memory counts, since there are many.</param>
    public EndpointMap(int count, int room = 4)
    {
        _mask = BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, count * room)) - 1;
        _places = new Place[_mask + 1];
    }

    /// <summary>Port, protocol and family as one number, never 0, which marks a free place: there is always a family.</summary>
    public static ulong Pack(ushort port, byte protocol, byte family) => ((ulong)port << 16) | ((ulong)protocol << 8) | family;

    /// <summary>Finds a value.</summary>
    /// <param name="high">Upper half of the address.</param>
    /// <param name="low">Lower half.</param>
    /// <param name="transport">From <see cref="Pack"/>.</param>
    /// <param name="value">The value.</param>
    public bool TryFind(ulong high, ulong low, ulong transport, out TValue value)
    {
        ref readonly Place place = ref _places[PlaceOf(high, low, transport)];
        value = place.Value;
        return place.Transport != 0;
    }

    /// <summary>The value of a key, which is added if it is not there. While the map is made only.</summary>
    public ref TValue Add(IpAddress address, ushort port, byte protocol, out bool isNew)
    {
        ulong transport = Pack(port, protocol, (byte)address.Family);
        ref Place place = ref _places[PlaceOf(address.High, address.Low, transport)];
        isNew = place.Transport == 0;
        (place.High, place.Low, place.Transport) = (address.High, address.Low, transport);
        return ref place.Value;
    }

    /// <summary>Where a key is, or would be.</summary>
    private uint PlaceOf(ulong high, ulong low, ulong transport)
    {
        uint at = (uint)(((high ^ (low * 0x9E3779B97F4A7C15) ^ (transport * 0xBF58476D1CE4E5B9)) * 0x94D049BB133111EB) >> 40) & _mask;
        while (_places[at].Transport != 0 && (_places[at].Transport != transport || _places[at].Low != low || _places[at].High != high))
        {
            at = (at + 1) & _mask;
        }

        return at;
    }

    private struct Place
    {
        public ulong High;
        public ulong Low;
        public ulong Transport;
        public TValue Value;
    }
}
