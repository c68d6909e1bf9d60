using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Native.Tests.Packets;

public class InternetSumTests
{
    // RFC 1071, section 3.
    [Fact]
    public void Complement_RfcExample_IsTheRfcsSum()
    {
        byte[] bytes = [0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7];
        Assert.Equal(0xDDF2, 0xFFFF & ~Stored(InternetSum.Complement(InternetSum.Add(0, bytes))));
    }

    [Fact]
    public void Add_AnyBytes_EqualsTheSlowSum() => Prop.ForAll(
        ArbMap.Default.ArbFor<byte[]>(),
        bytes => Stored(InternetSum.Complement(InternetSum.Add(0, bytes))) == (0xFFFF & ~Frames.Fold(bytes, 0)))
        .Check(Config.QuickThrowOnFailure.WithMaxTest(500).WithEndSize(4000));

    [Theory]
    [InlineData(0x00)]
    [InlineData(0xFF)]
    [InlineData(0x80)]
    public void Add_LengthsAroundTheVectorWidths_EqualTheSlowSum(int fill)
    {
        for (int length = 0; length <= 700; length++)
        {
            using var guarded = MappedRegion.WithGuardPage(length + 1);
            Span<byte> bytes = guarded.Span[1..];
            bytes.Fill((byte)fill);
            Assert.Equal(0xFFFF & ~Frames.Fold(bytes, 0), Stored(InternetSum.Complement(InternetSum.Add(0, bytes))));
        }
    }

    [Fact]
    public void Add_InTwoEvenPieces_EqualsOnePiece()
    {
        byte[] bytes = [.. Enumerable.Range(0, 3001).Select(i => (byte)(i * 31))];
        ulong whole = InternetSum.Add(0, bytes);
        for (int cut = 0; cut <= bytes.Length; cut += 2)
        {
            ulong pieces = InternetSum.Add(InternetSum.Add(0, bytes.AsSpan(cut)), bytes.AsSpan(0, cut));
            Assert.Equal(InternetSum.Complement(whole), InternetSum.Complement(pieces));
        }
    }

    [Fact]
    public void ComplementNonZero_SumOfAllOnes_IsAllOnes()
    {
        Assert.Equal(0, InternetSum.Complement(0xFFFF));
        Assert.Equal(0xFFFF, InternetSum.ComplementNonZero(0xFFFF));
    }

    private static int Stored(ushort checksum)
    {
        byte[] bytes = BitConverter.GetBytes(checksum);
        return (bytes[0] << 8) | bytes[1];
    }
}
