using System.Numerics;
using System.Runtime.CompilerServices;

namespace Dataplane.Overlays;

/// <summary>Numbers by a key of 128 bits. Open addressing, at most a quarter full; a look-up is one line as a rule. Immutable once filled.</summary>
internal sealed class OverlayMap
{
    private readonly Place[] _places;
    private readonly int _shift;

    public OverlayMap(int capacity)
    {
        uint size = BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, capacity * 4));
        _places = new Place[size];
        _shift = 64 - BitOperations.Log2(size);
    }

    /// <summary>Adds a number, 0 or more; of two with one key the first stays.</summary>
    public void Add(ulong high, ulong low, int number)
    {
        uint at = PlaceOf(high, low);
        for (; _places[at].Number != 0; at = (at + 1) & ((uint)_places.Length - 1))
        {
            if (_places[at].Low == low && _places[at].High == high)
            {
                return;
            }
        }

        _places[at] = new Place { High = high, Low = low, Number = number + 1 };
    }

    /// <summary>The number of a key, or -1.</summary>
    public int Find(ulong high, ulong low)
    {
        Place[] places = _places;
        for (uint at = PlaceOf(high, low); ; at = (at + 1) & ((uint)places.Length - 1))
        {
            ref readonly Place place = ref places[at];
            if (place.Number == 0 || (place.Low == low && place.High == high))
            {
                return place.Number - 1;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)] // Twice per packet, five instructions.
    private uint PlaceOf(ulong high, ulong low) => (uint)(((BitOperations.RotateLeft(high, 29) ^ low) * 0x9E37_79B9_7F4A_7C15) >> _shift);

    /// <summary>24 bytes; the number is one more than it means, so that zeroed memory is an empty map.</summary>
    private struct Place
    {
        public ulong High;
        public ulong Low;
        public int Number;
    }
}
