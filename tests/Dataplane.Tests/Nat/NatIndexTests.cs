using Dataplane.Balancing;
using Dataplane.Nat;
using Dataplane.Packets;
using Dataplane.Switching;

namespace Dataplane.Tests.Nat;

/// <summary>The index of rules against looking at one after the other.</summary>
public sealed class NatIndexTests
{
    [Theory]
    [InlineData(3)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(300)]
    public void Find_AnyRules_IsTheFirstThatCovers(int count)
    {
        var random = new Random(count);
        for (int turn = 0; turn < 20; turn++)
        {
            NatRule[] rules = [.. Enumerable.Range(0, count).Select(_ => Rule(random))];
            var index = new NatIndex(rules, BridgeTable.Empty);
            for (int look = 0; look < 200; look++)
            {
                IpAddress source = Address(random, random.Next(2) == 0);
                ushort port = (ushort)random.Next(3);
                short way = (short)random.Next(-1, 3);
                NatRule? expected = Array.Find(rules, rule => rule.Inside == port && (way < 0 || rule.Outside == way) && rule.Covers(source));
                Assert.Same(expected, index.Find(port, source, way));
            }
        }
    }

    private static NatRule Rule(Random random)
    {
        bool isV4 = random.Next(2) == 0;
        IpAddress from = Address(random, isV4), to = Address(random, isV4);
        int length = isV4 ? new[] { 0, 24, 28, 32 }[random.Next(4)] : new[] { 0, 64, 124, 128 }[random.Next(4)];
        var address = new BackendRuntime { Slot = 0, Generation = 1, Counter = new BackendCounter(), Address = to, Port = 0, Weight = 1 };
        return new NatRule
        {
            Spec = new NatSpec { Inside = "in", Outside = "out", From = random.Next(10) == 0 ? null : new IpPrefix(from, length).Network },
            Inside = random.Next(3),
            InsideNetwork = -1,
            Outside = (short)random.Next(3),
            Own = [to],
            V4 = isV4 ? [address] : [],
            V6 = isV4 ? [] : [address],
        };
    }

    /// <summary>Of few, so that prefixes and addresses meet.</summary>
    private static IpAddress Address(Random random, bool isV4) => isV4
        ? IpAddress.FromV4(0x0A00_0000 | (uint)(random.Next(3) << 8) | (uint)random.Next(40))
        : IpAddress.FromV6(0x2001_0DB8_0000_0000UL | (uint)random.Next(3), (ulong)random.Next(40));
}
