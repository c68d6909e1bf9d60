using Dataplane.Packets;
using FsCheck.Fluent;

namespace Dataplane.Tests.Packets;

public class Ipv4Tests
{
    // TOS 0xB9 (DSCP 46, ECN 1), total 24, id 0x1234, DF, TTL 63, UDP, 192.0.2.1 to 198.51.100.7, four bytes of payload.
    private const string Plain = "45B90018123440003F11" + "3CAC" + "C0000201C6336407" + "DEADBEEF";

    // Router alert, then a no-operation, a record route and the end of the list.
    private const string WithOptions = "48000020" + "00000000" + "4001" + "0000" + "0A0000010A000002" + "94040000" + "010703" + "0400000000";

    private static Ipv4Fields PlainFields => new()
    {
        Source = IpAddress.Parse("192.0.2.1"),
        Destination = IpAddress.Parse("198.51.100.7"),
        Protocol = IpProtocols.Udp,
        Ttl = 63,
        Tos = 0xB9,
        Identification = 0x1234,
        DontFragment = true,
        PayloadLengthBytes = 4,
    };

    [Fact]
    public void TryParse_KnownBytes_AreDeconstructed()
    {
        Assert.True(Ipv4View.TryParse(Convert.FromHexString(Plain + "000000"), out Ipv4View view));
        Assert.Equal((20, 24, 0xB9, 46, 1), (view.HeaderLengthBytes, view.TotalLengthBytes, view.Tos, view.Dscp, view.Ecn));
        Assert.Equal((0x1234, 0), (view.Identification, view.FragmentOffsetBytes));
        Assert.True(view.DontFragment && !view.MoreFragments && !view.ReservedFlag);
        Assert.Equal((63, IpProtocols.Udp, FragmentKind.None), (view.Ttl, view.Protocol, view.Fragment));
        Assert.Equal(("192.0.2.1", "198.51.100.7"), (view.Source.ToString(), view.Destination.ToString()));
        Assert.Equal("DEADBEEF", Convert.ToHexString(view.Payload));
        Assert.Equal(24, view.Bytes.Length);
        Assert.True(view.Options.IsEmpty);
        Assert.True(view.IsChecksumValid);
        Assert.Equal(0x3CAC, view.Checksum);
        Assert.False(view.IsTruncated);
    }

    [Fact]
    public void Emit_Fields_GiveTheSameBytes()
    {
        byte[] bytes = Convert.FromHexString(new string('F', 40) + "DEADBEEF");
        Assert.Equal(20, PlainFields.Emit(bytes));
        Assert.Equal(Plain, Convert.ToHexString(bytes));
    }

    [Theory]
    [InlineData(0, 0x55)] // version 5
    [InlineData(0, 0x65)] // version 6
    [InlineData(0, 0x44)] // header of 16 bytes
    [InlineData(0, 0x4F)] // header of 60 bytes, beyond the end
    [InlineData(0, 0x47)] // header of 28 bytes, beyond the total length
    [InlineData(3, 19)] // total shorter than the header
    [InlineData(3, 25)] // total beyond the end
    [InlineData(2, 0x01)] // total beyond the end
    public void TryParse_ImpossibleLength_IsRefused(int offset, byte value)
    {
        byte[] bytes = Convert.FromHexString(Plain);
        bytes[offset] = value;
        Assert.False(Ipv4View.TryParse(bytes, out _));
    }

    [Fact]
    public void TryParse_EveryCut_IsRefused()
    {
        byte[] bytes = Convert.FromHexString(Plain);
        for (int length = 0; length < bytes.Length; length++)
        {
            Assert.False(Ipv4View.TryParse(bytes.AsSpan(0, length), out _));
            Assert.Equal(length >= 20, Ipv4View.TryParseHeader(bytes.AsSpan(0, length), out Ipv4View view));
            Assert.Equal(length >= 20, Ipv4Editor.TryCreate(bytes.AsSpan(0, length), out _));
            Assert.True(length < 20 || (view.IsTruncated && view.Payload.Length == length - 20));
        }
    }

    [Theory]
    [InlineData(0x0000, FragmentKind.None, 0)]
    [InlineData(0x4000, FragmentKind.None, 0)]
    [InlineData(0x8000, FragmentKind.None, 0)]
    [InlineData(0x2000, FragmentKind.First, 0)]
    [InlineData(0x2001, FragmentKind.Later, 8)]
    [InlineData(0x0001, FragmentKind.Later, 8)]
    [InlineData(0x1FFF, FragmentKind.Later, 65528)]
    [InlineData(0x3FFF, FragmentKind.Later, 65528)]
    public void Fragment_FlagsAndOffset_AreToldApart(int word, FragmentKind kind, int offsetBytes)
    {
        byte[] bytes = Convert.FromHexString(Plain);
        (bytes[6], bytes[7]) = ((byte)(word >> 8), (byte)word);
        Assert.True(Ipv4View.TryParse(bytes, out Ipv4View view));
        Assert.Equal((kind, offsetBytes), (view.Fragment, view.FragmentOffsetBytes));
        Assert.Equal((word & 0x8000) != 0, view.ReservedFlag);
        Assert.Equal((word & 0x4000) != 0, view.DontFragment);
        Assert.Equal((word & 0x2000) != 0, view.MoreFragments);
    }

    [Fact]
    public void EnumeratedOptions_KnownBytes_PaddingIsLeftOut()
    {
        Assert.True(Ipv4View.TryParse(Convert.FromHexString(WithOptions), out Ipv4View view));
        Ipv4OptionEnumerator options = view.EnumeratedOptions;
        Assert.True(options.MoveNext());
        Assert.Equal((Ipv4OptionKinds.RouterAlert, true, "0000"), (options.Current.Kind, options.Current.IsCopied, Convert.ToHexString(options.Current.Data)));
        Assert.True(options.MoveNext());
        Assert.Equal((Ipv4OptionKinds.RecordRoute, false, "04"), (options.Current.Kind, options.Current.IsCopied, Convert.ToHexString(options.Current.Data)));
        Assert.False(options.MoveNext());
        Assert.False(options.IsMalformed);
        Assert.False(options.MoveNext());
    }

    [Theory]
    [InlineData("94000000", 0)] // length 0
    [InlineData("94010000", 0)] // length below its own two bytes
    [InlineData("94050000", 0)] // beyond the header
    [InlineData("01010194", 0)] // no room for a length
    [InlineData("07030494", 1)]
    public void EnumeratedOptions_ImpossibleLength_EndsAsMalformed(string options, int before)
    {
        byte[] bytes = new byte[24];
        (PlainFields with { PayloadLengthBytes = 0 }).Emit(bytes, Convert.FromHexString(options));
        Assert.True(Ipv4View.TryParse(bytes, out Ipv4View view));
        Ipv4OptionEnumerator walker = view.EnumeratedOptions;
        int count = 0;
        while (walker.MoveNext())
        {
            count++;
        }

        Assert.Equal((before, true), (count, walker.IsMalformed));
    }

    [Theory]
    [InlineData("830B04" + "0A000009" + "C0000263", "192.0.2.99")] // loose, nothing visited
    [InlineData("890B08" + "0A000009" + "C0000263", "192.0.2.99")] // strict, one visited
    [InlineData("830B0C" + "0A000009" + "C0000263", "198.51.100.7")] // all visited: the header's destination is the last
    [InlineData("830B03" + "0A000009" + "C0000263", "198.51.100.7")] // pointer below the first place
    [InlineData("070B04" + "0A000009" + "C0000263", "198.51.100.7")] // record route routes nothing
    [InlineData("830304", "198.51.100.7")] // no place at all
    public void TryGetFinalDestination_SourceRoute_IsTheLastPlace(string options, string expected)
    {
        byte[] bytes = new byte[64];
        int length = (PlainFields with { PayloadLengthBytes = 0 }).Emit(bytes, Convert.FromHexString(options));
        Assert.True(Ipv4View.TryParse(bytes.AsSpan(0, length), out Ipv4View view));
        IpAddress final = view.Destination;
        foreach (Ipv4Option option in view.EnumeratedOptions)
        {
            final = option.TryGetFinalDestination(out IpAddress destination) ? destination : final;
        }

        Assert.Equal(expected, final.ToString());
    }

    [Fact]
    public void Emit_TooLarge_Throws()
    {
        byte[] bytes = new byte[80];
        Assert.Throws<ArgumentOutOfRangeException>(() => (PlainFields with { PayloadLengthBytes = 65516 }).Emit(bytes));
        Assert.Throws<ArgumentOutOfRangeException>(() => (PlainFields with { PayloadLengthBytes = -1 }).Emit(bytes));
        Assert.Throws<ArgumentOutOfRangeException>(() => PlainFields.Emit(bytes, new byte[41]));
        Assert.Throws<ArgumentOutOfRangeException>(() => PlainFields.Emit(bytes.AsSpan(0, 19)));
        Assert.Equal(60, (PlainFields with { PayloadLengthBytes = 65475 }).Emit(bytes, new byte[37]));
    }

    [Fact]
    public void ParseOfEmit_AnyFields_IsTheSame() =>
        (from source in WireGen.V4
         from destination in WireGen.V4
         from bytes in WireGen.Byte.ArrayOf(3)
         from identification in WireGen.UInt16
         from flags in Gen.Choose(0, 3)
         from offset in Gen.Choose(0, 0x1FFF)
         from payload in Gen.Choose(0, 300)
         select new Ipv4Fields
         {
             Source = source,
             Destination = destination,
             Protocol = bytes[0],
             Ttl = bytes[1],
             Tos = bytes[2],
             Identification = identification,
             DontFragment = (flags & 1) != 0,
             MoreFragments = (flags & 2) != 0,
             FragmentOffsetBytes = offset * 8,
             PayloadLengthBytes = payload,
         }).ForAll(fields =>
         {
             byte[] packet = new byte[20 + fields.PayloadLengthBytes];
             return fields.Emit(packet) == 20 && Ipv4View.TryParse(packet, out Ipv4View view) && view.TryGetFields(out Ipv4Fields parsed)
                 && parsed == fields && view.IsChecksumValid && view.Payload.Length == fields.PayloadLengthBytes;
         });

    [Fact]
    public void Editor_Replacements_KeepTheChecksumRight() =>
        (from first in WireGen.V4 from second in WireGen.V4 from ttl in WireGen.Byte select (first, second, ttl)).ForAll(input =>
        {
            byte[] bytes = Convert.FromHexString(Plain);
            _ = Ipv4Editor.TryCreate(bytes, out Ipv4Editor editor);
            editor.ReplaceSource(input.first);
            editor.ReplaceDestination(input.second);
            bool replaced = Ipv4View.TryParse(bytes, out Ipv4View view) && view.IsChecksumValid
                && view.Source == input.first && view.Destination == input.second;
            editor.Ttl = input.ttl;
            editor.Tos = input.ttl;
            editor.Identification = 0x4321;
            editor.Protocol = 200;
            editor.Source = input.second;
            editor.Destination = input.first;
            editor.FillChecksum();
            bool filled = view.IsChecksumValid && (view.Ttl, view.Tos, view.Identification, view.Protocol) == (input.ttl, input.ttl, 0x4321, 200);
            bool decremented = editor.TryDecrementTtl();
            return replaced && filled && view.IsChecksumValid && decremented == input.ttl > 1 && view.Ttl == (input.ttl > 1 ? input.ttl - 1 : input.ttl);
        });

    [Fact]
    public void ReplaceSource_Delta_CarriesOverToTheTransport()
    {
        byte[] packet = PacketBuilder.WithoutLink().Ipv4("10.0.0.1", "192.0.2.7").Tcp(1000, 80).Payload("x").Build();
        Assert.True(Ipv4Editor.TryCreate(packet, out Ipv4Editor ip));
        Assert.True(TcpEditor.TryCreate(ip.Payload, out TcpEditor tcp));
        tcp.AdjustChecksum(InternetChecksum.Combine(ip.ReplaceSource(IpAddress.Parse("198.51.100.1")), ip.ReplaceDestination(IpAddress.Parse("10.9.8.7"))));
        Assert.Equal(ChecksumStatus.Valid, InternetChecksum.VerifyTransport(packet));
    }
}
