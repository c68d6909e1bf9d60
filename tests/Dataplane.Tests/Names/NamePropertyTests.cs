using Dataplane.Names;
using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Names;

/// <summary>Any bytes, any zone: the server never throws, and what it says can be read and is true.</summary>
public sealed class NamePropertyTests
{
    private static readonly NameTable s_table = new NameBook().Compile(NameNet.Spec);
    private static readonly NameTable s_forwarding = new NameBook().Compile(NameNet.Spec with { Upstreams = [new(System.Net.IPAddress.Parse("192.0.2.53"), 53)] });

    private static readonly byte[][] s_seeds =
    [
        PlainDns.Query("web.mesh.example", 1), PlainDns.Query("many.mesh.example", 1, 1232), PlainDns.Query("alias.mesh.example", 28, 512),
        PlainDns.Query("no.mesh.example", 33, 4096), PlainDns.Query("out.mesh.example", 1), PlainDns.Query("1.0.96.10.in-addr.arpa", 12, 600),
        PlainDns.Query(string.Join('.', Enumerable.Repeat("x", 120)) + ".mesh.example", 1), PlainDns.Query("_http._tcp.web.mesh.example", 33, 1232),
    ];

    private static readonly Gen<byte[]> s_bytes = Gen.OneOf(
        Gen.Choose(0, 255).Select(value => (byte)value).ArrayOf(),
        from seed in Gen.Elements(s_seeds)
        from cuts in Gen.Choose(0, 4)
        from damage in Gen.Choose(0, 1 << 30).ArrayOf()
        select Damage(seed, cuts == 0 ? damage.Length == 0 ? 0 : damage[0] % seed.Length : 0, damage.Take(4)));

    private static byte[] Damage(byte[] seed, int cut, IEnumerable<int> damage)
    {
        byte[] bytes = [.. seed];
        foreach (int value in damage)
        {
            bytes[(value >> 8) % bytes.Length] = (byte)value;
        }

        return bytes[..(bytes.Length - cut)];
    }

    [Fact]
    public void Respond_AnyBytes_NeverThrowsAndAnswersReadably() => Prop.ForAll(Arb.From(s_bytes), bytes =>
    {
        foreach (NameTable table in new[] { s_table, s_forwarding })
        {
            PlainDns? answer = NameNet.Ask(table, bytes);
            if (answer is not null)
            {
                Assert.True(answer.IsResponse);
                Assert.Equal((bytes[0] << 8) | bytes[1], answer.Id);
                Assert.InRange(answer.Questions.Count, 0, 1);
            }
        }
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(3000));

    [Fact]
    public void DnsMessage_AnyBytes_NeverThrows() => Prop.ForAll(Arb.From(s_bytes), bytes =>
    {
        DnsMessage.ReadAnswers(bytes);
        DnsMessage.Age([.. bytes], 5);
        if (AliasOf("out.mesh.example") is { } alias)
        {
            alias.Join(PlainDns.Query("out.mesh.example", 1), bytes.Length < 12 ? new byte[12] : bytes);
        }
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));

    [Fact]
    public void Table_AnyNames_FindsThoseAndNoOthers()
    {
        Gen<string> label = Gen.Elements("a", "b", "c", "web", "WEB", "_tcp", "x-1", "0");
        Gen<string[]> names = (from labels in label.ArrayOf() where labels.Length is > 0 and < 6 select string.Join('.', labels) + ".z.test").ArrayOf();
        Prop.ForAll(Arb.From(names), Arb.From(names), (there, asked) =>
        {
            var zone = new ZoneSpec { Name = "z.test", Records = [.. there.Select((name, i) => NameRecord.Of(name, IpAddress.FromV4(0x0A000000 + (uint)i)))] };
            NameTable table = new NameBook().Compile(new NameServerSpec { Name = "s", Addresses = [IpAddress.Parse("10.0.0.1")], Zones = [zone] });
            foreach (string name in asked.Concat(there))
            {
                string[] expected = [.. zone.Records.Where(record => record.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(record => record.Address.ToString()).Order()];
                bool isEmpty = there.Any(other => other.EndsWith("." + name, StringComparison.OrdinalIgnoreCase));
                PlainDns answer = NameNet.Ask(table, PlainDns.Query(name, 1, 1232))!;
                Assert.Equal(expected, answer.Texts(1).Order());
                Assert.Equal(expected.Length > 0 || isEmpty ? 0 : 3, answer.Rcode);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(150));
    }

    [Fact]
    public void SourceLimit_AnyTimes_LetsNoMoreThroughThanTheRateAndItsBurst() =>
        Prop.ForAll(Gen.Choose(0, 20).ArrayOf(200).ToArbitrary(), steps =>
        {
            var limit = new SourceLimit(3);
            long now = 0, taken = 0;
            foreach (int step in steps)
            {
                now += step * 1_000_000L;
                taken += limit.TryTake(0, 0x0A000001, isV4: true, 100, now) ? 1 : 0;
            }

            Assert.InRange(taken, 1, 10 + (now / 10_000_000) + 1);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(200));

    private static AliasQuery? AliasOf(string name)
    {
        byte[] message = PlainDns.Query(name, 1);
        NameQuery.Read(message, out NameQuery query);
        return AliasQuery.Find(s_table, message, in query);
    }
}
