using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Packets;

public class TcpTests
{
    // 49152 to 443, SYN|ECE|CWR, MSS 1460, SACK permitted, timestamps, no-operation, window scale 7; then two bytes of data.
    private const string Syn = "C00001BB" + "01020304" + "00000000" + "A0C2FFFF" + "0000" + "0000"
        + "020405B4" + "0402" + "080A0000AABB00000000" + "01" + "030307" + "CAFE";

    private static readonly IpAddress s_source = IpAddress.Parse("192.0.2.1"), s_destination = IpAddress.Parse("198.51.100.7");

    private static TcpFields SynFields => new()
    {
        SourcePort = 49152,
        DestinationPort = 443,
        SequenceNumber = 0x01020304,
        Flags = TcpFlags.Syn | TcpFlags.Ece | TcpFlags.Cwr,
        Window = 65535,
        MaxSegmentSize = 1460,
        SackPermitted = true,
        Timestamps = new TcpTimestamps(0xAABB, 0),
        WindowScale = 7,
    };

    private static Gen<TcpFields> AnyFields =>
        from ports in WireGen.UInt32
        from sequence in WireGen.UInt32
        from acknowledgment in WireGen.UInt32
        from flags in Gen.Choose(0, 0x1FF)
        from window in WireGen.UInt16
        from urgent in WireGen.UInt16
        from size in WireGen.UInt16.Maybe()
        from scale in WireGen.Byte.Maybe()
        from sack in WireGen.Bool
        from times in WireGen.UInt64.Select(value => new TcpTimestamps((uint)(value >> 32), (uint)value)).Maybe()
        select new TcpFields
        {
            SourcePort = (ushort)(ports >> 16),
            DestinationPort = (ushort)ports,
            SequenceNumber = sequence,
            AcknowledgmentNumber = acknowledgment,
            Flags = (TcpFlags)flags,
            Window = window,
            UrgentPointer = urgent,
            MaxSegmentSize = size,
            WindowScale = scale,
            SackPermitted = sack,
            Timestamps = times,
        };

    [Fact]
    public void TryParse_KnownBytes_AreDeconstructed()
    {
        Assert.True(TcpView.TryParse(Convert.FromHexString(Syn), out TcpView view));
        Assert.Equal((49152, 443, 0x01020304u, 0u), (view.SourcePort, view.DestinationPort, view.SequenceNumber, view.AcknowledgmentNumber));
        Assert.Equal((40, TcpFlags.Syn | TcpFlags.Ece | TcpFlags.Cwr, 65535), (view.HeaderLengthBytes, view.Flags, view.Window));
        Assert.Equal((0, 0, 20, "CAFE"), (view.Checksum, view.UrgentPointer, view.Options.Length, Convert.ToHexString(view.Payload)));
        Assert.True(view.TryGetFields(out TcpFields fields));
        Assert.Equal(SynFields, fields);
    }

    [Fact]
    public void Emit_Fields_GiveTheSameBytes()
    {
        byte[] bytes = Convert.FromHexString(new string('F', 80) + "CAFE");
        Assert.Equal(40, SynFields.Emit(bytes));

        // The no-operation before the window scale is padding behind it here; both are the same options.
        Assert.Equal(Syn.Replace("01" + "030307" + "CAFE", "030307" + "00" + "CAFE", StringComparison.Ordinal), Convert.ToHexString(bytes));
    }

    [Fact]
    public void TryParse_ImpossibleLength_IsRefused()
    {
        byte[] bytes = Convert.FromHexString(Syn);
        for (int length = 0; length < 40; length++)
        {
            Assert.False(TcpView.TryParse(bytes.AsSpan(0, length), out _));
            Assert.False(TcpEditor.TryCreate(bytes.AsSpan(0, length), out _));
        }

        for (int offset = 0; offset < 16; offset++)
        {
            bytes[12] = (byte)(offset << 4);
            Assert.Equal(offset is >= 5 and <= 10, TcpView.TryParse(bytes, out _));
        }
    }

    [Fact]
    public void Flags_EveryBit_HasItsPlace()
    {
        byte[] bytes = Convert.FromHexString(Syn);
        foreach ((int word, TcpFlags flag) in new[]
        {
            (0x001, TcpFlags.Fin), (0x002, TcpFlags.Syn), (0x004, TcpFlags.Rst), (0x008, TcpFlags.Psh), (0x010, TcpFlags.Ack),
            (0x020, TcpFlags.Urg), (0x040, TcpFlags.Ece), (0x080, TcpFlags.Cwr), (0x100, TcpFlags.Ae), (0x200, TcpFlags.None),
        })
        {
            (bytes[12], bytes[13]) = ((byte)(0xA0 | (word >> 8)), (byte)word);
            Assert.True(TcpView.TryParse(bytes, out TcpView view));
            Assert.Equal(flag, view.Flags);
        }
    }

    [Fact]
    public void EnumeratedOptions_Sack_HasItsBlocks()
    {
        byte[] bytes = new byte[40];
        default(TcpFields).Emit(bytes);
        bytes[12] = 0xA0;
        Convert.FromHexString("0101" + "0512" + "00000064000000C8" + "0000012C00000190").CopyTo(bytes, 20);
        Assert.True(TcpView.TryParse(bytes, out TcpView view));
        TcpOptionEnumerator options = view.EnumeratedOptions;
        Assert.True(options.MoveNext());
        TcpOption sack = options.Current;
        Assert.Equal((TcpOptionKinds.Sack, 2, 16), (sack.Kind, sack.SackBlockCount, sack.Data.Length));
        Assert.True(sack.TryGetSackBlock(0, out TcpSackBlock first) & sack.TryGetSackBlock(1, out TcpSackBlock second));
        Assert.Equal((new TcpSackBlock(100, 200), new TcpSackBlock(300, 400)), (first, second));
        Assert.False(sack.TryGetSackBlock(2, out _) || sack.TryGetSackBlock(-1, out _));
        Assert.False(sack.TryGetMaxSegmentSize(out _) || sack.TryGetWindowScale(out _) || sack.TryGetTimestamps(out _) || sack.IsSackPermitted);
        Assert.False(options.MoveNext());
    }

    [Theory]
    [InlineData("02030100")] // maximum segment size of 3 bytes
    [InlineData("0302FFFF")] // window scale of 2
    [InlineData("04030000")] // SACK permitted of 3
    [InlineData("08040000")] // timestamps of 4
    [InlineData("05040000")] // SACK of half a block
    public void EnumeratedOptions_WrongLengthForKind_IsNoValue(string option)
    {
        byte[] bytes = new byte[24];
        default(TcpFields).Emit(bytes);
        bytes[12] = 0x60;
        Convert.FromHexString(option).CopyTo(bytes, 20);
        Assert.True(TcpView.TryParse(bytes, out TcpView view));
        foreach (TcpOption wrong in view.EnumeratedOptions)
        {
            Assert.False(wrong.TryGetMaxSegmentSize(out _) || wrong.TryGetWindowScale(out _) || wrong.TryGetTimestamps(out _) || wrong.IsSackPermitted);
            Assert.Equal(0, wrong.SackBlockCount);
            return;
        }

        Assert.Fail("the option was not reached");
    }

    [Theory]
    [InlineData("02000000")]
    [InlineData("02010000")]
    [InlineData("02050000")]
    [InlineData("01010102")]
    public void EnumeratedOptions_ImpossibleLength_EndsAsMalformed(string options)
    {
        byte[] bytes = new byte[24];
        default(TcpFields).Emit(bytes);
        bytes[12] = 0x60;
        Convert.FromHexString(options).CopyTo(bytes, 20);
        Assert.True(TcpView.TryParse(bytes, out TcpView view));
        TcpOptionEnumerator walker = view.EnumeratedOptions;
        Assert.False(walker.MoveNext());
        Assert.True(walker.IsMalformed);
        Assert.False(view.TryGetFields(out _));
    }

    [Fact]
    public void ParseOfEmit_AnyFields_IsTheSame() => AnyFields.ForAll(fields =>
    {
        byte[] bytes = new byte[fields.EmittedLength];
        return fields.Emit(bytes) == bytes.Length && bytes.Length % 4 == 0 && TcpView.TryParse(bytes, out TcpView view)
            && view.TryGetFields(out TcpFields parsed) && parsed == fields && view.HeaderLengthBytes == bytes.Length;
    });

    [Fact]
    public void Editor_SettersAndReplacements_KeepTheChecksumRight() =>
        (from fields in AnyFields from ports in WireGen.UInt32 from data in WireGen.Bytes(9) select (fields, ports, data)).ForAll(input =>
        {
            byte[] bytes = new byte[input.fields.EmittedLength + input.data.Length];
            default(TcpFields).Emit(bytes);
            bytes[12] = (byte)(input.fields.EmittedLength << 2);
            _ = TcpEditor.TryCreate(bytes, out TcpEditor editor);
            input.data.CopyTo(editor.Payload);
            editor.SourcePort = input.fields.SourcePort;
            editor.DestinationPort = input.fields.DestinationPort;
            editor.SequenceNumber = input.fields.SequenceNumber;
            editor.AcknowledgmentNumber = input.fields.AcknowledgmentNumber;
            editor.Flags = input.fields.Flags;
            editor.Window = input.fields.Window;
            editor.UrgentPointer = input.fields.UrgentPointer;
            editor.FillChecksum(s_source, s_destination);
            TcpFields expected = input.fields with { MaxSegmentSize = null, WindowScale = null, SackPermitted = false, Timestamps = null };
            bool set = TcpView.TryParse(bytes, out TcpView view) && view.TryGetFields(out TcpFields parsed) && parsed == expected
                && view.IsChecksumValid(s_source, s_destination) && view.Payload.SequenceEqual(input.data);
            editor.ReplaceSourcePort((ushort)(input.ports >> 16));
            editor.ReplaceDestinationPort((ushort)input.ports);
            return set && view.IsChecksumValid(s_source, s_destination) && view.SourcePort == input.ports >> 16 && view.DestinationPort == (ushort)input.ports;
        });

    [Theory]
    [InlineData("", 1400, true)]
    [InlineData("01", 1400, true)] // behind a no-operation: odd offset
    [InlineData("0101", 536, true)]
    [InlineData("", 1460, false)]
    [InlineData("", 9000, false)]
    public void TryClampMaxSegmentSize_Syn_LowersAndAdjusts(string before, ushort limit, bool lowered)
    {
        byte[] bytes = new byte[32];
        default(TcpFields).Emit(bytes);
        bytes[12] = 0x70;
        Convert.FromHexString(before + "020405B4" + "00").CopyTo(bytes, 20);
        Assert.True(TcpEditor.TryCreate(bytes, out TcpEditor editor));
        editor.Flags = TcpFlags.Ack;
        editor.FillChecksum(s_source, s_destination);
        Assert.False(editor.TryClampMaxSegmentSize(limit));
        editor.Flags = TcpFlags.Syn;
        editor.FillChecksum(s_source, s_destination);
        Assert.Equal(lowered, editor.TryClampMaxSegmentSize(limit));
        Assert.True(TcpView.TryParse(bytes, out TcpView view) && view.IsChecksumValid(s_source, s_destination));
        Assert.True(view.TryGetFields(out TcpFields fields));
        Assert.Equal(lowered ? limit : 1460, (int)fields.MaxSegmentSize!);
    }

    [Fact]
    public void TryClampMaxSegmentSize_NoOptionOrMalformed_ChangesNothing()
    {
        byte[] bytes = new byte[24];
        (default(TcpFields) with { Flags = TcpFlags.Syn }).Emit(bytes);
        bytes[12] = 0x60;
        byte[] before = (byte[])bytes.Clone();
        Assert.True(TcpEditor.TryCreate(bytes, out TcpEditor editor));
        Assert.False(editor.TryClampMaxSegmentSize(1));
        (bytes[20], bytes[21]) = (2, 9);
        Assert.False(editor.TryClampMaxSegmentSize(1));
        (bytes[20], bytes[21]) = (0, 0);
        Assert.Equal(before, bytes);
    }
}
