using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Dataplane.Native.Tests;

/// <summary>The unchecked readers of the filter at the very ends of what they are given: a page that cannot be touched follows each of it.</summary>
/// <remarks>A packet of ones throughout is of the last class everywhere, by the last cell of each table on the way, and matches by the last bit of the rows.</remarks>
public class FilterGuardPageTests
{
    private const int Rule = 1234, Untouched = -7, RecordBytes = 43;

    // Every field stands once where the record ends.
    private static readonly RecordLayout[] s_layouts =
    [
        new(RecordBytes, sourceOffset: 0, destinationOffset: 16, transportOffset: 32, headerOffset: 40, fragmentOffset: 42, laterFragment: 9),
        new(RecordBytes, sourceOffset: 1, destinationOffset: 17, transportOffset: 33, headerOffset: 41, fragmentOffset: 0, laterFragment: 9),
        new(RecordBytes, sourceOffset: 3, destinationOffset: 19, transportOffset: 35, headerOffset: 0, fragmentOffset: 2, laterFragment: 9),
        new(RecordBytes, sourceOffset: 11, destinationOffset: 27, transportOffset: 3, headerOffset: 0, fragmentOffset: 2, laterFragment: 9),
        new(RecordBytes, sourceOffset: 27, destinationOffset: 11, transportOffset: 3, headerOffset: 0, fragmentOffset: 2, laterFragment: 9),
    ];

    private static readonly AddressTable s_direct = Direct(), s_trie = Trie();
    private static readonly ServiceTable s_withFlags = Service(usesFlags: true), s_withoutFlags = Service(usesFlags: false);

    public static TheoryData<int, int> BitsAndCounts
    {
        get
        {
            var data = new TheoryData<int, int>();
            foreach (int bits in new[] { 1, 512, 513, 1024, 1025, 6000 })
            {
                foreach (int count in new[] { 1, 7, 64, 255, 256 })
                    data.Add(bits, count);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(BitsAndCounts))]
    public void Find_EverythingBeforeAGuardPage_StaysInside(int bits, int count)
    {
        foreach (RecordLayout layout in s_layouts)
        {
            foreach ((AddressTable addresses, bool isV4) in new[] { (s_direct, true), (s_trie, true), (s_trie, false) })
            {
                using var inputs = new Inputs(bits, count, layout, addresses, usesFlags: true);
                inputs.Tables.Find(isV4, inputs.Records, inputs.Words, inputs.Picks, inputs.Live, inputs.Numbers, inputs.Results);
                inputs.CheckResults();
            }
        }
    }

    [Theory]
    [MemberData(nameof(BitsAndCounts))]
    public void TryFindAll4_EverythingBeforeAGuardPage_StaysInside(int bits, int count)
    {
        foreach (RecordLayout layout in s_layouts)
        {
            foreach (AddressTable addresses in new[] { s_direct, s_trie })
            {
                using var inputs = new Inputs(bits, count, layout, addresses, usesFlags: false);
                Assert.True(inputs.Tables.TryFindAll4(inputs.Records, byte.MaxValue, inputs.Live, inputs.Numbers, inputs.Results));
                inputs.CheckResults();
            }
        }
    }

    [Fact]
    public void Find_LengthsThatDoNotGoTogether_Throws()
    {
        using var inputs = new Inputs(600, 8, s_layouts[0], s_direct, usesFlags: false);
        RuleTables tables = inputs.Tables;
        int[] results = new int[8];
        Assert.Throws<ArgumentException>(() => Find(inputs, records: 7 * RecordBytes));
        Assert.Throws<ArgumentException>(() => Find(inputs, words: 7));
        Assert.Throws<ArgumentException>(() => Find(inputs, results: 7));
        Assert.Throws<ArgumentException>(() => Find(inputs, live: inputs.Live.Length - 1));
        Assert.Throws<ArgumentException>(() => Find(inputs, numbers: inputs.Numbers.Length - 1));
        Assert.Throws<ArgumentException>(() => Find(inputs, isV4: false));
        Assert.Throws<ArgumentException>(() => tables.TryFindAll4(inputs.Records[1..], 0, inputs.Live, inputs.Numbers, results));
        Assert.Throws<ArgumentException>(() => tables.TryFindAll4(new byte[300 * RecordBytes], 0, inputs.Live, inputs.Numbers, new int[257]));
        Find(inputs);

        static void Find(
            Inputs inputs, bool isV4 = true, int records = 8 * RecordBytes, int words = 8, int results = 8, int? live = null, int? numbers = null) =>
            inputs.Tables.Find(isV4, inputs.Records[..records], inputs.Words[..words], inputs.Picks, inputs.Live[..(live ?? inputs.Live.Length)],
                inputs.Numbers[..(numbers ?? inputs.Numbers.Length)], inputs.Results[..results]);
    }

    /// <summary>What tables say is followed without a check, so one that leads out of the next is refused when it is handed over.</summary>
    [Fact]
    public void Constructors_TablesThatLeadOutOfTheNext_AreRefused()
    {
        uint[] root = new uint[1 << 16];
        root[77] = (2 << 8) | 255;
        Assert.Throws<ArgumentException>(() => new Ipv4ClassTable(root, new uint[257], 1));
        _ = new Ipv4ClassTable(root, new uint[258], 1);
        root[77] = 1 << 8;
        Assert.Throws<ArgumentException>(() => new Ipv4ClassTable(root, new uint[258], 1));
        root[77] = 1;
        Assert.Throws<ArgumentException>(() => new Ipv4ClassTable(root, new uint[258], 1));

        int[] nodes = new int[1 << 16];
        ushort[] lasts = new ushort[PrefixTable.Fanout];
        uint[] targets = new uint[PrefixTable.Fanout];
        _ = new PrefixTable(nodes, lasts, targets, 1, 1);
        targets[31] = PrefixTable.NodeFlag;
        Assert.Throws<ArgumentException>(() => new PrefixTable(nodes, lasts, targets, 1, 1));
        targets[31] = 1;
        Assert.Throws<ArgumentException>(() => new PrefixTable(nodes, lasts, targets, 1, 1));
        targets[31] = 0;
        nodes[^1] = 1;
        Assert.Throws<ArgumentException>(() => new PrefixTable(nodes, lasts, targets, 1, 1));

        Assert.Throws<ArgumentException>(() => Service(usesFlags: true, shortBy: (1, 0, 0)));
        Assert.Throws<ArgumentException>(() => Service(usesFlags: true, shortBy: (0, 1, 0)));
        Assert.Throws<ArgumentException>(() => Service(usesFlags: true, shortBy: (0, 0, 1)));
        var classes = new ClassTables(s_direct, s_direct, s_withFlags, s_layouts[0]);
        Assert.Throws<ArgumentException>(() => new RuleTables(classes, new BitRowTable(1, 2, 2, 1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RecordLayout(RecordBytes, 28, 0, 16, 24, 26, 0));
    }

    /// <summary>Class 1 is the last address, behind the last cell of three tables; all others are of class 0.</summary>
    private static AddressTable Direct()
    {
        uint[] root = new uint[1 << 16], cells = new uint[2 + 256 + 256];
        root[^1] = (2 << 8) | 255;
        cells[1] = cells[^1] = 1 << 8;
        cells[2 + 255] = ((2 + 256) << 8) | 255;
        return new AddressTable(new Ipv4ClassTable(root, cells, 2));
    }

    /// <summary>The same for 128 bits, by a node for each 16 of them.</summary>
    private static AddressTable Trie()
    {
        const int Levels = 7, Nothing = Levels;
        int[] root = [.. Enumerable.Repeat(Nothing, 1 << 16)];
        ushort[] lasts = [.. Enumerable.Repeat(ushort.MaxValue, (Levels + 1) * PrefixTable.Fanout)];
        uint[] targets = new uint[lasts.Length];
        root[^1] = Levels - 1;
        for (int node = 0; node < Levels; node++)
        {
            // 31 intervals end below the last value: it is in the last place of its node.
            lasts.AsSpan(node * PrefixTable.Fanout, PrefixTable.Fanout - 1).Fill(ushort.MaxValue - 1);
            targets[((node + 1) * PrefixTable.Fanout) - 1] = node == 0 ? 1 : PrefixTable.NodeFlag | PrefixTable.NextLevelFlag | (uint)(node - 1);
        }

        return new AddressTable(new PrefixTable(root, lasts, targets, Levels + 1, 2));
    }

    private static ServiceTable Service(bool usesFlags, (int Words, int Pairs, int Classes) shortBy = default)
    {
        ushort[] protocols = new ushort[1 << 10], flags = new ushort[1 << 8], ports = new ushort[1 << 8];
        ushort[] sourcePorts = new ushort[1 << 16], destinationPorts = new ushort[1 << 16];
        protocols[^1] = protocols[byte.MaxValue] = ports[^1] = sourcePorts[^1] = destinationPorts[^1] = 1;
        flags[^1] = (ushort)(usesFlags ? 1 : 0);
        int[] words = new int[3 + flags[^1] - shortBy.Words], pairs = new int[4 - shortBy.Pairs], classes = new int[4 - shortBy.Classes];
        words[^1] = pairs[^1] = 2;
        classes[^1] = 1;
        return new ServiceTable(protocols, flags, ports, words, sourcePorts, pairs, destinationPorts, classes);
    }

    /// <summary>Packets of which every second is all ones and the others all zeros; the last is all ones.</summary>
    private sealed class Inputs : IDisposable
    {
        private readonly MappedRegion _records, _words, _picks, _live, _numbers, _results;
        private readonly int _count;

        public Inputs(int bits, int count, RecordLayout layout, AddressTable addresses, bool usesFlags)
        {
            var rows = new BitRowTable(bits, 2, 2, 2);
            rows.First(1)[^1] = rows.Second(1)[^1] = rows.Third(1)[^1] = 1UL << 63;
            int last = (rows.Words / 8) - 1;
            rows.Seal([0, last], [0, last], last);
            Tables = new RuleTables(new ClassTables(addresses, addresses, usesFlags ? s_withFlags : s_withoutFlags, layout), rows);
            _count = count;
            _records = MappedRegion.WithGuardPage(count * RecordBytes);
            _words = MappedRegion.WithGuardPage(count * sizeof(uint));
            _picks = MappedRegion.WithGuardPage(count);
            _live = MappedRegion.WithGuardPage(rows.Words * sizeof(ulong));
            _numbers = MappedRegion.WithGuardPage(64 * rows.Words * sizeof(int));
            _results = MappedRegion.WithGuardPage(count * sizeof(int));
            _live.Span.Fill(byte.MaxValue);
            Numbers[^1] = Rule;
            Results.Fill(Untouched);
            for (int i = 0; i < count; i++)
            {
                _picks.Span[i] = (byte)i;
                Words[i] = IsMatch(i) ? uint.MaxValue : 0;
                Span<byte> record = Records.Slice(i * RecordBytes, RecordBytes);
                record.Fill(IsMatch(i) ? byte.MaxValue : (byte)0);

                // In TryFindAll4 the family is looked at, and without a transport header the protocol alone decides.
                record[layout.TransportOffset] = 4;
                BinaryPrimitives.WriteUInt16LittleEndian(record[layout.HeaderOffset..], 0);
            }
        }

        public RuleTables Tables { get; }

        public Span<byte> Records => _records.Span;

        public Span<uint> Words => MemoryMarshal.Cast<byte, uint>(_words.Span);

        public ReadOnlySpan<byte> Picks => _picks.Span;

        public ReadOnlySpan<ulong> Live => MemoryMarshal.Cast<byte, ulong>(_live.Span);

        public Span<int> Numbers => MemoryMarshal.Cast<byte, int>(_numbers.Span);

        public Span<int> Results => MemoryMarshal.Cast<byte, int>(_results.Span);

        public void CheckResults()
        {
            for (int i = 0; i < _count; i++)
                Assert.Equal(IsMatch(i) ? Rule : Untouched, Results[i]);
        }

        public void Dispose()
        {
            foreach (MappedRegion region in new[] { _records, _words, _picks, _live, _numbers, _results })
                region.Dispose();
        }

        private bool IsMatch(int i) => (_count - 1 - i) % 2 == 0;
    }
}
