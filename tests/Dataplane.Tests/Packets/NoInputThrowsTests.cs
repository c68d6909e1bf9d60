using Dataplane.Packets;
using FsCheck.Fluent;

namespace Dataplane.Tests.Packets;

/// <summary>The contract of every wire type: no bytes of any length make it throw or read outside, whichever member is called.</summary>
public class NoInputThrowsTests
{
    [Fact]
    public void All_WireTypes_AreTouched()
    {
        string[] names = [.. ViewToucher.All.Select(toucher => toucher.Name)];
        foreach (string type in new[]
        {
            "EthernetView.TryParse", "EthernetEditor.TryCreate", "ArpView.TryParse", "Ipv4View.TryParse", "Ipv4View.TryParseHeader", "Ipv6View.TryParse",
            "Ipv6FragmentView.TryParse", "Ipv6OptionsView.TryParse", "Ipv6RoutingView.TryParse", "AuthenticationView.TryParse", "TcpView.TryParse",
            "TcpEditor.TryCreate", "UdpView.TryParseHeader", "Icmpv4View.TryParse", "Icmpv6View.TryParse", "NeighbourSolicitationView.TryParse",
            "NeighbourAdvertisementView.TryParse", "RouterSolicitationView.TryParse", "RouterAdvertisementView.TryParse", "NdRedirectView.TryParse",
        })
        {
            Assert.Contains(type, names);
        }

        // Every one of them accepts something, so the tests below do not pass by refusing everything.
        static bool Accepts(ViewToucher toucher, byte[] frame) =>
            Enumerable.Range(0, frame.Length).Any(at => toucher.Touch(frame, at, frame.Length - at));
        Assert.All(ViewToucher.All, toucher => Assert.Contains(SeedPackets.Frames, frame => Accepts(toucher, frame)));
    }

    [Fact]
    public void CheckInside_SpanElsewhere_Throws()
    {
        byte[] bytes = new byte[10];
        ViewToucher.CheckInside(bytes, 2, 6, bytes.AsSpan(2, 6));
        ViewToucher.CheckInside(bytes, 2, 6, bytes.AsSpan(9, 0));
        foreach ((int offset, int length) in new[] { (1, 2), (7, 2), (0, 10), (8, 1) })
        {
            Assert.Throws<InvalidOperationException>(() => ViewToucher.CheckInside(bytes, 2, 6, bytes.AsSpan(offset, length)));
        }
    }

    [Fact]
    public void Touch_EveryCutOfEverySeed_DoesNotThrow()
    {
        foreach (byte[] frame in SeedPackets.Frames)
        {
            // Headers begin at 14, 18, 22 and so on.
            for (int offset = 2; offset < Math.Min(frame.Length, 80); offset += 4)
            {
                for (int length = 0; length <= frame.Length - offset; length++)
                {
                    TouchAll(frame, offset, length);
                }
            }
        }
    }

    [Fact]
    public void Touch_RandomBytes_DoesNotThrow() => TouchRandom(200);

    [Fact]
    [Trait("Category", "Slow")]
    public void Touch_ManyRandomBytes_DoesNotThrow() => TouchRandom(20_000);

    [Fact]
    public void Touch_MutatedPackets_DoesNotThrow() => TouchMutated(500);

    [Fact]
    [Trait("Category", "Slow")]
    public void Touch_ManyMutatedPackets_DoesNotThrow() => TouchMutated(100_000);

    /// <summary>A length of zero in every place a walk advances by a length: none of them may stand still.</summary>
    [Fact]
    public void Touch_AllZerosAndAllOnes_Ends()
    {
        for (int length = 0; length <= 2048; length += length < 200 ? 1 : 9)
        {
            TouchAll(new byte[length], 0, length);
            byte[] ones = new byte[length];
            Array.Fill(ones, (byte)0xFF);
            TouchAll(ones, 0, length);
        }
    }

    internal static byte[] Mutate(byte[] packet, Random random)
    {
        byte[] bytes = (byte[])packet.Clone();
        for (int count = random.Next(1, 5); count > 0; count--)
        {
            int at = random.Next(bytes.Length);
            bytes[at] = random.Next(4) switch { 0 => 0, 1 => 0xFF, 2 => (byte)(bytes[at] ^ (1 << random.Next(8))), _ => (byte)random.Next(256) };
        }

        return random.Next(3) == 0 ? bytes[..random.Next(bytes.Length + 1)] : bytes;
    }

    private static void TouchRandom(int maxTest) =>
        (from length in Gen.Choose(0, 2048) from seed in Gen.Choose(0, int.MaxValue) from first in WireGen.Byte select (length, seed, first)).ForAll(
            input =>
            {
                byte[] bytes = new byte[input.length];
                new Random(input.seed).NextBytes(bytes);
                foreach (byte first in new byte[] { input.first, 0x45, 0x4F, 0x60, 128, 3, 133, 134, 135, 136, 137 })
                {
                    bytes.AsSpan(0, Math.Min(1, bytes.Length)).Fill(first);
                    TouchAll(bytes, 0, bytes.Length);
                }

                return true;
            },
            maxTest);

    private static void TouchMutated(int maxTest) =>
        (from packet in Gen.Elements<byte[]>(SeedPackets.Frames) from seed in Gen.Choose(0, int.MaxValue) select (packet, seed)).ForAll(
            input =>
            {
                byte[] bytes = Mutate(input.packet, new Random(input.seed));
                for (int offset = 2; offset < Math.Min(bytes.Length, 100); offset += 4)
                {
                    TouchAll(bytes, offset, bytes.Length - offset);
                }

                return true;
            },
            maxTest);

    internal static void TouchAll(byte[] bytes, int offset, int length)
    {
        foreach (ViewToucher toucher in ViewToucher.All)
        {
            try
            {
                toucher.Touch(bytes, offset, length);
            }
            catch (Exception error)
            {
                throw new InvalidOperationException($"{toucher.Name} on {Convert.ToHexString(bytes.AsSpan(offset, length))}: {error.Message}", error);
            }
        }

        ReadOnlySpan<byte> slice = bytes.AsSpan(offset, length);
        _ = InternetChecksum.VerifyTransport(slice);
        _ = InternetChecksum.TryComputeTransport(slice, out _);
        _ = InternetChecksum.TryFillTransport(slice.ToArray());
        if (Ipv6View.TryParseHeader(slice, out Ipv6View view))
        {
            _ = Ipv6ExtensionWalker.Walk(view);
        }
    }
}
