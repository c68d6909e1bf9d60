using Dataplane.Native;

namespace Dataplane.Filtering;

internal sealed partial class ServiceMap
{
    // Cells of the table of pairs with destination port classes, and bytes of the rows of rules its classes will have.
    private const int MaxCells = 1 << 20;
    private const long MaxRowBytes = 64 << 20;

    /// <summary>Builds the map.</summary>
    /// <param name="services">Services, each once.</param>
    /// <param name="rowBytes">What each class will cost beside the map.</param>
    public static ServiceMap Build(ReadOnlySpan<RuleService> services, long rowBytes)
    {
        for (int maxBorders = 1 << 9; ; maxBorders /= 4)
        {
            if (TryBuild(services, maxBorders, maxBorders == 0 ? long.MaxValue : MaxRowBytes / rowBytes) is ServiceMap map)
            {
                return map;
            }
        }
    }

    private static ServiceMap? TryBuild(ReadOnlySpan<RuleService> services, int maxBorders, long maxClasses)
    {
        int count = services.Length;
        var wordIndexes = new Indexer<(uint Mask, uint Value)>(count);
        Indexer<PortRange> sourceIndexes = new(count), destinationIndexes = new(count);
        foreach (RuleService service in services)
        {
            wordIndexes.Add((service.Mask, service.Value));
            sourceIndexes.Add(service.SourcePorts);
            destinationIndexes.Add(service.DestinationPorts);
        }

        var words = new WordClasses(wordIndexes.Values);
        var source = new PortClasses(sourceIndexes.Values, maxBorders);
        var destination = new PortClasses(destinationIndexes.Values, maxBorders);
        ulong[] wordRows = Spread(words.Met, wordIndexes.Indexes), sourceRows = Spread(source.Met, sourceIndexes.Indexes);
        ulong[] destinationRows = Spread(destination.Met, destinationIndexes.Indexes);
        int rowWords = (count + 63) / 64;
        var pairs = new BitRows(rowWords);
        int[] pairOf = Join(wordRows, sourceRows, rowWords, pairs, long.MaxValue);
        if ((long)pairs.Count * destination.Met.Count > MaxCells && maxBorders > 0)
        {
            return null;
        }

        var met = new BitRows(rowWords);
        ulong[] pairRows = new ulong[pairs.Count * rowWords];
        for (int pair = 0; pair < pairs.Count; pair++)
        {
            pairs[pair].CopyTo(pairRows.AsSpan(pair * rowWords));
        }

        int[] classes = Join(pairRows, destinationRows, rowWords, met, maxClasses);
        if (met.Count > maxClasses)
        {
            return null;
        }

        int[] rowOfWord = [.. words.ClassOf.Select(@class => @class * source.Met.Count)], rowOfPair = [.. pairOf.Select(pair => pair * destination.Met.Count)];
        var table = new ServiceTable(words.Protocols, words.Flags, words.Ports, rowOfWord, source.ClassOf, rowOfPair, destination.ClassOf, classes, words.States);
        return new ServiceMap(table, met, source.IsExact && destination.IsExact && words.IsExact);
    }

    /// <summary>Rows over the values of a field become rows over services.</summary>
    private static ulong[] Spread(BitRows rows, ReadOnlySpan<int> indexes)
    {
        int words = (indexes.Length + 63) / 64;
        ulong[] spread = new ulong[rows.Count * words];
        for (int row = 0; row < rows.Count; row++)
        {
            ReadOnlySpan<ulong> bits = rows[row];
            Span<ulong> target = spread.AsSpan(row * words, words);
            for (int i = 0; i < indexes.Length; i++)
            {
                target[i / 64] |= ((bits[indexes[i] / 64] >> indexes[i]) & 1) << i;
            }
        }

        return spread;
    }

    /// <summary>The number of each pair of rows among all that differ.</summary>
    private static int[] Join(ulong[] left, ulong[] right, int words, BitRows joined, long max)
    {
        int lefts = left.Length / words, rights = right.Length / words;
        int[] numbers = new int[lefts * rights];
        ulong[] bits = new ulong[words];
        for (int i = 0; i < numbers.Length && joined.Count <= max; i++)
        {
            ReadOnlySpan<ulong> a = left.AsSpan(i / rights * words, words), b = right.AsSpan(i % rights * words, words);
            for (int word = 0; word < bits.Length; word++)
            {
                bits[word] = a[word] & b[word];
            }

            numbers[i] = joined.Add(bits);
        }

        return numbers;
    }

    /// <summary>Numbers the different values of a list in the order in which they come.</summary>
    private sealed class Indexer<T>(int capacity)
        where T : struct
    {
        private readonly Dictionary<T, int> _indexOf = [];
        private readonly List<T> _values = [];
        private readonly List<int> _indexes = new(capacity);

        /// <summary>The different values.</summary>
        public ReadOnlySpan<T> Values => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_values);

        /// <summary>Of each value added, the number.</summary>
        public ReadOnlySpan<int> Indexes => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_indexes);

        public void Add(T value)
        {
            if (!_indexOf.TryGetValue(value, out int index))
            {
                index = _values.Count;
                _indexOf.Add(value, index);
                _values.Add(value);
            }

            _indexes.Add(index);
        }
    }
}
