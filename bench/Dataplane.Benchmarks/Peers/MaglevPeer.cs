using System.Globalization;
using Dataplane.Balancing;

namespace Dataplane.Benchmarks.Peers;

/// <summary>Maglev: building a table of weighted members, and changing it by one, against a textbook that builds anew.</summary>
internal sealed class MaglevPeer : IPeerWork
{
    private const int MaxWeight = 10;

    private static readonly (int Size, int Members)[] s_sets = [(65537, 1000), (655373, 10000)];

    private readonly Dictionary<int, MaglevMember[]> _members = [];
    private readonly Dictionary<int, MaglevTable> _tables = [], _without = [];

    public IReadOnlyList<string> Cases =>
        [.. s_sets.SelectMany(set => new[] { $"build-{set.Size}", $"remove-{set.Size}", $"add-{set.Size}", $"weight-{set.Size}" })];

    public void Make(string path)
    {
        using var file = new BinaryWriter(File.Create(path));
        var random = new Random(1);
        foreach ((int size, int count) in s_sets)
        {
            file.Write(size);
            file.Write(count);
            for (int i = 0; i < count; i++)
            {
                file.Write((ulong)random.NextInt64());
                file.Write(random.Next(1, MaxWeight + 1));
                file.Write(0);
            }
        }
    }

    public void Load(string path, TextWriter output)
    {
        using var file = new BinaryReader(File.OpenRead(path));
        foreach ((int _, int _) in s_sets)
        {
            int size = file.ReadInt32();
            var members = new MaglevMember[file.ReadInt32()];
            for (int i = 0; i < members.Length; i++)
            {
                members[i] = new MaglevMember(file.ReadUInt64(), file.ReadInt32());
                file.ReadInt32();
            }

            MaglevTable table = MaglevTable.Build(members, size);
            _members[size] = members;
            _tables[size] = table;
            _without[size] = table.Change(members[1..]);
            Tell(output, "build", table);
            Tell(output, "remove", _without[size]);
            Tell(output, "add", _without[size].Change(members));
            Tell(output, "weight", table.Change(Heavier(members)));
        }
    }

    public void Round(string name, TextWriter output)
    {
        int size = int.Parse(name.AsSpan(name.IndexOf('-', StringComparison.Ordinal) + 1), CultureInfo.InvariantCulture);
        MaglevMember[] members = _members[size], fewer = members[1..], heavier = Heavier(members);
        MaglevTable table = _tables[size], without = _without[size];
        PeerProgram.Report(output, name, "ours", name.Split('-')[0] switch
        {
            "build" => () => Sum(MaglevTable.Build(members, size)),
            "remove" => () => (ulong)table.Change(fewer).Size,
            "add" => () => (ulong)without.Change(members).Size,
            _ => () => (ulong)table.Change(heavier).Size,
        }, 1);
    }

    public void Dispose()
    {
    }

    private static MaglevMember[] Heavier(MaglevMember[] members) => [members[0] with { Weight = members[0].Weight * 2 }, .. members[1..]];

    private static ulong Sum(MaglevTable table)
    {
        ulong sum = 0;
        for (int slot = 0; slot < table.Size; slot += 61)
        {
            sum = (sum * 31) + (uint)table.MemberAt(slot);
        }

        return sum;
    }

    /// <summary>Slots moved against the fewest possible, and the largest share of a member against what its weight gives it.</summary>
    private static void Tell(TextWriter output, string change, MaglevTable table)
    {
        double sum = table.Members.Sum(member => (double)member.Weight);
        double most = Enumerable.Range(0, table.Members.Count).Max(i => table.SlotsOf(i) / (table.Members[i].Weight / sum * table.Size));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"note {change}-{table.Size}: {table.SlotsMoved} slots moved, {table.MinimumSlotsMoved} at least; largest share over exact share {most:F4}"));
    }
}
