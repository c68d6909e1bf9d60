using System.Buffers.Binary;
using Dataplane.Balancing;
using Dataplane.Balancing.ConnectionIds;
using Dataplane.Packets;
using Dataplane.Tests.Support;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Balancing.ConnectionIds;

[Collection(AllocationCollection.Name)]
public sealed class ConnectionIdRouterTests
{
    private const uint Version1 = 1, Version2 = 0x6B3343CF, Grease = 0x1A2A3A4A, Draft29 = 0xFF00001D, Meta = 0xFACEB002;
    private static readonly QuicLbSpec s_clear = new() { Id = 0, ServerIdBytes = 2, NonceBytes = 5 };
    private static readonly QuicLbSpec s_hidden = new() { Id = 3, ServerIdBytes = 3, NonceBytes = 13, Key = "8f95f09245765f80256934e50c66207f" };
    private static readonly QuicSpec s_both = new() { Configs = [s_clear, s_hidden] };

    /// <summary>RFC 9000, 17.2 and RFC 9369, 3.2: only the types that certainly have the server's connection ID are asked.</summary>
    [Theory]
    [InlineData(Version1, 0, "ClientChosen")]
    [InlineData(Version1, 1, "ClientChosen")]
    [InlineData(Version1, 2, "Routed")]
    [InlineData(Version1, 3, "UnknownType")]
    [InlineData(Version2, 1, "ClientChosen")]
    [InlineData(Version2, 2, "ClientChosen")]
    [InlineData(Version2, 3, "Routed")]
    [InlineData(Version2, 0, "UnknownType")]
    [InlineData(Draft29, 2, "Routed")]
    [InlineData(Grease, 2, "UnknownType")]
    [InlineData(0u, 2, "UnknownType")]
    public void Find_LongHeader_DependsOnVersionAndType(uint version, int type, string outcome)
    {
        (ConnectionIdRouter router, _) = Router(s_both, "0a0b", "0a0c");
        Assert.Equal(outcome, router.Find(Long(version, type, Id(s_clear, "0a0c")), out BackendRuntime? backend).ToString());
        Assert.Equal(outcome == "Routed" ? 1 : -1, backend?.Slot ?? -1);
    }

    [Fact]
    public void Find_ShortHeader_GoesToItsServer()
    {
        (ConnectionIdRouter router, _) = Router(s_both, "0a0b,000001", "0a0c", "000002");
        Assert.Equal(0, Found(router, Short(Id(s_clear, "0a0b"))));
        Assert.Equal(1, Found(router, Short(Id(s_clear, "0a0c"))));
        Assert.Equal(0, Found(router, Short(Id(s_hidden, "000001"))));
        Assert.Equal(2, Found(router, Short(Id(s_hidden, "000002"))));

        // The same number, of another length, is another server.
        Assert.Equal(ConnectionIdOutcome.UnknownServer, router.Find(Short(Id(s_clear, "0002")), out _));
    }

    [Fact]
    public void Find_WhatLeadsNowhere_SaysWhy()
    {
        (ConnectionIdRouter router, BackendRuntime[] backends) = Router(s_both, "0a0b", "0a0c");
        byte[] id = Id(s_clear, "0a0c");
        Assert.Equal(ConnectionIdOutcome.WrongLength, router.Find([], out _));
        Assert.Equal(ConnectionIdOutcome.WrongLength, router.Find([0x40], out _));
        Assert.Equal(ConnectionIdOutcome.WrongLength, router.Find(Short(id).AsSpan(0, 7), out _));
        Assert.Equal(ConnectionIdOutcome.WrongLength, router.Find(Long(Version1, 2, id[..7]), out _));
        Assert.Equal(ConnectionIdOutcome.WrongLength, router.Find(Long(Version1, 2, []), out _));
        Assert.Equal(ConnectionIdOutcome.WrongLength, router.Find(Long(Version1, 2, id).AsSpan(0, 10), out _));
        Assert.Equal(ConnectionIdOutcome.WrongLength, router.Find([0xC0, 0, 0], out _));
        foreach (int config in new[] { 1, 2, 4, 5, 6, 7 })
        {
            byte[] other = [(byte)(config << 5), .. id[1..]];
            Assert.Equal(ConnectionIdOutcome.NoConfiguration, router.Find(Short(other), out _));
        }

        Assert.Equal(ConnectionIdOutcome.UnknownServer, router.Find(Short(Id(s_clear, "0a0d")), out _));
        var closed = new ConnectionIdRouter(s_both, Specs("0a0b", "0a0c"), backends, backend => backend.Slot == 0);
        Assert.Equal(ConnectionIdOutcome.Unavailable, closed.Find(Short(id), out BackendRuntime? gone));
        Assert.Null(gone);
        Assert.Contains("keeps no connections", closed.Describe(Short(id)), StringComparison.Ordinal);
        Assert.Contains("configuration 0 names server 0a0c, backend", router.Describe(Short(id)), StringComparison.Ordinal);
    }

    /// <summary>16 bits behind two of the version; 24 and 32 behind the first byte; eight bytes at least; and any version of QUIC, as Katran has it.</summary>
    [Theory]
    [InlineData("4004800000000000", 18)]
    [InlineData("7fffc00000000000", 65535)]
    [InlineData("8001000000000000", 65536)]
    [InlineData("bfffffff00000000", 16777215)]
    [InlineData("c001000000000000", 16777216)]
    [InlineData("ffffffffff000000", 4294967295)]
    public void Find_Katran_ReadsItsThreeVersions(string id, uint server)
    {
        (ConnectionIdRouter router, _) = Router(new QuicSpec { ConnectionIds = ConnectionIdFormat.Katran }, "9", server.ToString(System.Globalization.CultureInfo.InvariantCulture));
        byte[] bytes = Convert.FromHexString(id);
        Assert.Equal(1, Found(router, Short(bytes)));
        Assert.Equal(1, Found(router, Long(Meta, 2, bytes)));
        Assert.Equal(ConnectionIdOutcome.ClientChosen, router.Find(Long(Meta, 1, bytes), out _));
        Assert.Equal(ConnectionIdOutcome.WrongLength, router.Find(Short(bytes).AsSpan(0, 8), out _));
        Assert.Equal(ConnectionIdOutcome.WrongLength, router.Find(Long(Version1, 2, bytes[..7]), out _));
        bytes[0] &= 0x3F;
        Assert.Equal(ConnectionIdOutcome.NoConfiguration, router.Find(Short(bytes), out _));
    }

    [Fact]
    public void Find_KatranServerNought_IsNobody()
    {
        (ConnectionIdRouter router, _) = Router(new QuicSpec { ConnectionIds = ConnectionIdFormat.Katran }, "1", "2");
        Assert.Equal(ConnectionIdOutcome.UnknownServer, router.Find(Short([0x80, 0, 0, 0, 0, 0, 0, 0]), out _));
    }

    /// <summary>Whatever stands in a datagram, there is an answer; and a backend exactly if it is that it is routed.</summary>
    [Fact]
    public void Find_AnyBytes_NeverThrows()
    {
        ConnectionIdRouter[] routers = [Router(s_both, "0a0b", "0a0c").Router, Router(new QuicSpec { ConnectionIds = ConnectionIdFormat.Katran }, "1", "2").Router,
            Router(new QuicSpec { Configs = [.. Enumerable.Range(0, 7).Select(id => new QuicLbSpec { Id = id, ServerIdBytes = 1 + (2 * id), NonceBytes = 4, Key = s_hidden.Key, EncodesLength = id % 2 == 0 })] }).Router];
        Gen<byte[]> any = from length in Gen.Choose(0, 60)
                          from first in Gen.Elements<byte>(0x40, 0xC0, 0xE0, 0xFF, 0)
                          from bytes in Gen.Frequency((3, Gen.Choose(0, 255)), (1, Gen.Choose(0, 20))).Select(value => (byte)value).ArrayOf(length)
                          select (byte[])[first, .. bytes];
        Prop.ForAll(any.ToArbitrary(), datagram =>
        {
            foreach (ConnectionIdRouter router in routers)
            {
                for (int length = 0; length <= datagram.Length; length++)
                {
                    ConnectionIdOutcome outcome = router.Find(datagram.AsSpan(0, length), out BackendRuntime? backend);
                    Assert.Equal(outcome == ConnectionIdOutcome.Routed, backend is not null);
                    Assert.NotEqual("", router.Describe(datagram.AsSpan(0, length)));
                }
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(150));
    }

    [Fact]
    public void Find_AllocatesNothing()
    {
        (ConnectionIdRouter router, _) = Router(s_both with { Configs = [s_clear, s_hidden, new QuicLbSpec { Id = 5, ServerIdBytes = 9, NonceBytes = 4, Key = s_hidden.Key }] }, "0a0b,000007");
        byte[][] datagrams = [Short(Id(s_clear, "0a0b")), Short(Id(s_hidden, "000007")), Short([0xA0, .. new byte[19]]), Long(Version1, 0, Id(s_clear, "0a0b")), [0x40], Short([0xFF, .. new byte[19]])];
        var meter = new AllocationMeter();
        for (int round = 0; round < 6000; round++)
        {
            byte[] datagram = datagrams[round % datagrams.Length];
            meter.Open();
            router.Find(datagram, out _);
            meter.Close(counts: round >= 3000);
        }

        meter.AssertNone();
    }

    /// <summary>A packet with a short header (RFC 9000, 17.3).</summary>
    internal static byte[] Short(byte[] id) => [0x40, .. id, 0xAA, 0xBB, 0xCC];

    /// <summary>A packet with a long header (RFC 9000, 17.2) and a source connection ID of 3 bytes.</summary>
    internal static byte[] Long(uint version, int type, byte[] id)
    {
        byte[] number = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(number, version);
        return [(byte)(0xC0 | (type << 4)), .. number, (byte)id.Length, .. id, 3, 7, 7, 7, 0, 0, 0];
    }

    private static byte[] Id(QuicLbSpec spec, string server) => QuicLbServer.ConnectionId(spec, Convert.FromHexString(server), new byte[spec.NonceBytes]);

    private static int Found(ConnectionIdRouter router, byte[] datagram)
    {
        Assert.Equal(ConnectionIdOutcome.Routed, router.Find(datagram, out BackendRuntime? backend));
        return backend!.Slot;
    }

    private static BackendSpec[] Specs(params string[] servers) => [.. servers.Select((ids, i) => new BackendSpec { Address = IpAddress.FromV4((uint)i), Port = 443, ServerIds = ids })];

    private static (ConnectionIdRouter Router, BackendRuntime[] Backends) Router(QuicSpec spec, params string[] servers)
    {
        BackendSpec[] specs = Specs(servers);
        BackendRuntime[] backends = [.. specs.Select((backend, slot) => new BackendRuntime
        {
            Slot = slot,
            Generation = 1,
            Address = backend.Address,
            Port = 443,
            Weight = 1,
            Counter = new BackendCounter(),
        })];
        return (new ConnectionIdRouter(spec, specs, backends, _ => true), backends);
    }
}
