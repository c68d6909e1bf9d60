using Dataplane.Ports;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Ports;

public class CaptureFileReaderTests
{
    private const long Second = 1_000_000_000;

    private static readonly byte[] s_frame = TestFrames.Make(1, 61);
    private static readonly byte[] s_other = TestFrames.Make(2, 1514);

    // Written by editcap of Wireshark 4.0.17 from files of one UDP and one ARP frame: microseconds, then nanoseconds (if_tsresol 9).
    private const string EditcapMicroseconds =
        "0A0D0D0A6C0000004D3C2B1A01000000FFFFFFFFFFFFFFFF0400450045646974636170202857697265736861726B2920342E302E313720284769742076342E302E313720"
        + "7061636B6167656420617320342E302E31372D302B6465623132753329000000000000006C000000010000001400000001000000FFFF0000140000000600000050000000"
        + "00000000240A0600402220182E0000002E000000020000000002020000000001080045000020000100004011F96DC0000201C0000202C0000035000C0000414243440000"
        + "50000000";

    private const string EditcapNanoseconds =
        "0A0D0D0A6C0000004D3C2B1A01000000FFFFFFFFFFFFFFFF0400450045646974636170202857697265736861726B2920342E302E313720284769742076342E302E313720"
        + "7061636B6167656420617320342E302E31372D302B6465623132753329000000000000006C000000010000002000000001000000FFFF0000090001000900000000000000"
        + "20000000060000004C00000000000000FF9C971740D431602A0000002A000000020000000002020000000001080600010800060400010200000000010A00000100000000"
        + "00000A00000200004C000000";

    [Fact]
    public void Read_TwoFilesOfEditcapInARow_AreTwoSections()
    {
        var frames = CaptureBuilder.Read(Convert.FromHexString(EditcapMicroseconds + EditcapNanoseconds));
        Assert.Equal(2, frames.Count);
        Assert.Equal(1_700_000_000_123_456_000, frames[0].TimestampNs);
        Assert.Equal("020000000002020000000001080045000020000100004011F96DC0000201C0000202C0000035000C000041424344", Convert.ToHexString(frames[0].Bytes));
        Assert.Equal(1_700_000_005_000_123_456, frames[1].TimestampNs);
        Assert.Equal("020000000002020000000001080600010800060400010200000000010A0000010000000000000A000002", Convert.ToHexString(frames[1].Bytes));
    }

    [Theory]
    [InlineData(false, 0xA1B2_C3D4, 1000)]
    [InlineData(true, 0xA1B2_C3D4, 1000)]
    [InlineData(false, 0xA1B2_3C4D, 1)]
    [InlineData(true, 0xA1B2_3C4D, 1)]
    public void Read_ClassicFile_EitherOrderAndResolution(bool bigEndian, uint magic, long nsPerUnit)
    {
        byte[] file = new CaptureBuilder(bigEndian).FileHeader(magic).Record(1, 2, s_frame).Record(uint.MaxValue, 999_999, s_other, 9000).Record(0, 0, []).ToArray();
        (long, byte[], int, int)[] expected =
        [
            (Second + (2 * nsPerUnit), s_frame, 61, 0), ((uint.MaxValue * Second) + (999_999 * nsPerUnit), s_other, 9000, 0), (0, [], 0, 0),
        ];
        Assert.Equivalent(expected, CaptureBuilder.Read(file), strict: true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Read_EveryKindOfPacketBlock_EitherOrder(bool bigEndian)
    {
        byte[] file = new CaptureBuilder(bigEndian).Section().Interface(snapLength: 100).Interface(options: options => options.Option(9, 9).Option(0))
            .Block(0x0BAD_0BAD, body => body.Bytes(new byte[5000])).Block(5, body => body.U32(0))
            .Enhanced(0, 5, s_frame).Enhanced(1, 5_000_000_007, s_other, 2000).Obsolete(1, 6_000_000_000, s_frame).Simple(s_frame).Simple(s_other).ToArray();
        (long, byte[], int, int)[] expected =
        [
            (5000, s_frame, 61, 0), (5_000_000_007, s_other, 2000, 1), (6_000_000_000, s_frame, 61, 1), (6_000_000_000, s_frame, 61, 0),
            (6_000_000_000, s_other[..100], 1514, 0),
        ];
        Assert.Equivalent(expected, CaptureBuilder.Read(file), strict: true);
    }

    [Fact]
    public void Read_SectionsOfBothOrders_ForgetEachOthersInterfaces()
    {
        var builder = new CaptureBuilder();
        builder.Section().Interface().Interface().Enhanced(1, 1, s_frame);
        builder.BigEndian = true;
        builder.Section().Interface(options: options => options.Option(9, 0)).Enhanced(0, 3, s_other);
        var frames = CaptureBuilder.Read(builder.ToArray());
        Assert.Equal([1000, 3 * Second], frames.Select(frame => frame.TimestampNs));
        builder.Enhanced(1, 1, s_frame);
        Assert.Contains("interface 1", Malformed(builder.ToArray()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 7, 7 * Second)]
    [InlineData(3, 7, 7_000_000)]
    [InlineData(9, 7, 7)]
    [InlineData(12, 7999, 7)]
    [InlineData(28, ulong.MaxValue, 1)]
    [InlineData(29, ulong.MaxValue, 0)]
    [InlineData(127, ulong.MaxValue, 0)]
    [InlineData(0x80 | 0, 7, 7 * Second)]
    [InlineData(0x80 | 10, 1024 + 512, Second + (Second / 2))]
    [InlineData(0x80 | 32, 0x1_8000_0000, Second + (Second / 2))]
    [InlineData(0x80 | 127, ulong.MaxValue, 0)]
    [InlineData(0, ulong.MaxValue, long.MaxValue - 1)]
    public void Read_TimeResolution_InNanoseconds(byte resolution, ulong time, long expectedNs)
    {
        byte[] file = new CaptureBuilder().Section().Interface(options: options => options.Option(9, resolution)).Enhanced(0, time, s_frame).ToArray();
        Assert.Equal(expectedNs, Assert.Single(CaptureBuilder.Read(file)).TimestampNs);
    }

    [Theory]
    [InlineData(10, 11 * Second)]
    [InlineData(-2, 0)]
    [InlineData(long.MaxValue, long.MaxValue - 1)]
    public void Read_TimeOffset_IsAddedInSeconds(long offset, long expectedNs)
    {
        byte[] value = BitConverter.GetBytes(offset);
        byte[] file = new CaptureBuilder().Section().Interface(options: options => options.Option(2, [65, 66, 67]).Option(14, value).Option(0))
            .Enhanced(0, 1_000_000, s_frame).ToArray();
        Assert.Equal(expectedNs, Assert.Single(CaptureBuilder.Read(file)).TimestampNs);
    }

    [Theory]
    [InlineData(101, 0x45, "0800")]
    [InlineData(101, 0x60, "86DD")]
    [InlineData(101, 0x00, "0000")]
    [InlineData(228, 0x45, "0800")]
    [InlineData(229, 0x60, "86DD")]
    public void Read_RawIp_GetsAnEthernetHeader(int linkType, byte first, string etherType)
    {
        byte[] packet = [first, .. s_frame];
        byte[] expected = [.. new byte[12], .. Convert.FromHexString(etherType), .. packet];
        byte[] classic = new CaptureBuilder().FileHeader(network: (uint)linkType).Record(0, 0, packet, 100).Record(0, 0, packet).ToArray();
        byte[] blocks = new CaptureBuilder().Section().Interface(linkType, (uint)packet.Length).Simple(packet, 100).Enhanced(0, 0, packet).Simple(packet).ToArray();
        foreach (byte[] file in (byte[][])[classic, blocks])
        {
            var frames = CaptureBuilder.Read(file);
            Assert.All(frames, frame => Assert.Equal(expected, frame.Bytes));
            Assert.Equal(114, frames[0].OriginalBytes);
            Assert.Equal(expected.Length, frames[1].OriginalBytes);
        }
    }

    [Fact]
    public void Read_RawIpOfNoBytes_IsAHeaderWithoutEtherType() =>
        Assert.Equal(new byte[14], Assert.Single(CaptureBuilder.Read(new CaptureBuilder().FileHeader(network: 101).Record(0, 0, []).ToArray())).Bytes);

    [Fact]
    public void Read_FramesWithFcs_ComeWithoutIt()
    {
        byte[] withFcs = [.. s_frame, 1, 2, 3, 4];
        byte[] classic = new CaptureBuilder().FileHeader(network: 0x2400_0001).Record(0, 0, withFcs).Record(0, 0, withFcs[..63], 65).Record(0, 0, withFcs[..20], 65).ToArray();
        byte[] blocks = new CaptureBuilder().Section().Interface(options: options => options.Option(13, 32))
            .Enhanced(0, 0, withFcs).Enhanced(0, 0, withFcs[..63], 65).Enhanced(0, 0, withFcs[..20], 65).ToArray();
        foreach (byte[] file in (byte[][])[classic, blocks])
        {
            var frames = CaptureBuilder.Read(file);
            Assert.Equal([s_frame, s_frame, s_frame[..20]], frames.Select(frame => frame.Bytes));
            Assert.All(frames, frame => Assert.Equal(61, frame.OriginalBytes));
        }
    }

    [Fact]
    public void Read_LongestFrames_FromAPipe_AreWhole()
    {
        byte[] longest = TestFrames.Make(3, CaptureFileReader.MaxFrameBytes);
        byte[] file = new CaptureBuilder().Section().Interface(101).Enhanced(0, 0, longest).Simple(longest).Enhanced(0, 0, longest).Enhanced(0, 0, s_frame).ToArray();
        using var reader = new CaptureFileReader(new StutteringStream(file));
        for (int i = 0; i < 3; i++)
        {
            Assert.True(reader.Read());
            Assert.True(reader.Current.Bytes[14..].SequenceEqual(longest));
            Assert.False(reader.Current.IsTruncated);
        }

        Assert.True(reader.Read());
        Assert.Equal(s_frame, reader.Current.Bytes[14..]);
        Assert.False(reader.Read());
        Assert.False(reader.Read());
        Assert.Equal(0, reader.Current.Bytes.Length);
    }

    [Fact]
    public void Read_FileThatGrows_GoesOnBehindItsOldEnd()
    {
        var stream = new MemoryStream();
        stream.Write(new CaptureBuilder().FileHeader().ToArray());
        stream.Position = 0;
        using var reader = new CaptureFileReader(stream);
        Assert.False(reader.Read());
        stream.Write(new CaptureBuilder().Record(1, 0, s_other).ToArray());
        stream.Position = 24;
        Assert.True(reader.Read());
        Assert.Equal(s_other, reader.Current.Bytes);
    }

    [Fact]
    public void Read_Steady_AllocatesNothing()
    {
        var builder = new CaptureBuilder().Section().Interface();
        for (int i = 0; i < 4000; i++)
            builder.Enhanced(0, (ulong)i, i % 2 == 0 ? s_frame : s_other);
        using var reader = new CaptureFileReader(new StutteringStream(builder.ToArray()));
        Allocations.AssertNone(300, () =>
        {
            if (!reader.Read())
                Assert.Fail("the file has ended");
        });
    }

    public static TheoryData<string, byte[], long> Damaged() => new()
    {
        { "nothing at all", [], 0 },
        { "three bytes", [0x0A, 0x0D, 0x0D], 0 },
        { "magic", new CaptureBuilder().FileHeader(0x1234_5678).ToArray(), 0 },
        { "patched libpcap", new CaptureBuilder().FileHeader(0xA1B2_CD34).ToArray(), 0 },
        { "gzip", [0x1F, 0x8B, 8, 0, 0, 0, 0, 0], 0 },
        { "version", new CaptureBuilder().FileHeader(major: 2, minor: 3).ToArray(), 4 },
        { "link type", new CaptureBuilder().FileHeader(network: 105).ToArray(), 20 },
        { "file header cut off", new CaptureBuilder().FileHeader().ToArray()[..23], 0 },
        { "record header cut off", new CaptureBuilder().FileHeader().Record(0, 0, []).ToArray()[..39], 24 },
        { "record cut off", new CaptureBuilder().FileHeader().Record(0, 0, s_frame).ToArray()[..^1], 24 },
        { "captured length", new CaptureBuilder().FileHeader().Record(0, 0, [], 0, 262_145).ToArray(), 32 },
        { "captured length with the sign bit", new CaptureBuilder().FileHeader().Record(0, 0, [], 0, 0xFFFF_FFFF).ToArray(), 32 },
        { "section version", new CaptureBuilder().Section(major: 2).ToArray(), 12 },
        { "section too short", new CaptureBuilder().U32(0x0A0D_0D0A).U32(24).U32(0x1A2B_3C4D).U16(1).U16(0).U32(0).U32(24).ToArray(), 4 },
        { "byte-order magic", new CaptureBuilder().Block(0x0A0D_0D0A, body => body.U32(7).U16(1).U16(0).U64(0)).ToArray(), 8 },
        { "block length 8", new CaptureBuilder().Section().U32(9).U32(8).U32(8).ToArray(), 32 },
        { "block length odd", new CaptureBuilder().Section().U32(9).U32(13).U32(13).U32(0).ToArray(), 32 },
        { "block lengths differ", new CaptureBuilder().Section().U32(9).U32(12).U32(16).ToArray(), 36 },
        { "block of 4 GB", new CaptureBuilder().Section().U32(9).U32(0xFFFF_FFFC).U32(0).ToArray(), 40 },
        { "block cut off", new CaptureBuilder().Section().Block(9, body => body.U32(0)).ToArray()[..^1], 40 },
        { "interface too short", new CaptureBuilder().Section().Block(1, body => body.U32(1)).ToArray(), 32 },
        { "option too long", new CaptureBuilder().Section().Interface(options: options => options.U16(2).U16(5).U32(0)).ToArray(), 46 },
        { "length of if_tsresol", new CaptureBuilder().Section().Interface(options: options => options.Option(9, 1, 2)).ToArray(), 46 },
        { "length of if_tsoffset", new CaptureBuilder().Section().Interface(options: options => options.Option(14, 1, 2, 3, 4)).ToArray(), 46 },
        { "packet without interface", new CaptureBuilder().Section().Enhanced(0, 0, []).ToArray(), 36 },
        { "simple packet without interface", new CaptureBuilder().Section().Simple([]).ToArray(), 36 },
        { "interface with the sign bit", new CaptureBuilder().Section().Interface().Enhanced(0x8000_0000, 0, []).ToArray(), 56 },
        { "packet of a link type", new CaptureBuilder().Section().Interface(113).Enhanced(0, 0, s_frame).ToArray(), 56 },
        { "packet longer than its block", new CaptureBuilder().Section().Interface().Enhanced(0, 0, s_frame, 65, 65).ToArray(), 68 },
        { "packet longer than any", new CaptureBuilder().Section().Interface().Enhanced(0, 0, s_frame, 65, 0xFFFF_FFF0).ToArray(), 68 },
        { "packet block too short", new CaptureBuilder().Section().Interface().Block(6, body => body.U32(0)).ToArray(), 52 },
    };

    [Theory]
    [MemberData(nameof(Damaged))]
    public void Read_DamagedFile_SaysWhereAndWhatIsExpected(string what, byte[] file, long offset)
    {
        CaptureFormatException exception = Malformed(file);
        Assert.Equal(offset, exception.Offset);
        Assert.StartsWith($"capture: at byte {offset}: ", exception.Message, StringComparison.Ordinal);
        Assert.EndsWith($"; expected {exception.Expected}.", exception.Message, StringComparison.Ordinal);
        Assert.NotEmpty(what);
    }

    [Fact]
    public void Read_BlockThatIsNoSection_BeforeAny_IsRefused() => Assert.Equal(0, Malformed(new CaptureBuilder().Interface().ToArray()).Offset);

    [Fact]
    public void Read_DamageBehindGoodFrames_GivesTheseFirst()
    {
        byte[] file = new CaptureBuilder().FileHeader().Record(0, 0, s_frame).Record(0, 0, s_other).ToArray()[..^1];
        using var reader = new CaptureFileReader(new MemoryStream(file), "wan.pcap");
        Assert.True(reader.Read());
        Assert.Equal(s_frame, reader.Current.Bytes);
        var exception = Assert.Throws<CaptureFormatException>(() => reader.Read());
        Assert.Equal("wan.pcap: at byte 101: the file ends after 1529 bytes; expected a record of 1530 bytes.", exception.Message);
        Assert.Equal(0, reader.Current.Bytes.Length);
    }

    [Fact]
    public void Constructor_NoCapture_ClosesTheStreamUnlessToldNotTo()
    {
        var stream = new MemoryStream(new byte[100]);
        Assert.Throws<CaptureFormatException>(() => new CaptureFileReader(stream, leaveOpen: true));
        Assert.True(stream.CanRead);
        stream.Position = 0;
        Assert.Throws<CaptureFormatException>(() => new CaptureFileReader(stream));
        Assert.False(stream.CanRead);
    }

    private static CaptureFormatException Malformed(byte[] file) => Assert.Throws<CaptureFormatException>(() => CaptureBuilder.Read(file));
}
