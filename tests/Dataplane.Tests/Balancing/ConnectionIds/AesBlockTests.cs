using System.Buffers.Binary;
using System.Security.Cryptography;
using Dataplane.Balancing.ConnectionIds;
using Dataplane.Tests.Support;

namespace Dataplane.Tests.Balancing.ConnectionIds;

[Collection(AllocationCollection.Name)]
public sealed class AesBlockTests
{
    /// <summary>FIPS 197, appendix B and C.1.</summary>
    [Theory]
    [InlineData("2b7e151628aed2a6abf7158809cf4f3c", "3243f6a8885a308d313198a2e0370734", "3925841d02dc09fbdc118597196a0b32")]
    [InlineData("000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff", "69c4e0d86a7b0430d8cdb78070b4c55a")]
    public void Block_OfTheStandard_IsAsItSays(string key, string plain, string hidden)
    {
        foreach (bool mayUseInstructions in new[] { true, false })
        {
            var aes = new AesBlock(Convert.FromHexString(key), mayUseInstructions);
            Assert.Equal(Number(hidden), aes.Encrypt(Number(plain)));
            Assert.Equal(Number(plain), aes.Decrypt(Number(hidden)));
        }
    }

    [Fact]
    public void Block_AnyKeyAndBlock_IsThePlatforms()
    {
        var random = new Random(11);
        byte[] key = new byte[16], block = new byte[16], expected = new byte[16];
        using var platform = Aes.Create();
        for (int round = 0; round < 500; round++)
        {
            random.NextBytes(key);
            random.NextBytes(block);
            platform.Key = key;
            platform.EncryptEcb(block, expected, PaddingMode.None);
            foreach (bool mayUseInstructions in new[] { true, false })
            {
                var aes = new AesBlock(key, mayUseInstructions);
                UInt128 hidden = aes.Encrypt(BinaryPrimitives.ReadUInt128BigEndian(block));
                Assert.Equal(BinaryPrimitives.ReadUInt128BigEndian(expected), hidden);
                Assert.Equal(BinaryPrimitives.ReadUInt128BigEndian(block), aes.Decrypt(hidden));
            }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Block_AllocatesNothing(bool mayUseInstructions)
    {
        var aes = new AesBlock(new byte[16], mayUseInstructions);
        UInt128 block = 1;
        var meter = new AllocationMeter();
        for (int round = 0; round < 2000; round++)
        {
            meter.Open();
            block = aes.Encrypt(block) ^ aes.Decrypt(block);
            meter.Close(counts: round >= 1000);
        }

        meter.AssertNone();
        Assert.NotEqual(UInt128.Zero, block);
    }

    private static UInt128 Number(string hex) => BinaryPrimitives.ReadUInt128BigEndian(Convert.FromHexString(hex));
}
