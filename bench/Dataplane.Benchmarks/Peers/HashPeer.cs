using System.Diagnostics;
using System.Text;
using Dataplane.Flows;
using Dataplane.Packets;

namespace Dataplane.Benchmarks.Peers;

/// <summary>The flow table: 1 M and 16 M places at 85 % load; hits and misses of many keys at once, and inserts.</summary>
internal sealed class HashPeer : IPeerWork
{
    private const int Batch = PacketBatch.Capacity, NameBytes = 16;

    private static readonly (string Name, int Places, int LookedUp)[] s_tables = [("1m", 1 << 20, 1 << 20), ("16m", 1 << 24, 1 << 22)];

    private readonly FlowHash _hash = new(1);
    private readonly int[] _found = new int[Batch];
    private readonly ParsedFrame[] _batch = new ParsedFrame[Batch];
    private readonly List<Table> _tables = [];

    public IReadOnlyList<string> Cases => ["1m-hit", "1m-miss", "1m-insert", "16m-hit", "16m-miss", "16m-insert"];

    public void Make(string path)
    {
        using var file = new BinaryWriter(File.Create(path));
        foreach ((string name, int places, int lookedUp) in s_tables)
        {
            file.Write(Encoding.ASCII.GetBytes(name.PadRight(NameBytes, '\0')));
            file.Write(places);
            file.Write((int)((places - 16) * 0.85) & -2);
            file.Write(lookedUp);
        }
    }

    public void Load(string path, TextWriter output)
    {
        using var file = new BinaryReader(File.OpenRead(path));
        for (int i = 0; i < s_tables.Length; i++)
        {
            string name = Encoding.ASCII.GetString(file.ReadBytes(NameBytes)).TrimEnd('\0');
            int places = file.ReadInt32(), count = file.ReadInt32(), lookedUp = file.ReadInt32();
            var table = new Table(name, new FlowTable(count), new Wanted[lookedUp], new Wanted[lookedUp]);
            if (table.Flows.Places != places)
            {
                throw new InvalidOperationException($"The table has {table.Flows.Places} places, not {places}.");
            }

            for (int k = 0; k < lookedUp; k++)
            {
                table.Hits[k] = WantedOf(Mix((1UL << 40) | (uint)k) % (uint)count);
                table.Misses[k] = WantedOf((1UL << 32) | (uint)k);
            }

            _batch.AsSpan().Fill(new ParsedFrame { Key = new FlowKey { Transport = 6 } });
            Fill(table.Flows);
            output.WriteLine($"memory {name} ours {table.Flows.MemoryBytes}");
            _tables.Add(table);
        }
    }

    public void Round(string name, TextWriter output)
    {
        Table table = _tables.Single(table => name.StartsWith($"{table.Name}-", StringComparison.Ordinal));
        switch (name[(table.Name.Length + 1)..])
        {
            case "hit":
                PeerProgram.Report(output, name, "flow_table", () => LookUp(table.Flows, table.Hits), table.Hits.Length);
                break;
            case "miss":
                PeerProgram.Report(output, name, "flow_table", () => LookUp(table.Flows, table.Misses), table.Misses.Length);
                break;
            default:
                Empty(table.Flows);
                long start = Stopwatch.GetTimestamp();
                Fill(table.Flows);
                PeerProgram.Line(output, name, "flow_table", Stopwatch.GetElapsedTime(start).TotalNanoseconds / table.Flows.Capacity, (ulong)table.Flows.Count);
                break;
        }
    }

    public void Dispose()
    {
    }

    /// <summary>Keys come from an array of keys and hashes, as on the other side, and are put where the parser puts them: that time is ours.</summary>
    private ulong LookUp(FlowTable flows, Wanted[] keys)
    {
        ulong sum = 0;
        for (int i = 0; i < keys.Length; i += Batch)
        {
            ReadOnlySpan<Wanted> some = keys.AsSpan(i, Batch);
            for (int k = 0; k < some.Length; k++)
            {
                ref ParsedFrame parsed = ref _batch[k];
                parsed.Key.SourceLow = some[k].Low;
                parsed.Key.DestinationLow = some[k].High;
                parsed.Hash = some[k].Hash;
            }

            flows.Find(_batch, _found);
            foreach (int found in _found)
            {
                sum += found >= 0 ? 1UL : 0;
            }
        }

        return sum;
    }

    /// <summary>Inserts in the batches packets come in: first looked up, as rte_hash does too before it adds, then added.</summary>
    private void Fill(FlowTable flows)
    {
        Span<FlowEntry> entries = new FlowEntry[Batch];
        Span<ParsedFrame> keys = new ParsedFrame[Batch];
        for (int first = 0; first < flows.Capacity; first += Batch)
        {
            int count = Math.Min(Batch, flows.Capacity - first);
            for (int k = 0; k < count; k++)
            {
                keys[k] = Key((ulong)(first + k));
                entries[k].Key = keys[k].Key;
                entries[k].Hash = keys[k].Hash;
                entries[k].State = FlowState.Udp;
            }

            flows.Find(keys[..count], _found);
            if (_found.AsSpan(0, count).ContainsAnyExcept(-1))
            {
                throw new InvalidOperationException("A key is in the table before it was inserted.");
            }

            for (int k = 0; k < count; k += 2)
            {
                if (flows.InsertPair(in entries[k], in entries[k + 1], 0) < 0)
                {
                    throw new InvalidOperationException("The table is full before its time.");
                }
            }
        }
    }

    private static void Empty(FlowTable flows)
    {
        for (int index = 0; index < flows.Capacity; index++)
        {
            if (flows[index].State != FlowState.Free)
            {
                flows.RemovePair(index);
            }
        }
    }

    private ParsedFrame Key(ulong number)
    {
        var key = new FlowKey { SourceLow = Mix(2 * number), DestinationLow = Mix((2 * number) + 1), Transport = 6 };
        return new ParsedFrame { Key = key, Hash = _hash.Of(in key) };
    }

    private Wanted WantedOf(ulong number)
    {
        ParsedFrame key = Key(number);
        return new Wanted(key.Key.SourceLow, key.Key.DestinationLow, key.Hash);
    }

    /// <summary>SplitMix64 of a number, as in hash.c.</summary>
    private static ulong Mix(ulong number)
    {
        ulong z = (number + 1) * 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    private readonly record struct Wanted(ulong Low, ulong High, uint Hash);

    private sealed record Table(string Name, FlowTable Flows, Wanted[] Hits, Wanted[] Misses);
}
