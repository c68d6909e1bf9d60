using System.Buffers.Binary;
using System.Text;
using Dataplane.Hashing;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Hashing;

public class Murmur3Tests
{
    /// <summary>The table of the Go package murmur3 (spaolacci/murmur3, murmur_test.go), made with the reference implementation.</summary>
    [Theory]
    [InlineData(0, "", 0x0000000000000000, 0x0000000000000000)]
    [InlineData(0, "hello", 0xCBD8A7B341BD9B02, 0x5B1E906A48AE1D19)]
    [InlineData(0, "hello, world", 0x342FAC623A5EBC8E, 0x4CDCBC079642414D)]
    [InlineData(0, "19 Jan 2038 at 3:14:07 AM", 0xB89E5988B737AFFC, 0x664FC2950231B2CB)]
    [InlineData(0, "The quick brown fox jumps over the lazy dog.", 0xCD99481F9EE902C9, 0x695DA1A38987B6E7)]
    [InlineData(1, "", 0x4610ABE56EFF5CB5, 0x51622DAA78F83583)]
    [InlineData(1, "hello", 0xA78DDFF5ADAE8D10, 0x128900EF20900135)]
    [InlineData(1, "hello, world", 0x8B95F808840725C6, 0x1597ED5422BD493B)]
    [InlineData(1, "19 Jan 2038 at 3:14:07 AM", 0x2A929DE9C8F97B2F, 0x56A41D99AF43A2DB)]
    [InlineData(1, "The quick brown fox jumps over the lazy dog.", 0xFB3325171F9744DA, 0xAAF8B92A5F722952)]
    public void Hash128_Text_IsAsPublished(uint seed, string text, ulong first, ulong second) =>
        Assert.Equal((first, second), Murmur3.Hash128(Encoding.ASCII.GetBytes(text), seed));

    /// <summary>The verification value of SMHasher for MurmurHash3_x64_128: one number over hashes of every length up to 255.</summary>
    [Fact]
    public void Hash128_EveryLength_HasSmHashersVerificationValue()
    {
        var key = new byte[256];
        var hashes = new byte[16 * 256];
        for (int i = 0; i < 256; i++)
        {
            key[i] = (byte)i;
            Write(hashes.AsSpan(16 * i), Murmur3.Hash128(key.AsSpan(0, i), (uint)(256 - i)));
        }

        Assert.Equal(0x6384BA69U, (uint)Murmur3.Hash128(hashes, 0).First);
    }

    [Fact]
    public void Hash64_TwoNumbers_IsTheFirstHalfOfTheirBytes() => Prop.ForAll<ulong, ulong, uint>((a, b, seed) =>
    {
        var bytes = new byte[16];
        Write(bytes, (a, b));
        return Murmur3.Hash64(a, b, seed) == Murmur3.Hash128(bytes, seed).First;
    }).QuickCheckThrowOnFailure();

    private static void Write(Span<byte> to, (ulong First, ulong Second) hash)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(to, hash.First);
        BinaryPrimitives.WriteUInt64LittleEndian(to[8..], hash.Second);
    }
}
