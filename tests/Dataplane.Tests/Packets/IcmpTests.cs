using Dataplane.Packets;
using FsCheck.Fluent;

namespace Dataplane.Tests.Packets;

public class IcmpTests
{
    private static readonly IpAddress s_source = IpAddress.Parse("2001:db8::1"), s_destination = IpAddress.Parse("2001:db8::2");

    [Fact]
    public void Icmpv4_Echo_BothWays()
    {
        const string Hex = "0800" + "3505" + "BEEF" + "0005" + "01020304";
        byte[] bytes = Convert.FromHexString("FFFFFFFFFFFFFFFF" + "01020304");
        Assert.Equal(8, Icmpv4Fields.EchoRequest(0xBEEF, 5).Emit(bytes));
        Assert.True(Icmpv4View.TryParse(bytes, out Icmpv4View view));
        Assert.Equal((Icmpv4Types.EchoRequest, 0, 0xBEEF, 5), (view.Type, view.Code, view.Identifier, view.SequenceNumber));
        Assert.True(view.IsEcho && !view.IsError);
        Assert.Equal("01020304", Convert.ToHexString(view.Payload));
        Assert.True(view.IsChecksumValid && view.QuotedPacket.IsEmpty && view.Extensions.IsEmpty);
        Assert.Equal(Hex, Convert.ToHexString(bytes));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public void Icmp_ImpossibleLength_IsRefused(int length)
    {
        Assert.False(Icmpv4View.TryParse(new byte[length], out _) || Icmpv6View.TryParse(new byte[length], out _));
        Assert.False(Icmpv4Editor.TryCreate(new byte[length], out _) || Icmpv6Editor.TryCreate(new byte[length], out _));
        Assert.True(Icmpv4View.TryParse(new byte[8], out _) && Icmpv6View.TryParse(new byte[8], out _));
    }

    [Fact]
    public void Icmpv4_Errors_QuoteThePacket()
    {
        byte[] quoted = PacketBuilder.WithoutLink().Ipv4("10.0.0.1", "192.0.2.7").Udp(1000, 80).PayloadOf(40).Build()[..28];
        foreach (Icmpv4Fields fields in new[]
        {
            Icmpv4Fields.Unreachable(3), Icmpv4Fields.Unreachable(Icmpv4Types.FragmentationNeededCode, 1400), Icmpv4Fields.TimeExceeded(),
            Icmpv4Fields.Redirect(1, IpAddress.Parse("10.0.0.254")), Icmpv4Fields.ParameterProblem(20),
        })
        {
            byte[] bytes = [.. new byte[8], .. quoted];
            fields.Emit(bytes);
            Assert.True(Icmpv4View.TryParse(bytes, out Icmpv4View view));
            Assert.True(view.IsError && !view.IsEcho && view.IsChecksumValid);
            Assert.Equal(quoted, view.QuotedPacket.ToArray());
            Assert.True(Ipv4View.TryParseHeader(view.QuotedPacket, out Ipv4View inner) && inner.IsTruncated);
            Assert.True(UdpView.TryParseHeader(inner.Payload, out UdpView udp) && udp.IsTruncated);
            Assert.Equal((1000, 80), (udp.SourcePort, udp.DestinationPort));
            Assert.True(view.TryGetFields(out Icmpv4Fields parsed));
            Assert.Equal(fields, parsed);
        }
    }

    [Fact]
    public void Icmpv4_RestOfHeader_HasTheNamedParts()
    {
        byte[] bytes = new byte[8];
        Icmpv4Fields.Unreachable(4, 1400).Emit(bytes);
        Assert.True(Icmpv4View.TryParse(bytes, out Icmpv4View view));
        Assert.Equal(1400, view.NextHopMtuBytes);
        Icmpv4Fields.Redirect(0, IpAddress.Parse("10.0.0.254")).Emit(bytes);
        Assert.Equal("10.0.0.254", view.Gateway.ToString());
        Icmpv4Fields.ParameterProblem(9).Emit(bytes);
        Assert.Equal((9, 0x09000000u), (view.ProblemOffset, view.RestOfHeader));
    }

    /// <summary>RFC 4884: a stated length ends the quoted packet and begins the extensions; an impossible one is not believed.</summary>
    [Theory]
    [InlineData(Icmpv4Types.TimeExceeded, 8, 32, 4)]
    [InlineData(Icmpv4Types.TimeExceeded, 9, 36, 0)]
    [InlineData(Icmpv4Types.TimeExceeded, 10, 36, 0)]
    [InlineData(Icmpv4Types.Redirect, 8, 36, 0)]
    [InlineData(Icmpv4Types.EchoReply, 8, 0, 0)]
    public void Icmpv4_Extensions_AreSplitOff(byte type, byte words, int quoted, int extensions)
    {
        byte[] bytes = new byte[8 + 36];
        (bytes[0], bytes[5]) = (type, words);
        Assert.True(Icmpv4View.TryParse(bytes, out Icmpv4View view));
        Assert.Equal((quoted, extensions), (view.QuotedPacket.Length, view.Extensions.Length));
    }

    [Theory]
    [InlineData(Icmpv6Types.DestinationUnreachable, 4, 32, 4)]
    [InlineData(Icmpv6Types.DestinationUnreachable, 5, 36, 0)]
    [InlineData(Icmpv6Types.PacketTooBig, 4, 36, 0)]
    [InlineData(Icmpv6Types.EchoRequest, 4, 0, 0)]
    public void Icmpv6_Extensions_AreSplitOff(byte type, byte units, int quoted, int extensions)
    {
        byte[] bytes = new byte[8 + 36];
        (bytes[0], bytes[4]) = (type, units);
        Assert.True(Icmpv6View.TryParse(bytes, out Icmpv6View view));
        Assert.Equal((quoted, extensions), (view.QuotedPacket.Length, view.Extensions.Length));
    }

    [Fact]
    public void Icmpv6_Echo_BothWays()
    {
        byte[] bytes = Convert.FromHexString("FFFFFFFFFFFFFFFF" + "01020304");
        Assert.Equal(8, Icmpv6Fields.EchoRequest(0xBEEF, 5).Emit(bytes, s_source, s_destination));
        Assert.True(Icmpv6View.TryParse(bytes, out Icmpv6View view));
        Assert.Equal((Icmpv6Types.EchoRequest, 0, 0xBEEF, 5), (view.Type, view.Code, view.Identifier, view.SequenceNumber));
        Assert.True(view.IsEcho && !view.IsError);
        Assert.True(view.IsChecksumValid(s_source, s_destination));
        Assert.False(view.IsChecksumValid(s_source, s_source));
        Assert.Equal("8000" + "6149" + "BEEF" + "0005" + "01020304", Convert.ToHexString(bytes));
    }

    [Fact]
    public void Icmpv6_Errors_QuoteThePacket()
    {
        byte[] quoted = PacketBuilder.WithoutLink().Ipv6("2001:db8::9", "2001:db8::a").Tcp(1000, 80).PayloadOf(80).Build();
        foreach (Icmpv6Fields fields in new[]
        {
            Icmpv6Fields.Unreachable(4), Icmpv6Fields.PacketTooBig(1280), Icmpv6Fields.TimeExceeded(), Icmpv6Fields.ParameterProblem(1, 6),
        })
        {
            byte[] bytes = [.. new byte[8], .. quoted];
            fields.Emit(bytes, s_source, s_destination);
            Assert.True(Icmpv6View.TryParse(bytes, out Icmpv6View view));
            Assert.True(view.IsError && view.IsChecksumValid(s_source, s_destination));
            Assert.Equal(quoted, view.QuotedPacket.ToArray());
            Assert.True(view.TryGetFields(out Icmpv6Fields parsed));
            Assert.Equal(fields, parsed);
            Assert.Equal((fields.RestOfHeader, fields.RestOfHeader), (view.MtuBytes, view.ProblemOffset));
        }
    }

    [Fact]
    public void ParseOfEmit_AnyFields_IsTheSame() =>
        (from type in WireGen.Byte
         from code in WireGen.Byte
         from rest in WireGen.UInt32
         from data in WireGen.Bytes(40)
         select (type, code, rest, data)).ForAll(input =>
        {
            var v4 = new Icmpv4Fields { Type = input.type, Code = input.code, RestOfHeader = input.rest };
            var v6 = new Icmpv6Fields { Type = input.type, Code = input.code, RestOfHeader = input.rest };
            byte[] bytes4 = [.. new byte[8], .. input.data], bytes6 = [.. new byte[8], .. input.data];
            v4.Emit(bytes4);
            v6.Emit(bytes6, s_source, s_destination);
            return Icmpv4View.TryParse(bytes4, out Icmpv4View view4) && view4.TryGetFields(out Icmpv4Fields parsed4) && parsed4 == v4 && view4.IsChecksumValid
                && Icmpv6View.TryParse(bytes6, out Icmpv6View view6) && view6.TryGetFields(out Icmpv6Fields parsed6) && parsed6 == v6
                && view6.IsChecksumValid(s_source, s_destination);
        });

    [Fact]
    public void TryMakeEchoReply_Request_KeepsTheChecksumRight() =>
        (from id in WireGen.UInt16 from next in WireGen.UInt16 from data in WireGen.Bytes(9) select (id, next, data)).ForAll(input =>
        {
            byte[] bytes4 = [.. new byte[8], .. input.data], bytes6 = [.. new byte[8], .. input.data];
            Icmpv4Fields.EchoRequest(input.id, 1).Emit(bytes4);
            Icmpv6Fields.EchoRequest(input.id, 1).Emit(bytes6, s_source, s_destination);
            _ = Icmpv4Editor.TryCreate(bytes4, out Icmpv4Editor editor4);
            _ = Icmpv6Editor.TryCreate(bytes6, out Icmpv6Editor editor6);
            editor4.ReplaceIdentifier(input.next);
            editor6.ReplaceIdentifier(input.next);
            bool made = editor4.TryMakeEchoReply() && editor6.TryMakeEchoReply() && !editor4.TryMakeEchoReply() && !editor6.TryMakeEchoReply();
            return made && Icmpv4View.TryParse(bytes4, out Icmpv4View view4) && view4.IsChecksumValid && view4.Type == Icmpv4Types.EchoReply
                && Icmpv6View.TryParse(bytes6, out Icmpv6View view6) && view6.IsChecksumValid(s_destination, s_source) && view6.Type == Icmpv6Types.EchoReply
                && (view4.Identifier, view6.Identifier) == (input.next, input.next);
        });

    [Fact]
    public void Editor_Setters_WriteInPlace()
    {
        byte[] bytes4 = new byte[9], bytes6 = new byte[9];
        Assert.True(Icmpv4Editor.TryCreate(bytes4, out Icmpv4Editor editor4));
        Assert.True(Icmpv6Editor.TryCreate(bytes6, out Icmpv6Editor editor6));
        (editor4.Type, editor4.Code, editor4.RestOfHeader, editor4.Payload[0]) = (11, 1, 0x01020304, 0xEE);
        editor4.FillChecksum();
        (editor6.Type, editor6.Code, editor6.RestOfHeader, editor6.Payload[0]) = (3, 1, 0x01020304, 0xEE);
        editor6.FillChecksum(s_source, s_destination);
        Assert.Equal("0B01" + "02F8" + "01020304" + "EE", Convert.ToHexString(bytes4));
        Assert.True(Icmpv6View.TryParse(bytes6, out Icmpv6View view) && view.IsChecksumValid(s_source, s_destination));
        Assert.Equal((3, 1, 0x01020304u, 0x0102), (view.Type, view.Code, view.RestOfHeader, editor6.Identifier));
    }
}
