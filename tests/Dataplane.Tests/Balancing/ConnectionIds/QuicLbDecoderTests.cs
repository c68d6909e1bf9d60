using Dataplane.Balancing;
using Dataplane.Balancing.ConnectionIds;
using FsCheck;
using FsCheck.Fluent;

namespace Dataplane.Tests.Balancing.ConnectionIds;

public sealed class QuicLbDecoderTests
{
    private const string Key = "8f95f09245765f80256934e50c66207f";

    /// <summary>The vectors of draft-ietf-quic-load-balancers-21, appendix B, and the example of 5.4.2.4. Two are misprinted there: the second has half a byte too much in the middle, the last has
    /// first bits of configuration 0 beside its number 3. Here they are as its algorithm makes them.</summary>
    [Theory]
    [InlineData(0, "c4605e", "4504cc4f", null, "07c4605e4504cc4f")]
    [InlineData(1, "350d28b420", "3487d970b0", null, "2a350d28b4203487d970b0")]
    [InlineData(0, "ed793a", "ee080dbf", Key, "0720b1d07b359d3c")]
    [InlineData(1, "ed793a51d49b8f5fab65", "ee080dbf48", Key, "2fcc381bc74cb4fbad2823a3d1f8fed2")]
    [InlineData(2, "ed793a51d49b8f5f", "ee080dbf48c0d1e5", Key, "504dd2d05a7b0de9b2b9907afb5ecf8cc3")]
    [InlineData(3, "ed793a51d49b8f5fab", "ee080dbf48c0d1e55d", Key, "725779c9cc86beb3a3a4a3ca96fce4bfe0cdbc")]
    [InlineData(0, "31441a", "9c69c275", "fdf726a9893ec05c0632d3956680baf0", "0767947d29be054a")]
    public void TryDecode_VectorsOfTheDraft_GiveTheirServer(int config, string server, string nonce, string? key, string id)
    {
        var spec = new QuicLbSpec { Id = config, ServerIdBytes = server.Length / 2, NonceBytes = nonce.Length / 2, Key = key, EncodesLength = true };
        Assert.True(new QuicLbDecoder(spec).TryDecode(Convert.FromHexString(id), isWhole: true, out ServerKey found));
        Assert.Equal(server, found.ToString());
        Assert.Equal(id, Convert.ToHexStringLower(QuicLbServer.ConnectionId(spec, Convert.FromHexString(server), Convert.FromHexString(nonce))));
    }

    /// <summary>Every length of server ID and nonce, encrypted and not, with bytes of the server's own and of the packet behind it.</summary>
    [Fact]
    public void TryDecode_AnyConfiguration_GivesTheServerThatMadeIt()
    {
        Gen<(int Server, int Nonce, int Own, byte[] Bytes, bool HasKey)> any = from server in Gen.Choose(1, 15)
                                                                               from nonce in Gen.Choose(4, 19 - server)
                                                                               from own in Gen.Choose(0, 19 - server - nonce)
                                                                               from bytes in Gen.Choose(0, 255).Select(value => (byte)value).ArrayOf(64)
                                                                               from hasKey in Gen.Elements(true, false)
                                                                               select (server, nonce, own, bytes, hasKey);
        Prop.ForAll(any.ToArbitrary(), given =>
        {
            var spec = new QuicLbSpec
            {
                Id = given.Bytes[0] % 7,
                ServerIdBytes = given.Server,
                NonceBytes = given.Nonce,
                Key = given.HasKey ? Convert.ToHexStringLower(given.Bytes[1..17]) : null,
            };
            byte[] server = given.Bytes[17..(17 + given.Server)], id = QuicLbServer.ConnectionId(spec, server, given.Bytes[32..(32 + given.Nonce)], given.Bytes[50..(50 + given.Own)]);
            foreach (bool encodesLength in new[] { false, true })
            {
                var decoder = new QuicLbDecoder(spec with { EncodesLength = encodesLength });
                Assert.True(decoder.TryDecode(id, isWhole: true, out ServerKey whole));
                Assert.True(decoder.TryDecode([.. id, .. given.Bytes], isWhole: false, out ServerKey part));
                Assert.Equal((Convert.ToHexStringLower(server), whole), (whole.ToString(), part));
                Assert.False(decoder.TryDecode(id.AsSpan(0, given.Server + given.Nonce), isWhole: false, out _));
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    [Fact]
    public void TryDecode_LengthThatDoesNotFit_IsRefused()
    {
        var decoder = new QuicLbDecoder(new QuicLbSpec { Id = 0, ServerIdBytes = 2, NonceBytes = 4, EncodesLength = true });
        byte[] id = [6, 1, 2, 3, 4, 5, 6];
        Assert.True(decoder.TryDecode(id, isWhole: true, out _));
        Assert.False(decoder.TryDecode([5, 1, 2, 3, 4, 5, 6], isWhole: false, out _));
        Assert.False(decoder.TryDecode([7, 1, 2, 3, 4, 5, 6], isWhole: false, out _));
        Assert.False(decoder.TryDecode([.. id, 7], isWhole: true, out _));
        Assert.False(decoder.TryDecode([], isWhole: true, out _));
    }
}
