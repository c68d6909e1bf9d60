using Dataplane.Bridging;
using Dataplane.Packets;
using Dataplane.Pipeline;

namespace Dataplane.Tests.Bridging;

/// <summary>The table of addresses by itself, and with several workers at it.</summary>
public sealed class MacTableTests
{
    private const long Second = 1_000_000_000;

    [Fact]
    public void Learn_ByManyThreads_NeverMixesAddressesAndCountsRightInTheEnd()
    {
        var table = new MacTable(512, 4, 10);
        int wrong = 0;
        Parallel.For(0, 4, port =>
        {
            // Each address belongs to one port, and places are fought for: there are four times as many addresses as places.
            var moves = new TokenBucket(1_000_000, 1_000_000);
            var random = new Random(port + 1);
            for (int i = 0; i < 200_000; i++)
            {
                int number = random.Next(2048);
                long now = (i / 10_000 * 3 * Second) + Second;
                if (number % 4 == port)
                {
                    table.Learn(MacTable.KeyOf((ulong)number + 1, 0), port, 512, moves, now);
                }
                else if (table.Find(MacTable.KeyOf((ulong)number + 1, 0), MacTable.SecondsOf(now)) is var found && found >= 0 && found != number % 4)
                {
                    Interlocked.Increment(ref wrong);
                }

                if (port == 0 && i % 100 == 0)
                {
                    table.Sweep(now);
                }
            }
        });
        Assert.Equal(0, wrong);
        long end = 61 * Second;
        for (int i = 0; i < 30; i++)
        {
            table.Sweep(end);
        }

        (MacAddress Mac, int Vlan, int Port, int AgeSeconds)[] known = [.. table.Read(end)];
        Assert.NotEmpty(known);
        Assert.All(known, entry => Assert.Equal((int)((entry.Mac.Bits - 1) % 4), entry.Port));
        Assert.Equal(known.Length, Enumerable.Range(0, 4).Sum(table.CountOf));
        for (int i = 0; i < 20; i++)
        {
            table.Sweep(end + (100 * Second));
        }

        Assert.Empty(table.Read(end + (100 * Second)));
        Assert.Equal(0, Enumerable.Range(0, 4).Sum(table.CountOf));
    }

    [Theory]
    [InlineData(64)]
    [InlineData(8192)]
    public void Learn_HalfAsManyAsPlaces_AreNearlyAllThere(int entries)
    {
        // Addresses one behind the other, and a thousand apart; a key that is drawn anew each time.
        foreach (int step in Enumerable.Range(0, 20).Select(round => round % 2 == 0 ? 1 : 1000))
        {
            var table = new MacTable(entries, 1, 300);
            var moves = new TokenBucket(0, 0);
            ulong[] keys = [.. Enumerable.Range(1, entries / 2).Select(number => MacTable.KeyOf((ulong)(number * step), 5))];
            int learnt = keys.Count(key => table.Learn(key, 0, entries, moves, Second) == Learning.Learnt);

            // Eight places in a bucket that four come to on average: one address in fifty or so finds its bucket full.
            Assert.InRange(learnt, entries / 2 * 8 / 10, entries / 2);
            Assert.Equal(learnt, keys.Count(key => table.Find(key, 1) == 0));
            Assert.Equal(learnt, table.CountOf(0));
            Assert.Equal(-1, table.Find(MacTable.KeyOf(1, 6), 1));
        }
    }

    [Fact]
    public void Learn_InThePlaceOfAgedAddresses_TakesThemFromTheCountOfTheirPort()
    {
        var table = new MacTable(8, 2, 10);
        var moves = new TokenBucket(0, 0);
        for (ulong number = 1; number <= 8; number++)
        {
            Assert.Equal(Learning.Learnt, table.Learn(MacTable.KeyOf(number, 0), 0, 8, moves, Second));
        }

        for (ulong number = 11; number <= 15; number++)
        {
            Assert.Equal(Learning.Learnt, table.Learn(MacTable.KeyOf(number, 0), 1, 8, moves, 20 * Second));
        }

        Assert.Equal((3, 5), (table.CountOf(0), table.CountOf(1)));
    }

    [Fact]
    public void Find_WithAClockThatIsBehind_IsNotAged()
    {
        var table = new MacTable(64, 1, 10);
        table.Learn(MacTable.KeyOf(1, 0), 0, 64, new TokenBucket(0, 0), 5 * Second);
        Assert.Equal(0, table.Find(MacTable.KeyOf(1, 0), 4));
    }
}
