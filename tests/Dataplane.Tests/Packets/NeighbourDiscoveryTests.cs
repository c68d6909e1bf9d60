using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Packets;

public class NeighbourDiscoveryTests
{
    private const string Target = "20010DB8000000000000000000000007";

    private static readonly IpAddress s_source = IpAddress.Parse("fe80::1"), s_destination = IpAddress.Parse("ff02::1:ff00:7");
    private static readonly IpAddress s_target = IpAddress.Parse("2001:db8::7");
    private static readonly MacAddress s_mac = MacAddress.Parse("02:00:00:00:00:a1");

    [Fact]
    public void Solicitation_KnownBytes_BothWays()
    {
        var fields = new NeighbourSolicitationFields { Target = s_target, SourceLinkLayerAddress = s_mac };
        byte[] bytes = Dirty(fields.EmittedLength);
        Assert.Equal(32, fields.Emit(bytes, s_source, s_destination));
        Assert.Equal("8700" + Sum(bytes) + "00000000" + Target + "0101" + "0200000000A1", Convert.ToHexString(bytes));
        Assert.True(NeighbourSolicitationView.TryParse(bytes, out NeighbourSolicitationView view));
        Assert.Equal(s_target, view.Target);
        Assert.True(view.TryGetSourceLinkLayerAddress(out MacAddress mac));
        Assert.Equal(s_mac, mac);
        Assert.True(view.TryGetFields(out NeighbourSolicitationFields parsed));
        Assert.Equal(fields, parsed);
    }

    [Fact]
    public void Advertisement_KnownBytes_BothWays()
    {
        var fields = new NeighbourAdvertisementFields { Target = s_target, IsSolicited = true, IsOverride = true, TargetLinkLayerAddress = s_mac };
        byte[] bytes = Dirty(fields.EmittedLength);
        Assert.Equal(32, fields.Emit(bytes, s_source, s_destination));
        Assert.Equal("8800" + Sum(bytes) + "60000000" + Target + "0201" + "0200000000A1", Convert.ToHexString(bytes));
        Assert.True(NeighbourAdvertisementView.TryParse(bytes, out NeighbourAdvertisementView view));
        Assert.Equal((false, true, true), (view.IsRouter, view.IsSolicited, view.IsOverride));
        Assert.True(view.TryGetFields(out NeighbourAdvertisementFields parsed));
        Assert.Equal(fields, parsed);
    }

    [Fact]
    public void RouterSolicitation_KnownBytes_BothWays()
    {
        var fields = new RouterSolicitationFields { SourceLinkLayerAddress = s_mac };
        byte[] bytes = Dirty(fields.EmittedLength);
        Assert.Equal(16, fields.Emit(bytes, s_source, s_destination));
        Assert.Equal("8500" + Sum(bytes) + "00000000" + "0101" + "0200000000A1", Convert.ToHexString(bytes));
        Assert.True(RouterSolicitationView.TryParse(bytes, out RouterSolicitationView view));
        Assert.True(view.TryGetFields(out RouterSolicitationFields parsed));
        Assert.Equal(fields, parsed);
    }

    [Fact]
    public void RouterAdvertisement_KnownBytes_BothWays()
    {
        var fields = new RouterAdvertisementFields
        {
            HopLimit = 64,
            HasOtherConfiguration = true,
            LifetimeSeconds = 1800,
            ReachableTimeMs = 30000,
            RetransTimerMs = 1000,
            SourceLinkLayerAddress = s_mac,
            MtuBytes = 1400,
            Prefix = new NdPrefixInformation
            {
                Prefix = IpPrefix.Parse("2001:db8::/64"),
                OnLink = true,
                Autonomous = true,
                ValidLifetimeSeconds = NdPrefixInformation.Infinite,
                PreferredLifetimeSeconds = 3600,
            },
        };
        byte[] bytes = Dirty(fields.EmittedLength);
        Assert.Equal(64, fields.Emit(bytes, s_source, s_destination));
        Assert.Equal(
            "8600" + Sum(bytes) + "40400708" + "00007530" + "000003E8" + "0101" + "0200000000A1" + "0501" + "0000" + "00000578"
            + "0304" + "40C0" + "FFFFFFFF" + "00000E10" + "00000000" + "20010DB8000000000000000000000000",
            Convert.ToHexString(bytes));
        Assert.True(RouterAdvertisementView.TryParse(bytes, out RouterAdvertisementView view));
        Assert.True(view.TryGetFields(out RouterAdvertisementFields parsed));
        Assert.Equal(fields, parsed);
        Assert.Equal((64, 1800, 30000u, 1000u), (view.HopLimit, view.LifetimeSeconds, view.ReachableTimeMs, view.RetransTimerMs));
        Assert.True(view.HasOtherConfiguration && !view.IsManaged);
    }

    [Fact]
    public void Redirect_KnownBytes_BothWays()
    {
        var fields = new NdRedirectFields { Target = s_source, Destination = s_target, TargetLinkLayerAddress = s_mac };
        byte[] bytes = Dirty(fields.EmittedLength);
        Assert.Equal(48, fields.Emit(bytes, s_source, s_target));
        Assert.Equal("8900" + Sum(bytes) + "00000000" + "FE800000000000000000000000000001" + Target + "0201" + "0200000000A1", Convert.ToHexString(bytes));
        byte[] withQuote = [.. bytes, 4, 2, 0, 0, 0, 0, 0, 0, 0x60, 1, 2, 3, 4, 5, 6, 7];
        Assert.True(NdRedirectView.TryParse(withQuote, out NdRedirectView view) && view.TryGetFields(out NdRedirectFields parsed) && parsed == fields);
        string quoted = "";
        foreach (NdOption option in view.EnumeratedOptions)
        {
            quoted += Convert.ToHexString(option.RedirectedPacket);
        }

        Assert.Equal("6001020304050607", quoted);
    }

    [Theory]
    [InlineData(Icmpv6Types.NeighbourSolicitation, 24)]
    [InlineData(Icmpv6Types.NeighbourAdvertisement, 24)]
    [InlineData(Icmpv6Types.RouterSolicitation, 8)]
    [InlineData(Icmpv6Types.RouterAdvertisement, 16)]
    [InlineData(Icmpv6Types.Redirect, 40)]
    public void TryParse_ImpossibleLength_IsRefused(byte type, int fixedBytes)
    {
        byte[] bytes = new byte[fixedBytes + 16];
        (bytes[0], bytes[fixedBytes], bytes[fixedBytes + 1]) = (type, 14, 2);
        for (int length = 0; length <= bytes.Length; length++)
        {
            Assert.Equal(length == fixedBytes || length == bytes.Length, Parses(type, bytes.AsSpan(0, length)));
        }

        bytes[fixedBytes + 1] = 0;
        Assert.False(Parses(type, bytes), "an option of length 0");
        bytes[fixedBytes + 1] = 3;
        Assert.False(Parses(type, bytes), "an option beyond the end");
        bytes[fixedBytes + 1] = 2;
        bytes[1] = 1;
        Assert.False(Parses(type, bytes), "a code other than 0");
        bytes[1] = 0;
        bytes[0]++;
        Assert.False(Parses(type, bytes), "another type");
    }

    [Fact]
    public void TryParse_MulticastTarget_IsRefused()
    {
        byte[] bytes = new byte[40];
        foreach ((byte type, int offset, int length) in new[] { ((byte)135, 8, 24), ((byte)136, 8, 24), ((byte)137, 24, 40) })
        {
            bytes.AsSpan().Clear();
            bytes[0] = type;
            Assert.True(Parses(type, bytes.AsSpan(0, length)));
            bytes[offset] = 0xFF;
            Assert.False(Parses(type, bytes.AsSpan(0, length)));
        }
    }

    [Fact]
    public void Options_OfWrongSize_AreNoValues()
    {
        // A link-layer address of 16 bytes (InfiniBand), an MTU of 16, a prefix of 8, and a prefix length of 129.
        byte[] bytes = new byte[8 + 16 + 16 + 8 + 32];
        bytes[0] = Icmpv6Types.RouterSolicitation;
        (bytes[8], bytes[9]) = (1, 2);
        (bytes[24], bytes[25]) = (5, 2);
        (bytes[40], bytes[41]) = (3, 1);
        (bytes[48], bytes[49], bytes[50]) = (3, 4, 129);
        Assert.True(RouterSolicitationView.TryParse(bytes, out RouterSolicitationView view));
        Assert.False(view.TryGetSourceLinkLayerAddress(out _));
        int count = 0;
        foreach (NdOption option in view.EnumeratedOptions)
        {
            Assert.False(option.TryGetLinkLayerAddress(out _) || option.TryGetMtu(out _) || option.TryGetPrefixInformation(out _));
            Assert.True(option.RedirectedPacket.IsEmpty);
            count++;
        }

        Assert.Equal(4, count);
    }

    [Fact]
    public void ParseOfEmit_AnyFields_IsTheSame()
    {
        Gen<IpAddress> unicast = WireGen.V6.Select(address => IpAddress.FromV6(address.High >> 1, address.Low));
        Gen<NdPrefixInformation> prefixes =
            from address in WireGen.V6
            from length in Gen.Choose(0, 128)
            from onLink in WireGen.Bool
            from autonomous in WireGen.Bool
            from valid in WireGen.UInt32
            select new NdPrefixInformation
            {
                Prefix = new IpPrefix(address, length),
                OnLink = onLink,
                Autonomous = autonomous,
                ValidLifetimeSeconds = valid,
                PreferredLifetimeSeconds = valid / 2,
            };

        (from target in unicast
         from other in unicast
         from mac in WireGen.Mac.Maybe()
         from mtu in WireGen.UInt32.Maybe()
         from prefix in prefixes.Maybe()
         from flags in WireGen.Byte
         from times in WireGen.UInt64
         select (target, other, mac, mtu, prefix, flags, times)).ForAll(input =>
         {
             var solicitation = new NeighbourSolicitationFields { Target = input.target, SourceLinkLayerAddress = input.mac };
             var advertisement = new NeighbourAdvertisementFields
             {
                 Target = input.target,
                 IsRouter = (input.flags & 1) != 0,
                 IsSolicited = (input.flags & 2) != 0,
                 IsOverride = (input.flags & 4) != 0,
                 TargetLinkLayerAddress = input.mac,
             };
             var redirect = new NdRedirectFields { Target = input.target, Destination = input.other, TargetLinkLayerAddress = input.mac };
             var router = new RouterAdvertisementFields
             {
                 HopLimit = input.flags,
                 IsManaged = (input.flags & 1) != 0,
                 HasOtherConfiguration = (input.flags & 2) != 0,
                 LifetimeSeconds = (ushort)input.times,
                 ReachableTimeMs = (uint)input.times,
                 RetransTimerMs = (uint)(input.times >> 32),
                 SourceLinkLayerAddress = input.mac,
                 MtuBytes = input.mtu,
                 Prefix = input.prefix,
             };
             byte[] a = Dirty(solicitation.EmittedLength), b = Dirty(advertisement.EmittedLength);
             byte[] c = Dirty(redirect.EmittedLength), d = Dirty(router.EmittedLength);
             solicitation.Emit(a, s_source, s_destination);
             advertisement.Emit(b, s_source, s_destination);
             redirect.Emit(c, s_source, s_destination);
             router.Emit(d, s_source, s_destination);
             return NeighbourSolicitationView.TryParse(a, out NeighbourSolicitationView av)
                 && av.TryGetFields(out NeighbourSolicitationFields ap) && ap == solicitation
                 && NeighbourAdvertisementView.TryParse(b, out NeighbourAdvertisementView bv)
                 && bv.TryGetFields(out NeighbourAdvertisementFields bp) && bp == advertisement
                 && NdRedirectView.TryParse(c, out NdRedirectView cv) && cv.TryGetFields(out NdRedirectFields cp) && cp == redirect
                 && RouterAdvertisementView.TryParse(d, out RouterAdvertisementView dv) && dv.TryGetFields(out RouterAdvertisementFields dp) && dp == router
                 && Array.TrueForAll(
                     [a, b, c, d], message => Icmpv6View.TryParse(message, out Icmpv6View view) && view.IsChecksumValid(s_source, s_destination));
         });
    }

    private static bool Parses(byte type, ReadOnlySpan<byte> message) => type switch
    {
        Icmpv6Types.NeighbourSolicitation => NeighbourSolicitationView.TryParse(message, out _),
        Icmpv6Types.NeighbourAdvertisement => NeighbourAdvertisementView.TryParse(message, out _),
        Icmpv6Types.RouterSolicitation => RouterSolicitationView.TryParse(message, out _),
        Icmpv6Types.RouterAdvertisement => RouterAdvertisementView.TryParse(message, out _),
        _ => NdRedirectView.TryParse(message, out _),
    };

    /// <summary>Bytes that are not zero, so that a field nobody writes shows.</summary>
    private static byte[] Dirty(int length)
    {
        byte[] bytes = new byte[length];
        Array.Fill(bytes, (byte)0xEE);
        return bytes;
    }

    private static string Sum(byte[] bytes) => Convert.ToHexString(bytes.AsSpan(2, 2));
}
