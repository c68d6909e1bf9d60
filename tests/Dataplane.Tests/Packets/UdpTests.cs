using Dataplane.Packets;
using FsCheck.Fluent;

namespace Dataplane.Tests.Packets;

public class UdpTests
{
    private const string Plain = "03E80035" + "000C" + "0000" + "DEADBEEF";

    private static readonly IpAddress s_source = IpAddress.Parse("192.0.2.1"), s_destination = IpAddress.Parse("198.51.100.7");

    [Fact]
    public void TryParse_KnownBytes_AreDeconstructed()
    {
        Assert.True(UdpView.TryParse(Convert.FromHexString(Plain + "0000"), out UdpView view));
        Assert.Equal((1000, 53, 12, 0, false), (view.SourcePort, view.DestinationPort, view.LengthBytes, view.Checksum, view.HasChecksum));
        Assert.Equal(("DEADBEEF", false), (Convert.ToHexString(view.Payload), view.IsTruncated));
        Assert.True(view.IsChecksumValid(s_source, s_destination));
        Assert.True(view.TryGetFields(out UdpFields fields));
        Assert.Equal(new UdpFields { SourcePort = 1000, DestinationPort = 53, PayloadLengthBytes = 4 }, fields);
    }

    [Fact]
    public void Emit_Fields_GiveTheSameBytes()
    {
        byte[] bytes = Convert.FromHexString("FFFFFFFFFFFFFFFF" + "DEADBEEF");
        Assert.Equal(8, new UdpFields { SourcePort = 1000, DestinationPort = 53, PayloadLengthBytes = 4 }.Emit(bytes));
        Assert.Equal(Plain, Convert.ToHexString(bytes));
        Assert.Throws<ArgumentOutOfRangeException>(() => new UdpFields { PayloadLengthBytes = 65528 }.Emit(bytes));
        Assert.Throws<ArgumentOutOfRangeException>(() => default(UdpFields).Emit(bytes.AsSpan(0, 7)));
    }

    [Fact]
    public void TryParse_ImpossibleLength_IsRefused()
    {
        byte[] bytes = Convert.FromHexString(Plain);
        for (int length = 0; length < bytes.Length; length++)
        {
            Assert.False(UdpView.TryParse(bytes.AsSpan(0, length), out _));
            Assert.Equal(length >= 8, UdpView.TryParseHeader(bytes.AsSpan(0, length), out UdpView view));
            Assert.Equal(length >= 8, UdpEditor.TryCreate(bytes.AsSpan(0, length), out _));
            Assert.True(length < 8 || (view.IsTruncated && view.Payload.Length == length - 8));
        }

        for (int stated = 0; stated < 8; stated++)
        {
            bytes[5] = (byte)stated;
            Assert.False(UdpView.TryParseHeader(bytes, out _));
        }
    }

    [Fact]
    public void ParseOfEmit_AnyFields_IsTheSame() =>
        (from ports in WireGen.UInt32
         from length in Gen.Choose(0, 300)
         select new UdpFields { SourcePort = (ushort)(ports >> 16), DestinationPort = (ushort)ports, PayloadLengthBytes = length }).ForAll(fields =>
         {
             byte[] bytes = new byte[8 + fields.PayloadLengthBytes];
             fields.Emit(bytes);
             return UdpView.TryParse(bytes, out UdpView view) && view.TryGetFields(out UdpFields parsed) && parsed == fields;
         });

    [Fact]
    public void Editor_Replacements_KeepTheChecksumRight() =>
        (from ports in WireGen.UInt32 from first in WireGen.V6 from second in WireGen.V6 from data in WireGen.Bytes(9) select (ports, first, second, data))
        .ForAll(input =>
        {
            byte[] bytes = new byte[8 + input.data.Length];
            new UdpFields { SourcePort = 7, DestinationPort = 9, PayloadLengthBytes = input.data.Length }.Emit(bytes);
            _ = UdpEditor.TryCreate(bytes, out UdpEditor editor);
            input.data.CopyTo(editor.Payload);
            editor.FillChecksum(input.first, input.second);
            bool filled = UdpView.TryParse(bytes, out UdpView view) && view.HasChecksum && view.IsChecksumValid(input.first, input.second);
            editor.ReplaceSourcePort((ushort)(input.ports >> 16));
            editor.ReplaceDestinationPort((ushort)input.ports);
            return filled && view.HasChecksum && view.IsChecksumValid(input.first, input.second)
                && (view.SourcePort, view.DestinationPort) == ((ushort)(input.ports >> 16), (ushort)input.ports);
        });

    /// <summary>Every port once, so that the computed checksum takes the value 0 on the way: it must be stored as 0xFFFF and stay valid.</summary>
    [Fact]
    public void FillChecksum_ComputedZero_IsStoredAsOnes()
    {
        byte[] bytes = new byte[8];
        new UdpFields { DestinationPort = 9 }.Emit(bytes);
        Assert.True(UdpEditor.TryCreate(bytes, out UdpEditor editor));
        editor.FillChecksum(s_source, s_destination);
        int ones = 0;
        for (int port = 1; port <= 65535; port++)
        {
            editor.ReplaceSourcePort((ushort)port);
            ushort adjusted = editor.Checksum;
            editor.FillChecksum(s_source, s_destination);
            Assert.Equal(editor.Checksum, adjusted);
            Assert.True(UdpView.TryParse(bytes, out UdpView view) && view.HasChecksum && view.IsChecksumValid(s_source, s_destination));
            ones += adjusted == 0xFFFF ? 1 : 0;
        }

        Assert.Equal(1, ones);
    }

    [Fact]
    public void AdjustChecksum_NoChecksum_StaysNone()
    {
        byte[] bytes = Convert.FromHexString(Plain);
        Assert.True(UdpEditor.TryCreate(bytes, out UdpEditor editor));
        editor.ReplaceSourcePort(5);
        editor.AdjustChecksum(0x1234);
        editor.SourcePort = 6;
        editor.DestinationPort = 7;
        Assert.Equal("00060007000C0000DEADBEEF", Convert.ToHexString(bytes));
    }
}
