using System.Numerics;
using System.Runtime.CompilerServices;

namespace Dataplane.Switching;

/// <summary>Finds endpoints by a key of 128 bits: address, or network and hardware address. Open addressing, at most a quarter full. Immutable once filled.</summary>
/// <remarks>A look-up is one cache line of 24-byte places, two when keys collide. Made anew with the tables: some 20 ns an entry.</remarks>
internal sealed class StationMap
{
    private readonly Place[] _places;
    private readonly int _shift;

    public StationMap(int capacity)
    {
        uint size = BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, capacity * 4));
        _places = new Place[size];
        _shift = 64 - BitOperations.Log2(size);
    }

    public void Add(ulong high, ulong low, Station station)
    {
        uint at = PlaceOf(high, low);
        while (_places[at].Station is not null)
        {
            at = (at + 1) & ((uint)_places.Length - 1);
        }

        _places[at] = new Place { High = high, Low = low, Station = station };
    }

    public Station? Find(ulong high, ulong low)
    {
        Place[] places = _places;
        for (uint at = PlaceOf(high, low); ; at = (at + 1) & ((uint)places.Length - 1))
        {
            ref readonly Place place = ref places[at];
            if (place.Station is null || (place.Low == low && place.High == high))
            {
                return place.Station;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Once per packet, five instructions.
    private uint PlaceOf(ulong high, ulong low) => (uint)(((BitOperations.RotateLeft(high, 29) ^ low) * 0x9E37_79B9_7F4A_7C15) >> _shift);

    private struct Place
    {
        public ulong High;
        public ulong Low;
        public Station? Station;
    }
}
