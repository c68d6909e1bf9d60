using System.Text;
using Dataplane.Hashing;

namespace Dataplane.Tests.Hashing;

public class XxHash64Tests
{
    private const ulong Prime32 = 2654435761;

    /// <summary>The vectors of the reference implementation's own sanity check (xxHash, cli/xsum_sanity_check.c).</summary>
    [Theory]
    [InlineData(0, 0, 0xEF46DB3751D8E999)]
    [InlineData(0, Prime32, 0xAC75FDA2929B17EF)]
    [InlineData(1, 0, 0xE934A84ADB052768)]
    [InlineData(1, Prime32, 0x5014607643A9B4C3)]
    [InlineData(4, 0, 0x9136A0DCA57457EE)]
    [InlineData(4, Prime32, 0xCAAB286BD8E9FDB5)]
    [InlineData(14, 0, 0x8282DCC4994E35C8)]
    [InlineData(14, Prime32, 0xC3BD6BF63DEB6DF0)]
    [InlineData(16, 0, 0x98C90B57FDFCB55C)]
    [InlineData(32, 0, 0x18B216492BB44B70)]
    [InlineData(222, 0, 0xB641AE8CB691C174)]
    [InlineData(222, Prime32, 0x20CB8AB7AE10C14A)]
    public void Hash_ReferenceVectors_AreMet(int length, ulong seed, ulong expected)
    {
        var bytes = new byte[length];
        ulong state = Prime32;
        for (int i = 0; i < length; i++)
        {
            bytes[i] = (byte)(state >> 56);
            state *= 11400714785074694797;
        }

        Assert.Equal(expected, XxHash64.Hash(bytes, seed));
    }

    [Theory]
    [InlineData("a", 0xD24EC4F1A98C6E5B)]
    [InlineData("abc", 0x44BC2CF5AD770999)]
    public void Hash_Text_IsAsPublished(string text, ulong expected) => Assert.Equal(expected, XxHash64.Hash(Encoding.ASCII.GetBytes(text)));

    [Fact]
    public void Hash_Number_IsThatOfItsBytesLowestFirst() =>
        Assert.Equal(XxHash64.Hash([8, 7, 6, 5, 4, 3, 2, 1], 42), XxHash64.Hash(0x0102030405060708, 42));
}
