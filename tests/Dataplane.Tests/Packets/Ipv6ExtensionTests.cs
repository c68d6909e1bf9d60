using Dataplane.Packets;
using FsCheck.Fluent;

namespace Dataplane.Tests.Packets;

public class Ipv6ExtensionTests
{
    private static readonly byte[] s_routerAlert = [Ipv6OptionKinds.RouterAlert, 2, 0, 0];

    private static PacketBuilder Packet => PacketBuilder.WithoutLink().Ipv6("2001:db8::1", "2001:db8::2");

    [Fact]
    public void Walk_NoExtension_IsTheUpperLayerAtOnce()
    {
        Ipv6ExtensionChain chain = Walk(Packet.Udp(1, 2).Build());
        Assert.Equal(new Ipv6ExtensionChain { UpperProtocol = IpProtocols.Udp, UpperOffset = 40 }, chain);
        Assert.True(chain.HasUpperHeader);
    }

    [Fact]
    public void Walk_AllKinds_FindsTheUpperLayerBehind()
    {
        byte[] packet = Packet.HopByHop(s_routerAlert).DestinationOptions().Routing(Ipv6RoutingView.Mobility, 0, new byte[20]).Fragment(0, true, 0xCAFE)
            .Authentication(1, 2, new byte[12]).DestinationOptions(new byte[9]).Tcp(1, 2).Build();
        Assert.True(Ipv6View.TryParse(packet, out Ipv6View view));
        var seen = new List<(byte Protocol, int Offset, int Length, byte Next)>();
        foreach (Ipv6ExtensionHeader header in view.Extensions)
        {
            seen.Add((header.Protocol, header.Offset, header.Bytes.Length, header.NextHeader));
        }

        Assert.Equal([(0, 40, 8, 60), (60, 48, 8, 43), (43, 56, 24, 44), (44, 80, 8, 51), (51, 88, 24, 60), (60, 112, 16, 6)], seen);
        Assert.Equal(
            new Ipv6ExtensionChain
            {
                UpperProtocol = IpProtocols.Tcp,
                UpperOffset = 128,
                HeaderCount = 6,
                Fragment = FragmentKind.First,
                HasFragmentHeader = true,
                MoreFragments = true,
                FragmentIdentification = 0xCAFE,
            },
            Ipv6ExtensionWalker.Walk(view));
    }

    [Theory]
    [InlineData(0, false, FragmentKind.None)] // atomic, RFC 6946
    [InlineData(0, true, FragmentKind.First)]
    [InlineData(8, true, FragmentKind.Later)]
    [InlineData(65528, false, FragmentKind.Later)]
    public void Walk_FragmentHeader_IsToldApart(int offsetBytes, bool more, FragmentKind kind)
    {
        // What follows in a later fragment looks like an extension header, and must not be taken for one.
        Ipv6ExtensionChain chain = Walk(Packet.Fragment(offsetBytes, more, 7).DestinationOptions().Udp(1, 2).Build());
        bool later = kind == FragmentKind.Later;
        Assert.Equal((kind, offsetBytes, more, true), (chain.Fragment, chain.FragmentOffsetBytes, chain.MoreFragments, chain.HasFragmentHeader));
        Assert.Equal(later ? (IpProtocols.DestinationOptions, 48, 1) : (IpProtocols.Udp, 56, 2), (chain.UpperProtocol, chain.UpperOffset, chain.HeaderCount));
        Assert.Equal((7u, !later), (chain.FragmentIdentification, chain.HasUpperHeader));
    }

    [Fact]
    public void Walk_EightHeaders_AreFollowed_NineAreNot()
    {
        PacketBuilder eight = Packet, nine = Packet;
        for (int count = 0; count < 8; count++)
        {
            eight = eight.DestinationOptions();
            nine = nine.DestinationOptions();
        }

        Ipv6ExtensionChain followed = Walk(eight.Udp(1, 2).Build()), refused = Walk(nine.DestinationOptions().Udp(1, 2).Build());
        Assert.Equal((Ipv6ExtensionError.None, 8, IpProtocols.Udp), (followed.Error, followed.HeaderCount, followed.UpperProtocol));
        Assert.True(followed.HasUpperHeader);
        Assert.Equal((Ipv6ExtensionError.TooManyHeaders, 8, 104, false), (refused.Error, refused.HeaderCount, refused.UpperOffset, refused.HasUpperHeader));
    }

    [Fact]
    public void Walk_HopByHopElsewhere_IsRefused()
    {
        Ipv6ExtensionChain chain = Walk(Packet.DestinationOptions().HopByHop().Udp(1, 2).Build());
        Assert.Equal((Ipv6ExtensionError.HopByHopNotFirst, 1, 48), (chain.Error, chain.HeaderCount, chain.UpperOffset));
        Assert.Equal(Ipv6ExtensionError.HopByHopNotFirst, Walk(Packet.HopByHop().HopByHop().Udp(1, 2).Build()).Error);
    }

    [Fact]
    public void Walk_SecondFragmentHeader_IsRefused() =>
        Assert.Equal(Ipv6ExtensionError.RepeatedFragmentHeader, Walk(Packet.Fragment(0, false, 1).Fragment(8, true, 1).Udp(1, 2).Build()).Error);

    [Fact]
    public void Walk_AuthenticationShorterThanItsFixedPart_IsRefused()
    {
        byte[] packet = Packet.Authentication(1, 2, new byte[4]).Udp(1, 2).Build();
        packet[41] = 0;
        Assert.Equal(Ipv6ExtensionError.BadHeaderLength, Walk(packet).Error);
        packet[41] = 1;
        Assert.Equal((Ipv6ExtensionError.None, 52), (Walk(packet).Error, Walk(packet).UpperOffset));
    }

    [Theory]
    [InlineData(IpProtocols.NoNextHeader)]
    [InlineData(IpProtocols.Esp)]
    [InlineData(135)]
    public void Walk_OtherProtocols_AreTheUpperLayer(byte protocol)
    {
        Ipv6ExtensionChain chain = Walk(Packet.HopByHop().Carrying(protocol).PayloadOf(8).Build());
        Assert.Equal((protocol, 48, Ipv6ExtensionError.None), (chain.UpperProtocol, chain.UpperOffset, chain.Error));
        Assert.Equal(protocol != IpProtocols.NoNextHeader, chain.HasUpperHeader);
    }

    /// <summary>Every cut inside the chain is found as such, and names the last whole header before it.</summary>
    [Fact]
    public void Walk_EveryCut_IsTruncated()
    {
        byte[] whole = Packet.HopByHop(s_routerAlert).Routing(4, 0, new byte[20]).Fragment(0, true, 1).DestinationOptions(new byte[14]).Build();
        int[] ends = [40, 48, 72, 80, 96];
        for (int length = 40; length < whole.Length; length++)
        {
            byte[] cut = whole[..length];
            (cut[4], cut[5]) = ((byte)((length - 40) >> 8), (byte)(length - 40));
            Ipv6ExtensionChain chain = Walk(cut);
            Assert.Equal((Ipv6ExtensionError.Truncated, ends.Last(end => end <= length)), (chain.Error, chain.UpperOffset));
        }

        Assert.Equal((Ipv6ExtensionError.None, 96), (Walk(whole).Error, Walk(whole).UpperOffset));
    }

    [Fact]
    public void FragmentHeader_KnownBytes_BothWays()
    {
        byte[] bytes = Convert.FromHexString("3AFF" + "0AB9" + "DEADBEEF");
        Assert.True(Ipv6FragmentView.TryParse(bytes, out Ipv6FragmentView view));
        Assert.Equal(
            (IpProtocols.Icmpv6, 0x0AB8, true, 0xDEADBEEF, FragmentKind.Later),
            (view.NextHeader, view.OffsetBytes, view.MoreFragments, view.Identification, view.Fragment));
        Assert.True(view.TryGetFields(out Ipv6FragmentFields fields));
        byte[] emitted = Convert.FromHexString("FFFFFFFFFFFFFFFF");
        Assert.Equal(8, fields.Emit(emitted));
        Assert.Equal("3A000AB9DEADBEEF", Convert.ToHexString(emitted));
        Assert.False(Ipv6FragmentView.TryParse(bytes.AsSpan(0, 7), out _));
        Assert.False(Ipv6FragmentEditor.TryCreate(bytes.AsSpan(0, 7), out _));
    }

    [Fact]
    public void FragmentHeader_AnyFields_RoundTripAndEdit() =>
        (from next in WireGen.Byte
         from offset in Gen.Choose(0, 0x1FFF)
         from more in WireGen.Bool
         from id in WireGen.UInt32
         select new Ipv6FragmentFields { NextHeader = next, OffsetBytes = offset * 8, MoreFragments = more, Identification = id }).ForAll(fields =>
         {
             byte[] emitted = new byte[8], edited = new byte[8];
             fields.Emit(emitted);
             _ = Ipv6FragmentEditor.TryCreate(edited, out Ipv6FragmentEditor editor);
             editor.NextHeader = fields.NextHeader;
             editor.MoreFragments = fields.MoreFragments;
             editor.OffsetBytes = fields.OffsetBytes;
             editor.Identification = fields.Identification;
             return Ipv6FragmentView.TryParse(emitted, out Ipv6FragmentView view) && view.TryGetFields(out Ipv6FragmentFields parsed) && parsed == fields
                 && emitted.AsSpan().SequenceEqual(edited);
         });

    [Fact]
    public void OptionsHeader_KnownBytes_BothWays()
    {
        byte[] bytes = Convert.FromHexString("1101" + "05020000" + "00" + "C204" + "00010000" + "0101" + "00");
        Assert.True(Ipv6OptionsView.TryParse(bytes, out Ipv6OptionsView view));
        Assert.Equal((IpProtocols.Udp, 16, 14), (view.NextHeader, view.HeaderLengthBytes, view.Options.Length));
        Ipv6OptionEnumerator options = view.EnumeratedOptions;
        Assert.True(options.MoveNext());
        Assert.Equal((Ipv6OptionKinds.RouterAlert, "0000", 0, false), Describe(options.Current));
        Assert.True(options.MoveNext());
        Assert.Equal((Ipv6OptionKinds.JumboPayload, "00010000", 3, false), Describe(options.Current));
        Assert.False(options.MoveNext());
        Assert.False(options.IsMalformed);

        byte[] emitted = new byte[16];
        Assert.True(view.TryGetFields(out Ipv6OptionsFields fields));
        Assert.Equal(16, fields.Emit(emitted, view.Options[..11]));
        Assert.Equal("1101" + "05020000" + "00" + "C204" + "00010000" + "010100", Convert.ToHexString(emitted));
    }

    [Theory]
    [InlineData("3B00" + "050200000101")] // PadN one byte beyond the end
    [InlineData("3B00" + "000000000005")] // no room for a length
    [InlineData("3B00" + "C20400000000")] // exactly at the end: well-formed
    public void OptionsHeader_OptionBeyondTheEnd_EndsAsMalformed(string hex)
    {
        Assert.True(Ipv6OptionsView.TryParse(Convert.FromHexString(hex), out Ipv6OptionsView view));
        Ipv6OptionEnumerator options = view.EnumeratedOptions;
        while (options.MoveNext())
        {
        }

        Assert.Equal(!hex.Contains("C2", StringComparison.Ordinal), options.IsMalformed);
    }

    [Fact]
    public void OptionsHeader_AnyLength_IsPaddedToEight()
    {
        for (int length = 0; length <= Ipv6OptionsFields.MaxOptionBytes; length++)
        {
            byte[] option = length < 2 ? new byte[length] : [0x3E, (byte)Math.Min(length - 2, 255), .. new byte[length - 2]];
            byte[] bytes = new byte[Ipv6OptionsFields.EmittedLength(length)];
            Assert.Equal(bytes.Length, new Ipv6OptionsFields { NextHeader = 59 }.Emit(bytes, option));
            Assert.True(Ipv6OptionsView.TryParse(bytes, out Ipv6OptionsView view));
            Assert.Equal((0, bytes.Length), (bytes.Length % 8, view.HeaderLengthBytes));
            Ipv6OptionEnumerator options = view.EnumeratedOptions;
            Assert.Equal(length >= 2, options.MoveNext());
            Assert.False(options.MoveNext() || options.IsMalformed);
            Assert.False(Ipv6OptionsView.TryParse(bytes.AsSpan(0, bytes.Length - 1), out _));
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => default(Ipv6OptionsFields).Emit(new byte[4096], new byte[2047]));
    }

    [Fact]
    public void RoutingHeader_KnownBytes_BothWays()
    {
        const string Hex = "0604040201000000" + "20010DB8000000000000000000000009" + "20010DB8000000000000000000000008";
        byte[] bytes = Convert.FromHexString(Hex);
        Assert.True(Ipv6RoutingView.TryParse(bytes, out Ipv6RoutingView view));
        Assert.Equal((IpProtocols.Tcp, 40, Ipv6RoutingView.SegmentRouting, 2), (view.NextHeader, view.HeaderLengthBytes, view.RoutingType, view.SegmentsLeft));
        Assert.Equal(2, view.AddressCount);
        Assert.True(view.TryGetAddress(1, out IpAddress second));
        Assert.Equal("2001:db8::8", second.ToString());
        Assert.False(view.TryGetAddress(2, out _));
        Assert.False(view.TryGetAddress(-1, out _));
        Assert.True(view.TryGetFields(out Ipv6RoutingFields fields));
        byte[] emitted = new byte[40];
        Assert.Equal(40, fields.Emit(emitted, view.Data));
        Assert.Equal(Hex, Convert.ToHexString(emitted));
        for (int length = 0; length < 40; length++)
        {
            Assert.False(Ipv6RoutingView.TryParse(bytes.AsSpan(0, length), out _));
        }
    }

    [Theory]
    [InlineData(0, 0, true, "2001:db8::2")] // nothing left: the header's destination
    [InlineData(0, 1, true, "2001:db8::8")] // the last address
    [InlineData(0, 3, false, "")] // more segments than addresses
    [InlineData(2, 1, true, "2001:db8::8")]
    [InlineData(4, 1, true, "2001:db8::9")] // the first entry is the last segment
    [InlineData(4, 3, false, "")]
    [InlineData(3, 1, false, "")] // a form not known here
    [InlineData(3, 0, true, "2001:db8::2")]
    public void TryGetFinalDestination_Routes_AreUnderstoodOrRefused(byte type, byte left, bool known, string expected)
    {
        byte[] bytes = Convert.FromHexString("0604040201000000" + "20010DB8000000000000000000000009" + "20010DB8000000000000000000000008");
        (bytes[2], bytes[3]) = (type, left);
        Assert.True(Ipv6RoutingView.TryParse(bytes, out Ipv6RoutingView view));
        IpAddress destination = IpAddress.Parse("2001:db8::2");
        Assert.Equal(known, view.TryGetFinalDestination(ref destination));
        Assert.True(!known || destination.ToString() == expected);
    }

    [Fact]
    public void AuthenticationHeader_KnownBytes_BothWays()
    {
        const string Hex = "11040000" + "00000100" + "00000007" + "000102030405060708090A0B";
        byte[] bytes = Convert.FromHexString(Hex);
        Assert.True(AuthenticationView.TryParse(bytes, out AuthenticationView view));
        Assert.Equal((IpProtocols.Udp, 24, 0x100u, 7u), (view.NextHeader, view.HeaderLengthBytes, view.SecurityParametersIndex, view.SequenceNumber));
        Assert.Equal("000102030405060708090A0B", Convert.ToHexString(view.IntegrityCheckValue));
        Assert.True(view.TryGetFields(out AuthenticationFields fields));
        byte[] emitted = new byte[24];
        Assert.Equal(24, fields.Emit(emitted, view.IntegrityCheckValue));
        Assert.Equal(Hex, Convert.ToHexString(emitted));
        for (int length = 0; length < 24; length++)
        {
            Assert.False(AuthenticationView.TryParse(bytes.AsSpan(0, length), out _));
        }

        bytes[1] = 0;
        Assert.False(AuthenticationView.TryParse(bytes, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => default(AuthenticationFields).Emit(new byte[2000], new byte[1017]));
    }

    private static (byte Kind, string Data, int Action, bool MayChange) Describe(Ipv6Option option) =>
        (option.Kind, Convert.ToHexString(option.Data), option.UnknownAction, option.MayChangeEnRoute);

    private static Ipv6ExtensionChain Walk(byte[] packet)
    {
        Assert.True(Ipv6View.TryParse(packet, out Ipv6View view));
        return Ipv6ExtensionWalker.Walk(view);
    }
}
