using Dataplane.Names;
using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;
using static Dataplane.Tests.Names.PlainUpstream;

namespace Dataplane.Tests.Names;

/// <summary>IPv6 addresses made of IPv4 ones (RFC 6147), in what upstream says and in zones of our own; read by a decoder that shares nothing with the server.</summary>
public sealed class Dns64Tests : IAsyncDisposable
{
    private const int A = 1, Cname = 5, Soa = 6, Pointer = 12, Txt = 16, Aaaa = 28, Signature = 46;
    private const int Recursion = 0x0100, Checked = 0x0110;

    private readonly PlainUpstream _upstream = new();
    private NameForwarder? _forwarder;

    public async ValueTask DisposeAsync()
    {
        await (_forwarder?.DisposeAsync() ?? default);
        await _upstream.DisposeAsync();
    }

    private NameServer Server(Dns64Spec? dns64, params ZoneSpec[] zones)
    {
        var spec = new NameServerSpec { Name = "net", Addresses = [IpAddress.Parse("198.51.100.1")], Upstreams = [_upstream.Address], Dns64 = dns64, Zones = zones };
        NameServers servers = NameServers.Compile([spec], null);
        _forwarder = new NameForwarder(() => servers, TimeProvider.System);
        return servers.Servers[0];
    }

    private async Task<PlainDns> AskAsync(NameServer server, string name, int type, int? edns = null, int flags = Recursion) =>
        PlainDns.Read((await _forwarder!.ResolveAsync(server, PlainDns.Query(name, type, edns, flags)))!);

    private static string[] Lines(IEnumerable<PlainDns.Record> records) => [.. records.Select(record => $"{record.Name} {record.Type} {record.Ttl} {record.Text}")];

    [Fact]
    public async Task Resolve_NameWithIpv4Only_HasAddressesBehindThePrefix()
    {
        NameServer server = Server(new Dns64Spec());
        _upstream.Say("www.example.org", Aaaa, authority: [Denial("example.org", 120)]);
        _upstream.Say("www.example.org", A, answers: [Address4("www.example.org", "192.0.0.170"), Address4("www.example.org", "8.8.4.4", 60), Address4("www.example.org", "10.1.2.3")]);
        byte[] answer = (await _forwarder!.ResolveAsync(server, PlainDns.Query("www.example.org", Aaaa)))!;

        // The whole message, byte by byte: recursion desired and available, neither authoritative nor authenticated; TTL of the SOA record and of the address
        // (RFC 6147 5.1.7); the private address is not put behind the well-known prefix (RFC 6052 3.1).
        byte[] record = [0xC0, 12, 0, 28, 0, 1, 0, 0, 0];
        byte[] prefix = [0, 16, 0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0];
        Assert.Equal(
            [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0, .. Name("www.example.org"), 0, 28, 0, 1, .. record, 120, .. prefix, 192, 0, 0, 170, .. record, 60, .. prefix, 8, 8, 4, 4],
            answer);
        Assert.Equal(["www.example.org 28 0100", "www.example.org 1 0100"], _upstream.Asked);

        // Both answers are remembered.
        Assert.Equal(2, (await AskAsync(server, "WWW.example.org", Aaaa)).Answers.Count);
        Assert.Equal(2, _upstream.Asked.Count);
    }

    [Fact]
    public async Task Resolve_NameWithIpv6_IsLeftAsItIs()
    {
        NameServer server = Server(new Dns64Spec());
        _upstream.Say("six.example.org", Aaaa, answers: [Address6("six.example.org", "2001:db8::1")]);
        _upstream.Say("no.example.org", Aaaa, 3, authority: [Denial("example.org", 120)]);
        Assert.Equal(["2001:db8::1"], (await AskAsync(server, "six.example.org", Aaaa)).Texts(Aaaa));
        PlainDns denied = await AskAsync(server, "no.example.org", Aaaa);
        Assert.Equal((3, 0, 1), (denied.Rcode, denied.Answers.Count, denied.Authority.Count));
        Assert.Equal(2, _upstream.Asked.Count);
    }

    [Fact]
    public async Task Resolve_NeitherFamily_DeniesAsUpstreamDid()
    {
        NameServer server = Server(new Dns64Spec());
        _upstream.Say("mail.example.org", Aaaa, authority: [Denial("example.org", 120)]);
        _upstream.Say("mail.example.org", A, authority: [Denial("example.org", 120)]);
        PlainDns denied = await AskAsync(server, "mail.example.org", Aaaa);
        Assert.Equal((0, 0, Aaaa, "example.org."), (denied.Rcode, denied.Answers.Count, denied.Questions[0].Type, denied.Authority[0].Name));

        // Private addresses alone, behind the well-known prefix, are none (RFC 6052 3.1).
        _upstream.Say("inside.example.org", Aaaa);
        _upstream.Say("inside.example.org", A, answers: [Address4("inside.example.org", "192.168.1.1")]);
        Assert.Empty((await AskAsync(server, "inside.example.org", Aaaa)).Answers);
    }

    [Theory]
    [InlineData(2)] // RFC 6147 5.1.2: every error but that there is no such name is as an empty answer.
    [InlineData(5)]
    public async Task Resolve_ErrorAboutIpv6_AsksForIpv4(int rcode)
    {
        NameServer server = Server(new Dns64Spec { Prefix = IpPrefix.Parse("2001:db8:64::/96") });
        _upstream.Say("www.example.org", Aaaa, rcode);
        _upstream.Say("www.example.org", A, answers: [Address4("www.example.org", "10.1.2.3", 9000)]);

        // Without an SOA record, ten minutes at most.
        Assert.Equal(["www.example.org. 28 600 2001:db8:64::a01:203"], Lines((await AskAsync(server, "www.example.org", Aaaa)).Answers));
    }

    [Fact]
    public async Task Resolve_ExcludedAddresses_AreAsIfNotThere()
    {
        NameServer server = Server(new Dns64Spec { Prefix = IpPrefix.Parse("2001:db8:64::/96"), Exclude = [IpPrefix.Parse("::ffff:0:0/96"), IpPrefix.Parse("2001:db8:bad::/48"), IpPrefix.Parse("10.9.0.0/16")] });
        _upstream.Say("all.example.org", Aaaa, answers: [Address6("all.example.org", "::ffff:8.8.8.8"), Address6("all.example.org", "2001:db8:bad::1")]);
        _upstream.Say("all.example.org", A, answers: [Address4("all.example.org", "8.8.8.8"), Address4("all.example.org", "10.9.1.1")]);
        _upstream.Say("some.example.org", Aaaa, answers: [Address6("some.example.org", "2001:db8:bad::1"), Address6("some.example.org", "2001:db8::7", 77)]);
        Assert.Equal(["all.example.org. 28 300 2001:db8:64::808:808"], Lines((await AskAsync(server, "all.example.org", Aaaa)).Answers));
        Assert.Equal(["some.example.org. 28 77 2001:db8::7"], Lines((await AskAsync(server, "some.example.org", Aaaa)).Answers));
    }

    [Fact]
    public async Task Resolve_Aliases_ComeWithTheAddresses()
    {
        NameServer server = Server(new Dns64Spec { Prefix = IpPrefix.Parse("2001:db8:64::/96") },
            new ZoneSpec { Name = "own.test", Records = [NameRecord.Cname("www.own.test", "cdn.example.org")] });
        byte[] alias = Alias("cdn.example.org", "node.example.net", 50), signature = Record("cdn.example.org", Signature, 50, new byte[30]);
        _upstream.Say("cdn.example.org", Aaaa, answers: [alias], authority: [Denial("example.net", 40)]);
        _upstream.Say("cdn.example.org", A, answers: [alias, signature, Address4("node.example.net", "203.0.113.9", 90)]);
        string[] chain = ["cdn.example.org. 5 50 node.example.net.", "node.example.net. 28 40 2001:db8:64::cb00:7109"];
        PlainDns answer = await AskAsync(server, "cdn.example.org", Aaaa, edns: 1232);
        Assert.Equal(chain, Lines(answer.Answers));
        Assert.NotNull(answer.Opt);
        string[] own = Lines((await AskAsync(server, "www.own.test", Aaaa)).Answers);
        Assert.Equal(["www.own.test. 5 30 cdn.example.org.", .. chain], own);
    }

    [Fact]
    public async Task Resolve_WhoChecksSignaturesHimself_GetsWhatUpstreamSays()
    {
        NameServer server = Server(new Dns64Spec());
        _upstream.Say("www.example.org", Aaaa, authority: [Denial("example.org", 120)]);
        _upstream.Say("www.example.org", A, answers: [Address4("www.example.org", "8.8.8.8")]);

        // The OPT record of these queries says DO. RFC 6147 5.5: with CD too nothing is made up; without it is, and not called authenticated.
        Assert.Empty((await AskAsync(server, "www.example.org", Aaaa, 1232, Checked)).Answers);
        Assert.Single((await AskAsync(server, "www.example.org", Aaaa, 1232)).Answers);
        Assert.Single((await AskAsync(server, "www.example.org", Aaaa, null, Checked)).Answers);
        byte[] answer = (await _forwarder!.ResolveAsync(server, PlainDns.Query("www.example.org", Aaaa, 1232)))!;
        Assert.Equal(0, answer[3] & 0x20);
    }

    [Fact]
    public async Task Resolve_OtherQuestions_AreNotTouched()
    {
        NameServer server = Server(new Dns64Spec());
        _upstream.Say("www.example.org", Txt, answers: [Record("www.example.org", Txt, 5, [1, (byte)'x'])]);
        _upstream.Say("www.example.org", A, answers: [Address4("www.example.org", "8.8.8.8")]);
        Assert.Equal(["x"], (await AskAsync(server, "www.example.org", Txt)).Texts(Txt));
        Assert.Equal(["8.8.8.8"], (await AskAsync(server, "www.example.org", A)).Texts(A));
        Assert.Equal(2, _upstream.Asked.Count);
    }

    [Theory]
    [InlineData("64:ff9b::/96", "a.0.2.0.0.0.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.9.f.f.4.6.0.0.ip6.arpa", "10.2.0.8.in-addr.arpa")]
    [InlineData("2001:db8:122::/48", "0.0.0.0.0.0.0.0.0.0.1.2.2.0.0.0.0.0.0.c.2.2.1.0.8.b.d.0.1.0.0.2.ip6.arpa", "33.2.0.192.in-addr.arpa")] // RFC 6052 2.4
    public async Task Resolve_NameOfAnAddressBehindThePrefix_IsThatOfTheIpv4Address(string prefix, string name, string expected)
    {
        NameServer server = Server(new Dns64Spec { Prefix = IpPrefix.Parse(prefix) });
        _upstream.Say(expected, Pointer, answers: [Record(expected, Pointer, 80, Name("host.example.org"))]);
        PlainDns answer = await AskAsync(server, name, Pointer);
        Assert.Equal([$"{name}. 5 600 {expected}.", $"{expected}. 12 80 host.example.org."], Lines(answer.Answers));
        Assert.Equal(0, answer.Rcode);
    }

    [Fact]
    public async Task Resolve_NamesOfOtherAddresses_AreAskedUpstreamOrKnown()
    {
        NameServer server = Server(new Dns64Spec(), new ZoneSpec { Name = "in-addr.arpa", IsPartial = true, Records = [NameRecord.Reverse(IpAddress.Parse("8.0.2.11"), "own.test")] });
        string own = "b.0.2.0.0.0.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.9.f.f.4.6.0.0.ip6.arpa", none = "c" + own[1..], other = own.Replace("4.6.0.0.ip6", "5.6.0.0.ip6", StringComparison.Ordinal);
        Assert.Equal(["11.2.0.8.in-addr.arpa. 12 30 own.test."], Lines((await AskAsync(server, own, Pointer)).Answers).Skip(1));
        _upstream.Say("12.2.0.8.in-addr.arpa", Pointer, 3);
        PlainDns denied = await AskAsync(server, none, Pointer);
        Assert.Equal((3, 0), (denied.Rcode, denied.Answers.Count));
        _upstream.Say(other, Pointer, answers: [Record(other, Pointer, 80, Name("other.example.org"))]);
        Assert.Equal(["other.example.org."], (await AskAsync(server, other, Pointer)).Texts(Pointer));
        Assert.Equal(2, _upstream.Asked.Count);
    }

    [Fact]
    public void Respond_ZonesOfOurOwn_HaveAddressesForBothFamilies()
    {
        NameTable table = Server(new Dns64Spec { Prefix = IpPrefix.Parse("2001:db8:64::/96"), Exclude = [IpPrefix.Parse("::ffff:0:0/96"), IpPrefix.Parse("10.9.0.0/16")] }, new ZoneSpec
        {
            Name = "own.test",
            Records =
            [
                NameNet.A("four.own.test", "10.1.2.3"), NameNet.A("both.own.test", "10.1.2.4"), NameRecord.Of("both.own.test", IpAddress.Parse("2001:db8::4")),
                NameNet.A("kept.own.test", "10.9.0.1"), NameRecord.Cname("alias.own.test", "four.own.test"), NameNet.A("mapped.own.test", "10.1.2.5"),
                NameRecord.Of("mapped.own.test", IpAddress.Parse("::ffff:10.1.2.5")),
            ],
        }).Table;
        PlainDns Ask(string name, int type, int? edns = null, int flags = Recursion) => NameNet.Ask(table, PlainDns.Query(name, type, edns, flags))!;
        Assert.Equal(["four.own.test. 28 30 2001:db8:64::a01:203"], Lines(Ask("four.own.test", Aaaa).Answers));
        Assert.Equal(["10.1.2.3"], Ask("four.own.test", A).Texts(A));
        Assert.Equal(["2001:db8::4"], Ask("both.own.test", Aaaa).Texts(Aaaa));
        Assert.Equal(["2001:db8:64::a01:205"], Ask("mapped.own.test", Aaaa).Texts(Aaaa));
        Assert.Equal(["alias.own.test. 5 30 four.own.test.", "four.own.test. 28 30 2001:db8:64::a01:203"], Lines(Ask("alias.own.test", Aaaa).Answers));
        PlainDns kept = Ask("kept.own.test", Aaaa);
        Assert.Equal((0, 0, Soa), (kept.Rcode, kept.Answers.Count, kept.Authority[0].Type));

        // Who checks signatures himself is told the truth (RFC 6147 5.5).
        Assert.Empty(Ask("four.own.test", Aaaa, 1232, Checked).Answers);
        Assert.Single(Ask("four.own.test", Aaaa, 1232).Answers);
        Assert.Equal([Cname], Ask("alias.own.test", Aaaa, 1232, Checked).Answers.Select(record => record.Type));
    }

    [Fact]
    public void Respond_NameByWhichThePrefixIsFound_IsNeverAskedOfOthers()
    {
        // RFC 7050, RFC 8880 7.1; behind the well-known prefix too, though these addresses are nobody's.
        NameTable table = Server(new Dns64Spec()).Table;
        Assert.Equal(["64:ff9b::c000:aa", "64:ff9b::c000:ab"], NameNet.Ask(table, PlainDns.Query("ipv4only.arpa", Aaaa))!.Texts(Aaaa).Order(StringComparer.Ordinal));
        Assert.Equal(["192.0.0.170", "192.0.0.171"], NameNet.Ask(table, PlainDns.Query("IPv4only.ARPA", A))!.Texts(A).Order(StringComparer.Ordinal));
        Assert.Equal(["ipv4only.arpa."], NameNet.Ask(table, PlainDns.Query("170.0.0.192.in-addr.arpa", Pointer))!.Texts(Pointer));
        Assert.Empty(NameNet.Ask(table, PlainDns.Query("ipv4only.arpa", Txt))!.Answers);
        Assert.Null(NameNet.Ask(Server(null).Table, PlainDns.Query("ipv4only.arpa", Aaaa)));
    }

    [Fact]
    public void Compile_Dns64ComesAndGoes_AnswersFollow()
    {
        var zone = new ZoneSpec { Name = "own.test", Records = [NameNet.A("a.own.test", "8.8.8.8")] };
        var spec = new NameServerSpec { Name = "net", Addresses = [IpAddress.Parse("198.51.100.1")], Zones = [zone] };
        var book = new NameBook();
        foreach (string? prefix in new[] { null, "64:ff9b::/96", "2001:db8:1::/96", "2001:db8:2::/96", null })
        {
            NameTable table = book.Compile(spec with { Dns64 = prefix is null ? null : new Dns64Spec { Prefix = IpPrefix.Parse(prefix) } });
            string[] expected = prefix is null ? [] : [prefix[..^3] + "808:808"];
            Assert.Equal(expected, NameNet.Ask(table, PlainDns.Query("a.own.test", Aaaa))!.Texts(Aaaa));
        }
    }

    [Fact]
    public void Answer_AnyBytesFromUpstream_NeverThrow() => Prop.ForAll(Arb.From(Gen.Choose(0, 255).Select(value => (byte)value).ArrayOf(120)), Arb.From(Gen.Choose(0, 1 << 20)), (noise, seed) =>
    {
        byte[] query = PlainDns.Query("www.example.org", Aaaa, 1232), address = Address4("www.example.org", "8.8.8.8"), alias = Alias("www.example.org", "x.example.org");
        byte[] response = [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 3, 0, 1, 0, 0, .. query.AsSpan(12, 21), .. alias, .. address, .. address, .. Denial("example.org", 7)];
        for (int i = 0; i < seed % 5; i++)
        {
            response[12 + (noise[i] * 31 % (response.Length - 12))] = noise[i + 10];
        }

        response = seed % 7 == 0 ? [.. response.AsSpan(0, 12), .. noise] : response;
        var spec = new Dns64Spec();
        Dns64Answer.IsEnough(spec, query, response, out _);
        if (Dns64Answer.Synthesize(spec, query, response, response) is { } made)
        {
            Assert.All(PlainDns.Read(made).Answers, record => Assert.True(record.Type is Aaaa or Cname or 39));
        }
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(3000));

    [Fact]
    public void Answer_MoreThanAMessageHolds_SaysSo()
    {
        // Names without pointers are longer than with them.
        byte[] query = PlainDns.Query("www.example.org", Aaaa);
        string host = string.Join('.', Enumerable.Repeat(new string('x', 60), 4));
        byte[] first = Address4(host, "8.8.8.8"), other = [0xC0, 33, .. first.AsSpan(first.Length - 14)];
        byte[] response = [0x12, 0x34, 0x81, 0x80, 0, 1, 0x0F, 0xA0, 0, 0, 0, 0, .. query.AsSpan(12), .. first, .. Enumerable.Repeat(other, 3999).SelectMany(bytes => bytes)];
        PlainDns made = PlainDns.Read(Dns64Answer.Synthesize(new Dns64Spec(), query, null, response)!);
        Assert.True(made.Truncated);
        Assert.InRange(made.Answers.Count, 200, 300);
    }
}
