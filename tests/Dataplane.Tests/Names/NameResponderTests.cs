using Dataplane.Names;
using Dataplane.Packets;

namespace Dataplane.Tests.Names;

/// <summary>What the name server says, read by a decoder that shares nothing with it.</summary>
public sealed class NameResponderTests
{
    private const int A = 1, Ns = 2, Cname = 5, Soa = 6, Pointer = 12, Hinfo = 13, Mx = 15, Txt = 16, Aaaa = 28, Srv = 33, Any = 255;

    private static readonly NameTable s_table = new NameBook().Compile(NameNet.Spec);

    private static PlainDns Ask(string name, int type, int? edns = null) => NameNet.Ask(s_table, PlainDns.Query(name, type, edns))!;

    [Theory]
    [InlineData("web.mesh.example", A, "10.96.0.1")]
    [InlineData("web.mesh.example", Aaaa, "fd00::1")]
    [InlineData("_http._tcp.web.mesh.example", Srv, "0 100 8080 web.mesh.example.")]
    [InlineData("dns-version.mesh.example", Txt, "1.1.0")]
    [InlineData("1.0.96.10.in-addr.arpa", Pointer, "web.mesh.example.")]
    [InlineData("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", Pointer, "web.mesh.example.")]
    [InlineData("mesh.example", Ns, "ns.dns.mesh.example.")]
    [InlineData("mesh.example", Soa, "ns.dns.mesh.example. hostmaster.mesh.example. 7")]
    [InlineData("ns.dns.mesh.example", Aaaa, "2001:db8:1::1")]
    [InlineData("x.sub.mesh.example", A, "10.96.0.8")]
    public void Respond_NameOfOurs_AnswersWithAuthority(string name, int type, string expected)
    {
        PlainDns answer = Ask(name, type);
        Assert.Equal((0x1234, true, 0, true, false, false), (answer.Id, answer.IsResponse, answer.Rcode, answer.Authoritative, answer.Truncated, answer.RecursionAvailable));
        PlainDns.Record record = Assert.Single(answer.Answers);
        Assert.Equal((name + ".", type, 1, expected), (record.Name, record.Type, record.Class, record.Text));
        Assert.True(answer.RecursionDesired);
    }

    [Fact]
    public void Respond_MixedCase_RepeatsItToTheLetter()
    {
        PlainDns answer = Ask("wEb.MeSH.eXAMPLe", A);
        Assert.Equal(("wEb.MeSH.eXAMPLe.", "wEb.MeSH.eXAMPLe."), (answer.Questions[0].Name, answer.Answers[0].Name));
    }

    [Theory]
    [InlineData("nothing.mesh.example", A, 3, "mesh.example.")]
    [InlineData("deep.below.web.mesh.example", A, 3, "mesh.example.")]
    [InlineData("nothing.sub.mesh.example", A, 3, "sub.mesh.example.")]
    [InlineData("web.mesh.example", Mx, 0, "mesh.example.")]
    [InlineData("db.mesh.example", Aaaa, 0, "mesh.example.")]
    [InlineData("b.c.mesh.example", A, 0, "mesh.example.")]
    [InlineData("_tcp.web.mesh.example", Any, 0, "mesh.example.")]
    public void Respond_NothingThere_DeniesWithTheZonesSoa(string name, int type, int rcode, string zone)
    {
        PlainDns answer = Ask(name, type, edns: 1232);
        Assert.Equal((rcode, true, 0), (answer.Rcode, answer.Authoritative, answer.Answers.Count));
        PlainDns.Record soa = Assert.Single(answer.Authority);
        Assert.Equal((zone, Soa, zone == "mesh.example." ? 7L : 5L), (soa.Name, soa.Type, soa.Ttl));
        Assert.EndsWith(soa.Ttl.ToString(System.Globalization.CultureInfo.InvariantCulture), soa.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void Respond_AliasOfOurs_AnswersWithTheWholeChain()
    {
        PlainDns answer = Ask("alias.mesh.example", A);
        Assert.Equal(["alias.mesh.example. second.mesh.example.", "second.mesh.example. web.mesh.example.", "web.mesh.example. 10.96.0.1"],
            answer.Answers.Select(record => $"{record.Name} {record.Text}"));
        Assert.Equal(["second.mesh.example."], Ask("alias.mesh.example", Cname).Answers.Select(record => record.Text));
        Assert.Equal(2, Ask("alias.mesh.example", Mx).Answers.Count);
        Assert.Equal(8, Ask("ring.mesh.example", A, 1232).Answers.Count);
        Assert.Equal(["www.example.org."], Ask("out.mesh.example", A).Texts(Cname));
    }

    [Fact]
    public void Respond_Srv_SparesTheQuestionForTheHost()
    {
        PlainDns answer = Ask("_http._tcp.web.mesh.example", Srv, 1232);
        Assert.Equal(["web.mesh.example. 10.96.0.1", "web.mesh.example. fd00::1"],
            answer.Additional.Where(record => record.Type != 41).Select(record => $"{record.Name} {record.Text}"));
    }

    [Fact]
    public void Respond_MoreThanFits_TruncatesByTheLimitOfTheAsker()
    {
        PlainDns small = Ask("many.mesh.example", A), edns = Ask("many.mesh.example", A, 900), large = Ask("many.mesh.example", A, 4096);
        Assert.True(small.Truncated && edns.Truncated && large.Truncated);
        Assert.Equal([(512 - 12 - 23) / 16, (900 - 12 - 23 - 11) / 16, (1232 - 12 - 23 - 11) / 16], [small.Answers.Count, edns.Answers.Count, large.Answers.Count]);
        PlainDns whole = NameNet.Ask(s_table, PlainDns.Query("many.mesh.example", A), isUdp: false)!;
        Assert.Equal((false, 100), (whole.Truncated, whole.Texts(A).Distinct().Count()));
        Assert.Equal((512 - 12 - 23) / 16, Ask("many.mesh.example", A, edns: 1).Answers.Count);
    }

    [Fact]
    public void Respond_SeveralAddresses_EachIsFirstByItsWeight()
    {
        var scratch = new NameScratch(42);
        var first = new Dictionary<string, int>();
        byte[] target = new byte[1232], query = PlainDns.Query("db.mesh.example", A);
        for (int i = 0; i < 4000; i++)
        {
            NameResponse response = NameResponder.Respond(s_table, query, target, 1232, isUdp: true, scratch);
            string[] addresses = PlainDns.Read(target[..response.Bytes]).Texts(A);
            Assert.Equal(2, addresses.Distinct().Count());
            first[addresses[0]] = first.GetValueOrDefault(addresses[0]) + 1;
        }

        Assert.InRange(first["10.96.0.3"], 2850, 3150);
    }

    [Fact]
    public void Respond_Edns_AnswersInKind()
    {
        PlainDns answer = Ask("web.mesh.example", A, 4096);
        Assert.Equal((1232, 0x8000L), (answer.Opt!.Class, answer.Opt.Ttl));
        Assert.Null(Ask("web.mesh.example", A).Opt);
        PlainDns bad = NameNet.Ask(s_table, PlainDns.Query("web.mesh.example", A, 1232, version: 1))!;
        Assert.Equal((16, 0, false), (bad.Rcode, bad.Answers.Count, bad.Authoritative));
    }

    [Theory]
    [InlineData("web.mesh.example", 252, 1, 0x0100, 5)]
    [InlineData("web.mesh.example", 251, 1, 0x0100, 5)]
    [InlineData("web.mesh.example", 253, 1, 0x0100, 4)]
    [InlineData("web.mesh.example", 41, 1, 0x0100, 1)]
    [InlineData("version.bind", 16, 3, 0x0100, 5)]
    [InlineData("web.mesh.example", 1, 255, 0x0100, 5)]
    [InlineData("www.example.org", 1, 1, 0x0100, 5)]
    [InlineData("2.0.96.10.in-addr.arpa", 12, 1, 0x0100, 5)]
    [InlineData("example", 1, 1, 0x0100, 5)]
    [InlineData(".", 2, 1, 0x0100, 5)]
    [InlineData("web.mesh.example", 1, 1, 0x2800, 4)]
    [InlineData("web.mesh.example", 1, 1, 0x1000, 4)]
    public void Respond_WhatIsNotServed_IsRefusedByItsCode(string name, int type, int queryClass, int flags, int rcode)
    {
        PlainDns answer = NameNet.Ask(s_table, PlainDns.Query(name, type, flags: flags, queryClass: queryClass))!;
        Assert.Equal((rcode, 0, false, (flags >> 11) & 15), (answer.Rcode, answer.Answers.Count, answer.Authoritative, answer.Opcode));
    }

    [Fact]
    public void Respond_Any_SaysWhatRfc8482Says()
    {
        PlainDns.Record record = Assert.Single(Ask("web.mesh.example", Any).Answers);
        Assert.Equal((Hinfo, "\aRFC8482\0"), (record.Type, System.Text.Encoding.ASCII.GetString(record.Data)));
    }

    [Fact]
    public void Respond_Malformed_IsAnErrorOfFormat()
    {
        byte[] good = PlainDns.Query("web.mesh.example", A, 1232);
        int Rcode(Action<byte[]> damage, int length = int.MaxValue)
        {
            byte[] query = [.. good];
            damage(query);
            return NameNet.Ask(s_table, query[..Math.Min(length, query.Length)])!.Rcode;
        }

        Assert.Equal(0, Rcode(_ => { }));
        Assert.Equal(1, Rcode(query => query[5] = 2));
        Assert.Equal(1, Rcode(query => query[5] = 0));
        Assert.Equal(1, Rcode(query => query[7] = 1));
        Assert.Equal(1, Rcode(query => query[11] = 9));
        Assert.Equal(1, Rcode(query => query[11] = 2));
        Assert.Equal(1, Rcode(query => query[12] = 0xC0));
        Assert.Equal(1, Rcode(query => query[12] = 0x41));
        Assert.Equal(1, Rcode(_ => { }, 20));
        Assert.Equal(1, Rcode(_ => { }, 31));
        Assert.Equal(1, Rcode(_ => { }, good.Length - 1));

        // Records that only responses have, an OPT record that is not the root's, more records than anybody has a reason to send.
        byte[] bare = PlainDns.Query("web.mesh.example", A), option = good[bare.Length..], record = [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0];
        int RcodeOf(byte[] behind, byte answers, byte authorities, byte additional) =>
            NameNet.Ask(s_table, [.. bare[..7], answers, 0, authorities, 0, additional, .. bare[12..], .. behind])!.Rcode;
        Assert.Equal(0, RcodeOf(option, 0, 0, 1));
        Assert.Equal(1, RcodeOf(option, 1, 0, 0));
        Assert.Equal(1, RcodeOf(option, 0, 1, 0));
        Assert.Equal(1, RcodeOf([1, (byte)'x', .. option], 0, 0, 1));
        Assert.Equal(0, RcodeOf([.. record, .. record, .. record, .. record], 0, 0, 4));
        Assert.Equal(1, RcodeOf([.. record, .. record, .. record, .. record, .. record], 0, 0, 5));
    }

    /// <summary>A name that leads to itself, or round in a circle, ends the message and not the reader.</summary>
    [Theory]
    [InlineData(12, 12)]
    [InlineData(14, 12)]
    [InlineData(13, 12)]
    public void ReadAnswers_PointersInACircle_AreRefused(int first, int second)
    {
        byte[] message = new byte[64];
        (message[7], message[12], message[13], message[14], message[15]) = (1, 0xC0, (byte)first, 0xC0, (byte)second);
        Assert.Null(DnsMessage.ReadAnswers(message));
    }

    /// <summary>RFC 2181 8: a time with the highest bit set is none.</summary>
    [Theory]
    [InlineData(0x7F, 0x7FFF_FFFFu)]
    [InlineData(0x80, 0u)]
    [InlineData(0xFF, 0u)]
    public void Age_TimeWithTheHighestBit_IsNone(byte highest, uint expected)
    {
        byte[] message = [0, 1, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, highest, 0xFF, 0xFF, 0xFF, 0, 4, 192, 0, 2, 1];
        Assert.Equal(expected, DnsMessage.Age(message, 0));
        Assert.Equal(expected, System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(message.AsSpan(17)));
    }

    /// <summary>What upstream says to one who wants no recursion is not for who does.</summary>
    [Fact]
    public void CacheKey_FlagsThatChangeAnswers_TellQuestionsApart()
    {
        string Key(int flags)
        {
            byte[] message = PlainDns.Query("Web.mesh.example", A, flags: flags);
            NameQuery.Read(message, out NameQuery query);
            return NameCache.KeyOf("net", message, in query);
        }

        Assert.Equal(3, new[] { Key(0x0000), Key(0x0100), Key(0x0110) }.Distinct().Count());
    }

    [Fact]
    public void Respond_Response_IsNeverAnswered()
    {
        Assert.Null(NameNet.Ask(s_table, PlainDns.Query("web.mesh.example", A, flags: 0x8100)));
        Assert.Null(NameNet.Ask(s_table, PlainDns.Query("web.mesh.example", A, flags: 0xA800)));
        Assert.Null(NameNet.Ask(s_table, new byte[11]));
    }

    [Fact]
    public void Respond_NameOfOthersWithUpstream_IsForwardedIfRecursionIsDesired()
    {
        NameTable table = new NameBook().Compile(NameNet.Spec with { Upstreams = [new(System.Net.IPAddress.Parse("192.0.2.53"), 53)] });
        byte[] target = new byte[1232];
        NameResponseKind Kind(string name, int flags = 0x0100) =>
            NameResponder.Respond(table, PlainDns.Query(name, A, flags: flags), target, 1232, isUdp: true, new NameScratch(1)).Kind;
        Assert.Equal(NameResponseKind.Forward, Kind("www.example.org"));
        Assert.Equal(NameResponseKind.Forward, Kind("out.mesh.example"));
        Assert.Equal(NameResponseKind.Response, Kind("www.example.org", 0));
        Assert.Equal(NameResponseKind.Response, Kind("nothing.mesh.example"));
        Assert.True(NameNet.Ask(table, PlainDns.Query("web.mesh.example", A))!.RecursionAvailable);
    }

    [Fact]
    public void ReverseOf_Addresses_AreTheirNames() =>
        Assert.Equal("4.3.2.1.in-addr.arpa", DomainName.ReverseOf(IpAddress.Parse("1.2.3.4")));
}
