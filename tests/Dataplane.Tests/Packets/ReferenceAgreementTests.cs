using Dataplane.Tests.Reference;
using FsCheck.Fluent;

namespace Dataplane.Tests.Packets;

/// <summary>The views and the reference decoder, which share no code, must read every frame alike: sound, damaged or cut.</summary>
public class ReferenceAgreementTests
{
    [Fact]
    public void Decode_EverySeed_IsReadAlike()
    {
        foreach (byte[] frame in SeedPackets.Frames)
        {
            Agree(frame);
        }

        // The seeds are sound, so that agreement is about fields and not about refusing.
        Assert.Equal(1, SeedPackets.Frames.Count(frame => ReferenceDecoder.Decode(frame).Problem is not null));
        Assert.DoesNotContain(SeedPackets.Frames, frame => ReferenceDecoder.Decode(frame).TransportChecksumRight == false);
    }

    [Fact]
    public void Decode_EveryCut_IsReadAlike()
    {
        foreach (byte[] frame in SeedPackets.Frames)
        {
            for (int length = 0; length < frame.Length; length++)
            {
                Agree(frame[..length]);
            }
        }
    }

    [Fact]
    public void Decode_EveryByteOfEverySeedChanged_IsReadAlike()
    {
        foreach (byte[] frame in SeedPackets.Frames)
        {
            for (int at = 12; at < Math.Min(frame.Length, 110); at++)
            {
                foreach (byte value in new byte[] { 0, 1, 5, 44, 0x7F, 0xFF })
                {
                    byte[] changed = (byte[])frame.Clone();
                    changed[at] = value;
                    Agree(changed);
                }
            }
        }
    }

    [Fact]
    public void Decode_MutatedFrames_AreReadAlike() => AgreeOnMutated(2000);

    [Fact]
    [Trait("Category", "Slow")]
    public void Decode_ManyMutatedFrames_AreReadAlike() => AgreeOnMutated(300_000);

    internal static void Agree(byte[] frame)
    {
        string expected = ViewDecoder.Describe(ReferenceDecoder.Decode(frame)), actual = ViewDecoder.Describe(ViewDecoder.Decode(frame));
        if (expected != actual)
        {
            Assert.Fail($"{Convert.ToHexString(frame)}\nreference {expected}\nviews     {actual}");
        }
    }

    internal static void AgreeIp(byte[] packet)
    {
        string expected = ViewDecoder.Describe(ReferenceDecoder.DecodeIp(packet)), actual = ViewDecoder.Describe(ViewDecoder.DecodeIp(packet));
        if (expected != actual)
        {
            Assert.Fail($"{Convert.ToHexString(packet)}\nreference {expected}\nviews     {actual}");
        }
    }

    private static void AgreeOnMutated(int maxTest) =>
        (from packet in Gen.Elements<byte[]>(SeedPackets.Frames) from seed in Gen.Choose(0, int.MaxValue) select (packet, seed)).ForAll(
            input =>
            {
                Agree(NoInputThrowsTests.Mutate(input.packet, new Random(input.seed)));
                return true;
            },
            maxTest);
}
