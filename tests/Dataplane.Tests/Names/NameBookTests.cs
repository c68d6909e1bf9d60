using Dataplane.Names;
using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Names;

/// <summary>A table made of changes answers as one made anew, and costs what has changed.</summary>
public sealed class NameBookTests
{
    private static readonly string[] s_tops = ["z.test", "a.z.test", "dns.z.test", "web", "10.in-addr.arpa"];

    private static readonly string[] s_labels = ["a", "b", "ns", "dns", "web", "_tcp"];

    private static readonly Gen<string> s_owner =
        from labels in Gen.Elements(s_labels).ArrayOf()
        from top in Gen.Elements(s_tops)
        select string.Join('.', labels.Take(3).Append(top));

    private static readonly Gen<NameRecord> s_record =
        from name in s_owner
        from target in Gen.OneOf(s_owner, Gen.Constant("www.example.org"))
        from kind in Gen.Choose(0, 9)
        from number in Gen.Choose(1, 6)
        select Record(name, target, kind, number);

    /// <summary>What is done to the server's zones: a record more or less, a zone more or less, other settings, another order.</summary>
    private static readonly Gen<(int Kind, int Place, NameRecord Record)> s_change =
        from kind in Gen.Choose(0, 11)
        from place in Gen.Choose(0, 1000)
        from record in s_record
        select (kind, place, record);

    private static NameRecord Record(string name, string target, int kind, int number) => kind switch
    {
        0 => NameRecord.Cname(name, target),
        1 => NameRecord.Srv(name, target, (ushort)number),
        2 => NameRecord.Txt(name, $"{number}"),
        3 => NameRecord.Of(name, IpAddress.Parse($"fd00::{number}"), number),
        4 => NameRecord.Of(name, IpAddress.Parse($"10.0.0.{number}")) with { TtlSeconds = number },
        _ => NameRecord.Of(name.ToUpperInvariant() + ".", IpAddress.Parse($"10.0.1.{number}"), kind % 3),
    };

    [Fact]
    public void Compile_AnyChanges_AnswersByteForByteAsATableMadeAnew() => Prop.ForAll(s_change.ArrayOf(40).ToArbitrary(), changes =>
    {
        var book = new NameBook();
        var spec = new NameServerSpec { Name = "s", Addresses = [IpAddress.Parse("10.0.0.1"), IpAddress.Parse("fd00::53")], Zones = [new ZoneSpec { Name = "z.test" }] };
        NameTable first = book.Compile(spec);
        NameServerSpec begin = spec;
        foreach ((int kind, int place, NameRecord record) in changes)
        {
            spec = spec with { Zones = Change(spec.Zones, kind, place, record) };

            // Several changes come as one now and then.
            if (place % 3 != 0)
            {
                AssertSame(new NameBook().Compile(spec), book.Compile(spec), spec);
            }
        }

        // What was published stays as it was, whatever has been made of the book since.
        AssertSame(new NameBook().Compile(begin), first, begin);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(60));

    [Fact]
    public void Compile_OneNameAmongThousands_CompilesThatNameAlone()
    {
        NameRecord[] records = [.. Enumerable.Range(1, 5000).Select(number => NameRecord.Of($"c{number}.web", IpAddress.FromV4(0x0A000000 + (uint)number)))];
        var spec = new NameServerSpec { Name = "s", Addresses = [IpAddress.Parse("10.255.0.1")], Zones = [new ZoneSpec { Name = "web", Records = records }] };
        var book = new NameBook();
        book.Compile(spec);
        long before = book.NamesCompiled;

        NameServerSpec more = spec with { Zones = [spec.Zones[0] with { Records = [.. records, NameRecord.Of("new.web", IpAddress.Parse("10.1.0.1"))] }] };
        NameTable table = book.Compile(more);
        Assert.Equal(1, book.NamesCompiled - before);
        Assert.Equal(["10.1.0.1"], NameNet.Ask(table, PlainDns.Query("new.web", 1))!.Texts(1));

        NameServerSpec less = more with { Zones = [more.Zones[0] with { Records = [.. more.Zones[0].Records.Skip(1)] }] };
        table = book.Compile(less);
        Assert.Equal(1, book.NamesCompiled - before);
        Assert.Equal(3, NameNet.Ask(table, PlainDns.Query("c1.web", 1))!.Rcode);
        Assert.Equal(["10.0.0.2"], NameNet.Ask(table, PlainDns.Query("c2.web", 1))!.Texts(1));

        NameServerSpec zone = less with { Zones = [.. less.Zones, new ZoneSpec { Name = "other", Records = [NameRecord.Of("other", IpAddress.Parse("10.1.0.2"))] }] };
        book.Compile(zone);

        // The zone, its server's name and the name between them.
        Assert.Equal(4, book.NamesCompiled - before);
    }

    [Fact]
    public void Compile_NamesThatComeAndGo_TakeNoMoreMemoryThanThoseThere()
    {
        NameRecord[] records = [.. Enumerable.Range(1, 100).Select(number => NameRecord.Of($"c{number}.web", IpAddress.FromV4(0x0A000000 + (uint)number)))];
        var spec = new NameServerSpec { Name = "s", Addresses = [IpAddress.Parse("10.255.0.1")], Zones = [new ZoneSpec { Name = "web", Records = records }] };
        var book = new NameBook();
        int most = 0;
        for (int round = 0; round < 5000; round++)
        {
            spec = spec with { Zones = [spec.Zones[0] with { Records = [.. records, NameRecord.Of($"n{round}.web", IpAddress.Parse("10.1.0.1"))] }] };
            NameTable table = book.Compile(spec);
            Assert.Equal(104, table.Count);
            most = Math.Max(most, table.Bytes.Length);
        }

        Assert.InRange(most, 1, 128 * 1024);
    }

    private static IReadOnlyList<ZoneSpec> Change(IReadOnlyList<ZoneSpec> zones, int kind, int place, NameRecord record)
    {
        if (zones.Count == 0 || kind == 0)
        {
            string[] free = [.. s_tops.Where(top => !zones.Any(zone => zone.Name == top))];
            return free.Length == 0 ? zones : [.. zones.Take(place % (zones.Count + 1)), Zone(free[place % free.Length]), .. zones.Skip(place % (zones.Count + 1))];
        }

        int at = place % zones.Count;
        ZoneSpec chosen = zones[at];
        IReadOnlyList<NameRecord> records = chosen.Records;
        int index = records.Count == 0 ? 0 : place / 7 % records.Count;
        return kind switch
        {
            1 => [.. zones.Where((_, i) => i != at)],
            2 => [.. zones.Skip(1), zones[0]],
            3 => Put(zones, at, chosen with { TtlSeconds = chosen.TtlSeconds + 1 }),
            4 => Put(zones, at, chosen with { NegativeTtlSeconds = chosen.NegativeTtlSeconds + 1 }),
            5 => Put(zones, at, chosen with { Records = [.. records.Reverse()] }),
            6 or 7 => Put(zones, at, chosen with { Records = [.. records.Where((_, i) => i != index)] }),
            _ => Add(zones, record, index),
        };
    }

    private static ZoneSpec Zone(string top) => new() { Name = top, IsPartial = top.EndsWith("arpa", StringComparison.Ordinal) };

    private static IReadOnlyList<ZoneSpec> Put(IReadOnlyList<ZoneSpec> zones, int at, ZoneSpec zone) => [.. zones.Take(at), zone, .. zones.Skip(at + 1)];

    /// <summary>Into any zone around the name, and unless the rules for aliases forbid it.</summary>
    private static IReadOnlyList<ZoneSpec> Add(IReadOnlyList<ZoneSpec> zones, NameRecord record, int index)
    {
        string name = DomainName.Normalise(record.Name);
        int[] around = [.. Enumerable.Range(0, zones.Count).Where(at => DomainName.IsAtOrUnder(name, zones[at].Name))];
        bool isTaken = zones.SelectMany(zone => zone.Records).Any(other => DomainName.Normalise(other.Name) == name
            && (other.Type == NameRecordType.Cname || record.Type == NameRecordType.Cname));
        if (around.Length == 0 || isTaken || (record.Type == NameRecordType.Cname && zones.Any(zone => zone.Name == name)))
        {
            return zones;
        }

        int chosen = around[index % around.Length];
        IReadOnlyList<NameRecord> records = zones[chosen].Records;
        return Put(zones, chosen, zones[chosen] with { Records = [.. records.Take(index), record, .. records.Skip(index)] });
    }

    private static void AssertSame(NameTable expected, NameTable actual, NameServerSpec spec)
    {
        Assert.Equal(expected.Count, actual.Count);
        IEnumerable<string> names = spec.Zones.SelectMany(zone => zone.Records).SelectMany(record => new[] { record.Name, record.Target })
            .Concat(s_tops.SelectMany(top => new[] { top, $"dns.{top}", $"ns.dns.{top}", $"a.{top}", $"b.a.{top}", $"no.{top}" }));
        foreach (string name in names.Where(name => name.Length > 0).Select(DomainName.Normalise).Distinct())
        {
            foreach (ushort type in (ushort[])[1, 2, 5, 6, 12, 16, 28, 33])
            {
                Assert.Equal(Answer(expected, name, type), Answer(actual, name, type));
            }
        }
    }

    private static byte[] Answer(NameTable table, string name, ushort type)
    {
        byte[] target = new byte[1232];
        NameResponse response = NameResponder.Respond(table, PlainDns.Query(name, type, 1232), target, target.Length, isUdp: true, new NameScratch(1));
        return [(byte)response.Kind, .. target[..response.Bytes]];
    }
}
