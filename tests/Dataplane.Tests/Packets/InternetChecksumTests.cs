using System.Buffers.Binary;
using Dataplane.Packets;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Packets;

public class InternetChecksumTests
{
    private static readonly CodePath[] s_paths = [CodePath.Auto, CodePath.Scalar, CodePath.V128, CodePath.V256, CodePath.V512];

    /// <summary>RFC 1071, section 3: 00 01 f2 03 f4 f5 f6 f7 adds up to 2ddf0 before folding, ddf2 after.</summary>
    [Fact]
    public void Sum_Rfc1071Example_IsDdf2()
    {
        byte[] bytes = [0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7];
        Assert.Equal(0xDDF2u, InternetChecksum.Sum(bytes));
        Assert.Equal(0xDDF2, InternetChecksum.Fold(0x2DDF0));
        Assert.Equal(0x220D, InternetChecksum.Compute(bytes));
        Assert.All(s_paths, path => Assert.Equal(0xDDF2u, InternetChecksum.Sum(bytes, path)));
    }

    [Fact]
    public void Sum_EmptyAndOdd_PadsWithZero()
    {
        Assert.Equal(0u, InternetChecksum.Sum([]));
        Assert.Equal(0xAB00u, InternetChecksum.Sum([0xAB]));
        Assert.Equal(0xFFFF, InternetChecksum.Compute([]));
        Assert.Equal(0xFFFFu, InternetChecksum.Sum([0xFF, 0xFF, 0xFF, 0xFF]));
        Assert.Equal(0u, InternetChecksum.Sum(new byte[1500]));
    }

    [Theory]
    [InlineData(0x0000_0000u, 0x0000)]
    [InlineData(0x0000_FFFFu, 0xFFFF)]
    [InlineData(0x0001_0000u, 0x0001)]
    [InlineData(0x0001_FFFFu, 0x0001)]
    [InlineData(0xFFFF_0000u, 0xFFFF)]
    [InlineData(0xFFFF_FFFFu, 0xFFFF)]
    [InlineData(0xFFFE_0001u, 0xFFFF)]
    [InlineData(0x8000_8000u, 0x0001)]
    public void Fold_Corners_CarryGoesRound(uint partial, int folded) => Assert.Equal(folded, InternetChecksum.Fold(partial));

    /// <summary>Every length from 0 to 4096 at each of the 64 alignments in a cache line, against a sum that grows by one byte at a time.</summary>
    [Fact]
    public void Sum_EveryLengthAndAlignment_AllFastPathsAgree()
    {
        byte[] memory = new byte[4096 + 64];
        new Random(20240607).NextBytes(memory);

        // Runs of ones are where a lost carry shows.
        memory.AsSpan(700, 900).Fill(0xFF);
        for (int alignment = 0; alignment < 64; alignment++)
        {
            uint expected = 0;
            for (int length = 0; length <= 4096; length++)
            {
                ReadOnlySpan<byte> bytes = memory.AsSpan(alignment, length);
                bool equal = InternetChecksum.Sum(bytes) == expected && InternetChecksum.SumWords(bytes) == expected
                    && InternetChecksum.Sum(bytes, CodePath.V128) == expected && InternetChecksum.Sum(bytes, CodePath.V256) == expected
                    && InternetChecksum.Sum(bytes, CodePath.V512) == expected;
                if (!equal)
                {
                    Assert.Fail($"length {length} at alignment {alignment}: a path differs from {expected:x4}");
                }

                expected += (uint)memory[alignment + length] << ((length & 1) == 0 ? 8 : 0);
                expected = expected > 0xFFFF ? expected - 0xFFFF : expected;
            }
        }
    }

    [Fact]
    public void Sum_EveryLength_ScalarAgrees()
    {
        byte[] memory = new byte[4096 + 64];
        new Random(3).NextBytes(memory);
        for (int length = 0; length <= 4096; length++)
        {
            CheckAllPaths(memory.AsSpan((length + (length >> 6)) & 63, length), length);
        }
    }

    [Fact]
    public void Sum_ShortLengthsAtEveryAlignment_AllPathsAgreeWithScalar()
    {
        byte[] memory = new byte[512 + 64];
        new Random(7).NextBytes(memory);
        for (int alignment = 0; alignment < 64; alignment++)
        {
            for (int length = 0; length <= 300; length++)
            {
                CheckAllPaths(memory.AsSpan(alignment, length), length);
            }
        }
    }

    [Fact]
    public void Sum_AllOnesOf64KiB_LosesNoCarry()
    {
        byte[] memory = new byte[65536];
        Array.Fill(memory, (byte)0xFF);
        foreach (int length in new[] { 65536, 65535, 65534, 65533, 129, 128, 127 })
        {
            CheckAllPaths(memory.AsSpan(0, length), length);
        }
    }

    [Fact]
    public void Sum_ArrayEnd_ReadsNothingBeyond()
    {
        // A byte behind the span that were read would change the sum.
        byte[] memory = new byte[600];
        for (int length = 0; length <= 300; length++)
        {
            memory.AsSpan().Fill(0xA5);
            memory.AsSpan(0, length).Clear();
            foreach (CodePath path in s_paths)
            {
                Assert.Equal(0u, InternetChecksum.Sum(memory.AsSpan(0, length), path));
            }

            Assert.Equal(0u, InternetChecksum.Sum(memory.AsSpan(0, length)));
        }
    }

    /// <summary>RFC 1624, section 4: the example in which RFC 1141 gave ffff where 0 is right.</summary>
    [Fact]
    public void Adjust_Rfc1624Example_GivesZeroNotOnes()
    {
        Assert.Equal(0x0000, InternetChecksum.Adjust(0xDD2F, InternetChecksum.Delta((ushort)0x5555, (ushort)0x3285)));
        Assert.Equal(0xDD2F, InternetChecksum.Adjust(0x0000, InternetChecksum.Delta((ushort)0x3285, (ushort)0x5555)));
    }

    [Fact]
    public void Adjust_NothingChanged_LeavesEveryChecksumAlone()
    {
        Assert.Equal(0, InternetChecksum.Delta((ushort)0x1234, (ushort)0x1234));
        Assert.Equal(0, InternetChecksum.Delta(0x12345678u, 0x12345678u));
        for (int checksum = 0; checksum <= 0xFFFF; checksum++)
        {
            Assert.Equal(checksum, InternetChecksum.Adjust((ushort)checksum, 0));
        }
    }

    /// <summary>Both forms of zero as old and new value, over every 16-bit checksum a non-zero message can have.</summary>
    [Theory]
    [InlineData(0x0000, 0xFFFF)]
    [InlineData(0xFFFF, 0x0000)]
    [InlineData(0x0000, 0x0001)]
    [InlineData(0x0001, 0x0000)]
    [InlineData(0xFFFF, 0xFFFE)]
    [InlineData(0xFFFE, 0xFFFF)]
    [InlineData(0x8000, 0x7FFF)]
    public void Adjust_ZeroAndOnes_EqualsFullForEveryOtherWord(int oldField, int newField)
    {
        byte[] bytes = new byte[4];
        for (int other = 1; other <= 0xFFFF; other++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)other);
            BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), (ushort)oldField);
            ushort before = InternetChecksum.Compute(bytes);
            BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), (ushort)newField);
            ushort after = InternetChecksum.Compute(bytes);
            Assert.Equal(after, InternetChecksum.Adjust(before, InternetChecksum.Delta((ushort)oldField, (ushort)newField)));
        }
    }

    [Fact]
    public void Adjust_TtlDecrement_EqualsFullForEveryTtlAndProtocol()
    {
        byte[] header = Convert.FromHexString("4500003C1C464000000600000A00000BC6336407");
        for (int ttl = 1; ttl <= 255; ttl++)
        {
            for (int protocol = 0; protocol <= 255; protocol++)
            {
                (header[8], header[9]) = ((byte)ttl, (byte)protocol);
                ushort before = InternetChecksum.Compute(header);
                header[8]--;
                Assert.Equal(InternetChecksum.Compute(header), InternetChecksum.Adjust(before, InternetChecksum.TtlDecrementDelta));
            }
        }
    }

    [Fact]
    public void AdjustUdp_ZeroMeansNone_AndResultIsNeverZero()
    {
        Assert.Equal(0, InternetChecksum.AdjustUdp(0, 0x1234));
        ushort delta = InternetChecksum.Delta((ushort)0x5555, (ushort)0x3285);
        Assert.Equal(0xFFFF, InternetChecksum.AdjustUdp(0xDD2F, delta));

        // A stored 0xFFFF stands for a computed 0, so both must lead to the same place.
        Assert.Equal(InternetChecksum.Adjust(0x0000, delta), InternetChecksum.AdjustUdp(0xFFFF, delta));
        Assert.Equal(0xFFFF, InternetChecksum.AdjustUdp(0xFFFF, 0));
    }

    /// <summary>Any message, fields of every width changed at once, deltas combined: the same checksum as computed again, bit for bit.</summary>
    [Fact]
    public void Adjust_AnyFields_EqualsFull() =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), ArbMap.Default.ArbFor<ulong>(), ArbMap.Default.ArbFor<ulong>(), (noise, a, b) =>
        {
            byte[] bytes = new byte[64];
            noise.AsSpan(0, Math.Min(noise.Length, 64)).CopyTo(bytes);
            bytes[0] = 0x45;
            ushort before = InternetChecksum.Compute(bytes);
            ushort delta = Replace16(bytes, 2, (ushort)a);
            delta = InternetChecksum.Combine(delta, Replace32(bytes, 6, (uint)(a >> 16)));
            delta = InternetChecksum.Combine(delta, Replace64(bytes, 12, b));
            delta = InternetChecksum.Combine(delta, Replace128(bytes, 22, a ^ b, a));
            return InternetChecksum.Adjust(before, delta) == InternetChecksum.Compute(bytes)
                && InternetChecksum.Adjust(InternetChecksum.Compute(bytes), InternetChecksum.Inverse(delta)) == before;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));

    [Fact]
    public void Sum_Pieces_AddUpToTheWhole() =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), Gen.Choose(0, 64).ToArbitrary(), (bytes, cut) =>
        {
            int at = Math.Min(cut * 2, bytes.Length & ~1);
            uint parts = InternetChecksum.Sum(bytes.AsSpan(0, at)) + InternetChecksum.Sum(bytes.AsSpan(at));
            return InternetChecksum.Fold(parts) == InternetChecksum.Sum(bytes)
                && InternetChecksum.Compute(bytes.AsSpan(at), InternetChecksum.Sum(bytes.AsSpan(0, at))) == InternetChecksum.Compute(bytes);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Verify_AnyMessageWithItsChecksum_HoldsAndFailsWhenAWordChanges() =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), Gen.Choose(1, 0xFFFE).ToArbitrary(), (body, change) =>
        {
            byte[] bytes = [0, 0, 1, .. body];
            ushort checksum = InternetChecksum.Compute(bytes);
            BinaryPrimitives.WriteUInt16BigEndian(bytes, checksum);
            bool holds = InternetChecksum.Verify(bytes) && InternetChecksum.Verify(bytes.AsSpan(2), checksum);
            BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)((checksum + change) % 0xFFFF));
            return holds && !InternetChecksum.Verify(bytes);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void PseudoHeader_Ipv4_EqualsTheTwelveBytes()
    {
        byte[] bytes = [192, 0, 2, 1, 198, 51, 100, 7, 0, 17, 0x12, 0x34];
        uint partial = InternetChecksum.PseudoHeader(IpAddress.Parse("192.0.2.1"), IpAddress.Parse("198.51.100.7"), 17, 0x1234);
        Assert.Equal(InternetChecksum.Sum(bytes), InternetChecksum.Fold(partial));
    }

    [Fact]
    public void PseudoHeader_Ipv6_EqualsTheFortyBytes()
    {
        IpAddress source = IpAddress.Parse("2001:db8:ffff:ffff:ffff:ffff:ffff:fffe"), destination = IpAddress.Parse("fe80::ffff:1");
        byte[] bytes = new byte[40];
        source.Write(bytes);
        destination.Write(bytes.AsSpan(16));
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(32), 0x0001_2345);
        bytes[39] = 58;
        Assert.Equal(InternetChecksum.Sum(bytes), InternetChecksum.Fold(InternetChecksum.PseudoHeader(source, destination, 58, 0x0001_2345)));
    }

    [Fact]
    public void Delta_AddressOfOtherFamily_EqualsFull()
    {
        IpAddress v4 = IpAddress.Parse("192.0.2.1"), v6 = IpAddress.Parse("2001:db8::c000:201");
        byte[] rest = [1, 2, 3, 4];
        ushort before = InternetChecksum.Compute(rest, InternetChecksum.PseudoHeader(v4, v4, 6, 4));
        ushort delta = InternetChecksum.Combine(InternetChecksum.Delta(v4, v6), InternetChecksum.Delta(v4, v6));
        Assert.Equal(InternetChecksum.Compute(rest, InternetChecksum.PseudoHeader(v6, v6, 6, 4)), InternetChecksum.Adjust(before, delta));
    }

    private static void CheckAllPaths(ReadOnlySpan<byte> bytes, int length)
    {
        uint expected = InternetChecksum.SumScalar(bytes);
        bool equal = InternetChecksum.Sum(bytes) == expected && InternetChecksum.SumWords(bytes) == expected;
        foreach (CodePath path in s_paths)
        {
            equal &= InternetChecksum.Sum(bytes, path) == expected;
        }

        if (!equal)
        {
            Assert.Fail($"length {length}: a path differs from the scalar sum {expected:x4}");
        }
    }

    private static ushort Replace16(byte[] bytes, int at, ushort value)
    {
        ushort old = BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at));
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(at), value);
        return InternetChecksum.Delta(old, value);
    }

    private static ushort Replace32(byte[] bytes, int at, uint value)
    {
        uint old = BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(at));
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(at), value);
        return InternetChecksum.Delta(old, value);
    }

    private static ushort Replace64(byte[] bytes, int at, ulong value)
    {
        ulong old = BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(at));
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(at), value);
        return InternetChecksum.Delta(old, value);
    }

    private static ushort Replace128(byte[] bytes, int at, ulong high, ulong low)
    {
        IpAddress old = IpAddress.ReadV6(bytes.AsSpan(at)), value = IpAddress.FromV6(high, low);
        value.Write(bytes.AsSpan(at));
        return InternetChecksum.Delta(old, value);
    }
}
