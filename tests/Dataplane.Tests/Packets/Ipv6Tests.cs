using Dataplane.Packets;
using FsCheck.Fluent;

namespace Dataplane.Tests.Packets;

public class Ipv6Tests
{
    // Traffic class 0xB9, flow label 0x12345, four bytes of UDP, hop limit 63, 2001:db8::1 to 2001:db8:0:1::7.
    private const string Plain = "6B912345" + "0004113F" + "20010DB8000000000000000000000001" + "20010DB8000000010000000000000007" + "DEADBEEF";

    private static Ipv6Fields PlainFields => new()
    {
        Source = IpAddress.Parse("2001:db8::1"),
        Destination = IpAddress.Parse("2001:db8:0:1::7"),
        NextHeader = IpProtocols.Udp,
        HopLimit = 63,
        TrafficClass = 0xB9,
        FlowLabel = 0x12345,
        PayloadLengthBytes = 4,
    };

    [Fact]
    public void TryParse_KnownBytes_AreDeconstructed()
    {
        Assert.True(Ipv6View.TryParse(Convert.FromHexString(Plain + "0000"), out Ipv6View view));
        Assert.Equal((0xB9, 46, 1, 0x12345u), (view.TrafficClass, view.Dscp, view.Ecn, view.FlowLabel));
        Assert.Equal((4, IpProtocols.Udp, 63), (view.PayloadLengthBytes, view.NextHeader, view.HopLimit));
        Assert.Equal(("2001:db8::1", "2001:db8:0:1::7"), (view.Source.ToString(), view.Destination.ToString()));
        Assert.Equal("DEADBEEF", Convert.ToHexString(view.Payload));
        Assert.Equal((44, false), (view.Bytes.Length, view.IsTruncated));
    }

    [Fact]
    public void Emit_Fields_GiveTheSameBytes()
    {
        byte[] bytes = Convert.FromHexString(new string('F', 80) + "DEADBEEF");
        Assert.Equal(40, PlainFields.Emit(bytes));
        Assert.Equal(Plain, Convert.ToHexString(bytes));
    }

    [Fact]
    public void TryParse_ImpossibleLength_IsRefused()
    {
        byte[] bytes = Convert.FromHexString(Plain);
        for (int length = 0; length < bytes.Length; length++)
        {
            Assert.False(Ipv6View.TryParse(bytes.AsSpan(0, length), out _));
            Assert.Equal(length >= 40, Ipv6View.TryParseHeader(bytes.AsSpan(0, length), out Ipv6View view));
            Assert.Equal(length >= 40, Ipv6Editor.TryCreate(bytes.AsSpan(0, length), out _));
            Assert.True(length < 40 || (view.IsTruncated && view.Payload.Length == length - 40));
        }

        bytes[0] = 0x4B;
        Assert.False(Ipv6View.TryParse(bytes, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => (PlainFields with { PayloadLengthBytes = 65536 }).Emit(bytes));
    }

    [Fact]
    public void ParseOfEmit_AnyFields_IsTheSame() =>
        (from source in WireGen.V6
         from destination in WireGen.V6
         from bytes in WireGen.Byte.ArrayOf(3)
         from label in Gen.Choose(0, 0xFFFFF)
         from payload in Gen.Choose(0, 300)
         select new Ipv6Fields
         {
             Source = source,
             Destination = destination,
             NextHeader = bytes[0],
             HopLimit = bytes[1],
             TrafficClass = bytes[2],
             FlowLabel = (uint)label,
             PayloadLengthBytes = payload,
         }).ForAll(fields =>
         {
             byte[] packet = new byte[40 + fields.PayloadLengthBytes];
             return fields.Emit(packet) == 40 && Ipv6View.TryParse(packet, out Ipv6View view) && view.TryGetFields(out Ipv6Fields parsed)
                 && parsed == fields && view.Payload.Length == fields.PayloadLengthBytes;
         });

    [Fact]
    public void Editor_Setters_TouchOnlyTheirBits() =>
        (from fields in WireGen.Byte.ArrayOf(3) from label in Gen.Choose(0, 0xFFFFF) from address in WireGen.V6 select (fields, label, address)).ForAll(input =>
        {
            byte[] bytes = Convert.FromHexString(Plain);
            _ = Ipv6Editor.TryCreate(bytes, out Ipv6Editor editor);
            editor.TrafficClass = input.fields[0];
            editor.FlowLabel = (uint)input.label;
            editor.NextHeader = input.fields[1];
            editor.HopLimit = input.fields[2];
            editor.Source = input.address;
            editor.Destination = PlainFields.Source;
            Ipv6Fields expected = PlainFields with
            {
                TrafficClass = input.fields[0],
                FlowLabel = (uint)input.label,
                NextHeader = input.fields[1],
                HopLimit = input.fields[2],
                Source = input.address,
                Destination = PlainFields.Source,
            };
            bool set = Ipv6View.TryParse(bytes, out Ipv6View view) && view.TryGetFields(out Ipv6Fields parsed) && parsed == expected;
            bool decremented = editor.TryDecrementHopLimit();
            return set && decremented == input.fields[2] > 1 && view.HopLimit == (decremented ? input.fields[2] - 1 : input.fields[2]);
        });

    [Fact]
    public void ReplaceAddresses_Deltas_CarryOverToTheTransport() =>
        (from first in WireGen.V6 from second in WireGen.V6 select (first, second)).ForAll(input =>
        {
            byte[] packet = PacketBuilder.WithoutLink().Ipv6("2001:db8::1", "2001:db8::2").Udp(1000, 53).Payload("odd").Build();
            _ = Ipv6Editor.TryCreate(packet, out Ipv6Editor ip);
            _ = UdpEditor.TryCreate(ip.Payload, out UdpEditor udp);
            udp.AdjustChecksum(InternetChecksum.Combine(ip.ReplaceSource(input.first), ip.ReplaceDestination(input.second)));
            return InternetChecksum.VerifyTransport(packet) == ChecksumStatus.Valid && ip.Source == input.first && ip.Destination == input.second;
        });
}
