using Dataplane.Hashing;

namespace Dataplane.Tests.Hashing;

public class SipHash24Tests
{
    /// <summary>Key 00 01 .. 0f, input 00 01 02 ..: appendix A of the paper (15 bytes) and the reference implementation's vectors.h.</summary>
    [Theory]
    [InlineData(0, 0x726FDB47DD0E0E31)]
    [InlineData(1, 0x74F839C593DC67FD)]
    [InlineData(2, 0x0D6C8009D9A94F5A)]
    [InlineData(3, 0x85676696D7FB7E2D)]
    [InlineData(4, 0xCF2794E0277187B7)]
    [InlineData(5, 0x18765564CD99A68D)]
    [InlineData(6, 0xCBC9466E58FEE3CE)]
    [InlineData(7, 0xAB0200F58B01D137)]
    [InlineData(8, 0x93F5F5799A932462)]
    [InlineData(9, 0x9E0082DF0BA9E4B0)]
    [InlineData(14, 0xF723CA908E7AF2EE)]
    [InlineData(15, 0xA129CA6149BE45E5)]
    [InlineData(16, 0x3F2ACC7F57C29BDB)]
    [InlineData(32, 0x7127512F72F27CCE)]
    public void Hash_PublishedVectors_AreMet(int length, ulong expected) =>
        Assert.Equal(expected, new SipHash24([.. Enumerable.Range(0, 16).Select(i => (byte)i)]).Hash([.. Enumerable.Range(0, length).Select(i => (byte)i)]));

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    [InlineData(17)]
    public void Constructor_KeyOfAnotherLength_Throws(int length) => Assert.Throws<ArgumentException>(() => new SipHash24(new byte[length]));
}
