using Dataplane.Balancing.Compatibility;
using Dataplane.Packets;

namespace Dataplane.Tests.Balancing.Compatibility;

public class KatranRingTests
{
    /// <summary>How many slots a change moves, as Katran's own test has it (katran/lib/tests/VipTest.cpp): 100 reals of weight 10, one deleted.</summary>
    [Theory]
    [InlineData(KatranVersion.Maglev, 1009)]
    [InlineData(KatranVersion.MaglevV2, 1020)]
    public void Build_OneRealDeleted_MovesAsManySlotsAsInKatran(KatranVersion version, int expected) =>
        Assert.Equal(expected, Moved(KatranRing.Build(Reals(10), version), KatranRing.Build(Reals(10)[1..], version)));

    /// <summary>From the same test: all weights from 10 to 13, then the first real's to 26.</summary>
    [Theory]
    [InlineData(KatranVersion.Maglev, 17, 109)]
    [InlineData(KatranVersion.MaglevV2, 0, 1013)]
    public void Build_WeightsChanged_MovesAsManySlotsAsInKatran(KatranVersion version, int all, int first)
    {
        int[] ring = KatranRing.Build(Reals(13), version);
        Assert.Equal(all, Moved(KatranRing.Build(Reals(10), version), ring));
        Assert.Equal(first, Moved(ring, KatranRing.Build([new(0, 26, 0), .. Reals(13)[1..]], version)));
    }

    /// <summary>From the same test: a second real takes 32768 of 65537 slots.</summary>
    [Theory]
    [InlineData(KatranVersion.Maglev)]
    [InlineData(KatranVersion.MaglevV2)]
    public void Build_SecondReal_TakesHalf(KatranVersion version) =>
        Assert.Equal(32768, Moved(KatranRing.Build([new(0, 1, 0)], version), KatranRing.Build([new(0, 1, 0), new(1, 1, 1)], version)));

    /// <summary>From katran/lib/tests/CHHelpersTest.cpp: with equal weights of 1 counts differ by one.</summary>
    [Fact]
    public void Build_EqualWeights_GivesBothVersionsOneRingWithinOne()
    {
        KatranReal[] reals = [.. Enumerable.Range(0, 400).Select(i => new KatranReal(i, 1, (ulong)i))];
        int[] first = KatranRing.Build(reals), second = KatranRing.Build(reals.Reverse().ToArray(), KatranVersion.MaglevV2);
        Assert.Equal(first, second);
        int[] counts = [.. first.CountBy(number => number).Select(pair => pair.Value)];
        Assert.Equal((400, 1), (counts.Length, counts.Max() - counts.Min()));
    }

    /// <summary>Where Katran's weights go wrong it must go wrong here, too: the first version keeps 2 : 1 : 1 to the first round.</summary>
    [Fact]
    public void Build_WeightsTwoOneOne_SharesAsKatranDoes()
    {
        KatranReal[] reals = [new(1, 2, 10), new(2, 1, 20), new(3, 1, 30), new(4, 0, 5)];
        Assert.Equal([21847, 21845, 21845], Counts(KatranRing.Build(reals)));
        Assert.Equal([32769, 16384, 16384], Counts(KatranRing.Build(reals, KatranVersion.MaglevV2)));
        static int[] Counts(int[] ring) => [.. Enumerable.Range(1, 3).Select(number => ring.Count(slot => slot == number))];
    }

    [Fact]
    public void Build_NoneOrOne_FillsWithItOrWithNothing()
    {
        Assert.All(KatranRing.Build([new(3, 0, 1)], size: 7), slot => Assert.Equal(-1, slot));
        Assert.All(KatranRing.Build([new(3, 9, 1), new(4, 0, 0)], KatranVersion.MaglevV2, 7), slot => Assert.Equal(3, slot));
        Assert.Throws<ArgumentException>(() => KatranRing.Build([], size: 8));
        Assert.Throws<ArgumentOutOfRangeException>(() => KatranRing.Build([new(1, -1, 0)]));
        Assert.Throws<ArgumentOutOfRangeException>(() => KatranRing.Build([], (KatranVersion)3));
    }

    /// <summary>
    /// From end to end, by the packets of Katran's own test (katran/lib/testing/fixtures/KatranTestFixtures.h, 1, 4, 5, 6, 10 and 19): hashes of the
    /// reals' addresses, ring, hash of the packet. The destination port is 0 where the service has any port.
    /// </summary>
    [Theory]
    [InlineData("192.168.1.1", 31337, 80, "10.0.0.", "10.0.0.3")]
    [InlineData("192.168.1.1", 31337, 0, "10.0.0.", "10.0.0.2")]
    [InlineData("0.0.0.0", 42, 42, "10.0.0.", "10.0.0.2")]
    [InlineData("192.168.1.1", 31337, 80, "fc00::", "fc00::1")]
    [InlineData("fc00:2::1", 31337, 80, "fc00::", "fc00::3")]
    public void SlotOf_KatransTestPackets_LeadToKatransReals(string source, ushort sourcePort, ushort destinationPort, string reals, string expected)
    {
        IpAddress[] addresses = [.. Enumerable.Range(1, 3).Select(i => IpAddress.Parse($"{reals}{i}"))];
        int[] ring = KatranRing.Build([.. addresses.Select((address, i) => new KatranReal(i + 1, 1, KatranReal.HashOf(address)))]);
        IpAddress client = IpAddress.Parse(source);
        FlowKey key = FlowKey.Create(client, sourcePort, client.IsIpv6 ? IpAddress.Parse("fc00:1::1") : IpAddress.Parse("10.200.1.1"), destinationPort, 6);
        Assert.Equal(IpAddress.Parse(expected), addresses[ring[KatranRing.SlotOf(in key)] - 1]);
    }

    [Fact]
    public void HashOf_MappedAddress_IsThatOfIpv4AndOthersDiffer()
    {
        Assert.Equal(KatranReal.HashOf(IpAddress.Parse("10.0.0.1")), KatranReal.HashOf(IpAddress.Parse("::ffff:10.0.0.1")));
        Assert.Equal(0xD671359DBAA15954, KatranReal.HashOf(IpAddress.Parse("10.0.0.1")));
        Assert.NotEqual(KatranReal.HashOf(IpAddress.Parse("::1")), KatranReal.HashOf(IpAddress.Parse("0.0.0.1")));
        Assert.Throws<ArgumentException>(() => KatranReal.HashOf(default));
    }

    private static KatranReal[] Reals(int weight) => [.. Enumerable.Range(0, 100).Select(i => new KatranReal(i, weight, (ulong)i))];

    private static int Moved(int[] before, int[] after) => before.Zip(after).Count(pair => pair.First != pair.Second);
}
