using System.Buffers.Binary;
using System.Text;
using Dataplane.Hashing;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Hashing;

public class JenkinsHashTests
{
    /// <summary>Lengths of DPDK's table, app/test/test_hash_functions.c.</summary>
    private static readonly int[] s_lengths = [1, 2, 4, 8, 16, 32, 48, 64, 9, 13, 37, 40];

    /// <summary>Driver 5 of lookup3.c (burtleburtle.net/bob/c/lookup3.c).</summary>
    [Theory]
    [InlineData("", 0, 0xDEADBEEF)]
    [InlineData("", 0xDEADBEEF, 0xBD5B7DDE)]
    [InlineData("Four score and seven years ago", 0, 0x17770551)]
    [InlineData("Four score and seven years ago", 1, 0xCD628161)]
    public void Hash_Text_IsAsPublished(string text, uint seed, uint expected) => Assert.Equal(expected, JenkinsHash.Hash(Encoding.ASCII.GetBytes(text), seed));

    [Theory]
    [InlineData(0, new uint[]
    {
        0x8BA9414B, 0xDF0D39C9, 0xE4CF1D42, 0xD4CCB93C, 0x5E84EAFC, 0x21362CFE,
        0x2F4775AB, 0x9FF036CC, 0xECA51474, 0xBC9D6816, 0x12926A31, 0x1C9FA888,
    })]
    [InlineData(0xDEADBEEF, new uint[]
    {
        0x5C62C303, 0x1B8CF784, 0x8270AC65, 0x05FA6668, 0x762DF861, 0xDA088F2F,
        0x59614CD4, 0x7A94F690, 0xDC1E4993, 0x30825494, 0x91D0E462, 0x768087FC,
    })]
    public void Hash_DpdkVectors_AreMet(uint seed, uint[] expected) =>
        Assert.Equal(expected, s_lengths.Select(length => JenkinsHash.Hash([.. Enumerable.Range(0, length).Select(i => (byte)i)], seed)));

    [Fact]
    public void HashOfWords_AnyWords_IsThatOfTheirBytes() => Prop.ForAll<uint[], uint>((words, seed) =>
    {
        uint[] three = [.. words.Take(3), .. new uint[3 - Math.Min(3, words.Length)]];
        var bytes = new byte[12];
        for (int i = 0; i < 3; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4 * i), three[i]);
        }

        return JenkinsHash.Hash(three[0], three[1], three[2], seed) == JenkinsHash.Hash(bytes, seed)
            && JenkinsHash.Hash(three[0], three[1], seed) == JenkinsHash.Hash(bytes.AsSpan(0, 8), seed);
    }).QuickCheckThrowOnFailure();
}
